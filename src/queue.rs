//! The only writer of apalis: hints that a step may be claimed.
//!
//! A job carries the kind and the numbers of steps and nothing else. Losing one, doubling one or stranding one costs
//! time, never correctness, because steps without a job are found by the sweeper and claiming a step twice is
//! impossible. Where many steps become ready at once, one job tells of a stretch of them: what a job costs would
//! otherwise be more than what its step does.

use anyhow::{Context, Result};
use apalis::prelude::TaskBuilder;
use apalis_postgres::{PostgresStorage, queries::push_tasks};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, postgres::PgListener};

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
            Kind::Transmit | Kind::Fetch | Kind::Put | Kind::Move => Self::Transmit,
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

/// A step that may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    pub kind: Kind,
    pub id: StepId,
}

/// What a job carries: that steps of one kind may be claimed, those with the numbers from `id` to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub kind: Kind,
    pub id: StepId,
    pub to: StepId,
}

/// Jobs that many steps are told of at once make, at least, so that all nodes have their share of them.
const SHARES: usize = 16;

/// The most steps one job tells of. More costs the queue less a step, and spreads the last ones over nodes worse.
const LONGEST: usize = 16;

/// How much wider than its steps are many a stretch may be: whoever takes it looks through all its numbers.
const LOOSE: i64 = 8;

/// Jobs written in one statement. Larger batches hold the connection longer, smaller ones pay more round trips.
const CHUNK: usize = 1000;

/// Writes jobs that tell of all `hints`, in the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn push(db: &mut PgConnection, hints: &[Hint]) -> Result<()> {
    push_stretches(db, &stretches(hints)).await
}

/// Writes a job for each of `stretches`, in the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn push_stretches(db: &mut PgConnection, stretches: &[Stretch]) -> Result<()> {
    for queue in Queue::ALL {
        let of_queue: Vec<_> = stretches.iter().filter(|stretch| Queue::of(stretch.kind) == queue).collect();
        for chunk in of_queue.chunks(CHUNK) {
            let jobs = chunk.iter().map(|stretch| job(stretch)).collect::<Result<_>>()?;
            push_tasks(db, queue.name(), jobs)
                .await
                .with_context(|| format!("writing to the queue {}", queue.name()))?;
        }
    }
    Ok(())
}

/// The hints in stretches, shorter the fewer there are.
fn stretches(hints: &[Hint]) -> Vec<Stretch> {
    let longest = (hints.len() / SHARES).clamp(1, LONGEST);
    let mut sorted = hints.to_vec();
    sorted.sort_by_key(|hint| (hint.kind, hint.id));
    let mut stretches: Vec<(Stretch, usize)> = Vec::new();
    for Hint { kind, id } in sorted {
        match stretches.last_mut() {
            Some((stretch, steps))
                if stretch.kind == kind && *steps < longest && id.0 - stretch.id.0 < *steps as i64 * LOOSE =>
            {
                (stretch.to, *steps) = (id, *steps + 1);
            }
            _ => stretches.push((Stretch { kind, id, to: id }, 1)),
        }
    }
    stretches.into_iter().map(|(stretch, _)| stretch).collect()
}

/// A job that is tried once: when to try again is a row of ours, not a matter of the queue.
fn job(stretch: &Stretch) -> Result<apalis_postgres::PgTask> {
    let payload = serde_json::to_vec(stretch).context("writing a job")?;
    Ok(TaskBuilder::new(payload).max_attempts(1).build())
}

/// The channel on which the database says that there are jobs in a queue, by the queue's name.
const NEWS: &str = "postbook.jobs";

/// Creates or updates the queue's own tables, and has them tell of new jobs in our way.
///
/// # Errors
/// When the database refuses, for one because the extension `hstore` is not to be had.
pub async fn setup(db: &PgPool) -> Result<(), apalis_postgres::Error> {
    PostgresStorage::setup(db).await?;
    tell(db).await
}

/// One notification for each statement and queue, instead of one for each job: a thousand jobs are one piece of news.
async fn tell(db: &PgPool) -> Result<(), apalis_postgres::Error> {
    sqlx::raw_sql(
        "do $do$ begin
             if exists (select from pg_trigger
                         where tgrelid = 'apalis.jobs'::regclass and tgname = 'notify_workers' and tgenabled <> 'D') then
                 alter table apalis.jobs disable trigger notify_workers;
             end if;
             if not exists (select from pg_trigger
                             where tgrelid = 'apalis.jobs'::regclass and tgname = 'postbook_tell') then
                 create or replace function postbook_tell() returns trigger language plpgsql as $tell$ begin
                     perform pg_notify('postbook.jobs', job_type) from fresh group by job_type;
                     return null;
                 end $tell$;
                 create trigger postbook_tell after insert on apalis.jobs referencing new table as fresh
                     for each statement execute function postbook_tell();
             end if;
         end $do$",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Hears of new jobs.
pub struct News(PgListener);

impl News {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn listen(db: &PgPool) -> Result<Self> {
        let mut listener = PgListener::connect_with(db).await.context("connecting to listen for jobs")?;
        listener.listen(NEWS).await.context("listening for jobs")?;
        Ok(Self(listener))
    }

    /// The next queue that has a new job; nothing for one that is not ours.
    ///
    /// # Errors
    /// When the connection is lost; what happens meanwhile is not heard of.
    pub async fn next(&mut self) -> Result<Option<Queue>> {
        let news = self.0.recv().await.context("listening for jobs")?;
        Ok(Queue::ALL.into_iter().find(|queue| queue.name() == news.payload()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(ids: impl IntoIterator<Item = i64>) -> Vec<Hint> {
        ids.into_iter().map(|id| Hint { kind: Kind::Render, id: StepId(id) }).collect()
    }

    fn ends(hints: &[Hint]) -> Vec<(i64, i64)> {
        stretches(hints).iter().map(|stretch| (stretch.id.0, stretch.to.0)).collect()
    }

    #[test]
    fn few_steps_have_a_job_each() {
        assert_eq!(ends(&hints([7, 5, 6])), [(5, 5), (6, 6), (7, 7)]);
    }

    #[test]
    fn many_steps_share_jobs_and_none_is_left_out() {
        let stretches = stretches(&hints(1..=10_000));
        assert_eq!(stretches.len(), 625);
        let told: i64 = stretches.iter().map(|stretch| stretch.to.0 - stretch.id.0 + 1).sum();
        assert_eq!(told, 10_000);
    }

    #[test]
    fn steps_far_apart_share_no_job() {
        let far: Vec<_> = (0..1000).map(|n| n * 1000).collect();
        assert_eq!(ends(&hints(far)).len(), 1000);
    }

    #[test]
    fn steps_of_two_kinds_share_no_job() {
        let mut mixed = hints(1..=200);
        mixed.extend((1..=200).map(|id| Hint { kind: Kind::Transmit, id: StepId(id) }));
        for stretch in stretches(&mixed) {
            assert!(mixed.iter().filter(|hint| hint.kind == stretch.kind).any(|hint| hint.id == stretch.id));
        }
        let told: i64 = stretches(&mixed).iter().map(|stretch| stretch.to.0 - stretch.id.0 + 1).sum();
        assert_eq!(told, 400);
    }
}
