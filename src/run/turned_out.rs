//! How transmissions turn out that did not get through: they failed, or nobody said in time that they arrived.
//!
//! Called in the transaction that finds it out by later word or by its absence, while the run is fenced and locked. What
//! follows from it for the run is decided here and nowhere else.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{RunState, act, log};
use crate::id::{RunId, TransmissionId};

/// How it turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The far side says that it failed.
    Failed,
    /// There was no word of it in time.
    Unconfirmed,
}

/// Has the run follow: one that has ended is opened again, so that it ends anew and monitors are told.
pub(super) async fn turned_out(
    db: &mut PgConnection,
    (run, transmission): (RunId, TransmissionId),
    turn: Turn,
    now: DateTime<Utc>,
) -> Result<()> {
    let text = match turn {
        Turn::Failed => format!("the far side says that transmission {transmission} failed"),
        Turn::Unconfirmed => format!("there was no word in time that transmission {transmission} arrived"),
    };
    let event = if turn == Turn::Failed { "failed" } else { "unconfirmed" };
    log::write(db, run, now, (event, text, json!({ "transmission": transmission }))).await?;
    open_again(db, run).await
}

/// Opens `run` again if it has ended, so that what changed is counted, told and reported.
pub(super) async fn open_again(db: &mut PgConnection, run: RunId) -> Result<()> {
    let ended = sqlx::query_scalar!(
        r#"select ended_at is not null and state <> 'cancelled' as "ended!" from run where id = $1"#,
        run as RunId,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("asking whether run {run} has ended"))?;
    if ended {
        act::reopen(db, run, RunState::Running).await?;
    }
    Ok(())
}
