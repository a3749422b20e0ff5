//! What the preview shows, and how it is counted.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::{
    TransmissionState,
    plan::{Planned, PlannedTransmission},
};
use crate::{contact::sms::Parts, document::fax::Estimate, reason::Reason};

/// Transmissions and skips that are listed one by one; the numbers count all of them.
pub(super) const LISTED: usize = 100;

/// What a run would do.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    pub batch: String,
    pub business_date: NaiveDate,
    pub run_as: String,
    /// How contacts are chosen, as a sentence.
    pub policy: String,
    pub recipients: usize,
    /// How many transmissions would be queued, by channel.
    pub channels: BTreeMap<String, usize>,
    pub queued: usize,
    /// How many of the queued ones would not be sent at once.
    #[serde(default)]
    pub waiting: usize,
    pub skipped: usize,
    pub failed: usize,
    /// How many are skipped or fail, by the code of the reason.
    #[serde(default)]
    pub reasons: BTreeMap<String, usize>,
    /// What those wait for that are not sent at once: hours, accounts that are paused.
    #[serde(default)]
    pub waits: Vec<PreviewWait>,
    /// The first transmissions, one by one.
    pub transmissions: Vec<PreviewTransmission>,
    /// The first that would be skipped or fail, with the reason.
    pub missing: Vec<PreviewTransmission>,
    /// The first documents, rendered.
    pub documents: Vec<PreviewDocument>,
    /// What stands in the way of the whole run.
    pub faults: Vec<String>,
}

/// One transmission that would be written.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviewTransmission {
    pub recipient: String,
    pub channel: String,
    pub contact: String,
    pub state: TransmissionState,
    /// The names of the documents it would carry.
    pub documents: Vec<String>,
    /// Why it is skipped or fails, or what it waits for.
    pub reason: Option<Reason>,
    /// When it would be sent, if that is not at once; empty also while nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// Where it would turn to if it came to nothing.
    pub then: Vec<NextContact>,
    /// How many pages a fax has and how long it takes, where all its documents were rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fax: Option<Estimate>,
    /// How many parts a text message is paid for as, with the text as its account sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<Parts>,
    /// Whether a link would go out instead of its files, as far as these were rendered.
    #[serde(default)]
    pub by_link: bool,
    /// The keys of what it carries.
    #[serde(skip)]
    pub(in crate::run) items: Vec<String>,
}

/// Transmissions that wait for the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewWait {
    pub transmissions: usize,
    /// When they go out, spread over some minutes; empty when somebody has to let them go.
    pub until_at: Option<DateTime<Utc>>,
    pub reason: Reason,
}

/// Until when, and why.
pub(super) type Wait = (Option<DateTime<Utc>>, Reason);

/// A contact that is turned to when the one before came to nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NextContact {
    pub channel: String,
    pub contact: String,
}

/// One document as it would be rendered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviewDocument {
    pub name: String,
    pub params: Value,
    pub file: Option<String>,
    pub media_type: Option<String>,
    pub size: Option<usize>,
    pub pages: Option<i32>,
    pub reason: Option<Reason>,
    /// What it comes to as a fax, without a cover page, where some of it goes by fax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fax: Option<Estimate>,
    /// Why it cannot become fax pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_faxed: Option<Reason>,
}

impl Preview {
    /// Counts one transmission and what it waits for, and gives the place of that; `sms` says what its text becomes.
    pub(super) fn add(
        &mut self,
        (planned, transmission): (&Planned, &PlannedTransmission),
        wait: Option<Wait>,
        sms: Option<Parts>,
    ) -> Option<usize> {
        let code = transmission.reason.as_ref().map(|reason| reason.code.as_str());
        let list = match transmission.state {
            TransmissionState::Queued => {
                self.queued += 1;
                *self.channels.entry(transmission.channel.clone()).or_default() += 1;
                &mut self.transmissions
            }
            TransmissionState::Skipped => {
                self.skipped += 1;
                *self.reasons.entry(code.unwrap_or_default().to_owned()).or_default() += 1;
                &mut self.missing
            }
            _ => {
                self.fails(1, code.unwrap_or_default());
                &mut self.missing
            }
        };
        if list.len() < LISTED {
            let mut shown = PreviewTransmission::of(planned, transmission);
            if let Some((next_at, reason)) = &wait {
                (shown.next_at, shown.reason) = (*next_at, Some(reason.clone()));
            }
            shown.sms = sms;
            list.push(shown);
        }
        wait.map(|wait| self.waits_for(wait))
    }

    /// Counts a wait, and gives its place among those of the preview.
    fn waits_for(&mut self, (until_at, reason): Wait) -> usize {
        let same = |one: &PreviewWait| one.until_at == until_at && one.reason == reason;
        let place = self.waits.iter().position(same).unwrap_or_else(|| {
            self.waits.push(PreviewWait { transmissions: 0, until_at, reason });
            self.waits.len() - 1
        });
        self.waits[place].transmissions += 1;
        place
    }

    /// Sums the waits up, the first to end first.
    pub(super) fn sum_up(&mut self) {
        self.waits.retain(|wait| wait.transmissions > 0);
        self.waits.sort_by_key(|wait| (wait.until_at.is_none(), wait.until_at));
        self.waiting = self.waits.iter().map(|wait| wait.transmissions).sum();
    }

    /// Counts what fails with this code.
    pub(super) fn fails(&mut self, count: usize, code: &str) {
        self.failed += count;
        *self.reasons.entry(code.to_owned()).or_default() += count;
    }
}

impl PreviewTransmission {
    fn of(planned: &Planned, transmission: &PlannedTransmission) -> Self {
        Self {
            recipient: planned.recipient.name.clone(),
            channel: transmission.channel.clone(),
            contact: transmission.contact.clone(),
            state: transmission.state,
            documents: names(planned, &transmission.items),
            reason: transmission.reason.clone(),
            next_at: None,
            then: transmission.then.iter().cloned().map(NextContact::from).collect(),
            fax: None,
            sms: None,
            by_link: false,
            items: transmission.items.clone(),
        }
    }
}

impl From<(String, String)> for NextContact {
    fn from((channel, contact): (String, String)) -> Self {
        Self { channel, contact }
    }
}

fn names(planned: &Planned, keys: &[String]) -> Vec<String> {
    let of = |key: &String| planned.items.iter().find(|item| item.key == *key).map(|item| item.name.clone());
    keys.iter().filter_map(of).collect()
}
