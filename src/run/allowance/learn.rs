//! What an attempt teaches about its account: nothing, that it failed, or that it works again.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    doubt::Blame,
    health::{self, Health, spread},
    pause::{self, Failure, Pause},
    wait,
};
use crate::{
    channel::{Outcome, Report},
    id::{RunId, TransmissionId},
    monitor::outage,
    reason::Reason,
    run::{Engine, frozen, log, notify},
};

/// How long a transmission waits that was refused by policy and perhaps need not have been.
const DOUBT: Duration = Duration::from_secs(30);

/// How long after the pause comes back what met the failure, at least; at most twice as long. By then somebody else has
/// tried the account, if there is anybody else, so that one that is always refused does not keep it paused for all.
const BEHIND: Duration = Duration::from_secs(5);

/// An attempt that has come out.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) struct Lesson<'a> {
    pub account: &'a str,
    pub run: RunId,
    pub transmission: TransmissionId,
    pub began_at: DateTime<Utc>,
    /// Whether it was to try the account.
    pub probe: bool,
    pub report: &'a Report,
}

/// Learns from an attempt, in the transaction that records it. When it was the account that failed, gives until when and
/// why the transmission waits; it has used up no try.
pub(in crate::run) async fn learn(
    engine: &Engine,
    db: &mut PgConnection,
    lesson: &Lesson<'_>,
    now: DateTime<Utc>,
) -> Result<Option<(DateTime<Utc>, Reason)>> {
    let blame = engine.doubts.weigh(lesson.account, lesson.transmission, lesson.report);
    let Some(reason) = lesson.report.outcome.reason() else {
        if lesson.probe {
            works(db, lesson.account, now).await?;
        }
        return Ok(None);
    };
    match blame {
        Blame::Other => Ok(None),
        Blame::Doubt if !lesson.probe => {
            let before = wait::failed_before(db, lesson.transmission).await?;
            Ok((!before).then(|| (now + DOUBT, reason.clone())))
        }
        Blame::Doubt | Blame::Account => fails(engine, db, (lesson, reason), now).await.map(Some),
    }
}

/// Ends the pause, unless somebody paused the account meanwhile, and calls those who wait for it.
async fn works(db: &mut PgConnection, account: &str, now: DateTime<Utc>) -> Result<()> {
    let resumed = sqlx::query!(
        r#"
        update account
           set paused_at = null, until_at = null, reason = null, probe = null, resumed_at = $2
         where name = $1 and paused_at is not null and paused_by is null
        "#,
        account,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("resuming the account {account}"))?;
    match resumed.rows_affected() {
        0 => Ok(()),
        _ => wait::call(db, account, now).await,
    }
}

/// Pauses the account, or lengthens its pause.
async fn fails(
    engine: &Engine,
    db: &mut PgConnection,
    (lesson, reason): (&Lesson<'_>, &Reason),
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, Reason)> {
    health::enter(db, lesson.account).await?;
    let before = health::lock(db, lesson.account, true).await?.context("an account that was entered is gone")?;
    let after = match &lesson.report.outcome {
        Outcome::Deferred { after, .. } => *after,
        _ => None,
    };
    let probe = before.probe == Some(lesson.transmission);
    let failure = Failure { probe, after, began_at: lesson.began_at, at: now };
    let Some(pause) = pause::after(&before.before(), &failure) else {
        return Ok((now + BEHIND, reason.clone()));
    };
    write(db, lesson, (&pause, reason), now).await?;
    if pause.fresh {
        tell(engine, db, lesson, (&pause, reason), now).await?;
    }
    let text = format!("the account {} is paused: {}", lesson.account, reason.text);
    Ok((behind(&before, &pause, lesson.transmission, now), Reason { text, ..reason.clone() }))
}

fn behind(before: &Health, pause: &Pause, transmission: TransmissionId, now: DateTime<Utc>) -> DateTime<Utc> {
    match pause.until_at {
        Some(until) => until.max(now) + BEHIND + spread(transmission, BEHIND),
        None => before.wait(transmission, now),
    }
}

async fn write(
    db: &mut PgConnection,
    lesson: &Lesson<'_>,
    (pause, reason): (&Pause, &Reason),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        update account
           set failures = $2, paused_at = coalesce(paused_at, $5), until_at = $3,
               reason = case when paused_by is null then $4 else reason end,
               probe = nullif(probe, $6)
         where name = $1
        "#,
        lesson.account,
        pause.failures,
        pause.until_at,
        serde_json::to_value(reason)?,
        now,
        lesson.transmission as TransmissionId,
    )
    .execute(db)
    .await
    .with_context(|| format!("pausing the account {}", lesson.account))?;
    Ok(())
}

/// Tells the monitors, once a pause, as notices of the run that met the failure.
async fn tell(
    engine: &Engine,
    db: &mut PgConnection,
    lesson: &Lesson<'_>,
    (pause, reason): (&Pause, &Reason),
    now: DateTime<Utc>,
) -> Result<()> {
    let frozen = frozen::of(engine, lesson.run).await?;
    let message = outage::message(lesson.account, reason, pause.until_at);
    let key = format!("account {} {}", lesson.account, now.timestamp_micros());
    let told = notify::tell(db, &frozen, (Some(&key), &message), now).await?;
    let text = format!("the account {} is paused; {} monitors told", lesson.account, told.notices);
    let data = json!({ "account": lesson.account, "reason": reason, "until_at": pause.until_at });
    log::write(db, lesson.run, now, ("account-paused", text, data)).await
}
