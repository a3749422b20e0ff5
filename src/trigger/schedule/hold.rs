//! Holding batches: whoever holds one decides alone about its schedules, until the end of the transaction. Runs can still
//! be started and nobody who only reads is kept waiting.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Holds up to `most` batches with schedules that are due. Those that somebody else holds are left to them.
pub(super) async fn due(db: &mut PgConnection, now: DateTime<Utc>, most: i64) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select name
          from batch
         where name in (
                select schedule.batch
                  from schedule
                  join batch on batch.name = schedule.batch and batch.current = schedule.revision
                       and batch.enabled = (schedule.disabled_at is null)
                 where next_at <= $1
                 order by next_at
                 limit $2)
         order by name
           for no key update skip locked
        "#,
        now,
        most,
    )
    .fetch_all(db)
    .await
    .context("holding the batches that are due")
}

/// Holds one batch, and waits for it. False when there is none of this name.
pub(super) async fn one(db: &mut PgConnection, batch: &str) -> Result<bool> {
    let held = sqlx::query_scalar!(
        "select name from batch where name = $1 and deleted_at is null and current is not null for no key update",
        batch,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("holding batch {batch}"))?;
    Ok(held.is_some())
}

/// Holds up to `most` batches in which an occurrence waits and nothing is under way any more.
pub(super) async fn waiting(db: &mut PgConnection, most: i64) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select name
          from batch
         where name in (
                select occurrence.batch
                  from occurrence
                  join batch on batch.name = occurrence.batch
                 where occurrence.state = 'waiting'
                   and (not batch.enabled
                        or not exists (select from run where run.batch = occurrence.batch and run.ended_at is null))
                 limit $1)
         order by name
           for no key update skip locked
        "#,
        most,
    )
    .fetch_all(db)
    .await
    .context("holding the batches in which something waits")
}

/// Holds up to `most` batches with a run of a schedule that has ended and was not counted.
pub(super) async fn ended(db: &mut PgConnection, most: i64) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select name
          from batch
         where name in (
                select occurrence.batch
                  from occurrence
                  left join run on run.id = occurrence.run
                 where occurrence.state = 'ran' and occurrence.counted_at is null
                   and (run.id is null or run.ended_at is not null)
                 limit $1)
         order by name
           for no key update skip locked
        "#,
        most,
    )
    .fetch_all(db)
    .await
    .context("holding the batches whose runs have ended")
}
