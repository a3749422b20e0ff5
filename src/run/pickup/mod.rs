//! Files that are fetched by link: what a link leads to, who fetched what, and what that means for the transmission.
//!
//! ```text
//! link ─▶ room (its files)      looking counts for nothing: mail programs and chats look at links before people do
//!           └▶ asked ─▶ pass ─▶ bytes … ─▶ noted and received as a word ─▶ last byte
//! ```
//! Whoever asks gets a pass for one file, by which they may take it again where the line broke. The word is kept before
//! the last byte goes out, so nobody has a whole file without the book knowing. The transmission is delivered when each
//! of its files was fetched. Called by the doors; links are made in `link`.

mod fetch;
mod shown;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::PgPool;

pub use fetch::{Download, ask, body, take};
pub use shown::{Shown, ShownDownload, link, shown};

use crate::id::TransmissionId;

/// What a link leads to.
#[derive(Debug)]
pub struct Room {
    transmission: TransmissionId,
    pub title: String,
    /// By the clock of its batch.
    pub expires_at: DateTime<Tz>,
    /// In the order of the transmission.
    pub files: Vec<Offered>,
}

/// A file that can be fetched.
#[derive(Debug)]
pub struct Offered {
    pub position: i32,
    pub name: String,
    pub size: u64,
    digest: String,
    /// Whether it is still kept.
    pub is_kept: bool,
}

/// Why a link leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ClosedError {
    #[error("there is no such link")]
    Unknown,
    #[error("the link ended on {0}")]
    Expired(DateTime<Tz>),
    #[error("the link was withdrawn by whoever sent it")]
    Withdrawn,
    #[error("the file is no longer kept")]
    Gone,
    #[error("the files of this link were asked for too often")]
    TooOften,
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// What the link with this digest leads to at `now`.
///
/// # Errors
/// When it leads nowhere.
pub async fn room(db: &PgPool, token: &str, now: DateTime<Utc>) -> Result<Room, ClosedError> {
    let row = sqlx::query!(
        r#"
        select transmission as "transmission: TransmissionId", title, expires_at, zone, revoked_at
          from pickup
         where token = $1 and offered_at is not null
        "#,
        token,
    )
    .fetch_optional(db)
    .await
    .context("looking where a link leads")?;
    let row = row.ok_or(ClosedError::Unknown)?;
    if row.revoked_at.is_some() {
        return Err(ClosedError::Withdrawn);
    }
    let expires_at = row.expires_at.with_timezone(&row.zone.parse::<Tz>().context("reading the zone of a link")?);
    if expires_at <= now {
        return Err(ClosedError::Expired(expires_at));
    }
    let files = files(db, row.transmission).await?;
    Ok(Room { transmission: row.transmission, title: row.title, expires_at, files })
}

async fn files(db: &PgPool, transmission: TransmissionId) -> Result<Vec<Offered>> {
    let rows = sqlx::query!(
        r#"
        select transmission_item.position, artifact.file, artifact.size, artifact.digest,
               artifact.purged_at is null as "is_kept!"
          from transmission_item
          join item on item.id = transmission_item.item
          join artifact on artifact.id = item.artifact
         where transmission_item.transmission = $1
         order by transmission_item.position
        "#,
        transmission as TransmissionId,
    )
    .fetch_all(db)
    .await
    .context("reading the files of a link")?;
    let offered = rows.into_iter().map(|row| Offered {
        position: row.position,
        name: row.file,
        size: u64::try_from(row.size).unwrap_or_default(),
        digest: row.digest,
        is_kept: row.is_kept,
    });
    Ok(offered.collect())
}
