//! One look for all that a round may have to do, so that a node with nothing to do asks one question and not one for each
//! kind of work.
//!
//! It may say that there is work where there is none, for one of a run that is paused; never the other way round. The
//! duties look for themselves. Called by the sweeper.

use anyhow::{Context, Result};

use super::Engine;

/// What there is to do.
#[derive(Debug)]
pub struct Work {
    /// Steps that are due and not told of, or that nobody heard of, or whose lease ran out.
    pub steps: bool,
    /// Events that were not fired.
    pub events: bool,
    /// Words of the far side that are due, and those that were waited for in vain.
    pub words: bool,
    /// Questions to the far side.
    pub questions: bool,
}

/// Looks for work.
///
/// # Errors
/// When the database cannot be read.
pub async fn look(engine: &Engine) -> Result<Work> {
    let now = engine.clock.now();
    sqlx::query_as!(
        Work,
        r#"
        select exists (select from step where ready and hinted_at < due_at and due_at <= $1)
                   or exists (select from step where ready and due_at <= $2 and hinted_at <= $2)
                   or exists (select from step where running and lease_until < $1) as "steps!",
               exists (select from event where fired_at is null) as "events!",
               exists (select from receipt where due_at <= $1)
                   or exists (select from awaited where deadline_at <= $1) as "words!",
               exists (select from awaited where ask_at <= $1) as "questions!"
        "#,
        now,
        now - engine.settings.lease,
    )
    .fetch_one(&engine.aside)
    .await
    .context("looking for what there is to do")
}
