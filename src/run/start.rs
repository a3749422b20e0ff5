//! Step 0: a cause fires a batch.
//!
//! The run's row is unique on its batch and cause, so a second firing for the same cause finds the first one's run
//! and starts nothing. Runs start in sets, because a thousand schedules may be due in the same second. Called by every
//! trigger and door.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{
    Engine, RunState,
    current::{self, Current},
    letter, log, plan,
};
use crate::{
    audit::{self, Author, Deed},
    id::{RunId, StepId},
    queue::{self, Hint},
    workflow::Kind,
};

/// What fired a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub kind: CauseKind,
    /// Unique in the batch; the same key again is the same cause.
    pub key: String,
    /// The user who asked for it, if one did.
    pub by: Option<String>,
}

/// The kind of trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum CauseKind {
    Schedule,
    Demand,
    Event,
    File,
}

impl CauseKind {
    /// The word for it, in SQL, JSON and pages alike.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Demand => "demand",
            Self::Event => "event",
            Self::File => "file",
        }
    }
}

/// A firing that is asked for.
#[derive(Debug, Clone)]
pub struct Start {
    pub batch: String,
    pub cause: Cause,
    /// The date the run is about; today in the batch's zone otherwise.
    pub date: Option<NaiveDate>,
    /// Parameters for this run only, for the documents that declare them.
    pub params: Map<String, Value>,
    /// Wait to be released before anything is expanded.
    pub hold: bool,
}

/// The run a cause belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    pub run: RunId,
    /// False when the cause had started it before.
    pub fresh: bool,
}

/// Why a run could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("there is no batch `{0}`")]
    UnknownBatch(String),
    #[error("the batch `{0}` is disabled; enable it first")]
    Disabled(String),
    #[error("nothing in the batch `{batch}` has a parameter `{name}`")]
    UnknownParam { batch: String, name: String },
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// Starts a run, or finds the one that `start.cause` started before. One that a person asked for is in the audit log.
///
/// # Errors
/// When the batch is unknown or disabled, and on faults of the database.
pub async fn start(engine: &Engine, start: Start) -> Result<Started, StartError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning a run")?;
    let asked = start.cause.by.clone().filter(|_| start.cause.kind == CauseKind::Demand);
    let batch = start.batch.clone();
    let started = start_in(&mut db, start, now).await?;
    if let Some(name) = asked.filter(|_| started.fresh) {
        let deed = Deed { action: "run.started", object: &started.run.to_string(), detail: json!({ "batch": batch }) };
        audit::record(&mut db, &Author { name, at: now }, deed).await?;
    }
    db.commit().await.context("starting a run")?;
    Ok(started)
}

/// The same in the caller's transaction.
///
/// # Errors
/// As [`start`].
pub async fn start_in(db: &mut PgConnection, start: Start, now: DateTime<Utc>) -> Result<Started, StartError> {
    let started = start_all(db, std::slice::from_ref(&start), now).await?.pop();
    started.context("a start was not answered")?
}

/// Starts many runs in the caller's transaction, in a few statements for all of them; answers in the order of `starts`.
///
/// # Errors
/// On faults of the database. Refusals stand in the answers.
pub async fn start_all(
    db: &mut PgConnection,
    starts: &[Start],
    now: DateTime<Utc>,
) -> Result<Vec<Result<Started, StartError>>> {
    let mut runs = find(db, starts.iter()).await?;
    let names: HashSet<_> = starts.iter().map(|start| start.batch.as_str()).collect();
    let batches = current::all(db, &names).await?;
    let mut refusals = HashMap::new();
    let mut wanted = Vec::with_capacity(starts.len());
    for (index, start) in starts.iter().enumerate().filter(|(_, start)| !runs.contains_key(&key(start))) {
        match allowed(db, &batches, start).await? {
            Ok(batch) => wanted.push((start, batch)),
            Err(refusal) => drop(refusals.insert(index, refusal)),
        }
    }
    let mut fresh = HashSet::new();
    for chunk in wanted.chunks(CHUNK) {
        fresh.extend(insert(db, chunk, now).await?);
    }
    // Those that another node has started meanwhile are there now.
    runs.extend(find(db, wanted.iter().map(|(start, _)| *start)).await?);
    let answer = |(index, start)| match refusals.remove(&index) {
        Some(refusal) => Ok(Err(refusal)),
        None => {
            let run = *runs.get(&key(start)).context("a run that was there is gone")?;
            Ok(Ok(Started { run, fresh: fresh.remove(&run) }))
        }
    };
    starts.iter().enumerate().map(answer).collect()
}

/// Runs written in one statement.
const CHUNK: usize = 500;

/// What makes a firing one and the same: its batch and its cause.
type Key = (String, String);

fn key(start: &Start) -> Key {
    (start.batch.clone(), start.cause.key.clone())
}

async fn allowed<'a>(
    db: &mut PgConnection,
    batches: &'a HashMap<String, Result<Current>>,
    start: &Start,
) -> Result<Result<&'a Current, StartError>> {
    // Letters are written by the sweeper alone.
    let batch = match batches.get(&start.batch).filter(|_| start.batch != letter::BATCH) {
        None => return Ok(Err(StartError::UnknownBatch(start.batch.clone()))),
        Some(Err(fault)) => return Ok(Err(StartError::Fault(anyhow!("{fault:#}")))),
        Some(Ok(batch)) => batch,
    };
    if !batch.enabled {
        return Ok(Err(StartError::Disabled(start.batch.clone())));
    }
    let unknown = unknown_param(db, batch, start).await?;
    let refusal = unknown.map(|name| StartError::UnknownParam { batch: start.batch.clone(), name });
    Ok(refusal.map_or(Ok(batch), Err))
}

