//! Documents of the catalogue, and those held by batches.

use anyhow::{Context, Result};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{Batch, DocumentDraft, EntrySource, Expect, SaveError, Saved, Shelf, input, used, written};
use crate::{
    audit::{self, Author, Deed},
    document::{Document, Source},
    id::DocumentRevisionId,
};

/// A document in a list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = DocumentSummary)]
pub struct Summary {
    pub name: String,
    pub title: String,
    /// `stored`, `template` or `remote`.
    pub kind: String,
    #[schema(value_type = i64)]
    pub revision: DocumentRevisionId,
    pub changed_at: DateTime<Utc>,
}

/// Why a document could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("there is no document `{0}`")]
    Unknown(String),
    #[error("the document is used by: {}; take it out of them first", .0.join(", "))]
    Used(Vec<String>),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// A page of documents in the order of their names, after the name `after`.
pub async fn list(db: &PgPool, after: Option<&str>, limit: i64) -> Result<Vec<Summary>> {
    sqlx::query_as!(
        Summary,
        r#"
        select document.name, document_revision.definition ->> 'title' as "title!",
               document_revision.definition ->> 'kind' as "kind!",
               document_revision.id as "revision: DocumentRevisionId", document_revision.created_at as changed_at
          from document
          join document_revision on document_revision.id = document.current
         where document.deleted_at is null and ($1::text is null or document.name > $1)
         order by document.name
         limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing documents")
}

/// A document as it is kept, and its revision.
pub async fn find(db: &PgPool, name: &str) -> Result<Option<(Document, DocumentRevisionId)>> {
    let mut db = db.acquire().await.context("connecting to read a document")?;
    current(&mut db, name).await
}

/// A document in the shape it was written in, and its revision.
pub async fn get(db: &PgPool, name: &str) -> Result<Option<(input::Document, DocumentRevisionId)>> {
    Ok(find(db, name).await?.map(|(document, revision)| (written::document(document), revision)))
}

/// Saves a checked document; a changed one becomes a new revision.
///
/// # Errors
/// When there is one of its name and none is expected, or its bytes are named but not there.
pub async fn save(
    shelf: &Shelf,
    author: &Author,
    mut draft: DocumentDraft,
    expect: Expect,
) -> Result<Saved, SaveError> {
    if let Some(content) = draft.content.take() {
        draft.keep(shelf.store.put(&Bytes::from(content), author.at).await?);
    } else if let Source::Stored { digest, .. } = &draft.document.source
        && !shelf.store.touch(digest, author.at).await?
    {
        return Err(SaveError::NoBytes(digest.clone()));
    }
    let name = draft.document.name.clone();
    let mut db = shelf.db.begin().await.context("beginning to save a document")?;
    lock(&mut db, author, &name).await?;
    let before = current(&mut db, &name).await?;
    if expect == Expect::Absent && before.is_some() {
        return Err(SaveError::Exists { what: "document", name });
    }
    if before.as_ref().is_some_and(|(before, _)| *before == draft.document) {
        return Ok(Saved::Unchanged);
    }
    let revision = insert(&mut db, author, (Some(&name), &draft.document)).await?;
    point(&mut db, &name, revision).await?;
    let detail = json!({ "revision": revision });
    audit::record(&mut db, author, Deed { action: "document.saved", object: &name, detail }).await?;
    db.commit().await.context("saving a document")?;
    Ok(if before.is_some() { Saved::Changed } else { Saved::Created })
}

/// Takes a document out of the catalogue; runs that began with it keep it.
///
/// # Errors
/// When there is none of this name, or batches use it.
pub async fn delete(db: &PgPool, author: &Author, name: &str) -> Result<(), DeleteError> {
    let mut db = db.begin().await.context("beginning to delete a document")?;
    let deleted = sqlx::query!(
        "update document set deleted_at = $2 where name = $1 and deleted_at is null and current is not null",
        name,
        author.at,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("deleting document {name}"))?;
    if deleted.rows_affected() == 0 {
        return Err(DeleteError::Unknown(name.to_owned()));
    }
    let users = used::by(&mut db, ("documents", "document"), name).await?;
    if !users.is_empty() {
        return Err(DeleteError::Used(users));
    }
    audit::record(&mut db, author, Deed { action: "document.deleted", object: name, detail: json!({}) }).await?;
    db.commit().await.context("deleting a document")?;
    Ok(())
}

/// The documents that `batch` holds.
pub(super) async fn held_by(
    db: &mut PgConnection,
    batch: Option<&Batch>,
) -> Result<Vec<(DocumentRevisionId, Document)>> {
    match batch.map(held_keys) {
        Some(keys) if !keys.is_empty() => revisions(db, &keys).await,
        _ => Ok(Vec::new()),
    }
}

/// Keeps a document from being deleted until the transaction ends.
pub(super) async fn hold(db: &mut PgConnection, name: &str) -> Result<(), SaveError> {
    let there = sqlx::query_scalar!("select name from document where name = $1 and deleted_at is null for share", name)
        .fetch_optional(db)
        .await
        .with_context(|| format!("holding document {name}"))?;
    there.map(drop).ok_or_else(|| SaveError::Gone { what: "document", name: name.to_owned() })
}

/// Adds a revision: of a document of the catalogue, or, without a name, held by one batch.
pub(super) async fn insert(
    db: &mut PgConnection,
    author: &Author,
    (name, document): (Option<&str>, &Document),
) -> Result<DocumentRevisionId> {
    sqlx::query_scalar!(
        r#"
        insert into document_revision (document, definition, created_at, created_by)
        values ($1, $2, $3, $4)
        returning id as "id: DocumentRevisionId"
        "#,
        name,
        serde_json::to_value(document)?,
        author.at,
        author.name,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("adding a revision of document {}", document.name))
}

async fn current(db: &mut PgConnection, name: &str) -> Result<Option<(Document, DocumentRevisionId)>> {
    let row = sqlx::query!(
        r#"
        select document_revision.id as "revision: DocumentRevisionId", document_revision.definition
          from document
          join document_revision on document_revision.id = document.current
         where document.name = $1 and document.deleted_at is null
        "#,
        name,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("reading document {name}"))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((serde_json::from_value(row.definition).with_context(|| format!("document {name}"))?, row.revision)))
}

