//! Later word: what is due to be asked, what came and is not applied yet, and what was waited for in vain.
//!
//! Goes on beside the other duties, as far sides take their time to answer.

use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use crate::run::{Engine, receipt};

/// Looks after later word until `stop`.
pub(super) async fn attend(engine: &Engine, interval: Duration, stop: &CancellationToken) {
    tokio::join!(
        repeat(interval, stop, || words(engine)),
        repeat(interval, stop, || asking(engine)),
        repeat(interval, stop, || mailboxes(engine)),
        repeat(interval * FORGET, stop, || forgetting(engine)),
    );
}

/// How many times as long as a round the pause is between two looks for words about nothing. They are few.
const FORGET: u32 = 600;

async fn repeat<F: Future<Output = Result<()>>>(interval: Duration, stop: &CancellationToken, duty: impl Fn() -> F) {
    while !stop.is_cancelled() {
        if let Some(Err(error)) = stop.run_until_cancelled(duty()).await {
            tracing::warn!(duty = "receipts", error = format!("{error:#}"), "a sweep met a fault");
        }
        stop.run_until_cancelled(tokio::time::sleep(super::jittered(interval))).await;
    }
}

/// Words that are due, then deadlines: what has come counts before what has not.
async fn words(engine: &Engine) -> Result<()> {
    receipt::pending(engine).await?;
    receipt::expire(engine).await?;
    Ok(())
}

async fn asking(engine: &Engine) -> Result<()> {
    receipt::ask(engine).await?;
    Ok(())
}

async fn mailboxes(engine: &Engine) -> Result<()> {
    receipt::read_mailboxes(engine).await?;
    Ok(())
}

async fn forgetting(engine: &Engine) -> Result<()> {
    receipt::forget(engine).await?;
    Ok(())
}
