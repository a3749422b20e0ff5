//! What has to be known about batches before it is decided what runs.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use serde_json::Value;
use sqlx::PgConnection;

use crate::id::RunId;

/// An occurrence that has a row already.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// It ran or waits, so it does not run again.
    pub taken: bool,
    pub reason: Option<Value>,
    pub run: Option<RunId>,
}

/// A run that stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    Run(RunId),
    /// The one that the occurrence with this number starts.
    Started(usize),
}

/// What is known of the batches whose schedules are due.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Occurrences by batch and key.
    pub known: HashMap<(String, String), Known>,
    /// A run that is under way, by batch.
    pub under_way: HashMap<String, Other>,
    /// Batches in which occurrences wait.
    pub waiting: HashSet<String>,
    /// A run by batch and the date it is about.
    pub of_day: HashMap<(String, NaiveDate), Other>,
}

/// Which of the keys (batch, key) have rows.
pub(super) async fn known(
    db: &mut PgConnection,
    keys: &[(String, String)],
) -> Result<HashMap<(String, String), Known>> {
    let (batches, keys): (Vec<_>, Vec<_>) = keys.iter().cloned().unzip();
    let rows = sqlx::query!(
        r#"
        select occurrence.batch, occurrence.key, state in ('ran', 'waiting') as "taken!", reason, run as "run: RunId"
          from unnest($1::text[], $2::text[]) as asked (batch, key)
          join occurrence on occurrence.batch = asked.batch and occurrence.key = asked.key
        "#,
        &batches,
        &keys,
    )
    .fetch_all(db)
    .await
    .context("looking for occurrences")?;
    let known = rows
        .into_iter()
        .map(|row| ((row.batch, row.key), Known { taken: row.taken, reason: row.reason, run: row.run }));
    Ok(known.collect())
}

/// The latest run under way in each of `batches`.
pub(super) async fn under_way(db: &mut PgConnection, batches: &[String]) -> Result<HashMap<String, Other>> {
    if batches.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"
        select batch, max(id) as "run!: RunId" from run where batch = any($1) and ended_at is null group by batch
        "#,
        batches,
    )
    .fetch_all(db)
    .await
    .context("looking for runs under way")?;
    Ok(rows.into_iter().map(|row| (row.batch, Other::Run(row.run))).collect())
}

/// Those of `batches` in which occurrences wait.
pub(super) async fn waiting(db: &mut PgConnection, batches: &[String]) -> Result<HashSet<String>> {
    if batches.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query_scalar!(
        "select distinct batch from occurrence where state = 'waiting' and batch = any($1)",
        batches,
    )
    .fetch_all(db)
    .await
    .context("looking for occurrences that wait")?;
    Ok(rows.into_iter().collect())
}

/// The runs of batches about dates. First it is waited for whoever is just starting one, and nobody starts another before
/// the end of the caller's transaction: every run refers to its batch.
pub(super) async fn of_day(
    db: &mut PgConnection,
    days: &[(String, NaiveDate)],
) -> Result<HashMap<(String, NaiveDate), Other>> {
    if days.is_empty() {
        return Ok(HashMap::new());
    }
    let (batches, dates): (Vec<_>, Vec<_>) = days.iter().cloned().unzip();
    sqlx::query!("select name from batch where name = any($1) order by name for update", &batches)
        .fetch_all(&mut *db)
        .await
        .context("keeping runs from being started")?;
    let rows = sqlx::query!(
        r#"
        select run.batch, run.business_date, max(run.id) as "run!: RunId"
          from unnest($1::text[], $2::date[]) as asked (batch, date)
          join run on run.batch = asked.batch and run.business_date = asked.date
         group by run.batch, run.business_date
        "#,
        &batches,
        &dates,
    )
    .fetch_all(db)
    .await
    .context("looking for runs of the day")?;
    Ok(rows.into_iter().map(|row| ((row.batch, row.business_date), Other::Run(row.run))).collect())
}
