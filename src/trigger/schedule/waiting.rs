//! Occurrences that wait behind a run: the earliest of each batch is started when nothing is under way any more.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{hold, settle, why};
use crate::run::{self, Cause, CauseKind, Engine, Start};

/// Batches that are gone through in one transaction.
const SET: i64 = 100;

struct Waiting {
    key: String,
    batch: String,
    business_date: chrono::NaiveDate,
    enabled: bool,
    changed_at: DateTime<Utc>,
}

/// Starts what has waited long enough. False when nothing could be done.
///
/// # Errors
/// When the database cannot be written; then nothing was started.
pub(super) async fn start(engine: &Engine) -> Result<bool> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to start what waits")?;
    let batches = hold::waiting(&mut db, SET).await?;
    if batches.is_empty() {
        return Ok(false);
    }
    let waiting = earliest(&mut db, &batches).await?;
    let (enabled, disabled): (Vec<_>, Vec<_>) = waiting.iter().partition(|it| it.enabled);
    let starts: Vec<_> = enabled.iter().map(|waiting| wanted(waiting)).collect();
    let started = run::start_all(&mut db, &starts, now).await?;
    for (waiting, started) in enabled.into_iter().zip(started) {
        let (state, reason, run) = match started {
            Ok(started) => ("ran", None, Some(started.run.0)),
            Err(error) => ("missed", Some(why::not_started(&error.to_string())), None),
        };
        end(&mut db, waiting, (state, reason, run), now).await?;
    }
    for waiting in &disabled {
        let reason = why::disabled("somebody", waiting.changed_at);
        end(&mut db, waiting, ("skipped", Some(reason), None), now).await?;
    }
    db.commit().await.context("starting what waited")?;
    Ok(!waiting.is_empty())
}

fn wanted(waiting: &Waiting) -> Start {
    Start {
        batch: waiting.batch.clone(),
        cause: Cause { kind: CauseKind::Schedule, key: settle::cause(&waiting.key), by: None },
        date: Some(waiting.business_date),
        params: serde_json::Map::new(),
        hold: false,
    }
}

/// The earliest that waits in each of `batches` in which nothing is under way; all of it where the batch is disabled.
async fn earliest(db: &mut PgConnection, batches: &[String]) -> Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"
        select key, occurrence.batch, business_date, batch.enabled, batch.changed_at
          from occurrence
          join batch on batch.name = occurrence.batch
         where occurrence.batch = any($1)
           and state = 'waiting'
           and (not batch.enabled
                or (not exists (select from run where run.batch = occurrence.batch and run.ended_at is null)
                    and not exists (select from occurrence earlier
                                     where earlier.batch = occurrence.batch and earlier.state = 'waiting'
                                       and (earlier.due_at, earlier.key) < (occurrence.due_at, occurrence.key))))
         order by occurrence.batch, due_at, key
        "#,
        batches,
    )
    .fetch_all(db)
    .await
    .context("reading what waits")
}

async fn end(
    db: &mut PgConnection,
    waiting: &Waiting,
    (state, reason, run): (&str, Option<Value>, Option<i64>),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        update occurrence set state = $3, reason = $4, run = $5, decided_at = $6
         where batch = $1 and key = $2 and state = 'waiting'
        "#,
        waiting.batch,
        waiting.key,
        state,
        reason,
        run,
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("ending the wait of {} of batch {}", waiting.key, waiting.batch))?;
    Ok(())
}
