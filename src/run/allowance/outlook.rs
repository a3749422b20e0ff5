//! What would go out now and what would wait, told without sending anything.
//!
//! The words are those by which the step that transmits decides: hours by [`super::hours`], pauses by [`super::health`].
//! Limits are left out; how long they hold something up depends on all else that is sent. Called by the preview.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    because,
    health::{self, Paused, State},
    hours::{self, Permission},
};
use crate::{
    channel::account::Account,
    db::installation::{self, Pause},
    reason::{Reason, Scope},
    schedule::Door,
};

/// What holds transmissions up, as the book has it at one moment.
pub(in crate::run) struct Outlook {
    now: DateTime<Utc>,
    sending: Option<Pause>,
    paused: BTreeMap<String, Paused>,
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
        let paused = health::all_paused(db).await?.into_iter().map(|it| (it.name.clone(), it));
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
            let paused = self.paused.get(account.name()).filter(|it| it.state(at) == State::Paused);
            let Some(paused) = paused else { break };
            let reason = because(account.name(), (paused.reason.as_ref(), paused.until_at))?;
            let Some(until) = paused.until_at else { return Ok(Prospect::Waits(None, reason)) };
            (at, why) = (until, Some(reason));
        }
        Ok(why.map_or(Prospect::Goes, |reason| Prospect::Waits(Some(at), reason)))
    }
}

fn stopped(pause: &Pause) -> Reason {
    let text = format!("nothing is sent until somebody releases it; paused by {}: {}", pause.by, pause.why);
    Reason::new(Scope::Account, "sending-paused", text)
}
