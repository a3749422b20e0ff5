//! Transmissions, documents and notices.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::Piece;
use crate::{
    id::{RunId, TransmissionId},
    run::{
        TransmissionState,
        received::{self, Receipt},
    },
};

/// A transmission as doors show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Transmission {
    pub id: TransmissionId,
    pub run: RunId,
    /// What it carries; a notice carries nothing.
    pub documents: Vec<TransmissionDocument>,
    pub recipient: String,
    pub channel: String,
    pub account: Option<String>,
    pub contact: String,
    pub state: TransmissionState,
    /// Scope, code and text of why it is not delivered.
    pub reason: Option<Value>,
    /// Who says that it arrived, in whose words.
    pub proof: Option<Value>,
    pub attempts: i32,
    pub next_at: Option<DateTime<Utc>>,
    pub sent_at: Option<DateTime<Utc>>,
    /// Whether it may have arrived twice.
    pub possibly_twice: bool,
    /// The transmission that this one sends again.
    pub resend_of: Option<TransmissionId>,
    /// The transmission to another contact that came to nothing, and that this one follows.
    pub turned_from: Option<TransmissionId>,
    /// What a queued one waits for, when it is neither its time nor a worker.
    pub waits_for: Option<String>,
    /// Whether a link goes out instead of its files.
    pub by_link: bool,
    /// How far an accepted one has come, in the far side's words.
    pub progress: Option<String>,
    /// Until when the far side is waited for.
    pub word_by: Option<DateTime<Utc>>,
    /// What the far side has said later; only where one transmission is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub receipts: Vec<Receipt>,
}

/// A document in a transmission; file, digest and pages are there once it is rendered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TransmissionDocument {
    pub name: String,
    pub title: String,
    pub file: Option<String>,
    pub digest: Option<String>,
    pub pages: Option<i32>,
}

/// What transmissions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Purpose {
    Document,
    Notice,
}

/// The transmissions of a run in the order they were written, its documents or its notices.
///
/// # Errors
/// When the database cannot be read.
pub async fn transmissions(db: &PgPool, run: RunId, purpose: Purpose, piece: Piece) -> Result<Vec<Transmission>> {
    read(db, (Some(run), None), purpose, piece).await
}

/// One transmission.
///
/// # Errors
/// When the database cannot be read.
pub async fn transmission(db: &PgPool, id: TransmissionId) -> Result<Option<Transmission>> {
    let piece = Piece { after: None, limit: 1 };
    let found = read(db, (None, Some(id)), Purpose::Document, piece).await?.pop();
    let Some(found) = found else { return Ok(None) };
    let receipts = received::receipts(db, id, false).await?;
    Ok(Some(Transmission { receipts, ..found }))
}

async fn read(
    db: &PgPool,
    (run, id): (Option<RunId>, Option<TransmissionId>),
    purpose: Purpose,
    piece: Piece,
) -> Result<Vec<Transmission>> {
    let rows = sqlx::query!(
        r#"
        select transmission.id as "id: TransmissionId", transmission.run as "run: RunId", recipient_name, channel,
               transmission.account, contact, transmission.state as "state: TransmissionState", transmission.reason, proof, attempts, next_at,
               sent_at, possibly_twice, resend_of as "resend_of: TransmissionId", turned_from as "turned_from: TransmissionId", documents.list as documents,
               case when transmission.state <> 'queued' then null
                    when installation.paused_at is not null then 'all sending is paused: ' || installation.paused_why
                    when run.paused_at is not null then 'its run is paused'
                    when transmission.waiting > 0 then 'its documents are not rendered yet'
               end as waits_for,
               exists (select from pickup where pickup.transmission = transmission.id) as "by_link!",
               awaited.progress as "progress?", awaited.deadline_at as "word_by?"
          from transmission
          left join awaited on awaited.transmission = transmission.id and awaited.attempt = transmission.attempts
                           and transmission.state in ('accepted', 'uncertain')
          join run on run.id = transmission.run
          left join installation on installation.pauses is distinct from run.released_in
          left join lateral (
                select jsonb_agg(jsonb_build_object(
                           'name', item.name,
                           'title', coalesce(document_revision.definition ->> 'title', item.name),
                           'file', artifact.file, 'digest', artifact.digest, 'pages', artifact.pages)
                           order by transmission_item.position) as list
                  from transmission_item
                  join item on item.id = transmission_item.item
                  join document_revision on document_revision.id = item.revision
                  left join artifact on artifact.id = item.artifact
                 where transmission_item.transmission = transmission.id
               ) as documents on true
         where ($1::bigint is null or transmission.run = $1)
           and ($2::bigint is null or transmission.id = $2)
           and ($2::bigint is not null or transmission.purpose = $3)
           and ($4::bigint is null or transmission.id > $4)
         order by transmission.id
         limit $5
        "#,
        run as Option<RunId>,
        id as Option<TransmissionId>,
        purpose as Purpose,
        piece.after,
        piece.limit,
    )
    .fetch_all(db)
    .await
    .context("reading transmissions")?;
    rows.into_iter()
        .map(|row| {
            let documents = row.documents.map(serde_json::from_value).transpose().context("reading documents")?;
            Ok(Transmission {
                id: row.id,
                run: row.run,
                documents: documents.unwrap_or_default(),
                recipient: row.recipient_name,
                channel: row.channel,
                account: row.account,
                contact: row.contact,
                state: row.state,
                reason: row.reason,
                proof: row.proof,
                attempts: row.attempts,
                next_at: row.next_at,
                sent_at: row.sent_at,
                possibly_twice: row.possibly_twice,
                resend_of: row.resend_of,
                turned_from: row.turned_from,
                waits_for: row.waits_for,
                by_link: row.by_link,
                progress: row.progress,
                word_by: row.word_by,
                receipts: Vec::new(),
            })
        })
        .collect()
}