async fn revisions(db: &mut PgConnection, keys: &[DocumentRevisionId]) -> Result<Vec<(DocumentRevisionId, Document)>> {
    let keys: Vec<i64> = keys.iter().map(|key| key.0).collect();
    let rows = sqlx::query!(
        r#"select id as "id: DocumentRevisionId", definition from document_revision where id = any($1)"#,
        &keys,
    )
    .fetch_all(db)
    .await
    .context("reading held documents")?;
    let read = |definition| serde_json::from_value(definition).context("reading a held document");
    rows.into_iter().map(|row| Ok((row.id, read(row.definition)?))).collect()
}

async fn lock(db: &mut PgConnection, author: &Author, name: &str) -> Result<()> {
    sqlx::query!(
        r#"
        insert into document (name, created_at) values ($1, $2)
        on conflict on constraint document_pkey do update set created_at = document.created_at
        "#,
        name,
        author.at,
    )
    .execute(db)
    .await
    .with_context(|| format!("locking document {name}"))?;
    Ok(())
}

async fn point(db: &mut PgConnection, name: &str, revision: DocumentRevisionId) -> Result<()> {
    sqlx::query!(
        "update document set current = $2, deleted_at = null where name = $1",
        name,
        revision as DocumentRevisionId,
    )
    .execute(db)
    .await
    .with_context(|| format!("pointing document {name} to revision {revision}"))?;
    Ok(())
}

/// The keys of held documents in `batch`.
fn held_keys(batch: &Batch) -> Vec<DocumentRevisionId> {
    let keys = batch.documents.iter().filter_map(|entry| match entry.source {
        EntrySource::Held(key) => Some(key),
        EntrySource::Document(_) => None,
    });
    keys.collect()
}
