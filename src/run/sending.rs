//! Whether anything is sent at all, what waits while nothing is, and letting it go or dropping it.
//!
//! A pause of the installation is a row ([`crate::db::installation`]) that the claim of every step that transmits looks
//! at, notices included, on all nodes; expanding and rendering go on. Sends in flight are finished. A single run can be
//! let out of a pause, and runs can be dropped, which cancels what they have queued. Called by the doors.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;

use super::{
    Engine, RunState,
    act::{self, ActError},
    book::Purpose,
    log,
};
use crate::{
    audit::{self, Author, Deed},
    db::installation::{self, Pause},
    id::{RunId, StepId},
    queue::{self, Hint},
    workflow::Kind,
};

/// Whether sending is paused, and what waits to be sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sending {
    pub paused: bool,
    pub since: Option<DateTime<Utc>>,
    pub by: Option<String>,
    pub why: Option<String>,
    /// What is queued, by run and way out, what has waited longest first; at most a thousand.
    pub waiting: Vec<Waiting>,
}

/// What a run has queued for one way out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Waiting {
    pub run: RunId,
    pub batch: String,
    pub title: String,
    pub business_date: NaiveDate,
    pub state: RunState,
    /// Whether it is let go although sending is paused.
    pub released: bool,
    /// `document`, or `notice` for what monitors are told.
    pub purpose: Purpose,
    pub channel: String,
    /// The account it would leave by, when there is one.
    pub account: Option<String>,
    /// How many transmissions.
    pub queued: i64,
    /// Since when the one that waits longest could have been sent.
    pub oldest_due_at: DateTime<Utc>,
}

/// Keeps everything from being sent, on all nodes, until it is released.
///
/// # Errors
/// When sending is paused already.
pub async fn pause(engine: &Engine, author: &Author, why: &str) -> Result<(), ActError> {
    let mut db = engine.db.begin().await.context("beginning to pause what is sent")?;
    if installation::pause(&mut db, (&author.name, why), author.at).await?.is_none() {
        return Err(ActError::NotNow("sending is paused already; see what waits, or release it".to_owned()));
    }
    let deed = Deed { action: "sending.paused", object: "sending", detail: json!({ "why": why }) };
    audit::record(&mut db, author, deed).await?;
    db.commit().await.context("pausing what is sent")?;
    Ok(())
}

/// Lets everything go that waits.
///
/// # Errors
/// When sending is not paused.
pub async fn release(engine: &Engine, author: &Author, why: &str) -> Result<(), ActError> {
    let mut db = engine.db.begin().await.context("beginning to release what is sent")?;
    let Some(pause) = installation::release(&mut db).await? else { return Err(not_paused()) };
    let detail = json!({ "why": why, "paused_at": pause.at, "paused_by": pause.by, "paused_why": pause.why });
    audit::record(&mut db, author, Deed { action: "sending.released", object: "sending", detail }).await?;
    db.commit().await.context("releasing what is sent")?;
    Ok(hint(engine, None).await?)
}

fn not_paused() -> ActError {
    ActError::NotNow("sending is not paused, so there is nothing to release".to_owned())
}

/// Lets one run go, while everything else waits.
///
/// # Errors
/// When the run is unknown, or sending is not paused.
pub async fn release_run(engine: &Engine, run: RunId, (author, why): (&Author, &str)) -> Result<(), ActError> {
    let mut db = engine.db.begin().await.context("beginning to release a run")?;
    act::lock(&mut db, run).await?;
    let Some(pause) = installation::paused(&mut db).await? else { return Err(not_paused()) };
    sqlx::query!("update run set released_in = $2 where id = $1", run as RunId, pause.number)
        .execute(&mut *db)
        .await
        .with_context(|| format!("letting run {run} out of the pause"))?;
    let text = format!("let go by {} while sending is paused: {why}", author.name);
    log::write(&mut db, run, author.at, ("released", text, json!({ "by": author.name, "why": why }))).await?;
    let deed = Deed { action: "sending.run_released", object: &run.to_string(), detail: json!({ "why": why }) };
    audit::record(&mut db, author, deed).await?;
    db.commit().await.context("releasing a run")?;
    Ok(hint(engine, Some(run)).await?)
}

/// Steps told of at once. More holds the rows longer, fewer takes longer to let much go.
const CHUNK: i64 = 1000;

/// Gives hints to the steps that may transmit now, a chunk at a time. What a crash leaves out is found by the sweeper.
async fn hint(engine: &Engine, run: Option<RunId>) -> Result<()> {
    let now = engine.clock.now();
    let mut after: Option<(DateTime<Utc>, StepId)> = None;
    loop {
        let mut db = engine.db.begin().await.context("beginning to tell of what may be sent")?;
        let due = due(&mut db, run, after, now).await?;
        let Some(last) = due.last() else { return Ok(()) };
        after = Some(*last);
        let hints: Vec<_> = due.iter().map(|(_, id)| Hint { kind: Kind::Transmit, id: *id }).collect();
        queue::push(&mut db, &hints).await?;
        db.commit().await.context("telling of what may be sent")?;
    }
}

