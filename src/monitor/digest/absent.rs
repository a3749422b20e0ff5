//! What did not run: occurrences that were missed or left out, and the times without a scheduler.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::Entries;
use crate::monitor::words::{length, moment};

/// Occurrences named in one digest, those that were missed first.
const NAMED: i64 = 50;

/// An occurrence without a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotRun {
    pub batch: String,
    pub title: String,
    pub due_at: DateTime<Utc>,
    /// `due_at` in words.
    pub due: String,
    /// Whether nobody meant it to be so.
    pub missed: bool,
    pub text: String,
}

/// A time without a scheduler.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Downtime {
    pub from_at: DateTime<Utc>,
    pub to_at: DateTime<Utc>,
    /// From when to when, in words.
    pub text: String,
}

/// How many were missed, and how many left out.
pub(super) async fn count(db: &mut PgConnection, entries: &Entries) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        select count(*) filter (where occurrence.lost) as "lost!",
               count(*) filter (where not occurrence.lost and occurrence.state = 'skipped') as "skipped!"
          from unnest($1::text[], $2::text[]) as told (batch, key)
          join occurrence on occurrence.batch = told.batch and occurrence.key = told.key
        "#,
        &entries.batches,
        &entries.occurrences,
    )
    .fetch_one(db)
    .await
    .context("counting what did not run")?;
    Ok((row.lost, row.skipped))
}

/// The first of them, and how many more there are.
pub(super) async fn not_run(db: &mut PgConnection, entries: &Entries, zone: Tz) -> Result<(Vec<NotRun>, i64)> {
    let rows = sqlx::query!(
        r#"
        select occurrence.batch, occurrence.due_at, occurrence.lost,
               occurrence.reason ->> 'text' as reason, batch_revision.definition ->> 'title' as title,
               count(*) over () as "all!"
          from unnest($1::text[], $2::text[]) as told (batch, key)
          join occurrence on occurrence.batch = told.batch and occurrence.key = told.key
          join batch on batch.name = occurrence.batch
          left join batch_revision on batch_revision.id = batch.current
         where occurrence.state in ('missed', 'skipped')
         order by occurrence.lost desc, occurrence.due_at, occurrence.batch
         limit $3
        "#,
        &entries.batches,
        &entries.occurrences,
        NAMED,
    )
    .fetch_all(db)
    .await
    .context("reading what did not run")?;
    let more = rows.first().map_or(0, |row| (row.all - NAMED).max(0));
    let not_run = rows.into_iter().map(|row| NotRun {
        title: row.title.unwrap_or_else(|| row.batch.clone()),
        batch: row.batch,
        due_at: row.due_at,
        due: moment(row.due_at, zone),
        missed: row.lost,
        text: row.reason.unwrap_or_else(|| "nobody was there to start it".to_owned()),
    });
    Ok((not_run.collect(), more))
}

pub(super) async fn downtimes(db: &mut PgConnection, entries: &Entries, zone: Tz) -> Result<Vec<Downtime>> {
    let rows =
        sqlx::query!("select from_at, to_at from downtime where id = any($1) order by from_at", &entries.downtimes)
            .fetch_all(db)
            .await
            .context("reading the times without a scheduler")?;
    let downtimes = rows.into_iter().map(|row| Downtime {
        from_at: row.from_at,
        to_at: row.to_at,
        text: format!(
            "{} to {}, {}",
            moment(row.from_at, zone),
            moment(row.to_at, zone),
            length(row.from_at, row.to_at)
        ),
    });
    Ok(downtimes.collect())
}
