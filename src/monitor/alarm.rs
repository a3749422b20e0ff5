//! Alarms: what monitors have to be told without delay, each noted once under its kind and key.
//!
//! Whoever finds something raises it; raising it again changes nothing. Telling it is a duty of its own, which folds what
//! comes in storms: after monitors were told of a kind, what comes within a while is told together.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::id::RunId;

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "kebab-case")]
pub enum Kind {
    /// A run failed, or a part of it.
    Failed,
    /// A run that was due did not begin.
    NotStarted,
    /// No node fired schedules for a while.
    SchedulerDown,
    /// A schedule paused itself.
    SchedulePaused,
    /// The far side refuses an account.
    AccountPaused,
    /// A run began, and nobody is to get anything.
    NoRecipients,
    /// A run is for far more or fewer recipients than usual.
    RecipientsUnusual,
    /// People answered where a fax should, and nothing is sent there any more.
    NumberAnswered,
}

impl Kind {
    /// The word for it in causes and in the book.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotStarted => "not-started",
            Self::SchedulerDown => "scheduler-down",
            Self::SchedulePaused => "schedule-paused",
            Self::AccountPaused => "account-paused",
            Self::NoRecipients => "no-recipients",
            Self::RecipientsUnusual => "recipients-unusual",
            Self::NumberAnswered => "number-answered",
        }
    }
}

/// What is to be told.
#[derive(Debug, Clone)]
pub struct Alarm {
    pub kind: Kind,
    /// Makes it unique among its kind.
    pub key: String,
    pub batch: Option<String>,
    /// One line: what happened to whom.
    pub text: String,
    /// More of it, for when it is told alone.
    pub detail: Option<String>,
    /// When it came about.
    pub at: DateTime<Utc>,
    /// Whether those who are told by mail have been told.
    pub mailed: bool,
}

/// Notes `alarms`; those that are there already stay as they are.
///
/// # Errors
/// When the database cannot be written.
pub async fn raise(db: &mut PgConnection, alarms: &[Alarm], now: DateTime<Utc>) -> Result<u64> {
    if alarms.is_empty() {
        return Ok(0);
    }
    let raised = sqlx::query!(
        r#"
        insert into alarm (kind, key, batch, text, detail, at, raised_at, mailed_at)
        select kind, key, batch, text, detail, at, $1::timestamptz, case when mailed then $1::timestamptz end
          from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::boolean[])
               as fresh (kind, key, batch, text, detail, at, mailed)
        on conflict on constraint alarm_is_raised_once do nothing
        "#,
        now,
        &alarms.iter().map(|alarm| alarm.kind.name().to_owned()).collect::<Vec<_>>(),
        &alarms.iter().map(|alarm| alarm.key.clone()).collect::<Vec<_>>(),
        &alarms.iter().map(|alarm| alarm.batch.clone()).collect::<Vec<_>>() as &[Option<String>],
        &alarms.iter().map(|alarm| alarm.text.clone()).collect::<Vec<_>>(),
        &alarms.iter().map(|alarm| alarm.detail.clone()).collect::<Vec<_>>() as &[Option<String>],
        &alarms.iter().map(|alarm| alarm.at).collect::<Vec<_>>(),
        &alarms.iter().map(|alarm| alarm.mailed).collect::<Vec<_>>(),
    )
    .execute(db)
    .await
    .context("raising alarms")?;
    Ok(raised.rows_affected())
}

/// How many failed runs were told by mail, each by itself, since then.
///
/// # Errors
/// When the database cannot be read.
pub async fn mailed_since(db: &mut PgConnection, since: DateTime<Utc>) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "mailed!" from alarm where mailed_at > $1 and kind = 'failed'"#, since)
        .fetch_one(db)
        .await
        .context("counting the notices of failed runs")
}

/// An alarm that is to be told.
#[derive(Debug, Clone)]
pub struct Untold {
    pub id: i64,
    pub kind: Kind,
    pub batch: Option<String>,
    pub text: String,
    pub detail: Option<String>,
    pub at: DateTime<Utc>,
    pub mailed_at: Option<DateTime<Utc>>,
}

/// Names the lock of whoever tells alarms; it keeps apart from other advisory locks.
const LOCK: (i32, i32) = (0x706f_7374, i32::MIN);

/// Has the caller's transaction tell alarms alone. False when another one does.
///
/// # Errors
/// When the database cannot be reached.
pub async fn lock(db: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1, $2) as "ours!""#, LOCK.0, LOCK.1)
        .fetch_one(db)
        .await
        .context("locking the alarms")
}

/// Whether anything is to be told, asked without locking anybody out.
///
/// # Errors
/// When the database cannot be read.
pub async fn any_untold(db: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from alarm where told_at is null) as "untold!""#)
        .fetch_one(db)
        .await
        .context("looking for alarms")
}

/// The alarms of kinds that nobody was told of within `fold`, by kind and in the order in which they were raised.
///
/// # Errors
/// When the database cannot be read.
pub async fn untold(db: &mut PgConnection, fold: Duration, now: DateTime<Utc>) -> Result<Vec<Untold>> {
    sqlx::query_as!(
        Untold,
        r#"
        select id, kind as "kind: Kind", batch, text, detail, at, mailed_at
          from alarm
         where told_at is null
           and not exists (select from alarm as told
                            where told.kind = alarm.kind and told.told_at > $1 and told.run is not null)
         order by kind, id
        "#,
        now - fold,
    )
    .fetch_all(db)
    .await
    .context("reading what monitors are to be told")
}

/// Notes that `alarms` were told, by the letter `run` if there was anybody to tell.
///
/// # Errors
/// When the database cannot be written.
pub async fn told(db: &mut PgConnection, alarms: &[i64], run: Option<RunId>, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update alarm set told_at = $3, run = $2 where id = any($1) and told_at is null",
        alarms,
        run as Option<RunId>,
        now,
    )
    .execute(db)
    .await
    .context("noting what monitors were told")?;
    Ok(())
}

/// How long an alarm is kept after it was told. It must be longer than whoever raises alarms looks back.
const KEPT: chrono::Duration = chrono::Duration::days(60);

/// Forgets what was told long ago.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("delete from alarm where told_at < $1", now - KEPT).execute(db).await.context("forgetting alarms")?;
    Ok(())
}
