//! Runs, files, logs and occurrences that have become old, workers of the queue that are gone, and bytes nobody names.
//!
//! Goes on beside the other duties: it may have hours of work, and nobody waits for it.

use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    config, queue,
    run::{Engine, allowance, purge},
    trigger,
};

/// How long to wait before it is looked again, once nothing was left to throw away.
const REST: Duration = Duration::from_secs(10 * 60);

/// How long a worker of the queue has to be silent until its row goes. It announces itself every half minute; a day is
/// beyond any pause and any clock that is wrong.
const SILENT: chrono::Duration = chrono::Duration::days(1);

/// Rows of such workers deleted at once. Each start of a node leaves three.
const WORKERS: i64 = 20_000;

/// How often all bytes are looked through for those nobody names: those that a crash left behind, and those that were
/// too young when their last name went.
const ROUND: chrono::Duration = chrono::Duration::days(1);

/// Throws away what has become old, until `stop`. The first round through all bytes is not made at the start, when a
/// node has other things to do.
pub(super) async fn retain(engine: &Engine, keep: &config::Retention, stop: &CancellationToken) {
    let mut last_round = engine.clock.now();
    while !stop.is_cancelled() {
        let spell = spell(engine, keep, &mut last_round);
        if let Some(Err(error)) = stop.run_until_cancelled(spell).await {
            tracing::warn!(duty = "retention", error = format!("{error:#}"), "a sweep met a fault");
        }
        stop.run_until_cancelled(tokio::time::sleep(super::jittered(REST))).await;
    }
}

/// All there is to do now. It may be cut short anywhere.
async fn spell(engine: &Engine, keep: &config::Retention, last_round: &mut DateTime<Utc>) -> Result<()> {
    while paced(purge::purge(engine, keep)).await? {}
    while paced(trigger::purge(engine, keep)).await? {}
    allowance::forget(engine).await?;
    queue::purge_workers(&engine.db, engine.clock.now() - SILENT, WORKERS).await?;
    let now = engine.clock.now();
    if now - *last_round < ROUND {
        return Ok(());
    }
    let store = &engine.toolbox.store;
    let mut after = String::new();
    while let Some(digest) = paced(store.look_through(&after, now)).await? {
        after = digest;
    }
    store.clear_objects(now).await?;
    *last_round = now;
    Ok(())
}

/// Does `chunk`, and then nothing for as long as it took, so that there is always room for what people wait for.
async fn paced<T>(chunk: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = chunk.await;
    tokio::time::sleep(began.elapsed()).await;
    done
}
