//! What happened in a run, line by line.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::id::RunId;

/// A line of a run's log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = LogLine)]
pub struct Line {
    /// Without gaps, from 1.
    pub number: i32,
    pub at: DateTime<Utc>,
    /// A stable word: `started`, `expanded`, `progress`, `ended`, `notified`, `retried`, ...
    pub event: String,
    pub text: String,
    pub data: Value,
}

/// The log of a run after line `after`.
///
/// # Errors
/// When the database cannot be read.
pub async fn log(db: &PgPool, run: RunId, after: i32) -> Result<Vec<Line>> {
    sqlx::query_as!(
        Line,
        r#"
        select number, at, event, text, data from log where run = $1 and number > $2 order by number limit 500
        "#,
        run as RunId,
        after,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the log of run {run}"))
}
