//! What people see of schedules: how they stand, what became of their occurrences, and what comes next, by the same rules
//! as the firing.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use anyhow::{Context, Result};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};

use super::plan::{self, Named, Plan, Planned};
use crate::{id::RunId, run::RunState, schedule::Written};

/// How one schedule of a batch stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Scheduled {
    pub batch: String,
    /// Its place in the batch, from 0.
    pub position: i32,
    pub schedule: Written,
    /// The rule in words.
    pub words: String,
    /// Whether it fires: its batch is enabled, it is not paused, and it can be read.
    pub fires: bool,
    /// Since when its batch is enabled with it.
    pub enabled_at: Option<DateTime<Utc>>,
    pub paused_at: Option<DateTime<Utc>>,
    pub paused_by: Option<String>,
    pub paused_note: Option<String>,
    /// Failed runs in a row.
    pub failures: i32,
    /// Why it cannot fire at all.
    pub fault: Option<String>,
    /// When it is due next, whether it fires then or not.
    pub next: Option<Due>,
}

/// An occurrence: planned, or what became of it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Occurrence)]
pub struct Due {
    pub batch: String,
    /// What makes it itself in its batch.
    #[schema(example = "2026-04-01T06:00")]
    pub key: String,
    /// What clocks in its zone show then.
    #[schema(example = "2026-04-01T06:00")]
    pub local: String,
    /// When it is due. The run of a planned one begins between this and `until`.
    pub at: DateTime<Utc>,
    /// The end of its jitter window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    #[schema(format = Date)]
    pub business_date: NaiveDate,
    pub state: DueState,
    /// Why it waits, was skipped or was missed: a code, a text, and what else there is to know.
    #[schema(value_type = Option<Object>)]
    pub reason: Option<Value>,
    /// What its rule alone does not tell, each with a code and a text.
    #[schema(value_type = Vec<Object>)]
    pub notes: Vec<Value>,
    #[schema(value_type = Option<i64>)]
    pub run: Option<RunId>,
    /// How the run stands, as long as it is kept.
    pub run_state: Option<RunState>,
}

/// Where an occurrence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum DueState {
    /// It lies ahead.
    Planned,
    /// Behind a run that is under way.
    Waiting,
    Ran,
    /// Left out by a policy that its reason names.
    Skipped,
    /// It should have run.
    Missed,
}

/// Which occurrences are asked for: local dates, both included, and the place after which the list begins.
#[derive(Debug, Clone)]
pub struct Range {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Instant, batch and key of the last one seen.
    pub after: Option<(DateTime<Utc>, String, String)>,
    pub limit: i64,
}

/// Whose batches one may see: those that run as this user, or everyone's.
pub type Only<'a> = Option<&'a str>;

