//! Files: each one that comes into a place and stays as it is for a while fires its batch once.
//!
//! ```text
//!  seen ─▶ claimed ─▶ taken ─▶ started ─▶ closing ─▶ archived | rejected
//!  stable  moved aside  bytes in   run under   its run
//!  a while              the store  way         ended
//! ```
//!
//! Any number of nodes watch: each look at a place, and each step of a file, is taken by one of them, by a row. A step
//! may be cut short anywhere and done again; a move that was made already is found to be made. A file is who it is by
//! its place, name and bytes: the same within a while starts no second run, unless the first one's failed. Called by
//! nodes with doors.

mod advance;
mod book;
mod close;
mod identity;
mod look;
mod name;
mod row;
mod watched;

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use book::purge;
pub use book::{FileState, Listed, PlaceState, files, places};

use crate::{run::Engine, source::place::Pattern};

/// How places are watched.
#[derive(Debug, Clone)]
pub struct Watch {
    /// How often a place is looked at.
    pub look: Duration,
    /// Names that are never taken.
    pub ignore: Vec<Pattern>,
    /// The largest file that is taken.
    pub limit: u64,
    /// How long one look may take.
    pub timeout: Duration,
}

/// How often a node asks whether a look or a file is due. Less often makes files wait longer between their steps.
const TICK: Duration = Duration::from_secs(1);

/// The least pause between two such questions, whatever the settings say.
const LEAST: Duration = Duration::from_millis(50);

/// Files whose steps are done at the same time on one node. More need more connections to servers and the database.
const AT_ONCE: usize = 4;

/// Watches until `stop`. A place that does not answer holds up no other.
pub async fn watch(engine: Engine, watch: Watch, stop: CancellationToken) {
    let looks = TaskTracker::new();
    let pause = watch.look.clamp(LEAST, TICK);
    let looking = async {
        while !stop.is_cancelled() {
            match look::due(&engine, &watch).await {
                Ok(places) => places.into_iter().for_each(|place| {
                    let (engine, watch) = (engine.clone(), watch.clone());
                    looks.spawn(async move { told(look::look(&engine, &watch, &place).await) });
                }),
                Err(error) => told(Err(error)),
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    };
    let handling = async {
        while !stop.is_cancelled() {
            told(handle(&engine, &watch, &stop).await);
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    };
    tokio::join!(looking, handling);
    looks.close();
    looks.wait().await;
}

/// Looks at every place that is due and does every step of files that is, once.
///
/// # Errors
/// When the database cannot be reached.
pub async fn round(engine: &Engine, watch: &Watch) -> Result<()> {
    for place in look::due(engine, watch).await? {
        look::look(engine, watch, &place).await?;
    }
    handle(engine, watch, &CancellationToken::new()).await
}

/// Does the steps of files that are due.
async fn handle(engine: &Engine, watch: &Watch, stop: &CancellationToken) -> Result<()> {
    row::wake(engine).await?;
    while !stop.is_cancelled() {
        let files = row::due(engine, AT_ONCE).await?;
        if files.is_empty() {
            return Ok(());
        }
        let work = |file| async { told(advance::advance(engine, watch, file).await) };
        futures::stream::iter(files).for_each_concurrent(AT_ONCE, work).await;
    }
    Ok(())
}

fn told(done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!(error = format!("{error:#}"), "files could not be handled; it is tried again");
    }
}
