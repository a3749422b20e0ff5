//! What went wrong in runs: those that could not begin, what was not sent, what is uncertain, what was skipped.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{
    id::{RunId, TransmissionId},
    monitor::words::stamp,
};

/// Failures and uncertain transmissions named in one digest. More make it a list that nobody reads.
const NAMED: i64 = 100;

/// Reasons for leaving out named in one digest.
const REASONS: i64 = 30;

/// A run that could not begin.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Broken {
    pub run: RunId,
    pub batch: String,
    pub title: String,
    /// When it ended, in words.
    pub ended: String,
    pub text: String,
}

/// A transmission that did not come to its end.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Missing {
    pub run: RunId,
    pub batch: String,
    pub title: String,
    /// What it is settled by.
    pub transmission: TransmissionId,
    pub documents: String,
    pub recipient: String,
    pub contact: String,
    pub at: DateTime<Utc>,
    /// `at` in words.
    pub when: String,
    pub text: String,
}

/// What was left out for one reason in one run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Skipped {
    pub run: RunId,
    pub batch: String,
    pub title: String,
    pub count: i64,
    /// The reason, in the words for one of them.
    pub text: String,
}

pub(super) async fn broken(db: &mut PgConnection, runs: &[i64], zone: Tz) -> Result<Vec<Broken>> {
    let rows = sqlx::query!(
        r#"
        select run.id as "run: RunId", run.batch, batch_revision.definition ->> 'title' as title, run.ended_at,
               run.reason ->> 'text' as reason
          from run
          join batch_revision on batch_revision.id = run.revision
         where run.id = any($1) and run.reason is not null and run.state = 'failed'
         order by run.ended_at
         limit $2
        "#,
        runs,
        NAMED,
    )
    .fetch_all(db)
    .await
    .context("reading which runs could not begin")?;
    let broken = rows.into_iter().map(|row| Broken {
        run: row.run,
        title: row.title.unwrap_or_else(|| row.batch.clone()),
        batch: row.batch,
        ended: row.ended_at.map(|at| stamp(at, zone)).unwrap_or_default(),
        text: row.reason.unwrap_or_default(),
    });
    Ok(broken.collect())
}

/// The first ones that failed in `runs`, and how many more there are.
pub(super) async fn failed(db: &mut PgConnection, runs: &[i64], zone: Tz) -> Result<(Vec<Missing>, i64)> {
    missing(db, Some(runs), zone).await
}

/// The first ones that are uncertain, in whatever run, and how many more there are.
pub(super) async fn uncertain(db: &mut PgConnection, zone: Tz) -> Result<(Vec<Missing>, i64)> {
    missing(db, None, zone).await
}

async fn missing(db: &mut PgConnection, runs: Option<&[i64]>, zone: Tz) -> Result<(Vec<Missing>, i64)> {
    let rows = sqlx::query!(
        r#"
        select run.id as "run: RunId", run.batch, batch_revision.definition ->> 'title' as title,
               transmission.id as "transmission: TransmissionId", transmission.recipient_name, transmission.contact,
               transmission.changed_at, transmission.reason ->> 'text' as reason,
               (select string_agg(coalesce(document_revision.definition ->> 'title', item.name), ', '
                                  order by transmission_item.position)
                  from transmission_item
                  join item on item.id = transmission_item.item
                  join document_revision on document_revision.id = item.revision
                 where transmission_item.transmission = transmission.id) as documents
          from transmission
          join run on run.id = transmission.run
          join batch_revision on batch_revision.id = run.revision
          join batch on batch.name = run.batch and not batch.own
         where transmission.troubled and transmission.purpose = 'document'
           and case when $1::bigint[] is null then transmission.state = 'uncertain'
                    else transmission.run = any($1) and transmission.state = 'failed' end
         order by transmission.run, transmission.reason ->> 'text', transmission.id
         limit $2
        "#,
        runs,
        NAMED + 1,
    )
    .fetch_all(&mut *db)
    .await
    .context("reading what was not sent")?;
    let more = match i64::try_from(rows.len())? > NAMED {
        true => count(db, runs).await? - NAMED,
        false => 0,
    };
    let missing = rows.into_iter().take(usize::try_from(NAMED)?).map(|row| Missing {
        run: row.run,
        title: row.title.unwrap_or_else(|| row.batch.clone()),
        batch: row.batch,
        transmission: row.transmission,
        documents: row.documents.unwrap_or_else(|| "(no document)".to_owned()),
        recipient: row.recipient_name,
        contact: row.contact,
        at: row.changed_at,
        when: stamp(row.changed_at, zone),
        text: row.reason.unwrap_or_else(|| "no reason was recorded".to_owned()),
    });
    Ok((missing.collect(), more))
}

async fn count(db: &mut PgConnection, runs: Option<&[i64]>) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
          from transmission
          join run on run.id = transmission.run
          join batch on batch.name = run.batch and not batch.own
         where transmission.troubled and transmission.purpose = 'document'
           and case when $1::bigint[] is null then transmission.state = 'uncertain'
                    else transmission.run = any($1) and transmission.state = 'failed' end
        "#,
        runs,
    )
    .fetch_one(db)
    .await
    .context("counting what was not sent")
}

pub(super) async fn skipped(db: &mut PgConnection, runs: &[i64]) -> Result<(Vec<Skipped>, i64)> {
    let rows = sqlx::query!(
        r#"
        select run.id as "run: RunId", run.batch, batch_revision.definition ->> 'title' as title,
               count(*) as "count!", min(transmission.reason ->> 'text') as reason, count(*) over () as "all!"
          from transmission
          join run on run.id = transmission.run
          join batch_revision on batch_revision.id = run.revision
         where transmission.run = any($1) and transmission.purpose = 'document' and transmission.state = 'skipped'
         group by run.id, batch_revision.id, transmission.reason ->> 'code'
         order by run.id, min(transmission.id)
         limit $2
        "#,
        runs,
        REASONS,
    )
    .fetch_all(db)
    .await
    .context("reading what was skipped")?;
    let more = rows.first().map_or(0, |row| (row.all - REASONS).max(0));
    let skipped = rows.into_iter().map(|row| Skipped {
        run: row.run,
        title: row.title.unwrap_or_else(|| row.batch.clone()),
        batch: row.batch,
        count: row.count,
        text: row.reason.unwrap_or_default(),
    });
    Ok((skipped.collect(), more))
}