async fn due(
    db: &mut PgConnection,
    run: Option<RunId>,
    after: Option<(DateTime<Utc>, StepId)>,
    now: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, StepId)>> {
    let rows = sqlx::query!(
        r#"
        with due as (
            select id, due_at from step
             where ready and kind = 'transmit' and due_at <= $1
               and ($2::bigint is null or run = $2)
               and ($3::timestamptz is null or (due_at, id) > ($3, $4))
             order by due_at, id
             limit $5
               for update skip locked
        ), told as (
            update step set hinted_at = greatest($1, step.due_at) from due where step.id = due.id
        )
        select id as "id: StepId", due_at from due order by due_at, id
        "#,
        now,
        run as Option<RunId>,
        after.map(|(at, _)| at),
        after.map(|(_, id)| id.0),
        CHUNK,
    )
    .fetch_all(db)
    .await
    .context("looking for what may be sent")?;
    Ok(rows.into_iter().map(|row| (row.due_at, row.id)).collect())
}

/// Cancels what a run has queued: the run, when it is open, else its notices and what was to be sent again.
///
/// # Errors
/// When the run is unknown, or has nothing that could be dropped.
pub async fn drop_run(engine: &Engine, run: RunId, (author, why): (&Author, &str)) -> Result<(), ActError> {
    let open = {
        let mut db = engine.db.begin().await.context("beginning to drop a run")?;
        !matches!(act::lock(&mut db, run).await?.state, RunState::Succeeded | RunState::Partial | RunState::Failed)
    };
    if open {
        act::cancel(engine, run, &author.name).await?;
    } else {
        act::cancel_queued(engine, run, &author.name).await?;
    }
    let deed = Deed { action: "sending.dropped", object: &run.to_string(), detail: json!({ "why": why }) };
    Ok(audit::note(&engine.db, author, deed).await?)
}

/// Drops every run that has begun and not ended, and what ended ones still have queued. Runs that are held stay held.
/// Gives the runs.
///
/// # Errors
/// When the database cannot be written; what was dropped until then is.
pub async fn drop_all(engine: &Engine, (author, why): (&Author, &str)) -> Result<Vec<RunId>, ActError> {
    let mut dropped = Vec::new();
    for run in concerned(&engine.db).await? {
        match drop_run(engine, run, (author, why)).await {
            Ok(()) => dropped.push(run),
            // It came to its end meanwhile.
            Err(ActError::NotNow(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(dropped)
}

/// Runs that have begun and have something to do.
async fn concerned(db: &PgPool) -> Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"
        select id as "id!: RunId" from run where ended_at is null and state <> 'held'
        union
        select run from step where ready and kind = 'transmit'
        order by 1
        "#,
    )
    .fetch_all(db)
    .await
    .context("looking for runs that have something to send")
}

/// Whether sending is paused.
///
/// # Errors
/// When the database cannot be read.
pub async fn paused(db: &PgPool) -> Result<Option<Pause>> {
    let mut db = db.acquire().await.context("connecting to ask whether sending is paused")?;
    installation::paused(&mut db).await
}

/// Whether sending is paused, and what waits.
///
/// # Errors
/// When the database cannot be read.
pub async fn sending(engine: &Engine) -> Result<Sending> {
    let pause = paused(&engine.db).await?;
    let waiting = waiting(engine, pause.as_ref().map(|pause| pause.number)).await?;
    Ok(Sending {
        paused: pause.is_some(),
        since: pause.as_ref().map(|pause| pause.at),
        by: pause.as_ref().map(|pause| pause.by.clone()),
        why: pause.map(|pause| pause.why),
        waiting,
    })
}

async fn waiting(engine: &Engine, pause: Option<i32>) -> Result<Vec<Waiting>> {
    let rows = sqlx::query!(
        r#"
        with concerned as (
            select id from run where ended_at is null
            union
            select run from step where ready and kind = 'transmit'
        )
        select run.id as "id: RunId", run.batch, batch_revision.definition ->> 'title' as "title!",
               run.business_date, run.state as "state: RunState", run.released_in,
               transmission.purpose as "purpose: Purpose", transmission.channel,
               batch_revision.definition -> 'accounts' ->> transmission.channel as account,
               count(*) as "queued!",
               min(coalesce(transmission.next_at, transmission.created_at)) as "oldest!"
          from concerned
          join run on run.id = concerned.id
          join batch_revision on batch_revision.id = run.revision
          join transmission on transmission.run = run.id and transmission.state = 'queued'
         group by run.id, batch_revision.id, transmission.purpose, transmission.channel
         order by "oldest!", run.id
         limit 1000
        "#,
    )
    .fetch_all(&engine.db)
    .await
    .context("reading what waits to be sent")?;
    let account = |channel: &str, wanted: Option<String>| {
        engine.channels.pick(channel, wanted.as_deref()).map(|account| account.name().to_owned())
    };
    Ok(rows
        .into_iter()
        .map(|row| Waiting {
            run: row.id,
            batch: row.batch,
            title: row.title,
            business_date: row.business_date,
            state: row.state,
            released: pause.is_some() && row.released_in == pause,
            purpose: row.purpose,
            account: account(&row.channel, row.account),
            channel: row.channel,
            queued: row.queued,
            oldest_due_at: row.oldest,
        })
        .collect())
}
