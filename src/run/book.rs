//! The book: what doors show of runs and transmissions. Only reads.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::{
    CauseKind, Counts, RunState, StepState, TransmissionState,
    received::{self, Receipt},
};
use crate::{
    id::{ItemId, RunId, StepId, TransmissionId},
    workflow::Kind,
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

/// A piece of a list: what comes after an id, and how much of it.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// The id of the last one seen.
    pub after: Option<i64>,
    pub limit: i64,
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

/// A step as doors show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Step {
    pub id: StepId,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    #[schema(value_type = Option<i64>)]
    pub item: Option<ItemId>,
    pub transmission: Option<TransmissionId>,
    pub state: StepState,
    pub due_at: DateTime<Utc>,
    pub tries: i32,
    pub reason: Option<Value>,
    pub changed_at: DateTime<Utc>,
}

/// The steps of a run in the order they were written.
///
/// # Errors
/// When the database cannot be read.
pub async fn steps(db: &PgPool, run: RunId, piece: Piece) -> Result<Vec<Step>> {
    sqlx::query_as!(
        Step,
        r#"
        select id as "id: StepId", name, kind as "kind: Kind", item as "item: ItemId",
               transmission as "transmission: TransmissionId", state as "state: StepState", due_at, tries, reason,
               changed_at
          from step
         where run = $1 and ($2::bigint is null or id > $2)
         order by id
         limit $3
        "#,
        run as RunId,
        piece.after,
        piece.limit,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the steps of run {run}"))
}

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
