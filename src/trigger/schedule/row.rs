//! The rows of schedules, as whoever holds their batch sees them.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::plan::Named;
use crate::id::RevisionId;

/// One schedule of the current revision of a batch.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// 0 while it is not written yet.
    pub id: i64,
    pub batch: String,
    pub revision: RevisionId,
    pub position: i32,
    /// As the batch has it.
    pub definition: Value,
    /// Set when its zone is not that of the batch's first schedule.
    pub key_zone: Option<String>,
    /// What was due up to here is decided.
    pub after_at: DateTime<Utc>,
    pub next_key: Option<String>,
    pub next_at: Option<DateTime<Utc>>,
    /// Why it cannot fire at all.
    pub fault: Option<String>,
    /// Since when it counts.
    pub enabled_at: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_by: Option<String>,
    pub paused_at: Option<DateTime<Utc>>,
    pub paused_by: Option<String>,
    pub paused_note: Option<String>,
    /// Failed runs in a row.
    pub failures: i32,
}

/// What their plans are read from.
pub(super) fn named(rows: &[Row]) -> Vec<Named<'_>> {
    let named = |row| {
        let Row { batch, definition, key_zone, .. }: &Row = row;
        Named { batch, definition, key_zone: key_zone.as_deref() }
    };
    rows.iter().map(named).collect()
}

/// All schedules of `batches`, in the order of their batches and positions.
pub(super) async fn all(db: &mut PgConnection, batches: &[String]) -> Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"
        select id, batch, revision as "revision: RevisionId", position, definition, key_zone, after_at, next_key, next_at,
               fault, enabled_at, disabled_at, disabled_by, paused_at, paused_by, paused_note, failures
          from schedule
         where batch = any($1)
         order by batch, position
        "#,
        batches,
    )
    .fetch_all(db)
    .await
    .context("reading schedules")
}

/// Those of `batches` that are due, and know how their batch stands now.
pub(super) async fn due(db: &mut PgConnection, batches: &[String], now: DateTime<Utc>) -> Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"
        select schedule.id, batch, revision as "revision: RevisionId", position, definition, key_zone, after_at, next_key,
               next_at, fault, enabled_at, disabled_at, disabled_by, paused_at, paused_by, paused_note, failures
          from schedule
          join batch on batch.name = schedule.batch
         where schedule.batch = any($1)
           and next_at <= $2
           and batch.current = schedule.revision
           and batch.enabled = (disabled_at is null)
           and batch.deleted_at is null
         order by batch, position
        "#,
        batches,
        now,
    )
    .fetch_all(db)
    .await
    .context("reading the schedules that are due")
}
