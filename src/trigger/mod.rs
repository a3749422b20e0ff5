//! Why batches fire: schedules, events that programs tell of, and files that come in.
//!
//! Each ends in the start of a run, under a cause key that makes one run of it however often it is tried. No node is
//! needed in particular. Called by the doors and by nodes that have them.

pub mod event;
pub mod file;
pub mod schedule;

use anyhow::Result;

use crate::{config, run::Engine};

/// Throws away a chunk of what has become old. False when nothing is left to do.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge(engine: &Engine, keep: &config::Retention) -> Result<bool> {
    Ok(file::purge(engine, keep).await? || event::purge(engine, keep).await? || schedule::purge(engine, keep).await?)
}
