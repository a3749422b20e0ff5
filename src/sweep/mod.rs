//! Sweeping: one duty a file, each done by every node at short intervals.
//!
//! Duties are statements that only touch rows nobody else holds, so any number of nodes may sweep at once, and no node
//! is needed in particular. A duty that fails is logged and done again at the next round.

mod purge;
mod rescue;
mod retention;

use std::time::Duration;

use rand::RngExt;
use tokio_util::sync::CancellationToken;

use crate::{config, run::Engine, trigger::event};

/// What a node sweeps.
#[derive(Debug, Clone, Copy)]
pub struct Duties {
    /// About how often.
    pub interval: Duration,
    /// How long what batches bring forth is kept where they do not say.
    pub keep: config::Retention,
}

/// Sweeps until `stop`.
pub async fn sweep(engine: Engine, duties: Duties, stop: CancellationToken) {
    tokio::join!(rounds(&engine, duties.interval, &stop), retention::retain(&engine, &duties.keep, &stop));
}

async fn rounds(engine: &Engine, interval: Duration, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        for (duty, result) in [
            ("rescue", rescue::rescue(engine).await),
            ("events", event::sweep(engine).await),
            ("purge", purge::purge(engine).await),
        ] {
            if let Err(error) = result {
                tracing::warn!(duty, error = format!("{error:#}"), "a sweep met a fault");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(interval)) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Between three and five quarters of `interval`, so that nodes do not sweep in step.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.75..1.25))
}
