//! Saving a batch: a changed one becomes a new revision, so that runs keep what they began with.

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    Batch, Draft, DraftEntry, DraftSource, Entry, EntrySource, Expect, SaveError, Saved, Shelf, calendar, change,
    document, limit, recipient,
};
use crate::{
    audit::{self, Author, Deed},
    id::RevisionId,
};

/// Saves a checked batch.
///
/// # Errors
/// When there is one of its name and none is expected, or one of its documents or calendars was deleted since it was checked.
pub async fn save(shelf: &Shelf, author: &Author, mut draft: Draft, expect: Expect) -> Result<Saved, SaveError> {
    keep_held(shelf, author, &mut draft).await?;
    let mut db = shelf.db.begin().await.context("beginning to save a batch")?;
    let current = lock(&mut db, author, &draft.batch.name).await?;
    if expect == Expect::Absent && current.is_there() {
        return Err(SaveError::Exists { what: "batch", name: draft.batch.name });
    }
    let before = definition(&mut db, current.revision).await?;
    draft.batch.documents = entries(&mut db, author, draft.entries, before.as_ref()).await?;
    for calendar in draft.batch.schedule.iter().filter_map(|schedule| schedule.calendar.as_deref()) {
        calendar::hold(&mut db, calendar).await?;
    }
    let same =
        before.as_ref() == Some(&draft.batch) && recipient::same(&mut db, current.revision, &draft.recipients).await?;
    limit::keep(&mut db, &draft.batch).await?;
    let revision = match current.revision {
        Some(revision) if same => revision,
        _ => revise(&mut db, author, &draft.batch).await?,
    };
    if !same {
        recipient::insert(&mut db, revision, &draft.recipients).await?;
    }
    let saved = match (current.is_there(), same && current.enabled == draft.enabled) {
        (false, _) => Saved::Created,
        (true, true) => return Ok(Saved::Unchanged),
        (true, false) => Saved::Changed,
    };
    point(&mut db, author, (&draft.batch.name, revision, draft.enabled)).await?;
    change::note(&mut db, author, &draft.batch.name).await?;
    let detail = json!({ "revision": revision, "enabled": draft.enabled });
    audit::record(&mut db, author, Deed { action: "batch.saved", object: &draft.batch.name, detail }).await?;
    db.commit().await.context("saving a batch")?;
    Ok(saved)
}

/// Stores the bytes of held documents, before a transaction is open.
async fn keep_held(shelf: &Shelf, author: &Author, draft: &mut Draft) -> Result<()> {
    for entry in &mut draft.entries {
        if let DraftSource::Held(held) = &mut entry.source
            && let Some(content) = held.content.take()
        {
            held.keep(shelf.store.put(&Bytes::from(content), author.at).await?);
        }
    }
    Ok(())
}

struct Current {
    revision: Option<RevisionId>,
    enabled: bool,
    deleted: bool,
}

impl Current {
    fn is_there(&self) -> bool {
        self.revision.is_some() && !self.deleted
    }
}

/// The batch's row, for this transaction alone; made when there is none, so that two who create it queue up here.
async fn lock(db: &mut PgConnection, author: &Author, name: &str) -> Result<Current> {
    sqlx::query!(
        r#"
        insert into batch (name, enabled, created_at, changed_at) values ($1, false, $2, $2)
        on conflict on constraint batch_pkey do nothing
        "#,
        name,
        author.at,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("adding batch {name}"))?;
    sqlx::query_as!(
        Current,
        r#"
        select current as "revision: RevisionId", enabled, deleted_at is not null as "deleted!"
          from batch
         where name = $1
           for update
        "#,
        name,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("locking batch {name}"))
}

async fn definition(db: &mut PgConnection, revision: Option<RevisionId>) -> Result<Option<Batch>> {
    let Some(revision) = revision else { return Ok(None) };
    let value = sqlx::query_scalar!("select definition from batch_revision where id = $1", revision as RevisionId)
        .fetch_one(db)
        .await
        .with_context(|| format!("reading revision {revision}"))?;
    serde_json::from_value(value).with_context(|| format!("revision {revision}"))
}

/// Gives held documents their keys; one that has not changed keeps its key.
async fn entries(
    db: &mut PgConnection,
    author: &Author,
    drafts: Vec<DraftEntry>,
    before: Option<&Batch>,
) -> Result<Vec<Entry>, SaveError> {
    let mut held = document::held_by(db, before).await?;
    let mut entries = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let source = match draft.source {
            DraftSource::Document(name) => {
                document::hold(db, &name).await?;
                EntrySource::Document(name)
            }
            DraftSource::Held(draft) => {
                let same = held.iter().position(|(_, document)| *document == draft.document);
                EntrySource::Held(match same {
                    Some(index) => held.swap_remove(index).0,
                    None => document::insert(db, author, (None, &draft.document)).await?,
                })
            }
        };
        entries.push(Entry { source, params: draft.params });
    }
    Ok(entries)
}

async fn revise(db: &mut PgConnection, author: &Author, batch: &Batch) -> Result<RevisionId> {
    let definition: Value = serde_json::to_value(batch)?;
    sqlx::query_scalar!(
        r#"
        insert into batch_revision (batch, workflow, run_as, definition, created_at, created_by)
        values ($1, $2, $3, $4, $5, $6)
        returning id as "id: RevisionId"
        "#,
        batch.name,
        batch.workflow,
        batch.run_as,
        definition,
        author.at,
        author.name,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("adding a revision of batch {}", batch.name))
}

async fn point(
    db: &mut PgConnection,
    author: &Author,
    (name, revision, enabled): (&str, RevisionId, bool),
) -> Result<()> {
    sqlx::query!(
        r#"
        update batch
           set current = $2, enabled = $3, changed_at = $4, deleted_at = null
         where name = $1
        "#,
        name,
        revision as RevisionId,
        enabled,
        author.at,
    )
    .execute(db)
    .await
    .with_context(|| format!("pointing batch {name} to revision {revision}"))?;
    Ok(())
}
