//! Batches as they are kept: looked up, listed, switched on and off, deleted with their history left.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;

use super::{Batch, Shelf, change, recipient, validate, written};
use crate::{
    audit::{self, Author, Deed},
    id::RevisionId,
};

/// A batch in a list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = BatchSummary)]
pub struct Summary {
    pub name: String,
    pub title: String,
    pub workflow: String,
    pub run_as: String,
    pub enabled: bool,
    /// When one of its schedules fires next.
    pub next_at: Option<DateTime<Utc>>,
    /// The number of documents.
    pub documents: i32,
    /// The number of recipients.
    pub recipients: i64,
    #[schema(value_type = i64)]
    pub revision: RevisionId,
    pub changed_at: DateTime<Utc>,
}

/// Whose batches one may see: those that run as this user, or everyone's.
pub type Only<'a> = Option<&'a str>;

/// A page of batches in the order of their names, after the name `after`.
pub async fn list(db: &PgPool, only: Only<'_>, (after, limit): (Option<&str>, i64)) -> Result<Vec<Summary>> {
    sqlx::query_as!(
        Summary,
        r#"
        select batch.name, batch_revision.definition ->> 'title' as "title!", batch_revision.workflow,
               batch_revision.run_as, batch.enabled,
               jsonb_array_length(batch_revision.definition -> 'documents') as "documents!",
               (select count(*) from recipient where recipient.revision = batch.current) as "recipients!",
               (select min(schedule.next_at)
                  from schedule
                 where schedule.batch = batch.name and schedule.paused_at is null
                   and schedule.disabled_at is null) as next_at,
               batch_revision.id as "revision: RevisionId", batch.changed_at
          from batch
          join batch_revision on batch_revision.id = batch.current
         where batch.deleted_at is null and not batch.own
           and ($1::text is null or batch_revision.run_as = $1)
           and ($2::text is null or batch.name > $2)
         order by batch.name
         limit $3
        "#,
        only,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing batches")
}

/// A batch in the shape it was written in, and its revision.
pub async fn get(shelf: &Shelf, name: &str, only: Only<'_>) -> Result<Option<(super::input::Batch, RevisionId)>> {
    let row = sqlx::query!(
        r#"
        select batch_revision.id as "revision: RevisionId", batch_revision.definition, batch.enabled
          from batch
          join batch_revision on batch_revision.id = batch.current
         where batch.name = $1
           and batch.deleted_at is null and not batch.own
           and ($2::text is null or batch_revision.run_as = $2)
        "#,
        name,
        only,
    )
    .fetch_optional(&shelf.db)
    .await
    .with_context(|| format!("reading batch {name}"))?;
    let Some(row) = row else { return Ok(None) };
    let batch: Batch = serde_json::from_value(row.definition).with_context(|| format!("batch {name}"))?;
    let mut db = shelf.db.acquire().await.context("connecting to read a batch")?;
    let recipients = recipient::all(&mut db, row.revision).await?;
    let held = super::document::held_by(&mut db, Some(&batch)).await?;
    drop(db);
    let written = written::batch(batch, (recipients, row.enabled), written::contents(shelf, held).await?)?;
    Ok(Some((written, row.revision)))
}

/// Whether there is a batch of this name that one may see.
pub async fn is_there(db: &PgPool, name: &str, only: Only<'_>) -> Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from batch
              join batch_revision on batch_revision.id = batch.current
             where batch.name = $1 and batch.deleted_at is null and ($2::text is null or batch_revision.run_as = $2)
        ) as "there!"
        "#,
        name,
        only,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("looking for batch {name}"))
}

/// What keeps a batch from firing: channels that its policy counts on without an account. Nothing when there is no batch.
///
/// # Errors
/// When the database cannot be read.
pub async fn closed(db: &PgPool, name: &str, accounts: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let order = sqlx::query_scalar!(
        r#"
        select batch_revision.definition -> 'policy' -> 'order'
          from batch
          join batch_revision on batch_revision.id = batch.current
         where batch.name = $1 and batch.deleted_at is null
        "#,
        name,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("reading the policy of batch {name}"))?;
    let order: Vec<String> = order.flatten().map(serde_json::from_value).transpose()?.unwrap_or_default();
    Ok(validate::closed(&order, accounts).into_iter().map(|(_, text)| text).collect())
}

/// Lets a batch fire, or keeps it from firing. False when there is none of this name.
pub async fn enable(db: &PgPool, author: &Author, (name, enabled): (&str, bool)) -> Result<bool> {
    let mut db = db.begin().await.context("beginning to switch a batch")?;
    let before = sqlx::query_scalar!(
        "select enabled from batch where name = $1 and deleted_at is null and not own for update",
        name
    )
    .fetch_optional(&mut *db)
    .await
    .with_context(|| format!("locking batch {name}"))?;
    if before == Some(!enabled) {
        sqlx::query!("update batch set enabled = $2, changed_at = $3 where name = $1", name, enabled, author.at)
            .execute(&mut *db)
            .await
            .with_context(|| format!("switching batch {name}"))?;
        let action = if enabled { "batch.enabled" } else { "batch.disabled" };
        audit::record(&mut db, author, Deed { action, object: name, detail: json!({}) }).await?;
        change::note(&mut db, author, name).await?;
    }
    db.commit().await.context("switching a batch")?;
    Ok(before.is_some())
}

/// Takes a batch out of the catalogue; its runs stay. False when there is none of this name.
pub async fn delete(db: &PgPool, author: &Author, name: &str) -> Result<bool> {
    let mut db = db.begin().await.context("beginning to delete a batch")?;
    let deleted = sqlx::query!(
        r#"
        update batch
           set deleted_at = $2, changed_at = $2, enabled = false
         where name = $1 and deleted_at is null and current is not null and not own
        "#,
        name,
        author.at,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("deleting batch {name}"))?;
    if deleted.rows_affected() == 0 {
        return Ok(false);
    }
    audit::record(&mut db, author, Deed { action: "batch.deleted", object: name, detail: json!({}) }).await?;
    change::note(&mut db, author, name).await?;
    db.commit().await.context("deleting a batch")?;
    Ok(true)
}
