//! Accounts as people see them, pause them and let them go on.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    health::{self, State},
    wait,
};
use crate::{
    audit::{self, Author, Deed},
    channel::account::Account,
    reason::{Reason, Scope},
    run::Engine,
};

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AccountState)]
pub enum Standing {
    /// It is used.
    Open,
    /// Nothing is sent by it.
    Paused,
    /// Its pause is over, and one transmission goes first.
    Trying,
}

/// An account as it is now, without its secrets.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Account)]
pub struct Now {
    pub name: String,
    pub channel: String,
    pub state: Standing,
    /// Why it is paused.
    pub reason: Option<Value>,
    pub paused_at: Option<DateTime<Utc>>,
    /// When it is tried again by itself; empty for one that somebody paused.
    pub until_at: Option<DateTime<Utc>>,
    /// Who paused it; empty when it paused itself.
    pub paused_by: Option<String>,
    /// How many it sends at once, all nodes together.
    pub at_once: Option<usize>,
    /// How many it sends in a minute, all nodes together.
    pub per_minute: Option<usize>,
}

/// Why an account was not paused or resumed.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error("there is no account `{0}`")]
    Unknown(String),
    /// Says what can be done instead.
    #[error("{0}")]
    NotNow(String),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// All configured accounts, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn accounts(engine: &Engine) -> Result<Vec<Now>> {
    let paused = health::all_paused(&engine.db).await?;
    let now = engine.clock.now();
    let of = |account: &Account| {
        let limits = account.limits();
        let open = Now {
            name: account.name().to_owned(),
            channel: account.channel().to_owned(),
            state: Standing::Open,
            reason: None,
            paused_at: None,
            until_at: None,
            paused_by: None,
            at_once: limits.at_once.map(std::num::NonZeroUsize::get),
            per_minute: limits.per_minute.map(std::num::NonZeroUsize::get),
        };
        match paused.iter().find(|it| it.name == account.name()) {
            None => open,
            Some(it) => Now {
                state: Standing::of(it.state(now)),
                reason: it.reason.clone(),
                paused_at: it.paused_at,
                until_at: it.until_at,
                paused_by: it.paused_by.clone(),
                ..open
            },
        }
    };
    Ok(engine.channels.accounts().map(of).collect())
}

impl Standing {
    fn of(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Paused => Self::Paused,
            State::Due => Self::Trying,
        }
    }
}

/// The reason of a pause that nobody gave a reason for.
pub fn by_hand(author: &Author) -> String {
    format!("paused by {}", author.name)
}

/// Keeps anything from being sent by an account until it is resumed. What is being sent is finished.
///
/// # Errors
/// When there is no such account, or somebody has paused it already.
pub async fn pause(engine: &Engine, author: &Author, (name, why): (&str, &str)) -> Result<(), HoldError> {
    known(engine, name)?;
    let mut db = engine.db.begin().await.context("beginning to pause an account")?;
    let reason = Reason::new(Scope::Account, "paused-by-hand", why);
    let paused = sqlx::query!(
        r#"
        insert into account (name, reason, paused_at, paused_by)
        values ($1, $2, $3, $4)
        on conflict on constraint account_pkey
        do update set reason = $2, paused_at = $3, until_at = null, paused_by = $4
           where account.paused_by is null
        "#,
        name,
        serde_json::to_value(&reason).context("writing a reason")?,
        author.at,
        author.name,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("pausing the account {name}"))?;
    if paused.rows_affected() == 0 {
        return Err(HoldError::NotNow(format!("the account {name} is paused already; resume it first")));
    }
    audit::record(&mut db, author, Deed { action: "account.paused", object: name, detail: json!({ "why": why }) })
        .await?;
    db.commit().await.context("pausing an account")?;
    Ok(())
}

/// Lets an account be used again, whoever paused it, and calls those who wait for it.
///
/// # Errors
/// When there is no such account, or it is not paused.
pub async fn resume(engine: &Engine, author: &Author, name: &str) -> Result<(), HoldError> {
    known(engine, name)?;
    let mut db = engine.db.begin().await.context("beginning to resume an account")?;
    let resumed = sqlx::query!(
        r#"
        update account
           set failures = 0, paused_at = null, until_at = null, reason = null, paused_by = null, probe = null,
               by_word = false, resumed_at = $2
         where name = $1 and paused_at is not null
        "#,
        name,
        author.at,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("resuming the account {name}"))?;
    if resumed.rows_affected() == 0 {
        return Err(HoldError::NotNow(format!("the account {name} is not paused")));
    }
    wait::call(&mut db, name, author.at).await?;
    audit::record(&mut db, author, Deed { action: "account.resumed", object: name, detail: json!({}) }).await?;
    db.commit().await.context("resuming an account")?;
    Ok(())
}

fn known(engine: &Engine, name: &str) -> Result<(), HoldError> {
    match engine.channels.accounts().any(|account| account.name() == name) {
        true => Ok(()),
        false => Err(HoldError::Unknown(name.to_owned())),
    }
}
