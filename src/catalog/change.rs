//! What was changed about batches, for whoever has to follow: noted in the transaction of the change, taken by the
//! schedules.
//!
//! Changes of one batch are in the order in which they were committed, because whoever changes a batch holds its row.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{audit::Author, id::RevisionId};

/// How a batch stands after somebody changed it.
#[derive(Debug, Clone)]
pub struct Change {
    pub id: i64,
    pub batch: String,
    pub revision: RevisionId,
    pub enabled: bool,
    pub deleted: bool,
    pub at: DateTime<Utc>,
    pub by: String,
}

/// Notes how the batch `name` stands now, in the transaction that changed it.
pub(super) async fn note(db: &mut PgConnection, author: &Author, name: &str) -> Result<()> {
    sqlx::query!(
        r#"
        insert into batch_change (batch, revision, enabled, deleted, at, by)
        select name, current, enabled, deleted_at is not null, $2, $3
          from batch
         where name = $1 and current is not null
        "#,
        name,
        author.at,
        author.name,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting a change of batch {name}"))?;
    Ok(())
}

/// Notes the same of a batch that did not change itself, but something that its schedules name. It is held first, so that
/// what is noted last is what counts.
pub(super) async fn note_held(db: &mut PgConnection, author: &Author, name: &str) -> Result<()> {
    sqlx::query!("select name from batch where name = $1 for no key update", name)
        .fetch_optional(&mut *db)
        .await
        .with_context(|| format!("holding batch {name}"))?;
    note(db, author, name).await
}

/// Takes all changes of up to `most` batches, in their order, and keeps everybody else from these batches until the end
/// of the caller's transaction. Batches that somebody holds are left for later.
///
/// # Errors
/// When the database cannot be written.
pub async fn take(db: &mut PgConnection, most: i64) -> Result<Vec<Change>> {
    let held = sqlx::query_scalar!(
        r#"
        select name
          from batch
         where name in (select batch from batch_change order by id limit $1)
         order by name
           for no key update skip locked
        "#,
        most,
    )
    .fetch_all(&mut *db)
    .await
    .context("holding the batches that were changed")?;
    take_of(db, &held).await
}

/// Takes all changes of `batches`, which the caller holds.
///
/// # Errors
/// When the database cannot be written.
pub async fn take_of(db: &mut PgConnection, batches: &[String]) -> Result<Vec<Change>> {
    if batches.is_empty() {
        return Ok(Vec::new());
    }
    let mut changes = sqlx::query_as!(
        Change,
        r#"
        delete from batch_change
         where batch = any($1)
        returning id, batch, revision as "revision: RevisionId", enabled, deleted, at, by
        "#,
        batches,
    )
    .fetch_all(db)
    .await
    .context("taking the changes of batches")?;
    changes.sort_by_key(|change| change.id);
    Ok(changes)
}
