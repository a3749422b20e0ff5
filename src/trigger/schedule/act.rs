//! Pausing the schedules of a batch, and letting them go on. What passes meanwhile is skipped, by name.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    change, hold,
    owed::{Bound, Look},
    row, settle,
};
use crate::{
    audit::{self, Author, Deed},
    run::Engine,
};

/// Why something could not be done to the schedules of a batch.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("there is no batch `{0}`")]
    Unknown(String),
    #[error("{0}")]
    NotNow(String),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// Keeps the schedules of `batch` from firing. What was due before still runs.
///
/// # Errors
/// When there is no such batch, or nothing that could be paused.
pub async fn pause(engine: &Engine, author: &Author, (batch, note): (&str, &str)) -> Result<(), ScheduleError> {
    let mut db = engine.db.begin().await.context("beginning to pause schedules")?;
    up_to_date(&mut db, batch, author.at).await?;
    let paused = sqlx::query!(
        r#"
        update schedule set paused_at = $2, paused_by = $3, paused_note = $4
         where batch = $1 and paused_at is null
        "#,
        batch,
        author.at,
        author.name,
        note,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("pausing the schedules of batch {batch}"))?;
    if paused.rows_affected() == 0 {
        return Err(ScheduleError::NotNow(format!("the batch `{batch}` has no schedule that is not paused")));
    }
    let deed = Deed { action: "schedule.paused", object: batch, detail: json!({ "note": note }) };
    audit::record(&mut db, author, deed).await?;
    db.commit().await.context("pausing schedules")?;
    Ok(())
}

/// Lets the schedules of `batch` fire again. What passed meanwhile stays skipped.
///
/// # Errors
/// When there is no such batch, or none of its schedules is paused.
pub async fn resume(
    engine: &Engine,
    author: &Author,
    (batch, note): (&str, Option<&str>),
) -> Result<(), ScheduleError> {
    let mut db = engine.db.begin().await.context("beginning to resume schedules")?;
    up_to_date(&mut db, batch, author.at).await?;
    let resumed = sqlx::query!(
        r#"
        update schedule set paused_at = null, paused_by = null, paused_note = null, failures = 0
         where batch = $1 and paused_at is not null
        "#,
        batch,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("resuming the schedules of batch {batch}"))?;
    if resumed.rows_affected() == 0 {
        return Err(ScheduleError::NotNow(format!("no schedule of the batch `{batch}` is paused")));
    }
    let deed = Deed { action: "schedule.resumed", object: batch, detail: json!({ "note": note }) };
    audit::record(&mut db, author, deed).await?;
    db.commit().await.context("resuming schedules")?;
    Ok(())
}

/// Holds `batch`, and settles all it owes until now.
pub(super) async fn up_to_date(db: &mut PgConnection, batch: &str, now: DateTime<Utc>) -> Result<(), ScheduleError> {
    if !hold::one(db, batch).await? {
        return Err(ScheduleError::Unknown(batch.to_owned()));
    }
    change::follow_one(db, batch, now).await?;
    let mut rows = row::due(db, &[batch.to_owned()], now).await?;
    while !rows.is_empty() && settle::settle(db, &mut rows, &Look { now, bound: Bound::Due }).await? {}
    Ok(())
}
