//! Firing what is due, some hundred schedules at a time.

use anyhow::{Context, Result};

use super::{
    hold,
    owed::{Bound, Look},
    row, settle,
};
use crate::run::Engine;

/// Schedules that fire in one transaction. More make the others wait longer for it, fewer cost more round trips.
const SET: i64 = 250;

/// Fires the schedules that have been due for longest. False when nothing is due that nobody else holds.
///
/// # Errors
/// When the database cannot be written; then nothing was fired.
pub(super) async fn fire(engine: &Engine) -> Result<bool> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to fire")?;
    let batches = hold::due(&mut db, now, SET).await?;
    if batches.is_empty() {
        return Ok(false);
    }
    // Read only now that they are held: somebody else may just have fired them.
    let mut rows = row::due(&mut db, &batches, now).await?;
    settle::settle(&mut db, &mut rows, &Look { now, bound: Bound::Due }).await?;
    db.commit().await.context("firing")?;
    Ok(!rows.is_empty())
}
