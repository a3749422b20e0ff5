//! What happened in a run, for people who watch it.
//!
//! Lines are numbered without gaps, because writers of one run queue up at its row; who has read line 7 can ask for
//! what came after.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::id::RunId;

/// Adds a line to the log of `run`. `event` is a stable word, `text` a sentence without addresses.
///
/// # Errors
/// When the database cannot be written.
pub async fn write(
    db: &mut PgConnection,
    run: RunId,
    now: DateTime<Utc>,
    (event, text, data): (&str, String, Value),
) -> Result<()> {
    sqlx::query!(
        r#"
        with next as (
            update run set log_length = log_length + 1 where id = $1 returning log_length
        )
        insert into log (run, number, at, event, text, data)
        select $1, log_length, $2, $3, $4, $5 from next
        "#,
        run as RunId,
        now,
        event,
        text,
        data,
    )
    .execute(db)
    .await
    .with_context(|| format!("writing the log of run {run}"))?;
    Ok(())
}

/// The first line in the logs of runs that were just written, in one statement for all of them.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn begin(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    (event, lines): (&str, Vec<(RunId, String, Value)>),
) -> Result<()> {
    sqlx::query!(
        r#"
        with first as (
            select * from unnest($3::bigint[], $4::text[], $5::jsonb[]) as first (run, text, data)
        ), begun as (
            update run set log_length = 1 from first where run.id = first.run and run.log_length = 0 returning run.id
        )
        insert into log (run, number, at, event, text, data)
        select first.run, 1, $1, $2, first.text, first.data
          from first
          join begun on begun.id = first.run
        "#,
        now,
        event,
        &lines.iter().map(|(run, _, _)| run.0).collect::<Vec<_>>(),
        &lines.iter().map(|(_, text, _)| text.clone()).collect::<Vec<_>>(),
        &lines.iter().map(|(_, _, data)| data.clone()).collect::<Vec<_>>(),
    )
    .execute(db)
    .await
    .context("beginning the logs of runs")?;
    Ok(())
}
