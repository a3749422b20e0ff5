//! How the runs of schedules ended. A schedule that failed too often in a row pauses itself.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{hold, plan, row};
use crate::{
    audit::{self, Author, Deed},
    run::Engine,
};

/// Batches that are gone through in one transaction.
const SET: i64 = 250;

/// Who pauses a schedule that fails.
const ITSELF: &str = "postbook";

struct Ended {
    schedule: i64,
    run: i64,
    /// Empty when the run is not kept any more.
    failed: Option<bool>,
}

/// Counts the runs that have ended since. False when there are none.
///
/// # Errors
/// When the database cannot be written; then nothing was counted.
pub(super) async fn count(engine: &Engine) -> Result<bool> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to count runs that ended")?;
    let batches = hold::ended(&mut db, SET).await?;
    if batches.is_empty() {
        return Ok(false);
    }
    let ended = ended(&mut db, &batches, now).await?;
    let counted = !ended.is_empty();
    let mut by_schedule: BTreeMap<i64, Vec<Ended>> = BTreeMap::new();
    for one in ended {
        by_schedule.entry(one.schedule).or_default().push(one);
    }
    for row in row::all(&mut db, &batches).await? {
        if let Some(ended) = by_schedule.remove(&row.id) {
            fold(&mut db, &row, &ended, now).await?;
        }
    }
    db.commit().await.context("counting runs that ended")?;
    Ok(counted)
}

/// Takes the runs of `batches` that ended, in the order in which they were due.
async fn ended(db: &mut PgConnection, batches: &[String], now: DateTime<Utc>) -> Result<Vec<Ended>> {
    sqlx::query_as!(
        Ended,
        r#"
        with counted as (
            update occurrence set counted_at = $2
             where batch = any($1) and state = 'ran' and counted_at is null
               and not exists (select from run where run.id = occurrence.run and run.ended_at is null)
            returning schedule, run, due_at
        )
        select counted.schedule, counted.run as "run!", run.state = 'failed' as "failed?"
          from counted
          left join run on run.id = counted.run
         order by counted.due_at
        "#,
        batches,
        now,
    )
    .fetch_all(db)
    .await
    .context("looking for runs that ended")
}

/// Adds to the failures in a row, and pauses the schedule when they are too many.
async fn fold(db: &mut PgConnection, row: &row::Row, ended: &[Ended], now: DateTime<Utc>) -> Result<()> {
    let failures = ended.iter().fold(row.failures, |failures, one| match one.failed {
        Some(true) => failures + 1,
        Some(false) => 0,
        None => failures,
    });
    let most = plan::read(&row.definition).ok().and_then(|schedule| schedule.pause_after);
    let too_many = most.is_some_and(|most| i64::from(failures) >= i64::from(most)) && row.paused_at.is_none();
    let last = ended.iter().rev().find(|one| one.failed == Some(true)).map(|one| one.run);
    let note =
        last.filter(|_| too_many).map(|run| format!("{failures} runs in a row failed, the last one was run {run}"));
    if failures == row.failures && note.is_none() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        update schedule
           set failures = $2,
               paused_at = case when $3::text is null then paused_at else $4 end,
               paused_by = case when $3 is null then paused_by else $5 end,
               paused_note = coalesce($3, paused_note)
         where id = $1
        "#,
        row.id,
        failures,
        note,
        now,
        ITSELF,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("counting the failures of schedule {}", row.id))?;
    let Some(note) = note else { return Ok(()) };
    let author = Author { name: ITSELF.to_owned(), at: now };
    let detail = json!({ "schedule": row.position, "note": note });
    audit::record(db, &author, Deed { action: "schedule.paused", object: &row.batch, detail }).await
}
