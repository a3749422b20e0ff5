//! The report of everything that goes out by itself: which batches, as whom, which documents, when, and when next.
//!
//! Batches that are disabled or have no schedule are not in it. Asked by administrators.

use anyhow::{Context, Result};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::words::moment;
use crate::{
    document::table,
    schedule::{Rule, Written},
};

/// One schedule of an enabled batch.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Scheduled {
    pub batch: String,
    pub title: String,
    /// The user it runs as.
    pub user: String,
    pub user_title: String,
    /// The titles of its documents, in their order.
    pub documents: Vec<String>,
    /// When, in words.
    #[schema(example = "weekdays at 06:00")]
    pub schedule: String,
    #[schema(example = "Europe/Amsterdam")]
    pub zone: String,
    pub next_at: Option<DateTime<Utc>>,
    /// `next_at` in the schedule's zone and in words, or why there is none.
    #[schema(example = "1 April 2026, 06:00 CEST")]
    pub next: String,
}

/// All schedules of enabled batches, by batch.
///
/// # Errors
/// When the database cannot be read.
pub async fn scheduled(db: &PgPool) -> Result<Vec<Scheduled>> {
    let rows = sqlx::query!(
        r#"
        select batch.name, batch_revision.definition ->> 'title' as title, batch_revision.run_as,
               "user".title as user_title, written.entry as "written!",
               schedule.next_at as "next_at?", schedule.paused_note as "paused_note?", schedule.fault as "fault?",
               (select array_agg(coalesce(document_revision.definition ->> 'title', entry.value ->> 'document')
                                 order by entry.place)
                  from jsonb_array_elements(batch_revision.definition -> 'documents')
                       with ordinality as entry (value, place)
                  left join document on document.name = entry.value ->> 'document'
                  left join document_revision
                    on document_revision.id = coalesce((entry.value ->> 'held')::bigint, document.current))
                   as "documents: Vec<Option<String>>"
          from batch
          join batch_revision on batch_revision.id = batch.current
          join "user" on "user".name = batch_revision.run_as
         cross join lateral jsonb_array_elements(batch_revision.definition -> 'schedule')
                            with ordinality as written (entry, place)
          left join schedule on schedule.batch = batch.name and schedule.position = written.place - 1
         where batch.enabled and batch.deleted_at is null
         order by batch.name, written.place
        "#,
    )
    .fetch_all(db)
    .await
    .context("reading what is scheduled")?;
    let scheduled = rows.into_iter().map(|row| {
        let (schedule, zone) = words(row.written);
        let at = row.next_at.map(|at| moment(at, zone));
        let paused = row.paused_note.map(|note| format!("paused: {note}"));
        let on_demand = schedule == (Rule::OnDemand {}).to_string();
        let never = if on_demand { "when somebody starts it" } else { "never again" };
        Scheduled {
            title: row.title.unwrap_or_else(|| row.name.clone()),
            batch: row.name,
            user: row.run_as,
            user_title: row.user_title,
            documents: row.documents.unwrap_or_default().into_iter().flatten().collect(),
            schedule,
            zone: zone.name().to_owned(),
            next_at: row.next_at,
            next: paused.or(row.fault).or(at).unwrap_or_else(|| never.to_owned()),
        }
    });
    Ok(scheduled.collect())
}

/// The rule in words and its zone; as it was written, if it cannot be read.
fn words(written: Value) -> (String, Tz) {
    let written: Written = serde_json::from_value(written).unwrap_or_default();
    match written.read() {
        Ok(schedule) => (schedule.rule.to_string(), schedule.zone),
        Err(_) => (written.words(), Tz::UTC),
    }
}

const COLUMNS: [&str; 8] = ["batch", "title", "user", "user title", "documents", "schedule", "zone", "next"];

/// The same as comma-separated values.
///
/// # Errors
/// When a line cannot be written.
pub fn csv(scheduled: &[Scheduled]) -> Result<Bytes> {
    let cells = |it: &Scheduled| {
        let zone = it.zone.parse().unwrap_or(Tz::UTC);
        let at = it.next_at.map(|at| at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false));
        let next = at.unwrap_or_else(|| it.next.clone());
        let documents = it.documents.join("; ");
        [&it.batch, &it.title, &it.user, &it.user_title, &documents, &it.schedule, &it.zone, &next]
            .map(|cell| table::guarded(cell))
    };
    table::lines(std::iter::once(COLUMNS.map(str::to_owned)).chain(scheduled.iter().map(cells)))
}
