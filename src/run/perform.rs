//! From a hint to its step.

use anyhow::{Context, Result};

use super::{
    Engine, expand::expand, notify::notify, record::record, release::release, render::render, transmit::transmit,
};
use crate::{queue::Hint, workflow::Kind};

/// Does the step that `hint` points to, if it is there to be done.
///
/// # Errors
/// Faults, of the database or of the store; the step is put back then, or found again when its lease has run out.
pub async fn perform(engine: &Engine, hint: Hint) -> Result<()> {
    let done = step(engine, hint).await;
    if let Err(fault) = &done {
        release(engine, hint.id, fault).await.with_context(|| format!("after {fault:#}"))?;
    }
    done
}

async fn step(engine: &Engine, hint: Hint) -> Result<()> {
    match hint.kind {
        Kind::Expand => expand(engine, hint.id).await,
        Kind::Render => render(engine, hint.id).await,
        Kind::Transmit => transmit(engine, hint.id).await,
        Kind::Record => record(engine, hint.id).await,
        Kind::Notify => notify(engine, hint.id).await,
    }
}
