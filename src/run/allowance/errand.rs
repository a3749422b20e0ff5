//! Steps that put files, within the turns, the minutes and the pauses of their account.
//!
//! Such a step asks before each of its files, with its claim in hand; each file counts as one that is sent. What is not
//! let through gives its claim back and waits, without a try used up. Its turn lasts as long as it runs, and is handed
//! on by whoever ends it. An account that is well and has no limits has no row of it.

use anyhow::{Context, Result};

use super::{
    Asker, Wait, admit_by,
    learn::{self, Lesson},
    paused, step as row,
};
use crate::{
    channel::account::{Account, Limits},
    id::StepId,
    reason::Scope,
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

/// Learns from a file that `lesson`'s step put, or could not: until when it waits if it was the account that failed.
pub(in crate::run) async fn learn_from_step(
    engine: &Engine,
    (step, lesson, probe): (StepId, &Lesson<'_>, bool),
) -> Result<Option<Wait>> {
    let reason = lesson.report.outcome.reason();
    let failed = reason.filter(|it| it.scope == Scope::Account && (probe || lesson.report.for_anybody));
    if failed.is_none() && (reason.is_some() || !probe) {
        return Ok(None);
    }
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to learn from a file")?;
    let wait = match failed {
        Some(reason) => {
            row::enter(&mut db, lesson.account, step).await?;
            Some(learn::fails(engine, &mut db, (lesson, reason), now).await?)
        }
        None => {
            learn::works(&mut db, lesson.account, now).await?;
            None
        }
    };
    db.commit().await.context("learning from a file")?;
    Ok(wait)
}
