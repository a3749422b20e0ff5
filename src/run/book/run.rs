//! Runs, and how far they are.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::Piece;
use crate::{
    id::RunId,
    run::{CauseKind, Counts, RunState},
};

/// A run as doors show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Run {
    pub id: RunId,
    pub batch: String,
    pub title: String,
    pub state: RunState,
    pub cause: RunCause,
    pub business_date: NaiveDate,
    pub run_as: String,
    /// How many transmissions are in which state.
    pub counts: Counts,
    /// Why it could not begin, if it could not.
    pub reason: Option<Value>,
    pub created_at: DateTime<Utc>,
    pub paused_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// When its files were thrown away because of their age.
    pub files_purged_at: Option<DateTime<Utc>>,
}

/// What fired a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunCause {
    pub kind: CauseKind,
    pub key: String,
    pub by: Option<String>,
}

/// Which runs are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub batch: Option<String>,
    pub state: Option<RunState>,
    /// Business dates, both included.
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    /// Only what runs as this user.
    pub run_as: Option<String>,
    /// Only this run.
    pub run: Option<RunId>,
}

/// The runs that are asked for, the latest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn runs(db: &PgPool, asked: &Asked, piece: Piece) -> Result<Vec<Run>> {
    let rows = sqlx::query!(
        r#"
        select run.id as "id: RunId", run.batch, batch_revision.definition ->> 'title' as "title!",
               run.state as "state: RunState", run.cause_kind as "cause_kind: CauseKind", run.cause_key, run.cause_by,
               run.business_date, run.run_as, run.reason, run.created_at, run.paused_at, run.ended_at,
               run.queued, run.sending, run.accepted, run.delivered, run.failed, run.skipped, run.uncertain,
               run.cancelled, run.files_purged_at
          from run
          join batch_revision on batch_revision.id = run.revision
         where ($1::text is null or run.batch = $1)
           and ($2::text is null or run.state = $2)
           and ($3::date is null or run.business_date >= $3)
           and ($4::date is null or run.business_date <= $4)
           and ($5::text is null or run.run_as = $5)
           and ($6::bigint is null or run.id = $6)
           and ($7::bigint is null or run.id < $7)
           and run.purge_begun_at is null
         order by run.id desc
         limit $8
        "#,
        asked.batch,
        asked.state as Option<RunState>,
        asked.from,
        asked.to,
        asked.run_as,
        asked.run as Option<RunId>,
        piece.after,
        piece.limit,
    )
    .fetch_all(db)
    .await
    .context("reading runs")?;
    Ok(rows
        .into_iter()
        .map(|row| Run {
            id: row.id,
            batch: row.batch,
            title: row.title,
            state: row.state,
            cause: RunCause { kind: row.cause_kind, key: row.cause_key, by: row.cause_by },
            business_date: row.business_date,
            run_as: row.run_as,
            counts: Counts {
                queued: row.queued,
                sending: row.sending,
                accepted: row.accepted,
                delivered: row.delivered,
                failed: row.failed,
                skipped: row.skipped,
                uncertain: row.uncertain,
                cancelled: row.cancelled,
            },
            reason: row.reason,
            created_at: row.created_at,
            paused_at: row.paused_at,
            ended_at: row.ended_at,
            files_purged_at: row.files_purged_at,
        })
        .collect())
}

/// One run, if there is one and, when `run_as` is given, it runs as that user.
///
/// # Errors
/// When the database cannot be read.
pub async fn run(db: &PgPool, run: RunId, run_as: Option<&str>) -> Result<Option<Run>> {
    let asked = Asked { run: Some(run), run_as: run_as.map(str::to_owned), ..Asked::default() };
    Ok(runs(db, &asked, Piece { after: None, limit: 1 }).await?.pop())
}

/// Whether nothing of a run is left to be done, its notices included.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_quiet(db: &PgPool, run: RunId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select not exists (select from step where run = $1 and state in ('ready', 'running')) as "quiet!""#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("looking whether run {run} is quiet"))
}

/// What is awaited of the far sides of `run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// How many transmissions wait for a word that holds the run.
    pub count: i64,
    /// How far one of them has come, in the far side's words.
    pub progress: Option<String>,
}

/// What is awaited of the far sides of `run` before it ends.
///
/// # Errors
/// When the database cannot be read.
pub async fn awaited(db: &PgPool, run: RunId) -> Result<Awaited> {
    sqlx::query_as!(
        Awaited,
        r#"select count(*) as "count!", max(progress) as progress from awaited where run = $1 and holds"#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("looking at what run {run} waits for"))
}

/// The latest run of a batch that sent anything.
///
/// # Errors
/// When the database cannot be read.
pub async fn latest(db: &PgPool, batch: &str) -> Result<Option<RunId>> {
    sqlx::query_scalar!(
        r#"
        select id as "id: RunId"
          from run
         where batch = $1 and purge_begun_at is null
           and exists (select from artifact where artifact.run = run.id)
         order by id desc
         limit 1
        "#,
        batch,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("looking for the latest run of {batch}"))
}
