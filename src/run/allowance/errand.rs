//! Steps that put files, within the turns, the minutes and the pauses of their account.
//!
//! Such a step asks before each of its files, with its claim in hand; each file counts as one that is sent. What is not
//! let through gives its claim back and waits, without a try used up. Its turn lasts as long as it runs, and is handed
//! on by whoever ends it. An account that is well and has no limits has no row of it.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::{
    Asker, Wait, admit_by,
    learn::learn_from,
    lesson::{Lesson, Said},
    paused, step as row,
};
use crate::{
    channel::{
        Report,
        account::{Account, Limits},
    },
    id::{RunId, StepId},
    run::Engine,
};

/// Lets `step` put its next file on `account`, and says whether that tries an account that was paused; or until when it
/// waits, and why.
pub(in crate::run) async fn admit_step(engine: &Engine, account: &Account, step: StepId) -> Result<Result<bool, Wait>> {
    let (name, limits, now) = (account.name(), account.limits(), engine.clock.now());
    let mut db = engine.db.begin().await.context("beginning to ask for a turn")?;
    if limits == Limits::default() && !paused(&mut db).await?.contains(name) {
        return Ok(Ok(false));
    }
    row::enter(&mut db, name, step).await?;
    let mut admission = admit_by(&mut db, (name, limits), &[Asker::Step(step)], now).await?;
    db.commit().await.context("asking for a turn")?;
    Ok(match (admission.due.pop(), admission.reason) {
        (Some(due_at), Some(reason)) => Err((due_at, reason)),
        _ => Ok(admission.probe),
    })
}

/// One file that a step put, or could not.
pub(in crate::run) struct Put<'a> {
    pub step: StepId,
    pub run: RunId,
    pub account: &'a str,
    pub began_at: DateTime<Utc>,
    /// Whether it was to try an account that was paused.
    pub probe: bool,
    pub report: &'a Report,
}

/// Learns from `put`: until when its step waits, if it was the account that failed.
pub(in crate::run) async fn learn_from_step(engine: &Engine, put: &Put<'_>) -> Result<Option<Wait>> {
    let lesson = put.lesson();
    if lesson.outcome.reason().is_none() && !lesson.probe {
        engine.doubts.weigh(&lesson);
        return Ok(None);
    }
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to learn from a file")?;
    let wait = learn_from(engine, &mut db, &lesson, now).await?;
    if wait.is_some() {
        row::enter(&mut db, put.account, put.step).await?;
    }
    db.commit().await.context("learning from a file")?;
    Ok(wait)
}

impl Put<'_> {
    fn lesson(&self) -> Lesson<'_> {
        Lesson {
            account: self.account,
            run: self.run,
            asker: Asker::Step(self.step),
            began_at: self.began_at,
            probe: self.probe,
            outcome: &self.report.outcome,
            for_anybody: self.report.for_anybody,
            said: Said::All,
        }
    }
}
