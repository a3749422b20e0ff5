//! Jobs that have ended.

use anyhow::Result;

use crate::{queue, run::Engine};

/// Rows deleted at once: enough to keep up with the fastest node, few enough not to hold locks for long.
const CHUNK: i64 = 20_000;

/// Deletes the queue's jobs that have ended.
pub(super) async fn purge(engine: &Engine) -> Result<()> {
    queue::purge(&engine.db, CHUNK).await?;
    Ok(())
}
