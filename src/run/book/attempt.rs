//! Attempts, with what was said on the wire.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::id::TransmissionId;

/// One try at a transmission.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    pub number: i32,
    pub worker: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// `accepted`, `delivered`, `deferred`, `refused` or `uncertain`; nothing while it is being made.
    pub outcome: Option<String>,
    pub reason: Option<Value>,
    pub proof: Option<Value>,
    /// What the far side calls it.
    pub reference: Option<String>,
    /// What was said on the wire.
    pub transcript: String,
}

/// The attempts at a transmission.
///
/// # Errors
/// When the database cannot be read.
pub async fn attempts(db: &PgPool, transmission: TransmissionId) -> Result<Vec<Attempt>> {
    sqlx::query_as!(
        Attempt,
        r#"
        select number, worker, started_at, ended_at, outcome, reason, proof, reference, transcript
          from attempt
         where transmission = $1
         order by number
        "#,
        transmission as TransmissionId,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the attempts at transmission {transmission}"))
}
