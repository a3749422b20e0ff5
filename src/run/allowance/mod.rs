//! What may be sent by an account now: its health and its limits, the same for all nodes.
//!
//! An account that the far side refuses is paused, with a reason and until a time. What met the refusal goes back to
//! `queued` and has used up no try; what is due meanwhile is put off. When the pause is over, one transmission goes
//! first, and the others wait until it came out. Limits count what all nodes send. An account that is well and has no
//! limits has no row here and costs nothing.
//!
//! Whoever locks an account and steps locks the account first. Called by the step that transmits, and by the doors.

mod doubt;
mod hand;
mod health;
mod learn;
mod limit;
mod pause;
mod wait;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Engine;
use crate::{
    channel::account::{Account, Limits},
    id::TransmissionId,
    reason::{Reason, Scope},
};

pub use doubt::Doubts;
pub use hand::{HoldError, Now, Standing, accounts, by_hand, pause, resume};
pub(super) use learn::{Lesson, learn};
pub(super) use limit::hand_on;
pub(super) use wait::{put_back, put_off};

use health::{Health, State};

/// How many may go, and what the others wait for.
#[derive(Debug)]
pub(super) struct Admission {
    /// How many of those who asked, from the first one.
    pub admitted: usize,
    /// What is learnt from the one admitted says whether the account works again.
    pub probe: bool,
    /// When each of the others is looked at again, in their order.
    pub due: Vec<DateTime<Utc>>,
    /// Why they wait.
    pub reason: Option<Reason>,
}

impl Admission {
    /// All may go.
    pub(super) fn all(wanted: usize) -> Self {
        Self { admitted: wanted, probe: false, due: Vec::new(), reason: None }
    }
}

/// Admits as many of `wanted` as `account` may send now. Its row is locked until the caller's transaction ends, so that
/// what was admitted is being sent before anybody else asks. Whoever asks for several accounts asks in the order of their
/// names.
pub(super) async fn admit(
    db: &mut PgConnection,
    account: &Account,
    wanted: &[TransmissionId],
    now: DateTime<Utc>,
) -> Result<Admission> {
    let limited = account.limits() != Limits::default();
    if limited {
        health::enter(db, account.name()).await?;
    }
    let Some(health) = health::lock(db, account.name(), limited).await? else {
        return Ok(Admission::all(wanted.len()));
    };
    let state = health.state(now);
    let may_try = match state {
        State::Open => wanted.len(),
        State::Paused => 0,
        State::Due if health::is_probed(db, &health).await? => 0,
        State::Due => wanted.len().min(1),
    };
    let mut admission = match limited {
        true => limit::admit(db, account, &wanted[..may_try], now).await?,
        false => Admission::all(may_try),
    };
    if state == State::Due && admission.admitted == 1 {
        admission.probe = true;
        health::probe(db, account.name(), wanted[0]).await?;
    }
    let waiting = &wanted[may_try..];
    if !waiting.is_empty() {
        admission.due.extend(waiting.iter().map(|it| health.wait(*it, now)));
        admission.reason = Some(paused(account.name(), &health)?);
    }
    Ok(admission)
}

/// Why what is due waits.
fn paused(account: &str, health: &Health) -> Result<Reason> {
    let why: Option<Reason> = health.reason.clone().map(serde_json::from_value).transpose()?;
    let why = why.map(|it| it.text).unwrap_or_default();
    let until = match health.until_at {
        Some(until) => format!("until {}", until.format("%Y-%m-%d %H:%M:%S UTC")),
        None => "until somebody resumes it".to_owned(),
    };
    Ok(Reason::new(Scope::Account, "account-paused", format!("the account {account} is paused {until}: {why}")))
}

/// The account a notice leaves by: another one of its channel when this one is paused, so that the news gets out.
pub(super) async fn for_notice<'a>(engine: &'a Engine, account: &'a Account) -> Result<&'a Account> {
    let paused = sqlx::query_scalar!("select name from account where paused_at is not null")
        .fetch_all(&engine.db)
        .await
        .context("asking which accounts are paused")?;
    if !paused.iter().any(|name| name == account.name()) {
        return Ok(account);
    }
    let mut others = engine.channels.accounts().filter(|it| it.channel() == account.channel());
    Ok(others.find(|it| !paused.iter().any(|name| name == it.name())).unwrap_or(account))
}
