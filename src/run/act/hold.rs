//! Holding a run back, and stopping it.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::json;
use sqlx::PgConnection;

use super::{ActError, audited, lock};
use crate::{
    id::{RunId, StepId},
    queue::{self, Hint},
    run::{Engine, RunState, StepState, current, log, record, start},
    workflow::Kind,
};

/// Lets a held run begin.
///
/// # Errors
/// When the run is unknown or is not held.
pub async fn release(engine: &Engine, run: RunId, by: &str) -> Result<(), ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to release a run")?;
    let locked = lock(&mut db, run).await?;
    if locked.state != RunState::Held {
        return Err(ActError::NotNow(format!("run {run} is not held; it has begun already")));
    }
    sqlx::query!("update run set state = 'expanding' where id = $1 and state = 'held'", run as RunId)
        .execute(&mut *db)
        .await
        .context("releasing a run")?;
    start::open(&mut db, &[(run, &current::first_step(&locked.version)?)], now).await?;
    log::write(&mut db, run, now, ("released", format!("released by {by}"), json!({ "by": by }))).await?;
    audited(&mut db, (by, now), "run.released", run).await?;
    db.commit().await.context("releasing a run")?;
    Ok(())
}

/// Keeps a run's steps from being begun. Sends in flight are finished.
///
/// # Errors
/// When the run is unknown, paused already, or has ended.
pub async fn pause(engine: &Engine, run: RunId, by: &str) -> Result<(), ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to pause a run")?;
    let locked = lock(&mut db, run).await?;
    if locked.paused || !matches!(locked.state, RunState::Expanding | RunState::Running) {
        return Err(ActError::NotNow(format!("run {run} is not running, so it cannot be paused")));
    }
    sqlx::query!("update run set paused_at = $2 where id = $1 and paused_at is null", run as RunId, now)
        .execute(&mut *db)
        .await
        .context("pausing a run")?;
    log::write(&mut db, run, now, ("paused", format!("paused by {by}"), json!({ "by": by }))).await?;
    audited(&mut db, (by, now), "run.paused", run).await?;
    db.commit().await.context("pausing a run")?;
    Ok(())
}

/// Lets a paused run go on.
///
/// # Errors
/// When the run is unknown or is not paused.
pub async fn resume(engine: &Engine, run: RunId, by: &str) -> Result<(), ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to resume a run")?;
    let locked = lock(&mut db, run).await?;
    if !locked.paused {
        return Err(ActError::NotNow(format!("run {run} is not paused")));
    }
    sqlx::query!("update run set paused_at = null where id = $1 and paused_at is not null", run as RunId)
        .execute(&mut *db)
        .await
        .context("resuming a run")?;
    let hints = ready(&mut db, run).await?;
    queue::push(&mut db, &hints).await?;
    log::write(&mut db, run, now, ("resumed", format!("resumed by {by}"), json!({ "by": by }))).await?;
    audited(&mut db, (by, now), "run.resumed", run).await?;
    db.commit().await.context("resuming a run")?;
    Ok(())
}

/// Stops a run: what is queued is not sent any more. Sends in flight are finished and recorded.
///
/// # Errors
/// When the run is unknown or has ended.
pub async fn cancel(engine: &Engine, run: RunId, by: &str) -> Result<(), ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to cancel a run")?;
    record::fence(&mut db, &BTreeSet::from([run])).await?;
    let locked = lock(&mut db, run).await?;
    if !matches!(locked.state, RunState::Held | RunState::Expanding | RunState::Running) {
        return Err(ActError::NotNow(format!("run {run} has ended, so there is nothing to cancel")));
    }
    stop(&mut db, run, locked.state, now).await?;
    log::write(&mut db, run, now, ("cancelled", format!("cancelled by {by}"), json!({ "by": by }))).await?;
    audited(&mut db, (by, now), "run.cancelled", run).await?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("cancelling a run")?;
    Ok(())
}

/// Stops what a run that has ended still has to send: notices, and what was to be sent again.
///
/// # Errors
/// When the run is unknown, or has nothing queued.
pub async fn cancel_queued(engine: &Engine, run: RunId, by: &str) -> Result<(), ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to cancel what a run has queued")?;
    record::fence(&mut db, &BTreeSet::from([run])).await?;
    lock(&mut db, run).await?;
    let cancelled = queued(&mut db, run, now).await?;
    if cancelled == 0 {
        return Err(ActError::NotNow(format!("run {run} has ended and has nothing queued")));
    }
    let text = format!("{cancelled} queued transmissions cancelled by {by}");
    log::write(&mut db, run, now, ("cancelled", text, json!({ "by": by, "transmissions": cancelled }))).await?;
    audited(&mut db, (by, now), "run.cancelled", run).await?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("cancelling what a run has queued")?;
    Ok(())
}

/// A run that has not been expanded ends at once; another one ends when its last send in flight is recorded.
async fn stop(
    db: &mut PgConnection,
    run: RunId,
    state: RunState,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), ActError> {
    let at_once = state != RunState::Running;
    sqlx::query!(
        r#"
        update run
           set cancelled_at = $2::timestamptz, paused_at = null,
               state = case when $3 then 'cancelled' else state end,
               ended_at = case when $3 then $2::timestamptz end
         where id = $1 and ended_at is null
        "#,
        run as RunId,
        now,
        at_once,
    )
    .execute(&mut *db)
    .await
    .context("cancelling a run")?;
    sqlx::query!(
        r#"
        with open as (
            select id from step where run = $1 and kind <> 'record' and state in ('waiting', 'ready', 'running')
             order by id for update
        )
        update step
           set state = $3, lease_until = null, lease = lease + 1, changed_at = $2
          from open
         where step.id = open.id
           and (state in ('waiting', 'ready') or (kind in ('expand', 'render') and state = 'running'))
        "#,
        run as RunId,
        now,
        StepState::Skipped as StepState,
    )
    .execute(&mut *db)
    .await
    .context("cancelling the steps of a run")?;
    let cancelled = queued(db, run, now).await?;
    if at_once {
        // No step records such a run.
        let count = i32::try_from(cancelled).unwrap_or(i32::MAX);
        sqlx::query!("update run set cancelled = $2 where id = $1", run as RunId, count)
            .execute(db)
            .await
            .context("counting a cancelled run")?;
    }
    Ok(())
}

/// Cancels the queued transmissions of a run, and says how many there were.
async fn queued(db: &mut PgConnection, run: RunId, now: chrono::DateTime<chrono::Utc>) -> Result<u64, ActError> {
    let cancelled = sqlx::query!(
        r#"
        with queued as (
            select id from transmission where run = $1 and state = 'queued' order by id for update
        )
        update transmission
           set state = 'cancelled', next_at = null, changed_at = $2
          from queued
         where transmission.id = queued.id and state = 'queued'
        "#,
        run as RunId,
        now,
    )
    .execute(db)
    .await
    .context("cancelling the transmissions of a run")?;
    Ok(cancelled.rows_affected())
}

async fn ready(db: &mut PgConnection, run: RunId) -> Result<Vec<Hint>, ActError> {
    let rows = sqlx::query!(
        r#"select id as "id: StepId", kind as "kind: Kind" from step where run = $1 and state = 'ready' order by id"#,
        run as RunId,
    )
    .fetch_all(db)
    .await
    .context("reading the ready steps of a run")?;
    Ok(rows.into_iter().map(|row| Hint { kind: row.kind, id: row.id }).collect())
}
