//! What people who send see of a link: until when it leads somewhere, and who fetched what.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::{
    id::{RunId, TransmissionId},
    run::{Engine, parcel},
};

/// The link that stands for the files of a transmission.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Pickup)]
pub struct Shown {
    /// The account that gave it.
    pub account: String,
    /// When it went out first; nothing when it has not yet.
    pub offered_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub revoked_by: Option<String>,
    /// Each time that somebody asked for a file, in their order.
    pub downloads: Vec<ShownDownload>,
}

/// One time that somebody asked for a file.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PickupDownload)]
pub struct ShownDownload {
    pub file: String,
    pub digest: String,
    /// Where they were, as far as the network tells.
    pub address: String,
    /// The program they used, by its own words.
    pub agent: String,
    pub asked_at: DateTime<Utc>,
    /// When all of it had been handed out.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The link of a transmission, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub async fn shown(db: &PgPool, transmission: TransmissionId) -> Result<Option<Shown>> {
    let row = sqlx::query!(
        "select account, offered_at, expires_at, revoked_at, revoked_by from pickup where transmission = $1",
        transmission as TransmissionId,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("reading the link of transmission {transmission}"))?;
    let Some(row) = row else { return Ok(None) };
    let downloads = sqlx::query_as!(
        ShownDownload,
        r#"
        select file, digest, address, agent, asked_at, finished_at
          from pickup_download
         where transmission = $1
         order by id
        "#,
        transmission as TransmissionId,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the downloads of transmission {transmission}"))?;
    Ok(Some(Shown {
        account: row.account,
        offered_at: row.offered_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        revoked_by: row.revoked_by,
        downloads,
    }))
}

/// The link itself, made again from its account's secret; nothing when that has changed since.
///
/// # Errors
/// When the database cannot be read.
pub async fn link(engine: &Engine, transmission: TransmissionId) -> Result<Option<String>> {
    let row = sqlx::query!(
        r#"
        select pickup.account, pickup.token, transmission.run as "run: RunId", transmission.created_at
          from pickup
          join transmission on transmission.id = pickup.transmission
         where pickup.transmission = $1 and pickup.offered_at is not null
        "#,
        transmission as TransmissionId,
    )
    .fetch_optional(&engine.db)
    .await
    .with_context(|| format!("reading the link of transmission {transmission}"))?;
    let Some(row) = row else { return Ok(None) };
    let key = parcel::key(row.run, transmission, row.created_at);
    let offer = engine.channels.get(&row.account).and_then(|account| account.offer(&key));
    Ok(offer.filter(|offer| offer.token == row.token).map(|offer| offer.url().to_owned()))
}
