//! Firing by schedules: any number of nodes, no leader, each occurrence once.
//!
//! Whoever holds a batch's row decides what its schedules owe, and writes it down together with the runs it starts: a node
//! that dies has done nothing or all of it, and two nodes never decide about the same batch. What is changed about a batch
//! comes here as a row as well (`change`), so that what was due before and what was not is known to the instant. Every
//! occurrence that came due has a row: it ran, it waits, a named policy skipped it, or it was missed.
//!
//! The time is the database's. Nothing is rendered or sent here.

mod act;
mod backfill;
mod beat;
mod book;
mod change;
mod decide;
mod ended;
mod fact;
mod fire;
mod hold;
mod jitter;
mod owed;
mod plan;
mod purge;
mod row;
mod settle;
mod waiting;
mod why;
mod write;

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use rand::RngExt;
use tokio_util::sync::CancellationToken;

use crate::{db, run::Engine};

pub use act::{ScheduleError, pause, resume};
pub use backfill::{Filled, Span, backfill};
pub use book::{Due, DueState, Range, Scheduled, calendar, of_batch, schedules};
pub use purge::purge;

/// How late an occurrence may be and still be in time. Less makes a restart a matter for the policies; more lets old ones
/// run as if nothing had happened.
pub const LATE: Duration = Duration::from_secs(60);

/// How soon it is looked again for what somebody else held. Sooner costs idle rounds while a large batch is saved.
const HELD: Duration = Duration::from_millis(100);

/// Fires what is due until `stop`, and looks at least every `poll`.
pub async fn watch(engine: Engine, poll: Duration, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let longest = poll.mul_f64(rand::rng().random_range(0.75..1.25));
        let rest = match round(&engine, &stop).await {
            Ok(Some(next)) => (next - engine.clock.now()).to_std().unwrap_or_default().min(longest),
            Ok(None) => longest,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "schedules could not be looked at; it is tried again");
                longest
            }
        };
        // What is due and was left is held by somebody else; it is not asked for in a hurry.
        let rest = if rest.is_zero() { HELD } else { rest };
        stop.run_until_cancelled(tokio::time::sleep(rest)).await;
    }
}

/// Decides everything that is due, and says when the next one is.
///
/// # Errors
/// When the database cannot be reached; the next round takes it up.
pub async fn round(engine: &Engine, stop: &CancellationToken) -> Result<Option<DateTime<Utc>>> {
    engine.clock.follow(db::time(&engine.db)).await?;
    while !stop.is_cancelled() && change::follow(engine).await? {}
    while !stop.is_cancelled() && ended::count(engine).await? {}
    while !stop.is_cancelled() && waiting::start(engine).await? {}
    while !stop.is_cancelled() && fire::fire(engine).await? {
        beat::beat(engine).await?;
    }
    beat::beat(engine).await?;
    next_at(engine).await
}

async fn next_at(engine: &Engine) -> Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("select min(next_at) from schedule where next_at is not null")
        .fetch_one(&engine.db)
        .await
        .context("asking when the next schedule is due")
}