/// The schedules of a batch.
///
/// # Errors
/// When the database cannot be read.
pub async fn schedules(
    db: &PgPool,
    (batch, only): (Option<&str>, Only<'_>),
    now: DateTime<Utc>,
) -> Result<Vec<Scheduled>> {
    let mut db = db.acquire().await.context("connecting to read schedules")?;
    let stands = stands(&mut db, batch, only).await?;
    let plans = plans(&mut db, &stands).await?;
    let of = |(stand, plan): (Stand, Result<Plan, String>)| {
        let written: Written = serde_json::from_value(stand.definition.clone()).unwrap_or_default();
        let next =
            plan.as_ref().ok().and_then(|plan| plan.after(stand.after(now)).next().map(|it| due(&stand, plan, it)));
        let fault = plan.err();
        Scheduled {
            words: written.words(),
            schedule: written,
            fires: stand.enabled && stand.paused_at.is_none() && fault.is_none(),
            fault,
            next,
            batch: stand.batch,
            position: stand.position,
            enabled_at: stand.enabled_at,
            paused_at: stand.paused_at,
            paused_by: stand.paused_by,
            paused_note: stand.paused_note,
            failures: stand.failures.unwrap_or_default(),
        }
    };
    Ok(stands.into_iter().zip(plans).map(of).collect())
}

/// The occurrences of a batch in `range`, those that were decided and those that lie ahead, in the order of their instants.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_batch(
    db: &PgPool,
    (batch, only): (&str, Only<'_>),
    range: &Range,
    now: DateTime<Utc>,
) -> Result<Vec<Due>> {
    listed(db, (Some(batch), only), range, now).await
}

/// The same of all batches.
///
/// # Errors
/// When the database cannot be read.
pub async fn calendar(db: &PgPool, only: Only<'_>, range: &Range, now: DateTime<Utc>) -> Result<Vec<Due>> {
    listed(db, (None, only), range, now).await
}

async fn listed(
    db: &PgPool,
    (batch, only): (Option<&str>, Only<'_>),
    range: &Range,
    now: DateTime<Utc>,
) -> Result<Vec<Due>> {
    let mut db = db.acquire().await.context("connecting to read occurrences")?;
    let mut dues = decided(&mut db, (batch, only), range).await?;
    let seen: HashSet<_> = dues.iter().map(|due| (due.batch.clone(), due.key.clone())).collect();
    let stands = stands(&mut db, batch, only).await?;
    let plans = plans(&mut db, &stands).await?;
    drop(db);
    let ahead: Vec<_> =
        stands.iter().zip(&plans).filter_map(|(stand, plan)| Some((stand, plan.as_ref().ok()?))).collect();
    let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
    let planned = planned(&ahead, range, now).filter(|due| !seen.contains(&(due.batch.clone(), due.key.clone())));
    dues.extend(planned.take(limit));
    dues.sort_by(|a, b| place(a).cmp(&place(b)));
    dues.truncate(limit);
    Ok(dues)
}

fn place(due: &Due) -> (DateTime<Utc>, &str, &str) {
    (due.at, &due.batch, &due.key)
}

/// A schedule of a batch's current revision, with its row once a node has seen it.
struct Stand {
    batch: String,
    enabled: bool,
    changed_at: DateTime<Utc>,
    position: i32,
    definition: Value,
    /// The definition of the batch's first schedule.
    first: Value,
    after_at: Option<DateTime<Utc>>,
    enabled_at: Option<DateTime<Utc>>,
    paused_at: Option<DateTime<Utc>>,
    paused_by: Option<String>,
    paused_note: Option<String>,
    failures: Option<i32>,
}

impl Stand {
    /// From where on its occurrences are not decided yet.
    fn after(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.after_at.unwrap_or(self.changed_at.min(now))
    }
}

async fn stands(db: &mut PgConnection, batch: Option<&str>, only: Only<'_>) -> Result<Vec<Stand>> {
    sqlx::query_as!(
        Stand,
        r#"
        select batch.name as batch, batch.enabled, batch.changed_at, (written.position - 1)::integer as "position!",
               written.definition as "definition!",
               batch_revision.definition -> 'schedule' -> 0 as "first!",
               schedule.after_at as "after_at?", schedule.enabled_at, schedule.paused_at, schedule.paused_by,
               schedule.paused_note, schedule.failures as "failures?"
          from batch
          join batch_revision on batch_revision.id = batch.current
         cross join lateral jsonb_array_elements(batch_revision.definition -> 'schedule')
                            with ordinality as written (definition, position)
          left join schedule on schedule.batch = batch.name and schedule.position = written.position - 1
                            and schedule.revision = batch.current
         where batch.deleted_at is null
           and ($1::text is null or batch.name = $1)
           and ($2::text is null or batch_revision.run_as = $2)
         order by batch.name, written.position
        "#,
        batch,
        only,
    )
    .fetch_all(db)
    .await
    .context("reading how schedules stand")
}

/// Their plans, in their order.
async fn plans(db: &mut PgConnection, stands: &[Stand]) -> Result<Vec<Result<Plan, String>>> {
    let zones: Vec<_> = stands.iter().map(|stand| plan::key_zone(&stand.first, &stand.definition)).collect();
    let named = stands.iter().zip(&zones).map(|(stand, zone)| Named {
        batch: &stand.batch,
        definition: &stand.definition,
        key_zone: zone.as_deref(),
    });
    plan::all(db, &named.collect::<Vec<_>>()).await
}

/// A planned occurrence, as people see it.
fn due(stand: &Stand, plan: &Plan, planned: Planned) -> Due {
    let occurrence = planned.occurrence;
    let window = plan.schedule.jitter.and_then(|window| TimeDelta::from_std(window).ok());
    let mut notes: Vec<_> = occurrence.notes.iter().map(|note| json!(note)).collect();
    if !stand.enabled {
        notes.push(json!({ "code": "batch-disabled", "text": "the batch is disabled, so it will be skipped" }));
    }
    if let Some(note) = &stand.paused_note {
        notes.push(json!({ "code": "schedule-paused", "text": format!("the schedule is paused: {note}") }));
    }
    Due {
        batch: stand.batch.clone(),
        key: occurrence.key,
        local: occurrence.local.format("%Y-%m-%dT%H:%M").to_string(),
        at: occurrence.at,
        until: window.and_then(|window| occurrence.at.checked_add_signed(window)),
        business_date: occurrence.business_date,
        state: DueState::Planned,
        reason: None,
        notes,
        run: None,
        run_state: None,
    }
}

/// How far an instant may lie from midnight UTC of its local date.
const ANY_ZONE: Days = Days::new(2);

/// What lies ahead in `range`, in the order of instants, as lazily as can be: no schedule is asked for more than is taken.
fn planned<'a>(
    ahead: &'a [(&'a Stand, &'a Plan)],
    range: &'a Range,
    now: DateTime<Utc>,
) -> impl Iterator<Item = Due> + 'a {
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let begin = midnight(range.from.checked_sub_days(ANY_ZONE).unwrap_or(range.from));
    let end = midnight(range.to.checked_add_days(ANY_ZONE).unwrap_or(range.to));
    let seen = range.after.as_ref().map(|(at, ..)| *at - TimeDelta::microseconds(1));
    let begin = seen.map_or(begin, |seen| seen.max(begin));
    let mut sources: Vec<_> = ahead
        .iter()
        .map(|(stand, plan)| {
            let due_from = plan.after(stand.after(now).max(begin)).take_while(move |it| it.occurrence.at <= end);
            let dues = due_from
                .filter(|it| (range.from..=range.to).contains(&it.occurrence.local.date()))
                .map(|it| due(stand, plan, it))
                .filter(|due| range.after.as_ref().is_none_or(|(at, batch, key)| place(due) > (*at, batch, key)));
            dues.peekable()
        })
        .collect();
    let first = |at: usize, source: &mut std::iter::Peekable<_>| next_of(at, source);
    let mut heads: BinaryHeap<_> =
        sources.iter_mut().enumerate().filter_map(|(at, source)| first(at, source)).collect();
    std::iter::from_fn(move || {
        let Reverse((_, _, at)) = heads.pop()?;
        let due = sources[at].next();
        heads.extend(next_of(at, &mut sources[at]));
        due
    })
}

