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
    id::{StepId, TransmissionId},
    reason::{Reason, Scope},
    run::plan::Recipient,
    schedule::{self, Opening},
};

/// What opens at once is spread over this long. Shorter sends a night's worth in one go, longer sends more of it late.
const SPREAD: Duration = Duration::from_secs(5 * 60);

/// The parameter of a recipient that says in which zone they are.
const ZONE: &str = "zone";

/// When what goes to `contact` may go, unless that is now.
pub(in crate::run) fn opening(
    (batch, account): (&Batch, &Account),
    recipient: Option<&Recipient>,
    contact: &str,
    now: DateTime<Utc>,
) -> Option<Opening> {
    let (theirs, zone) = account.hours();
    let there = there(account.channel(), recipient, contact).unwrap_or(batch.zone);
    let doors = theirs.doors(zone.unwrap_or(batch.zone), there);
    let doors: Vec<_> = doors.chain(batch.hours.doors(batch.zone, there)).collect();
    schedule::opening(&doors, now)
}

/// Where the recipient is: as their parameter says, or as the country of their number does.
fn there(channel: &str, recipient: Option<&Recipient>, contact: &str) -> Option<Tz> {
    let said = recipient.and_then(|it| it.params.get(ZONE)?.as_str()?.parse().ok());
    said.or_else(|| match Contact::parse(channel, contact).ok()? {
        Contact::Number(number) => zone::of(&number),
        _ => None,
    })
}

/// Until when `transmission` waits for an opening, and why.
pub(in crate::run) fn wait_for(opening: Opening, transmission: TransmissionId) -> Wait {
    let local = opening.at.with_timezone(&opening.zone);
    let text = format!("waits until {} in {}", local.format("%Y-%m-%d %H:%M"), opening.zone);
    (opening.at + spread(transmission, SPREAD), Reason::new(Scope::Attempt, "out-of-hours", text))
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