async fn unknown_param(db: &mut PgConnection, batch: &Current, start: &Start) -> Result<Option<String>> {
    if start.params.is_empty() {
        return Ok(None);
    }
    let documents = plan::documents(db, &batch.batch).await?;
    let audience = batch.batch.audience.as_ref();
    let known = |name: &String| {
        documents.iter().any(|(_, document)| document.params.contains_key(name))
            || audience.is_some_and(|audience| audience.params.contains_key(name))
    };
    Ok(start.params.keys().find(|name| !known(name)).cloned())
}

/// The runs that are there already.
async fn find(db: &mut PgConnection, starts: impl Iterator<Item = &Start>) -> Result<HashMap<Key, RunId>> {
    let (batches, keys): (Vec<_>, Vec<_>) = starts.map(key).unzip();
    let rows = sqlx::query!(
        r#"
        select run.id as "id: RunId", run.batch, run.cause_key
          from unnest($1::text[], $2::text[]) as wanted (batch, key)
          join run on run.batch = wanted.batch and run.cause_key = wanted.key
        "#,
        &batches,
        &keys,
    )
    .fetch_all(db)
    .await
    .context("looking for runs")?;
    Ok(rows.into_iter().map(|row| ((row.batch, row.cause_key), row.id)).collect())
}

/// Writes runs with the first line of their logs and, unless they are held, their first steps. Gives those that were not
/// there.
async fn insert(db: &mut PgConnection, wanted: &[(&Start, &Current)], now: DateTime<Utc>) -> Result<Vec<RunId>> {
    let rows = rows(db, wanted, now).await?;
    let by_key: HashMap<_, _> = wanted.iter().map(|(start, batch)| (key(start), (*start, *batch))).collect();
    let (mut lines, mut steps) = (Vec::new(), Vec::new());
    for (run, key) in &rows {
        let (start, batch) = by_key.get(key).context("a run that nobody asked for")?;
        let text = format!("started by {}", start.cause.key);
        lines.push((*run, text, json!({ "by": start.cause.by })));
        if !start.hold {
            steps.push((*run, batch.start.as_str()));
        }
    }
    log::begin(db, now, ("started", lines)).await?;
    open(db, &steps, now).await?;
    Ok(rows.into_iter().map(|(run, _)| run).collect())
}

async fn rows(db: &mut PgConnection, wanted: &[(&Start, &Current)], now: DateTime<Utc>) -> Result<Vec<(RunId, Key)>> {
    let starts = || wanted.iter().map(|(start, _)| *start);
    let batches = || wanted.iter().map(|(_, batch)| *batch);
    let state = |start: &Start| if start.hold { RunState::Held } else { RunState::Expanding };
    let rows = sqlx::query!(
        r#"
        insert into run (batch, revision, workflow_version, cause_kind, cause_key, cause_by, business_date, run_as,
                         attributes, params, state, created_at)
        select *, $12::timestamptz
          from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::text[],
                      $9::jsonb[], $10::jsonb[], $11::text[])
        on conflict on constraint run_starts_once_per_cause do nothing
        returning id as "id: RunId", batch, cause_key
        "#,
        &starts().map(|start| start.batch.clone()).collect::<Vec<_>>(),
        &batches().map(|batch| batch.revision.0).collect::<Vec<_>>(),
        &batches().map(|batch| batch.version.clone()).collect::<Vec<_>>(),
        &starts().map(|start| start.cause.kind.name().to_owned()).collect::<Vec<_>>(),
        &starts().map(|start| start.cause.key.clone()).collect::<Vec<_>>(),
        &starts().map(|start| start.cause.by.clone()).collect::<Vec<_>>() as &[Option<String>],
        &wanted.iter().map(|(start, batch)| start.date.unwrap_or_else(|| batch.today(now))).collect::<Vec<_>>(),
        &batches().map(|batch| batch.batch.run_as.clone()).collect::<Vec<_>>(),
        &batches().map(|batch| batch.attributes.clone()).collect::<Vec<_>>(),
        &starts().map(|start| Value::Object(start.params.clone())).collect::<Vec<_>>(),
        &starts().map(|start| state(start).name().to_owned()).collect::<Vec<_>>(),
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("starting {} runs", wanted.len()))?;
    Ok(rows.into_iter().map(|row| (row.id, (row.batch, row.cause_key))).collect())
}

/// Adds the first steps of runs, by their names, and their hints.
pub(super) async fn open(db: &mut PgConnection, first: &[(RunId, &str)], now: DateTime<Utc>) -> Result<()> {
    let steps = sqlx::query_scalar!(
        r#"
        insert into step (run, name, kind, state, due_at, hinted_at, created_at, changed_at)
        select run, name, 'expand', 'ready', $3, $3, $3, $3
          from unnest($1::bigint[], $2::text[]) as first (run, name)
        returning id as "id: StepId"
        "#,
        &first.iter().map(|(run, _)| run.0).collect::<Vec<_>>(),
        &first.iter().map(|(_, name)| (*name).to_owned()).collect::<Vec<_>>(),
        now,
    )
    .fetch_all(&mut *db)
    .await
    .context("adding the first steps of runs")?;
    let hints: Vec<_> = steps.into_iter().map(|id| Hint { kind: Kind::Expand, id }).collect();
    queue::push(db, &hints).await
}
