//! Items that are taken up to be rendered: claimed and read in one statement, many at a time.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    Engine,
    claim::{self, Claim},
    plan::{Recipient, RecipientColumns},
    together::Wish,
};
use crate::id::{DocumentRevisionId, ItemId, RecipientId, StepId};

/// The wish to render what a step stands for.
pub(super) struct Taking(pub StepId);

/// A claim and its item.
pub(super) struct Taken {
    pub claim: Claim,
    pub item: Item,
}

/// What there is to render.
pub(super) struct Item {
    pub id: ItemId,
    pub revision: DocumentRevisionId,
    pub params: Value,
    /// Whom it is rendered for, when it is rendered for one alone.
    pub recipient: Option<Recipient>,
}

impl Wish for Taking {
    /// Nothing when the step is not there to be done.
    type Answer = Option<Taken>;

    async fn grant(engine: &Engine, wishes: &[Self]) -> Result<Vec<Option<Taken>>> {
        let steps: Vec<_> = wishes.iter().map(|taking| taking.0).collect();
        let mut db = engine.db.begin().await.context("beginning to take items up")?;
        let claims = claim::take(&mut db, engine, &steps, engine.clock.now()).await?;
        let mut items = read(&mut db, &claims).await?;
        db.commit().await.context("taking items up")?;
        let mut claims: HashMap<_, _> = claims.into_iter().map(|claim| (claim.step, claim)).collect();
        let mut taken = |step: &StepId| {
            let claim = claims.remove(step)?;
            Some(Taken { item: items.remove(&claim.item?)?, claim })
        };
        Ok(steps.iter().map(&mut taken).collect())
    }
}

async fn read(db: &mut PgConnection, claims: &[Claim]) -> Result<HashMap<ItemId, Item>> {
    let ids: Vec<_> = claims.iter().filter_map(|claim| Some(claim.item?.0)).collect();
    let rows = sqlx::query!(
        r#"
        select item.id as "item!: ItemId", item.revision as "revision!: DocumentRevisionId", item.params as "params!",
               recipient.id as "recipient?: RecipientId", recipient.position as "position?",
               recipient.name as "name?", recipient.contacts as "contacts?", recipient.params as "own?"
          from item
          left join recipient on recipient.id = item.recipient
         where item.id = any($1)
        "#,
        &ids,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading {} items", ids.len()))?;
    let mut items = HashMap::with_capacity(rows.len());
    for row in rows {
        let columns = RecipientColumns {
            id: row.recipient,
            position: row.position,
            name: row.name,
            contacts: row.contacts,
            params: row.own,
        };
        let recipient = columns.read()?;
        items.insert(row.item, Item { id: row.item, revision: row.revision, params: row.params, recipient });
    }
    Ok(items)
}
