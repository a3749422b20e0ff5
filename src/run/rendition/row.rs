//! Renditions in the book.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use crate::id::{RunId, TransmissionId};

/// The pages of a transmission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Rendition {
    /// Of the TIFF.
    pub digest: String,
    pub size: i64,
    /// What goes over the line for each page.
    pub octets: Vec<i32>,
    pub created_at: DateTime<Utc>,
}

/// What was made for `transmission`, unless it is purged.
pub(in crate::run) async fn kept(db: &PgPool, transmission: TransmissionId) -> Result<Option<Rendition>> {
    sqlx::query_as!(
        Rendition,
        "select digest, size, octets, created_at from rendition where transmission = $1 and purged_at is null",
        transmission as TransmissionId,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("looking for the pages of transmission {transmission}"))
}

/// What was made of the same for another one.
pub(super) async fn alike(db: &PgPool, key: &str) -> Result<Option<Rendition>> {
    sqlx::query_as!(
        Rendition,
        "select digest, size, octets, created_at from rendition where key = $1 and purged_at is null limit 1",
        key,
    )
    .fetch_optional(db)
    .await
    .context("looking for pages that were made of the same")
}

/// Keeps `made` for the transmission, unless somebody was quicker; gives what is kept.
pub(super) async fn keep(
    db: &PgPool,
    (transmission, key): (TransmissionId, &str),
    made: &Rendition,
    now: DateTime<Utc>,
) -> Result<Rendition> {
    sqlx::query!(
        r#"
        insert into rendition (transmission, key, digest, size, octets, created_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (transmission) do nothing
        "#,
        transmission as TransmissionId,
        key,
        made.digest,
        made.size,
        &made.octets,
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("keeping the pages of transmission {transmission}"))?;
    let kept = kept(db, transmission).await?;
    kept.with_context(|| format!("the pages of transmission {transmission} are purged"))
}

/// Renditions of `run` name their bytes no longer, at most `limit` of them. Gives the digests.
pub(in crate::run) async fn forget(
    db: &mut PgConnection,
    run: RunId,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        update rendition set purged_at = $3
         where transmission in (select rendition.transmission
                                  from rendition
                                  join transmission on transmission.id = rendition.transmission
                                 where transmission.run = $1 and rendition.purged_at is null
                                 limit $2)
        returning digest
        "#,
        run as RunId,
        limit,
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("purging pages of run {run}"))
}

/// The renditions of these transmissions go. Gives the digests.
pub(in crate::run) async fn delete(db: &mut PgConnection, transmissions: &[i64]) -> Result<Vec<String>> {
    sqlx::query_scalar!("delete from rendition where transmission = any($1) returning digest", transmissions)
        .fetch_all(db)
        .await
        .context("purging pages with their transmissions")
}
