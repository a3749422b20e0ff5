//! Looking for what did not happen: runs that are missing, times without a scheduler, schedules that gave up.
//!
//! Rows about these are written by those who fire; here they become alarms. A schedule that nobody decides about raises
//! the same alarm as one that was missed, so that monitors are told once, whichever is seen first.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    alarm::{self, Alarm, Kind},
    words,
};
use crate::config;

/// How far back is looked. Shorter than alarms are kept, longer than any transaction.
const LOOK_BACK: chrono::Duration = chrono::Duration::days(7);

/// Who pauses a schedule that pauses itself.
const ITSELF: &str = "postbook";

/// Raises what has to be told at `now`.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn watch(db: &mut PgConnection, config: &config::Monitor, now: DateTime<Utc>) -> Result<u64> {
    let mut alarms = missed(db, config.zone, now).await?;
    alarms.extend(stuck(db, config, now).await?);
    alarms.extend(downtimes(db, config.zone, now).await?);
    alarms.extend(paused(db, now).await?);
    alarm::raise(db, &alarms, now).await
}

async fn missed(db: &mut PgConnection, zone: Tz, now: DateTime<Utc>) -> Result<Vec<Alarm>> {
    let rows = sqlx::query!(
        r#"
        select occurrence.batch, occurrence.key, occurrence.due_at, occurrence.reason ->> 'text' as reason,
               batch_revision.definition ->> 'title' as title
          from occurrence
          join batch on batch.name = occurrence.batch
          join batch_revision on batch_revision.id = batch.current
         where occurrence.decided_at > $1 and occurrence.lost
           and not exists (select from alarm
                            where alarm.kind = 'not-started'
                              and alarm.key = occurrence.batch || ' ' || occurrence.key)
         order by occurrence.due_at, occurrence.batch
        "#,
        now - LOOK_BACK,
    )
    .fetch_all(db)
    .await
    .context("looking for occurrences that were missed")?;
    let alarms = rows.into_iter().map(|row| {
        let reason = row.reason.unwrap_or_else(|| "nobody was there to start it".to_owned());
        not_started((row.batch, row.title, row.key), row.due_at, zone, &reason)
    });
    Ok(alarms.collect())
}

/// Schedules that are due for longer than their grace and that nobody has decided about.
async fn stuck(db: &mut PgConnection, config: &config::Monitor, now: DateTime<Utc>) -> Result<Vec<Alarm>> {
    let rows = sqlx::query!(
        r#"
        select schedule.batch, schedule.next_key as "key!", schedule.next_at as "due_at!", schedule.definition,
               batch_revision.definition ->> 'title' as title
          from schedule
          join batch on batch.name = schedule.batch and batch.enabled and batch.deleted_at is null
          join batch_revision on batch_revision.id = batch.current
         where schedule.next_at < $1 and schedule.paused_at is null and schedule.disabled_at is null
           and not exists (select from alarm
                            where alarm.kind = 'not-started'
                              and alarm.key = schedule.batch || ' ' || schedule.next_key)
         order by schedule.next_at, schedule.batch
        "#,
        now,
    )
    .fetch_all(db)
    .await
    .context("looking for schedules that nobody decides about")?;
    let late = rows.into_iter().filter(|row| row.due_at + grace(&row.definition).unwrap_or(config.grace) < now);
    let alarms = late.map(|row| {
        let reason = "no scheduler has taken it up";
        not_started((row.batch, row.title, row.key), row.due_at, config.zone, reason)
    });
    Ok(alarms.collect())
}

/// How long a run of this schedule may be missing, if it says so.
fn grace(definition: &Value) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Written {
        #[serde(default, with = "humantime_serde")]
        grace: Option<Duration>,
    }
    Written::deserialize(definition).ok()?.grace
}

fn not_started(
    (batch, title, key): (String, Option<String>, String),
    due_at: DateTime<Utc>,
    zone: Tz,
    reason: &str,
) -> Alarm {
    let title = title.unwrap_or_else(|| batch.clone());
    Alarm {
        kind: Kind::NotStarted,
        key: format!("{batch} {key}"),
        text: format!("{title} ({batch}), due {}: {reason}", words::moment(due_at, zone)),
        detail: None,
        batch: Some(batch),
        at: due_at,
        mailed: false,
    }
}

async fn downtimes(db: &mut PgConnection, zone: Tz, now: DateTime<Utc>) -> Result<Vec<Alarm>> {
    let rows = sqlx::query!(
        r#"
        select id, from_at, to_at
          from downtime
         where to_at > $1
           and not exists (select from alarm
                            where alarm.kind = 'scheduler-down' and alarm.key = downtime.id::text)
         order by id
        "#,
        now - LOOK_BACK,
    )
    .fetch_all(db)
    .await
    .context("looking for times without a scheduler")?;
    let alarms = rows.into_iter().map(|row| Alarm {
        kind: Kind::SchedulerDown,
        key: row.id.to_string(),
        batch: None,
        text: format!(
            "from {} to {}: {}",
            words::moment(row.from_at, zone),
            words::moment(row.to_at, zone),
            words::length(row.from_at, row.to_at)
        ),
        detail: None,
        at: row.from_at,
        mailed: false,
    });
    Ok(alarms.collect())
}

async fn paused(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Alarm>> {
    let rows = sqlx::query!(
        r#"
        select schedule.id, schedule.batch, schedule.paused_at as "paused_at!", schedule.paused_note,
               batch_revision.definition ->> 'title' as title
          from schedule
          join batch on batch.name = schedule.batch
          join batch_revision on batch_revision.id = batch.current
         where schedule.paused_at > $1 and schedule.paused_by = $2
         order by schedule.id
        "#,
        now - LOOK_BACK,
        ITSELF,
    )
    .fetch_all(db)
    .await
    .context("looking for schedules that paused themselves")?;
    let alarms = rows.into_iter().map(|row| Alarm {
        kind: Kind::SchedulePaused,
        key: format!("{} {}", row.id, row.paused_at.timestamp_micros()),
        text: format!(
            "{} ({}): {}",
            row.title.unwrap_or_else(|| row.batch.clone()),
            row.batch,
            row.paused_note.unwrap_or_default()
        ),
        detail: None,
        batch: Some(row.batch),
        at: row.paused_at,
        mailed: false,
    });
    Ok(alarms.collect())
}
