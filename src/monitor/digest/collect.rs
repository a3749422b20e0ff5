//! The daybook: what digests tell, numbered in the order in which it became known.
//!
//! A run may say that it ended at 03:59:59 and be committed after the digest was written. So digests do not go by times:
//! what has ended is given the next numbers, by one transaction after the other, and a digest is a stretch of numbers.
//! What is committed later gets a later number, and stands in the next digest.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// How much older than the last look something may be that was not seen then. Longer than any transaction.
const LATE: chrono::Duration = chrono::Duration::days(1);

/// How far back is looked the first time. The first digests cover a day, and may be a day late.
const FIRST: chrono::Duration = chrono::Duration::days(2);

/// How long numbers are kept. Longer than nodes are ever away, so that a digest after that has everything.
const KEPT: chrono::Duration = chrono::Duration::days(60);

/// Names the lock of whoever collects; it keeps apart from other advisory locks.
const LOCK: (i32, i32) = (0x706f_7374, i32::MIN + 1);

/// Has the caller's transaction collect and write digests alone. False when another one does.
///
/// # Errors
/// When the database cannot be reached.
pub async fn lock(db: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1, $2) as "ours!""#, LOCK.0, LOCK.1)
        .fetch_one(db)
        .await
        .context("locking the daybook")
}

/// Gives numbers to what has none yet, and the last number there is. The caller holds the lock.
///
/// # Errors
/// When the database cannot be written.
pub async fn collect(db: &mut PgConnection, now: DateTime<Utc>) -> Result<i64> {
    // Whoever wrote a digest had collected, also when there was nothing.
    let last = sqlx::query_scalar!(
        "select greatest((select max(collected_at) from daybook), (select max(until_at) from digest))"
    )
    .fetch_one(&mut *db)
    .await
    .context("asking when was last collected")?;
    let since = last.unwrap_or(now - FIRST).min(now) - LATE;
    runs(db, since, now).await?;
    others(db, since, now).await?;
    sqlx::query!("delete from daybook where collected_at < $1", now - KEPT)
        .execute(&mut *db)
        .await
        .context("forgetting what stands in old digests")?;
    sqlx::query_scalar!(
        r#"select greatest((select max(number) from daybook), (select max(upto_number) from digest), 0) as "last!""#
    )
    .fetch_one(db)
    .await
    .context("asking for the last number of the daybook")
}

/// Each end of a run is one entry: one that was opened again and ended again is told again.
async fn runs(db: &mut PgConnection, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        insert into daybook (run, closing, collected_at)
        select run.id, run.closings, $2
          from run
          join batch on batch.name = run.batch and not batch.own
         where run.ended_at > $1
           and not exists (select from daybook where daybook.run = run.id and daybook.closing = run.closings)
         order by run.ended_at, run.id
        "#,
        since,
        now,
    )
    .execute(db)
    .await
    .context("collecting the runs that have ended")?;
    Ok(())
}

async fn others(db: &mut PgConnection, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        insert into daybook (batch, occurrence, collected_at)
        select batch, key, $2
          from occurrence
         where decided_at > $1 and state in ('skipped', 'missed')
           and not exists (select from daybook
                            where daybook.batch = occurrence.batch and daybook.occurrence = occurrence.key)
         order by due_at, batch
        "#,
        since,
        now,
    )
    .execute(&mut *db)
    .await
    .context("collecting the occurrences without a run")?;
    sqlx::query!(
        r#"
        insert into daybook (downtime, collected_at)
        select id, $2
          from downtime
         where to_at > $1 and not exists (select from daybook where daybook.downtime = downtime.id)
         order by id
        "#,
        since,
        now,
    )
    .execute(db)
    .await
    .context("collecting the times without a scheduler")?;
    Ok(())
}
