//! Hours in which something is sent: those of the account and the batch, and the quiet ones of the recipient.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{Admission, Engine, Wait, health::spread, wait};
use crate::{
    catalog::Batch,
    channel::account::Account,
    contact::{Contact, zone},
    id::StepId,
    reason::{Reason, Scope},
    run::plan::Recipient,
    schedule::{self, Door, Hours, Keeper, Opening},
};

/// What opens at once is spread over this long. Shorter sends a night's worth in one go, longer sends more of it late.
const SPREAD: Duration = Duration::from_secs(5 * 60);

/// The parameter of a recipient that says in which zone they are.
const ZONE: &str = "zone";

/// Whether something may be sent now.
pub(in crate::run) enum Permission {
    Now,
    Later(Wait),
    Never(Reason),
}

/// The doors that what goes to `contact` goes through.
pub(in crate::run) fn doors(
    (batch, account): (&Batch, &Account),
    recipient: Option<&Recipient>,
    contact: &str,
) -> Vec<Door> {
    let (theirs, zone) = account.hours();
    if *theirs == Hours::default() && batch.hours == Hours::default() {
        return Vec::new();
    }
    let there = there(account.channel(), recipient, contact).unwrap_or(batch.zone);
    let doors = theirs.doors(zone.unwrap_or(batch.zone), there);
    doors.chain(batch.hours.doors(batch.zone, there)).collect()
}

/// Whether something may go through `doors` at `now`, or when it may and why not before.
pub(super) fn open(doors: &[Door], now: DateTime<Utc>) -> Permission {
    match schedule::opening(doors, now) {
        Opening::Now => Permission::Now,
        Opening::Then(at, zone, keeper) => Permission::Later((at, until(at, zone, keeper))),
        Opening::Never => {
            let text = "its hours and those of its account and recipient are never open at the same time; change them";
            Permission::Never(Reason::new(Scope::Account, "never-open", text))
        }
    }
}

/// The same for what has this number: what opens at once is spread, as far as it is open then.
pub(in crate::run) fn may(doors: &[Door], number: i64, now: DateTime<Utc>) -> Permission {
    match open(doors, now) {
        Permission::Later((at, reason)) => {
            let later = at + spread(number, SPREAD);
            let due = if schedule::opening(doors, later) == Opening::Now { later } else { at };
            Permission::Later((due, reason))
        }
        settled => settled,
    }
}

/// Why something waits until `at`.
fn until(at: DateTime<Utc>, zone: Tz, keeper: Keeper) -> Reason {
    let at = at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M");
    let why = match keeper {
        Keeper::Sender => "when it is sent again by the hours of its account or batch",
        Keeper::Recipient => "when the recipient's quiet hours end",
    };
    Reason::new(Scope::Attempt, "out-of-hours", format!("not before {at} in {zone}, {why}"))
}

/// Where the recipient is: as their parameter says, or as the country of their number does.
fn there(channel: &str, recipient: Option<&Recipient>, contact: &str) -> Option<Tz> {
    let said = recipient.and_then(|it| it.params.get(ZONE)?.as_str()?.parse().ok());
    said.or_else(|| match Contact::parse(channel, contact).ok()? {
        Contact::Number(number) => zone::of(&number),
        _ => None,
    })
}

/// Has `step` wait, without an attempt.
pub(in crate::run) async fn put_off(
    engine: &Engine,
    (step, account): (StepId, &str),
    (due_at, reason): Wait,
) -> Result<()> {
    let mut db = engine.db.begin().await.context("beginning to put off a step")?;
    let admission = Admission { due: vec![due_at], reason: Some(reason), ..Admission::all(0) };
    wait::put_off(&mut db, (account, &admission), &[step], engine.clock.now()).await?;
    db.commit().await.context("putting off a step until its hours")
}
