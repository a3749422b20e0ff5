//! Later word: what is due to be asked, what came and is not applied yet, and what was waited for in vain.
//!
//! Goes on beside the other duties, as far sides take their time to answer. A round that sees such work calls for it;
//! mailboxes are looked at by their own clock.

use std::time::Duration;

use anyhow::Result;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Bells;
use crate::run::{Engine, receipt};

/// Looks after later word until `stop`.
pub(super) async fn attend(engine: &Engine, (interval, bells): (Duration, &Bells), stop: &CancellationToken) {
    tokio::join!(
        when_called(&bells.words, stop, || words(engine)),
        when_called(&bells.questions, stop, || asking(engine)),
        repeat(interval * MAILBOXES, stop, || mailboxes(engine)),
        repeat(interval * FORGET, stop, || forgetting(engine)),
    );
}

/// How many times as long as a round the pause is between two questions whether a mailbox is to be looked at, which it
/// is once a minute. More shows bounces that much later.
const MAILBOXES: u32 = 5;

/// How many times as long as a round the pause is between two looks for words about nothing. They are few.
const FORGET: u32 = 600;

async fn when_called<F: Future<Output = Result<()>>>(bell: &Notify, stop: &CancellationToken, duty: impl Fn() -> F) {
    while stop.run_until_cancelled(bell.notified()).await.is_some() {
        once(stop, duty()).await;
    }
}

async fn repeat<F: Future<Output = Result<()>>>(interval: Duration, stop: &CancellationToken, duty: impl Fn() -> F) {
    while !stop.is_cancelled() {
        once(stop, duty()).await;
        stop.run_until_cancelled(tokio::time::sleep(super::jittered(interval))).await;
    }
}

async fn once(stop: &CancellationToken, duty: impl Future<Output = Result<()>>) {
    if let Some(Err(error)) = stop.run_until_cancelled(duty).await {
        tracing::warn!(duty = "receipts", error = format!("{error:#}"), "a sweep met a fault");
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
