//! What an outcome means for its transmission and its step: pure, so that outcomes that come late are judged alike.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Event, StepState, TransmissionState, link::Link};
use crate::{
    channel::{Outcome, Proof, Receipts, Report, Settle, account::Limits},
    id::{RunId, StepId, TransmissionId},
    reason::Reason,
    workflow::Retry,
};

/// The code of the reason of an attempt that the far side says it never heard of.
pub(super) const NEVER_CAME: &str = "never-came";

/// The outcome of an attempt, with what it is judged by.
#[derive(Clone)]
pub(super) struct Closing {
    pub step: StepId,
    pub lease: i64,
    pub run: RunId,
    /// Tries of the step before this one.
    pub tries: i32,
    pub transmission: TransmissionId,
    pub number: i32,
    /// What the far side knows the transmission by.
    pub key: String,
    pub account: String,
    pub limits: Limits,
    /// Whether it has turns at contacts.
    pub turns: bool,
    pub began_at: DateTime<Utc>,
    /// Whether it was to try an account that was paused.
    pub probe: bool,
    pub report: Report,
    pub retry: Retry,
    pub settle: Settle,
    /// How long the far side is asked about an attempt in doubt before a person is.
    pub ask_for: Duration,
    /// The later word that the account gives, if it gives any.
    pub receipts: Option<Receipts>,
    /// What the next attempt brings instead of the files, which were too large.
    pub link: Option<Link>,
}

/// What an outcome means for the transmission and its step.
pub(super) struct Verdict {
    pub state: TransmissionState,
    pub step: StepState,
    pub reason: Option<Reason>,
    pub proof: Option<Proof>,
    /// When the next attempt is due, if there is to be one.
    pub next_at: Option<DateTime<Utc>>,
    /// Whether it may arrive twice because of this.
    pub twice: bool,
    /// Whether it uses up one of the tries.
    pub counts: bool,
}

impl Verdict {
    /// What the outcome of `closing` means at `now`.
    pub(super) fn of(closing: &Closing, now: DateTime<Utc>) -> Self {
        let Closing { report: Report { outcome, .. }, retry, settle, .. } = closing;
        if let (Outcome::Refused(reason), Some(_)) = (outcome, &closing.link) {
            return Self::by_link(reason.clone(), now);
        }
        let tries = u32::try_from(closing.tries).unwrap_or_default() + 1;
        let repeated = matches!(outcome, Outcome::Uncertain(_)) && *settle == Settle::Repeat;
        let pause = match outcome {
            Outcome::Deferred { after, .. } => retry.pause(tries, *after),
            Outcome::Uncertain(_) if repeated => retry.pause(tries, None),
            _ => None,
        };
        let event = match (outcome, pause) {
            (Outcome::Deferred { .. }, None) => Event::GivenUp,
            (outcome, _) => Event::from(outcome),
        };
        let (reason, proof) = match outcome.clone() {
            Outcome::Accepted(proof) | Outcome::Delivered(proof) => (None, Some(proof)),
            Outcome::Deferred { reason, .. } if pause.is_none() => (Some(used_up(reason, tries)), None),
            Outcome::Deferred { reason, .. } | Outcome::Refused(reason) | Outcome::Uncertain(reason) => {
                (Some(reason), None)
            }
        };
        // An attempt leaves `sending`, from where every outcome leads somewhere.
        let mut state = TransmissionState::Sending.after(event).unwrap_or(TransmissionState::Uncertain);
        if repeated && pause.is_some() {
            state = state.after(Event::Repeated).unwrap_or(state);
        }
        let step = if state == TransmissionState::Failed { StepState::Failed } else { StepState::Done };
        Self { state, step, reason, proof, next_at: pause.map(|pause| now + pause), twice: repeated, counts: true }
    }

    /// What it means when only the files were too large: a link goes out at once, and no try is used up.
    fn by_link(reason: Reason, now: DateTime<Utc>) -> Self {
        let state = TransmissionState::Sending.after(Event::Deferred).unwrap_or(TransmissionState::Uncertain);
        let step = StepState::Done;
        Self { state, step, reason: Some(reason), proof: None, next_at: Some(now), twice: false, counts: false }
    }

    /// What it means when it was the account that failed: the transmission waits for it, and no try is used up.
    pub(super) fn waiting((until, reason): (DateTime<Utc>, Reason)) -> Result<Self> {
        let state = TransmissionState::Sending.after(Event::Deferred).context("what is sent can be put back")?;
        let (step, next_at) = (StepState::Done, Some(until));
        Ok(Self { state, step, reason: Some(reason), proof: None, next_at, twice: false, counts: false })
    }

    /// The same in a run that was cancelled meanwhile: there is no next attempt, and what is in doubt stays so.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.state = match self.twice {
            true => TransmissionState::Uncertain,
            false => self.state.after(Event::Cancelled).context("what is queued can be cancelled")?,
        };
        self.next_at = None;
        self.twice = false;
        Ok(())
    }

    /// The reason as it stands in the book.
    pub(super) fn reason(&self) -> Result<Option<Value>> {
        Ok(self.reason.as_ref().map(serde_json::to_value).transpose()?)
    }

    /// The proof as it stands in the book.
    pub(super) fn proof(&self) -> Result<Option<Value>> {
        Ok(self.proof.as_ref().map(serde_json::to_value).transpose()?)
    }
}

pub(super) fn used_up(reason: Reason, tries: u32) -> Reason {
    Reason { text: format!("given up after {tries} attempts: {}", reason.text), ..reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Scope;

    #[test]
    fn what_may_have_arrived_is_not_booked_as_cancelled() {
        let lost = Outcome::Uncertain(Reason::new(Scope::Attempt, "lost", "no answer"));
        let closing = Closing {
            step: StepId(1),
            lease: 1,
            run: RunId(1),
            tries: 0,
            transmission: TransmissionId(1),
            number: 1,
            key: "1-1-0".to_owned(),
            account: "mail".to_owned(),
            limits: Limits::default(),
            turns: false,
            began_at: DateTime::<Utc>::MIN_UTC,
            probe: false,
            report: Report::new(lost),
            retry: Retry::default(),
            settle: Settle::Repeat,
            ask_for: Duration::ZERO,
            receipts: None,
            link: None,
        };
        let mut verdict = Verdict::of(&closing, DateTime::<Utc>::MIN_UTC);
        assert_eq!((verdict.state, verdict.twice), (TransmissionState::Queued, true));

        verdict.stop().unwrap();
        assert_eq!((verdict.state, verdict.twice, verdict.next_at), (TransmissionState::Uncertain, false, None));
    }
}
