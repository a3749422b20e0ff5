//! What an attempt teaches about its account: nothing, that it failed, or that it works again.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    Asker,
    doubt::Blame,
    health::{self, Health, spread},
    lesson::{Lesson, Said},
    pause::{self, Failure, Pause},
    wait,
};
use crate::{
    channel::{Outcome, account::Account},
    id::{StepId, TransmissionId},
    monitor::{alarm, outage},
    reason::Reason,
    run::{
        Engine, frozen, log,
        notify::{self, News},
        verdict::Closing,
    },
};

/// How long a transmission waits that was refused by policy and perhaps need not have been.
const DOUBT: Duration = Duration::from_secs(30);

/// How long after the pause comes back what met the failure, at least; at most twice as long. By then somebody else has
/// tried the account, if there is anybody else, so that one that is always refused does not keep it paused for all.
const BEHIND: Duration = Duration::from_secs(5);

/// Until when and why a transmission waits for its account.
pub(in crate::run) type Wait = (DateTime<Utc>, Reason);

/// Learns from attempts, in the transaction that records them. Those of which it was the account that failed wait, and
/// have used up no try.
pub(in crate::run) async fn learn(
    engine: &Engine,
    db: &mut PgConnection,
    closings: &[Closing],
    now: DateTime<Utc>,
) -> Result<HashMap<StepId, Wait>> {
    lock_turns(db, closings).await?;
    let mut lessons: Vec<_> = closings.iter().map(|closing| (closing.step, Lesson::from(closing))).collect();
    // In the order of their accounts' names, as all do who lock several.
    lessons.sort_by(|(_, one), (_, other)| one.account.cmp(other.account));
    let mut waits = HashMap::new();
    for (step, lesson) in lessons {
        if let Some(wait) = learn_from(engine, db, &lesson, now).await? {
            waits.insert(step, wait);
        }
    }
    Ok(waits)
}

/// Locks the accounts whose turns end with `closings`, so that whoever is put off meanwhile is seen and called: nobody
/// else would call them.
async fn lock_turns(db: &mut PgConnection, closings: &[Closing]) -> Result<()> {
    let limited = closings.iter().filter(|it| it.limits.at_once.is_some());
    let names: BTreeSet<_> = limited.map(|it| it.account.clone()).collect();
    lock_accounts(db, &names.into_iter().collect::<Vec<_>>()).await
}

/// The same for the turn that a step has at `account`.
pub(in crate::run) async fn lock_turn(db: &mut PgConnection, account: &Account) -> Result<()> {
    match account.limits().at_once {
        Some(_) => lock_accounts(db, &[account.name().to_owned()]).await,
        None => Ok(()),
    }
}

async fn lock_accounts(db: &mut PgConnection, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    sqlx::query!("select name from account where name = any($1) order by name for update", names)
        .fetch_all(db)
        .await
        .context("locking accounts whose turns are handed on")?;
    Ok(())
}

/// Learns from one attempt. The account is locked, or nobody locks anything that its steps and transmissions are locked
/// before.
pub(super) async fn learn_from(
    engine: &Engine,
    db: &mut PgConnection,
    lesson: &Lesson<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Wait>> {
    let blame = engine.doubts.weigh(lesson);
    let Some(reason) = lesson.outcome.reason() else {
        if lesson.probe {
            works(db, lesson, now).await?;
        }
        return Ok(None);
    };
    match blame {
        Blame::Other => Ok(None),
        Blame::Doubt if !lesson.probe => {
            // A step uses up a try instead.
            let Asker::Transmission(transmission) = lesson.asker else { return Ok(None) };
            let before = wait::failed_before(db, transmission).await?;
            Ok((!before).then(|| (now + DOUBT, reason.clone())))
        }
        Blame::Doubt | Blame::Account => fails(engine, db, (lesson, reason), now).await.map(Some),
    }
}

/// Ends the pause, unless somebody paused the account meanwhile, and calls those who wait for it. What is only accepted
/// shows nothing where the failure was told later.
async fn works(db: &mut PgConnection, lesson: &Lesson<'_>, now: DateTime<Utc>) -> Result<()> {
    let account = lesson.account;
    let resumed = sqlx::query!(
        r#"
        update account
           set paused_at = null, until_at = null, reason = null, probe = null, probe_step = null,
               by_word = false, resumed_at = $2
         where name = $1 and paused_at is not null and paused_by is null and not (by_word and $3)
        "#,
        account,
        now,
        lesson.said == Said::First,
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
) -> Result<Wait> {
    health::enter(db, lesson.account).await?;
    let before = health::lock(db, lesson.account, true).await?.context("an account that was entered is gone")?;
    let after = match lesson.outcome {
        Outcome::Deferred { after, .. } => *after,
        _ => None,
    };
    let probe = before.is_tried_by(lesson.asker);
    let failure = Failure { probe, after, began_at: lesson.began_at, at: now };
    let Some(pause) = pause::after(&before.before(), &failure) else {
        return Ok((now + BEHIND, reason.clone()));
    };
    write(db, lesson, (&pause, reason), now).await?;
    if pause.fresh {
        tell(engine, db, lesson, (&pause, reason), now).await?;
    }
    let text = format!("the account {} is paused: {}", lesson.account, reason.text);
    Ok((behind(&before, &pause, lesson.asker, now), Reason { text, ..reason.clone() }))
}

fn behind(before: &Health, pause: &Pause, asker: Asker, now: DateTime<Utc>) -> DateTime<Utc> {
    match pause.until_at {
        Some(until) => until.max(now) + BEHIND + spread(asker.number(), BEHIND),
        None => before.wait(asker, now),
    }
}

async fn write(
    db: &mut PgConnection,
    lesson: &Lesson<'_>,
    (pause, reason): (&Pause, &Reason),
    now: DateTime<Utc>,
) -> Result<()> {
    let (transmission, step) = lesson.asker.ids();
    sqlx::query!(
        r#"
        update account
           set failures = $2, paused_at = coalesce(paused_at, $5), until_at = $3,
               reason = case when paused_by is null then $4 else reason end,
               probe = nullif(probe, $6), probe_step = nullif(probe_step, $7), by_word = by_word or $8
         where name = $1
        "#,
        lesson.account,
        pause.failures,
        pause.until_at,
        serde_json::to_value(reason)?,
        now,
        transmission as Option<TransmissionId>,
        step as Option<StepId>,
        lesson.said == Said::Later,
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
    let news = News { kind: alarm::Kind::AccountPaused, key: key.clone(), message, mail: true };
    let told = notify::tell(db, &frozen, (&key, &news), now).await?;
    let text = format!("the account {} is paused; {} monitors told", lesson.account, told.notices);
    let data = json!({ "account": lesson.account, "reason": reason, "until_at": pause.until_at });
    log::write(db, lesson.run, now, ("account-paused", text, data)).await
}
