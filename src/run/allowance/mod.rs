//! What may be sent by an account now: its health and its limits, the same for all nodes.
//!
//! An account that the far side refuses is paused, with a reason and until a time. What met the refusal goes back to
//! `queued` and has used up no try; what is due meanwhile is put off. When the pause is over, one transmission goes
//! first, and the others wait until it came out. Limits count what all nodes send. An account that is well and has no
//! limits has no row here and costs nothing.
//!
//! Whoever locks an account and steps locks the account first. Called by the step that transmits, and by the doors.

mod answered;
mod contact;
mod doubt;
mod hand;
mod health;
mod hours;
mod later;
mod learn;
mod lesson;
mod limit;
mod outlook;
mod pause;
mod wait;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::Engine;
use crate::{
    channel::account::{Account, Limits},
    id::{StepId, TransmissionId},
    reason::{Reason, Scope},
};

pub(super) use answered::note as note_answer;
pub(super) use contact::{Share, call_next, give_back, put_off as put_off_at_contacts, shares, take_turns};
pub use doubt::Doubts;
pub use hand::{HoldError, Now, Standing, accounts, by_hand, pause, resume};
pub(super) use hours::{Permission, doors, may, put_off};
pub(super) use later::{Told, brace, hear};
pub(super) use learn::{Wait, learn};
pub(super) use limit::hand_on;
pub(super) use outlook::{Outlook, Prospect};

use health::State;

/// A transmission that is to be sent by an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub step: StepId,
    pub transmission: TransmissionId,
    pub account: &'a str,
    pub limits: Limits,
}

/// Admits what the accounts may send now, and puts off the rest: the steps admitted, and whether each tries an account
/// that was paused. The accounts stay locked until the caller's transaction ends, so that what was admitted is being
/// sent before anybody else asks.
pub(super) async fn admit(
    db: &mut PgConnection,
    wanted: &[Wanted<'_>],
    now: DateTime<Utc>,
) -> Result<BTreeMap<StepId, bool>> {
    let mut admitted: BTreeMap<_, _> = wanted.iter().map(|it| (it.step, false)).collect();
    // In the order of their names, as all do who lock several.
    for (account, theirs) in guarded(db, wanted).await? {
        let ids: Vec<_> = theirs.values().map(|it| it.transmission).collect();
        let limits = theirs.values().next().map_or_else(Limits::default, |it| it.limits);
        let admission = admit_by(db, (account, limits), &ids, now).await?;
        let steps: Vec<_> = theirs.into_keys().collect();
        let (go, wait) = steps.split_at(admission.admitted);
        admitted.extend(go.iter().map(|step| (*step, admission.probe)));
        admitted.retain(|step, _| !wait.contains(step));
        if !wait.is_empty() {
            wait::put_off(db, (account, &admission), wait, now).await?;
        }
    }
    Ok(admitted)
}

/// What is wanted of each account that has limits or is paused, each step once. All other accounts cost nothing more.
async fn guarded<'a, 'b>(
    db: &mut PgConnection,
    wanted: &'b [Wanted<'a>],
) -> Result<BTreeMap<&'a str, BTreeMap<StepId, &'b Wanted<'a>>>> {
    let paused = paused(db).await?;
    let mut guarded: BTreeMap<&str, BTreeMap<StepId, &Wanted<'_>>> = BTreeMap::new();
    for it in wanted.iter().filter(|it| it.limits != Limits::default() || paused.contains(it.account)) {
        guarded.entry(it.account).or_default().insert(it.step, it);
    }
    Ok(guarded)
}

async fn paused(db: &mut PgConnection) -> Result<BTreeSet<String>> {
    let names = sqlx::query_scalar!("select name from account where paused_at is not null")
        .fetch_all(db)
        .await
        .context("asking which accounts are paused")?;
    Ok(names.into_iter().collect())
}

/// How many may go, and what the others wait for.
#[derive(Debug)]
struct Admission {
    /// How many of those who asked, from the first one.
    admitted: usize,
    /// What is learnt from the one admitted says whether the account works again.
    probe: bool,
    /// When each of the others is looked at again, in their order.
    due: Vec<DateTime<Utc>>,
    /// Why they wait.
    reason: Option<Reason>,
}

impl Admission {
    /// All may go.
    fn all(wanted: usize) -> Self {
        Self { admitted: wanted, probe: false, due: Vec::new(), reason: None }
    }
}

/// Admits as many of `wanted` as one account may send now.
async fn admit_by(
    db: &mut PgConnection,
    (account, limits): (&str, Limits),
    wanted: &[TransmissionId],
    now: DateTime<Utc>,
) -> Result<Admission> {
    let limited = limits != Limits::default();
    if limited {
        health::enter(db, account).await?;
    }
    let Some(health) = health::lock(db, account, limited).await? else {
        return Ok(Admission::all(wanted.len()));
    };
    let state = health.state(now);
    let may_try = match state {
        State::Open => wanted.len(),
        State::Paused => 0,
        State::Due if health::is_probed(db, &health, now).await? => 0,
        State::Due => wanted.len().min(1),
    };
    let mut admission = match limited {
        true => limit::admit(db, (account, limits), &wanted[..may_try], now).await?,
        false => Admission::all(may_try),
    };
    if state == State::Due && admission.admitted == 1 {
        admission.probe = true;
        health::probe(db, account, wanted[0]).await?;
    }
    let waiting = &wanted[may_try..];
    if !waiting.is_empty() {
        admission.due.extend(waiting.iter().map(|it| health.wait(*it, now)));
        admission.reason = Some(because(account, (health.reason.as_ref(), health.until_at))?);
    }
    Ok(admission)
}

/// Why what is due waits, at an account that is paused for that reason and until then.
fn because(account: &str, (reason, until_at): (Option<&Value>, Option<DateTime<Utc>>)) -> Result<Reason> {
    let why = reason.map(Reason::deserialize).transpose()?;
    let why = why.map(|it| it.text).unwrap_or_default();
    let until = match until_at {
        Some(until) => format!("until {}", until.format("%Y-%m-%d %H:%M:%S UTC")),
        None => "until somebody resumes it".to_owned(),
    };
    Ok(Reason::new(Scope::Account, "account-paused", format!("the account {account} is paused {until}: {why}")))
}

/// The account a notice leaves by: another one of its channel when this one is paused, so that the news gets out.
pub(super) async fn for_notice<'a>(engine: &'a Engine, account: &'a Account) -> Result<&'a Account> {
    let mut db = engine.db.acquire().await.context("connecting to look at the accounts")?;
    let paused = paused(&mut db).await?;
    if !paused.contains(account.name()) {
        return Ok(account);
    }
    let mut others = engine.channels.accounts().filter(|it| it.channel() == account.channel());
    Ok(others.find(|it| !paused.contains(it.name())).unwrap_or(account))
}

/// Forgets what no longer counts.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(engine: &Engine) -> Result<()> {
    let mut db = engine.db.acquire().await.context("connecting to forget what no longer counts")?;
    let now = engine.clock.now();
    contact::forget(&mut db, now).await?;
    answered::forget(&mut db, now).await
}
