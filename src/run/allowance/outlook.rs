//! What would go out now and what would wait, told without sending anything.
//!
//! The words are those by which the step that transmits decides: hours by [`super::hours`], pauses by [`super::health`].
//! Limits are left out; how long they hold something up depends on all else that is sent. Called by the preview.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    because,
    health::{Health, State},
    hours::{self, Permission},
};
use crate::{
    channel::account::Account,
    db::installation::{self, Pause},
    id::TransmissionId,
    reason::{Reason, Scope},
    schedule::Door,
};

/// What holds transmissions up, as the book has it at one moment.
pub(in crate::run) struct Outlook {
    now: DateTime<Utc>,
    sending: Option<Pause>,
    paused: BTreeMap<String, Health>,
}

/// What becomes of a transmission that is ready.
pub(in crate::run) enum Prospect {
    Goes,
    /// It waits until then, or until somebody lets it go.
    Waits(Option<DateTime<Utc>>, Reason),
    Fails(Reason),
}

impl Outlook {
    /// Reads what the book knows at `now`.
    pub(in crate::run) async fn read(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Self> {
        let sending = installation::paused(&mut *db).await?;
        let rows = sqlx::query!(
            r#"
            select name, failures, reason, paused_at, until_at, probe as "probe: TransmissionId", resumed_at
              from account
             where paused_at is not null
            "#
        )
        .fetch_all(db)
        .await
        .context("asking which accounts are paused, and until when")?;
        let paused = rows.into_iter().map(|row| {
            let health = Health {
                failures: row.failures,
                reason: row.reason,
                paused_at: row.paused_at,
                until_at: row.until_at,
                probe: row.probe,
                resumed_at: row.resumed_at,
            };
            (row.name, health)
        });
        Ok(Self { now, sending, paused: paused.collect() })
    }

    /// What becomes of something that leaves by `account` through `doors`. Hours and pauses are asked in turn, each about
    /// the moment at which the other lets it go; a pause ends once.
    pub(in crate::run) fn of(&self, account: &Account, doors: &[Door]) -> Result<Prospect> {
        if let Some(pause) = &self.sending {
            return Ok(Prospect::Waits(None, stopped(pause)));
        }
        let (mut at, mut why) = (self.now, None);
        loop {
            match hours::open(doors, at) {
                Permission::Now => {}
                Permission::Later((then, reason)) => (at, why) = (then, Some(reason)),
                Permission::Never(reason) => return Ok(Prospect::Fails(reason)),
            }
            let paused = self.paused.get(account.name()).filter(|health| health.state(at) == State::Paused);
            let Some(health) = paused else { break };
            let reason = because(account.name(), health)?;
            let Some(until) = health.until_at else { return Ok(Prospect::Waits(None, reason)) };
            (at, why) = (until, Some(reason));
        }
        Ok(why.map_or(Prospect::Goes, |reason| Prospect::Waits(Some(at), reason)))
    }
}

fn stopped(pause: &Pause) -> Reason {
    let text = format!("nothing is sent until somebody releases it; paused by {}: {}", pause.by, pause.why);
    Reason::new(Scope::Account, "sending-paused", text)
}
