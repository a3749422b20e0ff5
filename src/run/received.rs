//! Words of far sides as they came, each once. Known by a digest: what the far side numbers its words by, else what it
//! says and when. Rows are written before anybody answers for them, and wait until the book shows what they are about.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;

use crate::{
    channel::{About, Standing, Word},
    id::TransmissionId,
};

/// As much of a word's raw body as is kept. Notices of mail servers bring whole messages along.
const BODY: usize = 64 * 1024;

/// By which way a word came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Source {
    /// The far side called.
    Callback,
    /// The far side was asked.
    Poll,
    /// A mail came back.
    Bounce,
    /// Somebody found out.
    Person,
    /// Files were fetched by their link.
    Pickup,
}

/// One word, as it came.
#[derive(Debug, Clone)]
pub(super) struct Received<'a> {
    pub source: Source,
    /// The account it came by; a mail that comes back names none.
    pub account: Option<&'a str>,
    pub word: Word,
    /// Why nothing is to be sent to the contact any more, if so.
    pub suppress: Option<&'a str>,
    pub body: &'a [u8],
}

impl Received<'_> {
    /// The key, what the far side calls it, and the attempt, as far as the word says.
    fn about(&self) -> (Option<&str>, Option<&str>, Option<i32>) {
        match &self.word.about {
            About::Key(key) => (Some(key), None, None),
            About::Attempt(key, attempt) => (Some(key), None, Some(*attempt)),
            About::Named { key, reference } => (Some(key), Some(reference), None),
            About::Reference(reference) => (None, Some(reference), None),
        }
    }

    fn digest(&self) -> Result<String> {
        let (key, reference, _) = self.about();
        let said = match &self.word.id {
            Some(id) => id.clone(),
            None => format!("{:?} {}", self.word.at, serde_json::to_string(&self.word.standing)?),
        };
        let mut hash = Sha256::new();
        for part in [self.account, key, reference, Some(&said)] {
            let part = part.unwrap_or_default();
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Writes a word down, due at once. Nothing when it is known already.
pub(super) async fn keep(db: &mut PgConnection, received: &Received<'_>, now: DateTime<Utc>) -> Result<Option<i64>> {
    let (key, reference, attempt) = received.about();
    let word = &received.word;
    sqlx::query_scalar!(
        r#"
        insert into receipt (source, account, key, reference, digest, standing, word, suppress, at, received_at, body,
                             attempt, due_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $10)
        on conflict on constraint receipt_comes_once do nothing
        returning id
        "#,
        received.source as Source,
        received.account,
        key,
        reference,
        received.digest()?,
        standing(&word.standing),
        serde_json::to_value(&word.standing)?,
        received.suppress,
        word.at,
        now,
        &received.body[..received.body.len().min(BODY)],
        attempt,
    )
    .fetch_optional(db)
    .await
    .context("keeping a word of the far side")
}

/// The word for it in the book.
pub(super) fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Underway(_) => "underway",
        Standing::Delivered(_) => "delivered",
        Standing::Deferred { .. } => "deferred",
        Standing::Failed(_) => "failed",
        Standing::Unknown => "unknown",
    }
}

/// A word of the far side as doors show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    pub source: Source,
    pub account: Option<String>,
    /// Which attempt it is about, by its own words or as it was found out.
    pub attempt: Option<i32>,
    /// `underway`, `delivered`, `deferred`, `failed` or `unknown`.
    pub standing: String,
    /// Proof, reason or progress, as the far side gave it.
    pub word: Value,
    /// When it happened, by the far side's clock.
    pub at: Option<DateTime<Utc>>,
    pub received_at: DateTime<Utc>,
    /// What it changed here.
    pub effect: Option<String>,
    /// The word as it came, or as much of it as is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// What the far side has said of a transmission, in the order in which it came; with `raw`, as it came.
///
/// # Errors
/// When the database cannot be read.
pub async fn receipts(db: &PgPool, transmission: TransmissionId, raw: bool) -> Result<Vec<Receipt>> {
    let rows = sqlx::query!(
        r#"
        select source as "source: Source", account, attempt, standing, word, at, received_at, effect,
               case when $2 then body end as body
          from receipt
         where transmission = $1
         order by id
        "#,
        transmission as TransmissionId,
        raw,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading what was said of transmission {transmission}"))?;
    Ok(rows
        .into_iter()
        .map(|row| Receipt {
            source: row.source,
            account: row.account,
            attempt: row.attempt,
            standing: row.standing,
            word: row.word,
            at: row.at,
            received_at: row.received_at,
            effect: row.effect,
            raw: row.body.map(|body| String::from_utf8_lossy(&body).into_owned()),
        })
        .collect())
}
