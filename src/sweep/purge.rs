//! Jobs that have ended, and workers of the queue that are gone.

use anyhow::Result;

use crate::{queue, run::Engine};

/// Rows deleted at once: enough to keep up with the fastest node, few enough not to hold locks for long.
const CHUNK: i64 = 20_000;

/// How long a worker of the queue has to be silent until its row goes. It announces itself every half minute; a day is
/// beyond any pause and any clock that is wrong.
const SILENT: chrono::Duration = chrono::Duration::days(1);

/// Deletes the queue's jobs that have ended, and its workers that are gone.
pub(super) async fn purge(engine: &Engine) -> Result<()> {
    queue::purge(&engine.db, CHUNK).await?;
    queue::purge_workers(&engine.db, engine.clock.now() - SILENT, CHUNK).await?;
    Ok(())
}