type Head = Reverse<(DateTime<Utc>, String, usize)>;

/// What the source with the number `at` gives next, for the heap.
fn next_of(at: usize, source: &mut std::iter::Peekable<impl Iterator<Item = Due>>) -> Option<Head> {
    source.peek().map(|due| Reverse((due.at, due.batch.clone(), at)))
}

async fn decided(db: &mut PgConnection, (batch, only): (Option<&str>, Only<'_>), range: &Range) -> Result<Vec<Due>> {
    let after = range.after.as_ref();
    sqlx::query_as!(
        Due,
        r#"
        select occurrence.batch, key, to_char(local, 'YYYY-MM-DD"T"HH24:MI') as "local!", due_at as at,
               null::timestamptz as "until?", occurrence.business_date, occurrence.state as "state: DueState",
               occurrence.reason, array(select jsonb_array_elements(notes)) as "notes!",
               occurrence.run as "run: RunId", run.state as "run_state?: RunState"
          from occurrence
          join batch on batch.name = occurrence.batch
          join batch_revision on batch_revision.id = batch.current
          left join run on run.id = occurrence.run
         where ($1::text is null or occurrence.batch = $1)
           and ($2::text is null or batch_revision.run_as = $2)
           and local >= $3::date and local < $4::date + 1
           and due_at >= $3::date - 2 and due_at < $4::date + 30
           and ($5::timestamptz is null or (due_at, occurrence.batch, key) > ($5, $6, $7))
         order by due_at, occurrence.batch, key
         limit $8
        "#,
        batch,
        only,
        range.from,
        range.to,
        after.map(|(at, ..)| *at),
        after.map(|(_, batch, _)| batch),
        after.map(|(_, _, key)| key),
        range.limit,
    )
    .fetch_all(db)
    .await
    .context("reading occurrences")
}
