//! Whose digest is due, and what has been told to whom.
//!
//! A digest that was due while no node ran goes out as soon as one does, and covers everything since the last one. The
//! first one of a monitor covers a day.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;

use super::day;
use crate::{config, id::RunId, monitor::people::Monitor};

/// How much the first digest of a monitor covers, and how far back any goes at most.
const FIRST: chrono::Duration = chrono::Duration::days(1);
const FURTHEST: chrono::Duration = chrono::Duration::days(45);

/// The digest that is due for one monitor.
#[derive(Debug, Clone)]
pub struct Turn {
    pub monitor: Monitor,
    pub day: NaiveDate,
    pub zone: Tz,
    pub from_at: DateTime<Utc>,
    /// The last number that was told; nothing on the first day, which goes by `from_at`.
    pub after: Option<i64>,
}

/// Whose digest is due at `now`.
///
/// # Errors
/// When the database cannot be read.
pub async fn due(
    db: &mut PgConnection,
    monitors: Vec<Monitor>,
    config: &config::Monitor,
    now: DateTime<Utc>,
) -> Result<Vec<Turn>> {
    let last = last(db, &monitors).await?;
    let turns = monitors.into_iter().filter_map(|monitor| {
        let zone = monitor.zone.unwrap_or(config.zone);
        let (day, due_at) = day::due(now, zone, config.digest_at);
        let turn = |from_at, after| Turn { day, zone, from_at, after, monitor: monitor.clone() };
        match last.get(&monitor.name) {
            Some(last) if last.day >= day => None,
            Some(last) if last.until_at > now - FURTHEST => Some(turn(last.until_at, Some(last.upto))),
            _ if monitor.since > due_at => None,
            _ => Some(turn(due_at - FIRST, None)),
        }
    });
    Ok(turns.collect())
}

struct Last {
    day: NaiveDate,
    until_at: DateTime<Utc>,
    upto: i64,
}

async fn last(db: &mut PgConnection, monitors: &[Monitor]) -> Result<HashMap<String, Last>> {
    let rows = sqlx::query!(
        r#"
        select last.monitor, last.day, last.until_at, last.upto_number
          from unnest($1::text[]) as asked (monitor)
         cross join lateral (select monitor, day, until_at, upto_number
                               from digest
                              where digest.monitor = asked.monitor
                              order by day desc
                              limit 1) as last
        "#,
        &monitors.iter().map(|monitor| monitor.name.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
    .context("reading the last digests")?;
    let last =
        rows.into_iter().map(|row| (row.monitor, Last { day: row.day, until_at: row.until_at, upto: row.upto_number }));
    Ok(last.collect())
}

/// Notes that a digest was written, in the caller's transaction, which holds the lock on the daybook.
///
/// # Errors
/// When the database cannot be written.
pub async fn taken(
    db: &mut PgConnection,
    turn: &Turn,
    (upto, run): (i64, Option<RunId>),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        insert into digest (monitor, day, from_at, until_at, after_number, upto_number, run)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        turn.monitor.name,
        turn.day,
        turn.from_at,
        now,
        turn.after.unwrap_or_default(),
        upto,
        run as Option<RunId>,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting the digest of {}", turn.monitor.name))?;
    Ok(())
}
