//! The rows of accounts: whether each works, is paused, or is to be tried again.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::pause::Before;
use crate::id::TransmissionId;

/// How long what is due waits while another one tries the account, and when nobody knows until when: at least this,
/// at most twice. They are called as soon as the account works again; this is for when nobody calls them.
const LOOK: Duration = Duration::from_secs(30);

/// How long the others wait for later word of the one that went first. Longer than a call takes; when there is no word by
/// then, another one goes.
const WORD: Duration = Duration::from_secs(10 * 60);

/// What is known of an account.
#[derive(Debug, Clone)]
pub(super) struct Health {
    pub failures: i32,
    pub reason: Option<Value>,
    pub paused_at: Option<DateTime<Utc>>,
    pub until_at: Option<DateTime<Utc>>,
    pub probe: Option<TransmissionId>,
    /// Only later word shows that it works again.
    pub by_word: bool,
    pub resumed_at: Option<DateTime<Utc>>,
}

/// How an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Paused,
    /// The pause is over, and one goes first.
    Due,
}

impl Health {
    pub(super) fn state(&self, now: DateTime<Utc>) -> State {
        state((self.paused_at, self.until_at), now)
    }

    /// When `transmission`, which is due, is looked at again.
    pub(super) fn wait(&self, transmission: TransmissionId, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.until_at {
            Some(until) if until > now => until,
            _ => now + LOOK + spread(transmission, LOOK),
        }
    }

    pub(super) fn before(&self) -> Before {
        Before {
            failures: self.failures,
            paused_at: self.paused_at,
            until_at: self.until_at,
            resumed_at: self.resumed_at,
        }
    }
}

/// An account that is paused, as everybody may see it.
#[derive(Debug, Clone)]
pub(super) struct Paused {
    pub name: String,
    pub reason: Option<Value>,
    pub paused_at: Option<DateTime<Utc>>,
    pub until_at: Option<DateTime<Utc>>,
    pub paused_by: Option<String>,
}

impl Paused {
    pub(super) fn state(&self, now: DateTime<Utc>) -> State {
        state((self.paused_at, self.until_at), now)
    }
}

/// All accounts that are paused.
pub(super) async fn all_paused(db: impl PgExecutor<'_>) -> Result<Vec<Paused>> {
    sqlx::query_as!(
        Paused,
        "select name, reason, paused_at, until_at, paused_by from account where paused_at is not null"
    )
    .fetch_all(db)
    .await
    .context("reading the accounts")
}

/// How an account is that was paused then, until then.
fn state((paused_at, until_at): (Option<DateTime<Utc>>, Option<DateTime<Utc>>), now: DateTime<Utc>) -> State {
    match (paused_at, until_at) {
        (None, _) => State::Open,
        (Some(_), Some(until)) if until <= now => State::Due,
        (Some(_), _) => State::Paused,
    }
}

/// A part of `within` that is the transmission's own, so that not all come back at once.
pub(super) fn spread(transmission: TransmissionId, within: Duration) -> Duration {
    let part = transmission.0.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    within * u32::try_from(part).unwrap_or_default() / (1 << 16)
}

/// Makes sure that the account has a row.
pub(super) async fn enter(db: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::query!("insert into account (name) values ($1) on conflict on constraint account_pkey do nothing", name)
        .execute(db)
        .await
        .with_context(|| format!("entering the account {name}"))?;
    Ok(())
}

/// Reads the account's row and locks it; when it is `needed`, or else only when it is paused: whoever sends by an account
/// that is well waits for nobody.
pub(super) async fn lock(db: &mut PgConnection, name: &str, needed: bool) -> Result<Option<Health>> {
    sqlx::query_as!(
        Health,
        r#"
        select failures, reason, paused_at, until_at, probe as "probe: TransmissionId", by_word, resumed_at
          from account
         where name = $1 and ($2 or paused_at is not null)
           for update
        "#,
        name,
        needed,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("looking at the account {name}"))
}

/// Whether the one that goes first is still being sent, or word of it is still to come. Asked after the lock is taken: before, it may not be yet.
pub(super) async fn is_probed(db: &mut PgConnection, health: &Health, now: DateTime<Utc>) -> Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (select from transmission
                        where id = $1 and (state = 'sending' or state = 'accepted' and $2 and changed_at > $3)) as "probed!"
        "#,
        health.probe as Option<TransmissionId>,
        health.by_word,
        now - WORD,
    )
    .fetch_one(db)
    .await
    .context("asking whether an account is being tried")
}

/// Lets `transmission` go first.
pub(super) async fn probe(db: &mut PgConnection, name: &str, transmission: TransmissionId) -> Result<()> {
    sqlx::query!(
        "update account set probe = $2 where name = $1 and paused_at is not null",
        name,
        transmission as TransmissionId,
    )
    .execute(db)
    .await
    .with_context(|| format!("trying the account {name} again"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_come_back_one_by_one() {
        let whole = Duration::from_secs(30);
        let mut parts: Vec<_> = (1..=100).map(|id| spread(TransmissionId(id), whole)).collect();
        assert!(parts.iter().all(|part| *part < whole));
        parts.sort();
        assert!(parts.windows(2).all(|pair| pair[1] - pair[0] < Duration::from_secs(1)), "{parts:?}");
    }
}
