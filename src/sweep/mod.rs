//! Sweeping: one duty a file, each done by every node at short intervals.
//!
//! Duties are statements that only touch rows nobody else holds, so any number of nodes may sweep at once, and no node
//! is needed in particular. A duty that fails is logged and done again at the next round.

mod alarm;
mod digest;
mod purge;
mod receipts;
mod rescue;
mod retention;

use std::time::Duration;

use anyhow::Result;
use rand::RngExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use alarm::alarm;
pub use digest::digest;

use crate::{
    config,
    run::{
        Engine,
        work::{self, Work},
    },
    trigger::event,
};

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
    let bells = Bells::default();
    tokio::join!(
        rounds(&engine, duties.interval, &bells, &stop),
        watch(&engine, duties.interval * WATCH, &stop),
        receipts::attend(&engine, (duties.interval, &bells), &stop),
        retention::retain(&engine, &duties.keep, &stop),
    );
}

/// Calls those who do what takes its time. One call that comes while they are busy is kept.
#[derive(Default)]
struct Bells {
    words: Notify,
    questions: Notify,
}

/// How many times as long as a round the pause is between two looks at what monitors have to be told. More tells them
/// later, fewer costs idle database work.
const WATCH: u32 = 5;

/// Tells monitors, beside the other duties: the digest of a large day takes seconds.
async fn watch(engine: &Engine, interval: Duration, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        report([("alarm", alarm::alarm(engine).await), ("digest", digest::digest(engine).await)]);
        stop.run_until_cancelled(tokio::time::sleep(jittered(interval))).await;
    }
}

fn report<const N: usize>(duties: [(&str, Result<()>); N]) {
    for (duty, result) in duties {
        if let Err(error) = result {
            tracing::warn!(duty, error = format!("{error:#}"), "a sweep met a fault");
        }
    }
}

async fn rounds(engine: &Engine, interval: Duration, bells: &Bells, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        report([("look", round(engine, bells).await), ("purge", purge::purge(engine).await)]);
        stop.run_until_cancelled(tokio::time::sleep(jittered(interval))).await;
    }
}

/// Looks once, and does what there is to do, or calls those who do.
async fn round(engine: &Engine, bells: &Bells) -> Result<()> {
    let Work { steps, events, words, questions } = work::look(engine).await?;
    if words {
        bells.words.notify_one();
    }
    if questions {
        bells.questions.notify_one();
    }
    if steps {
        report([("rescue", rescue::rescue(engine).await)]);
    }
    if events {
        report([("events", event::sweep(engine).await)]);
    }
    Ok(())
}

/// Between three and five quarters of `interval`, so that nodes do not sweep in step.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.75..1.25))
}
