//! From a job to its steps.

use anyhow::{Context, Result};

use super::{
    Engine, claim::AGREEMENT, expand::expand, fetch::fetch, r#move::r#move, notify::notify, put::put, record::record,
    release::release, render::render, transmit::transmit,
};
use crate::{
    id::StepId,
    queue::{self, Hint, Stretch},
    workflow::Kind,
};

/// The steps of `stretch` that are there to be done, the last one first. A single one is not looked up: claiming it finds out.
///
/// # Errors
/// When the database cannot be read.
pub async fn due(engine: &Engine, stretch: Stretch) -> Result<Vec<Hint>> {
    let Stretch { kind, id, to } = stretch;
    if id == to {
        return Ok(vec![Hint { kind, id }]);
    }
    let ids = sqlx::query_scalar!(
        r#"
        select id as "id: StepId"
          from step
         where id = any($1) and kind = $2 and state = 'ready' and due_at <= $3
         order by id desc
        "#,
        &(id.0..=to.0).collect::<Vec<_>>(),
        kind as Kind,
        engine.clock.now() + AGREEMENT,
    )
    .fetch_all(&engine.db)
    .await
    .context("looking for the steps of a job")?;
    Ok(ids.into_iter().map(|id| Hint { kind, id }).collect())
}

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
        Kind::Fetch => fetch(engine, hint.id).await,
        Kind::Put => put(engine, hint.id).await,
        Kind::Move => r#move(engine, hint.id).await,
    }
}

/// Gives steps that were not begun back to the queue.
///
/// # Errors
/// When the database cannot be written; the sweeper then finds them.
pub async fn hand_back(engine: &Engine, stretch: Stretch) -> Result<()> {
    let mut db = engine.db.acquire().await.context("connecting to hand steps back")?;
    queue::push_stretches(&mut db, &[stretch]).await
}
