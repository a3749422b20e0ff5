//! The only writer of apalis: hints that a step may be claimed.
//!
//! A hint carries `{kind, id}` and nothing else. Losing one, doubling one or stranding one costs time, never
//! correctness, because steps without a hint are found by the sweeper and claiming a step twice is impossible.

use anyhow::{Context, Result};
use apalis::prelude::TaskBuilder;
use apalis_postgres::{PostgresStorage, queries::push_tasks};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use crate::{id::StepId, workflow::Kind};

/// A queue of hints. Worker nodes choose which ones they serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Queue {
    /// Steps that happen once per run: expand, record, notify.
    Run,
    /// Rendering, which takes processor time.
    Render,
    /// Transmitting, which takes patience.
    Transmit,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Run, Self::Render, Self::Transmit];

    /// The queue that steps of `kind` wait in.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Expand | Kind::Record | Kind::Notify => Self::Run,
            Kind::Render => Self::Render,
            Kind::Transmit => Self::Transmit,
        }
    }

    /// Its name among the jobs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "postbook.run",
            Self::Render => "postbook.render",
            Self::Transmit => "postbook.transmit",
        }
    }
}

/// What a job carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    pub kind: Kind,
    pub id: StepId,
}

/// Jobs written in one statement. Larger batches hold the connection longer, smaller ones pay more round trips.
const CHUNK: usize = 1000;

/// Writes a job for each hint, in the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn push(db: &mut PgConnection, hints: &[Hint]) -> Result<()> {
    for queue in Queue::ALL {
        let of_queue: Vec<_> = hints.iter().filter(|hint| Queue::of(hint.kind) == queue).collect();
        for chunk in of_queue.chunks(CHUNK) {
            let jobs = chunk.iter().map(|hint| job(hint)).collect::<Result<_>>()?;
            push_tasks(db, queue.name(), jobs)
                .await
                .with_context(|| format!("writing to the queue {}", queue.name()))?;
        }
    }
    Ok(())
}

/// A job that is tried once: when to try again is a row of ours, not a matter of the queue.
fn job(hint: &Hint) -> Result<apalis_postgres::PgTask> {
    let payload = serde_json::to_vec(hint).context("writing a hint")?;
    Ok(TaskBuilder::new(payload).max_attempts(1).build())
}

/// Creates or updates the queue's own tables, and silences them.
///
/// # Errors
/// When the database refuses, for one because the extension `hstore` is not to be had.
pub async fn setup(db: &PgPool) -> Result<(), apalis_postgres::Error> {
    PostgresStorage::setup(db).await?;
    silence(db).await
}

/// Ends the announcement of each new job. Nobody listens; and a transaction that announces holds a lock of the whole
/// server until it is on disk, so that they all would be written one after the other.
async fn silence(db: &PgPool) -> Result<(), apalis_postgres::Error> {
    sqlx::raw_sql(
        "do $$ begin
             if exists (select from pg_trigger
                         where tgrelid = 'apalis.jobs'::regclass and tgname = 'notify_workers' and tgenabled <> 'D') then
                 alter table apalis.jobs disable trigger notify_workers;
             end if;
         end $$",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes up to `limit` jobs that have ended, and says how many there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge(db: &PgPool, limit: i64) -> Result<u64> {
    let gone = sqlx::query(
        "delete from apalis.jobs where id in (
             select id from apalis.jobs where job_type like 'postbook.%' and status in ('Done', 'Failed', 'Killed')
              limit $1 for update skip locked)",
    )
    .bind(limit)
    .execute(db)
    .await
    .context("deleting jobs that have ended")?;
    Ok(gone.rows_affected())
}

/// Deletes up to `limit` workers that nobody has heard of since `before` and no job names, and says how many there
/// were. Each start of a node leaves one behind.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge_workers(db: &PgPool, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let gone = sqlx::query(
        "delete from apalis.workers where id in (
             select id from apalis.workers as worker
              where last_seen < $1 and worker_type like 'postbook.%'
                and not exists (select from apalis.jobs where jobs.lock_by = worker.id)
              limit $2 for update skip locked)",
    )
    .bind(before)
    .bind(limit)
    .execute(db)
    .await
    .context("deleting workers that are gone")?;
    Ok(gone.rows_affected())
}
