//! What an outcome means for its transmission and its step: pure, so that outcomes that come late are judged alike.

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Event, StepState, TransmissionState};
use crate::{
    channel::{Outcome, Proof, Report, Settle},
    id::{RunId, StepId, TransmissionId},
    reason::Reason,
    workflow::Retry,
};

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
    pub report: Report,
    pub retry: Retry,
    pub settle: Settle,
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
}

impl Verdict {
    /// What the outcome of `closing` means at `now`.
    pub(super) fn of(closing: &Closing, now: DateTime<Utc>) -> Self {
        let Closing { report: Report { outcome, .. }, retry, settle, .. } = closing;
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
        Self { state, step, reason, proof, next_at: pause.map(|pause| now + pause), twice: repeated }
    }

    /// The same in a run that was cancelled meanwhile: there is no next attempt.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.state = self.state.after(Event::Cancelled).context("what is queued can be cancelled")?;
        self.next_at = None;
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

fn used_up(reason: Reason, tries: u32) -> Reason {
    Reason { text: format!("given up after {tries} attempts: {}", reason.text), ..reason }
}
