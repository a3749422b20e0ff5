//! Step 2: one item becomes an artifact.
//!
//! The bytes are stored under their digest before the row that names them, so a crash leaves bytes nobody names, never
//! a name without bytes. Rendering twice is harmless: the second result finds the claim lost or the item done.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Engine, StepState,
    artifact::Keeping,
    claim::Held,
    frozen::{self, Frozen},
    item::{Item, Taken, Taking},
    plan::{Recipient, document_context},
    record,
};
use crate::{
    document::{self, Context, Document, Failure, Rendered},
    id::{ItemId, RunId, StepId},
    reason::Reason,
    workflow::Node,
};

/// Renders an item, unless another worker does.
pub(super) async fn render(engine: &Engine, step: StepId) -> Result<()> {
    let Some(Taken { claim, item }) = engine.together.take.ask(engine, Taking(step)).await? else {
        return Ok(());
    };
    let claim = engine.leases.hold(claim);
    let frozen = frozen::of(engine, claim.run).await?;
    let node = frozen.workflow.node(&claim.name).context("the step is not in its workflow")?;
    let (document, context) = inputs(engine, &frozen, &item).await?;
    match document::render(&engine.toolbox, &document, &frozen.files, &context, node.timeout).await? {
        Ok(rendered) => keep(engine, &claim, node, item.id, rendered).await,
        Err(failure) => fail(engine, &claim, node, item.id, failure).await,
    }
}

/// The document, and what its template and its expressions see.
async fn inputs(engine: &Engine, frozen: &Frozen, item: &Item) -> Result<(Arc<Document>, Context)> {
    let document = frozen::document(engine, item.revision).await?;
    let recipient = item.recipient.as_ref().map(Recipient::context);
    let context = document_context(frozen.context(), &document, item.params.clone(), recipient);
    Ok((document, context))
}

/// Stores the artifact and sets free what waited for it.
async fn keep(engine: &Engine, claim: &Held, node: &Node, item: ItemId, rendered: Rendered) -> Result<()> {
    let digest = match rendered.digest {
        Some(digest) => digest,
        None => engine.toolbox.store.put(&rendered.bytes, engine.clock.now()).await?,
    };
    let keeping = Keeping {
        step: claim.step,
        lease: claim.lease,
        run: claim.run,
        item,
        file: rendered.file,
        media_type: rendered.media_type,
        digest,
        size: i64::try_from(rendered.bytes.len())?,
        pages: rendered.pages,
        next: node.on_success.clone().context("a rendered item leads nowhere")?,
    };
    engine.together.keep.ask(engine, keeping).await
}

/// Tries again later, or gives the item up.
async fn fail(engine: &Engine, claim: &Held, node: &Node, item: ItemId, failure: Failure) -> Result<()> {
    let now = engine.clock.now();
    let tries = u32::try_from(claim.tries).unwrap_or_default() + 1;
    let pause = if failure.again { node.retry.pause(tries, failure.after) } else { None };
    let mut db = engine.db.begin().await.context("beginning to fail an item")?;
    record::fence(&mut db, &BTreeSet::from([claim.run])).await?;
    let ours = match pause {
        Some(pause) => claim.defer(&mut db, now + pause, &failure.reason, now).await?,
        None => claim.end(&mut db, StepState::Failed, Some(&failure.reason), now).await?,
    };
    if !ours {
        return Ok(());
    }
    if pause.is_none() {
        give_up(&mut db, claim.run, item, &failure.reason, now).await?;
    }
    db.commit().await.context("failing an item")
}

/// The item fails, and with it every transmission that needs it.
pub(super) async fn give_up(
    db: &mut PgConnection,
    run: RunId,
    item: ItemId,
    reason: &Reason,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        with failed as (
            update item set reason = $2 where id = $1 and artifact is null returning id
        )
        update transmission
           set state = 'failed', reason = $2, changed_at = $3
          from transmission_item
          join failed on failed.id = transmission_item.item
         where transmission.id = transmission_item.transmission and transmission.state = 'queued'
        "#,
        item as ItemId,
        serde_json::to_value(reason)?,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("failing item {item}"))?;
    record::mark(db, run, now).await
}
