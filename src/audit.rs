//! Who changed or looked at what.
//!
//! A line is written in the transaction of the change it tells of, so that neither is there without the other. Called
//! by everything that a person can change.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

/// Who does something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The user's name, or the command that acts without one.
    pub name: String,
    pub at: DateTime<Utc>,
}

/// What was done to which object.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed<'a> {
    /// Short and stable: `batch.saved`, `token.revoked`.
    pub action: &'a str,
    /// The key of the object in its list.
    pub object: &'a str,
    /// What else is worth knowing; never secrets, never whole documents.
    pub detail: Value,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditLine)]
pub struct Line {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub by: String,
    pub action: String,
    pub object: String,
    pub detail: Value,
}

/// Writes one line, in the caller's transaction.
pub async fn record(db: &mut PgConnection, author: &Author, deed: Deed<'_>) -> Result<()> {
    sqlx::query!(
        "insert into audit (at, by, action, object, detail) values ($1, $2, $3, $4, $5)",
        author.at,
        author.name,
        deed.action,
        deed.object,
        deed.detail,
    )
    .execute(db)
    .await
    .with_context(|| format!("recording {} of {}", deed.action, deed.object))?;
    Ok(())
}

/// Writes one line about something that changes no row of its own, such as a look at a document.
pub async fn note(db: &PgPool, author: &Author, deed: Deed<'_>) -> Result<()> {
    let mut db = db.acquire().await.context("connecting to write the audit log")?;
    record(&mut db, author, deed).await
}

/// The newest `limit` lines before the one with the id `after`.
pub async fn list(db: &PgPool, after: Option<i64>, limit: i64) -> Result<Vec<Line>> {
    sqlx::query_as!(
        Line,
        r#"
        select id, at, by, action, object, detail
          from audit
         where $1::bigint is null or id < $1
         order by id desc
         limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("reading the audit log")
}
