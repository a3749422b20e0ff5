//! The sign of life of all schedulers together, and the times without one.

use anyhow::{Context, Result};
use chrono::TimeDelta;

use super::LATE;
use crate::run::Engine;

/// How often a sign is given, by whichever node is first. Less often makes downtimes less exact; more often writes more.
const OFTEN: TimeDelta = TimeDelta::seconds(5);

/// Says that somebody looks at the schedules. When nobody did for longer than [`LATE`], that is written down, once.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn beat(engine: &Engine) -> Result<()> {
    let now = engine.clock.now();
    let beaten = sqlx::query!(
        r#"
        with last as (
            select seen_at from scheduler where seen_at < $1 for update
        ), beaten as (
            insert into scheduler (seen_at)
            select $2 where exists (select from last) or not exists (select from scheduler)
            on conflict on constraint scheduler_pkey do update set seen_at = excluded.seen_at
             where scheduler.seen_at < excluded.seen_at
        )
        insert into downtime (from_at, to_at)
        select seen_at, $2 from last where seen_at < $3
        returning from_at
        "#,
        now - OFTEN,
        now,
        now - LATE,
    )
    .fetch_optional(&engine.db)
    .await
    .context("giving a sign of life")?;
    if let Some(downtime) = beaten {
        tracing::warn!(since = %downtime.from_at, "no node looked at the schedules for a while; policies say what runs");
    }
    Ok(())
}
