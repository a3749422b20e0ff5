//! Step 2: one item becomes an artifact.
//!
//! The bytes are stored under their digest before the row that names them, so a crash leaves bytes nobody names, never
//! a name without bytes. Rendering twice is harmless: the second result finds the claim lost or the item done.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{
    Engine, StepState,
    claim::{Held, claim},
    frozen::{self, Frozen},
    plan::{Recipient, document_context},
    record,
};
use crate::{
    document::{self, Context, Document, Failure, Rendered},
    id::{ArtifactId, DocumentRevisionId, ItemId, RecipientId, RunId, StepId},
    queue::{self, Hint},
    reason::{Reason, Scope},
    workflow::{Kind, Node},
};

/// Renders an item, unless another worker does.
pub(super) async fn render(engine: &Engine, step: StepId) -> Result<()> {
    let Some(claim) = claim(engine, step).await? else {
        return Ok(());
    };
    let frozen = frozen::of(engine, claim.run).await?;
    let node = frozen.workflow.node(&claim.name).context("the step is not in its workflow")?;
    let item = claim.item.context("a step that renders has no item")?;
    let work = load(engine, &frozen, item).await?;
    let rendering = document::render(&engine.toolbox, &work.document, &frozen.files, &work.context);
    match tokio::time::timeout(node.timeout, rendering).await {
        Ok(rendered) => match rendered? {
            Ok(rendered) => keep(engine, &claim, node, item, rendered).await,
            Err(failure) => fail(engine, &claim, node, item, failure).await,
        },
        Err(_) => fail(engine, &claim, node, item, overdue(node)).await,
    }
}

fn overdue(node: &Node) -> Failure {
    let text = format!("it was not there after {} s, the time limit of this step", node.timeout.as_secs());
    Failure { reason: Reason::new(Scope::Attempt, "timeout", text), again: true, after: None }
}

struct Work {
    document: Arc<Document>,
    context: Context,
}

async fn load(engine: &Engine, frozen: &Frozen, item: ItemId) -> Result<Work> {
    let row = sqlx::query!(
        r#"
        select item.revision as "revision: DocumentRevisionId", item.params,
               recipient.id as "recipient?: RecipientId", recipient.position as "position?",
               recipient.name as "name?", recipient.contacts as "contacts?", recipient.params as "own?"
          from item
          left join recipient on recipient.id = item.recipient
         where item.id = $1
        "#,
        item as ItemId,
    )
    .fetch_one(&engine.db)
    .await
    .with_context(|| format!("reading item {item}"))?;
    let document = frozen::document(engine, row.revision).await?;
    let recipient = match row.recipient {
        Some(id) => {
            let empty = || Value::Object(Map::new());
            let recipient = Recipient {
                id,
                position: row.position.unwrap_or_default(),
                name: row.name.unwrap_or_default(),
                contacts: serde_json::from_value(row.contacts.unwrap_or_else(empty))?,
                params: serde_json::from_value(row.own.unwrap_or_else(empty))?,
            };
            Some(recipient.context())
        }
        None => None,
    };
    let context = document_context(frozen.context(), &document, row.params, recipient);
    Ok(Work { document, context })
}

/// Stores the artifact and sets free what waited for it.
async fn keep(engine: &Engine, claim: &Held, node: &Node, item: ItemId, rendered: Rendered) -> Result<()> {
    let now = engine.clock.now();
    let digest = engine.toolbox.store.put(&rendered.bytes, now).await?;
    let mut db = engine.db.begin().await.context("beginning to keep an artifact")?;
    record::fence(&mut db, claim.run).await?;
    if !claim.end(&mut db, StepState::Done, None, now).await? {
        return Ok(());
    }
    if name(&mut db, claim.run, item, &rendered, &digest, now).await? {
        let next = node.on_success.as_deref().context("a rendered item leads nowhere")?;
        let hints = release(&mut db, claim.run, item, next, now).await?;
        queue::push(&mut db, &hints).await?;
    }
    db.commit().await.context("keeping an artifact")
}

/// Names the item's artifact. False when it had one already.
async fn name(
    db: &mut PgConnection,
    run: RunId,
    item: ItemId,
    rendered: &Rendered,
    digest: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let artifact = sqlx::query_scalar!(
        r#"
        with made as (
            insert into artifact (run, file, media_type, digest, size, pages, created_at)
            select $2, $3, $4, $5, $6, $7, $8
              from item
             where item.id = $1 and item.artifact is null
            returning id
        )
        update item set artifact = made.id, reason = null from made where item.id = $1
        returning artifact as "artifact: ArtifactId"
        "#,
        item as ItemId,
        run as RunId,
        rendered.file,
        rendered.media_type,
        digest,
        rendered.bytes.len() as i64,
        rendered.pages,
        now,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("naming the artifact of item {item}"))?;
    Ok(artifact.is_some())
}

/// Counts the item as rendered in every transmission that carries it; those that wait for no other get their step.
async fn release(db: &mut PgConnection, run: RunId, item: ItemId, next: &str, now: DateTime<Utc>) -> Result<Vec<Hint>> {
    let steps = sqlx::query_scalar!(
        r#"
        with carried as (
            update transmission
               set waiting = waiting - 1
             where id in (select transmission from transmission_item where item = $2)
               and waiting > 0
            returning id, waiting, state
        )
        insert into step (run, name, kind, transmission, state, due_at, hinted_at, created_at, changed_at)
        select $1, $3, 'transmit', id, 'ready', $4, $4, $4, $4
          from carried
         where waiting = 0 and state = 'queued'
        on conflict (run, name, coalesce(item, 0), coalesce(transmission, 0))
        do update set state = 'ready', due_at = $4, hinted_at = $4, tries = 0, deaths = 0, changed_at = $4
           where step.state in ('failed', 'skipped', 'done')
        returning id as "id: StepId"
        "#,
        run as RunId,
        item as ItemId,
        next,
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("releasing what waits for item {item}"))?;
    Ok(steps.into_iter().map(|id| Hint { kind: Kind::Transmit, id }).collect())
}

/// Tries again later, or gives the item up.
async fn fail(engine: &Engine, claim: &Held, node: &Node, item: ItemId, failure: Failure) -> Result<()> {
    let now = engine.clock.now();
    let tries = u32::try_from(claim.tries).unwrap_or_default() + 1;
    let pause = if failure.again { node.retry.pause(tries, failure.after) } else { None };
    let mut db = engine.db.begin().await.context("beginning to fail an item")?;
    record::fence(&mut db, claim.run).await?;
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
