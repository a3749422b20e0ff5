//! States, and the only function that says which move is legal.
//!
//! ```text
//! run           held ─▶ expanding ─▶ running ⇄ succeeded | partial | failed | cancelled
//! step          waiting ─▶ ready ⇄ running ─▶ done | failed | skipped     (ready again: deferred, interrupted, retried)
//! transmission  queued ⇄ sending ─▶ accepted ─▶ delivered | failed | queued | uncertain;  skipped, cancelled
//!                           └▶ uncertain ─▶ queued | accepted | delivered | failed
//!               by later word of the far side:  failed | queued | skipped ─▶ delivered,  delivered ─▶ failed
//!               when another contact is tried:  failed ─▶ skipped
//! ```
//! SQL names the state it expects; what it writes comes from here.

use serde::{Deserialize, Serialize};

use crate::channel::Outcome;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum RunState {
    Held,
    Expanding,
    Running,
    Succeeded,
    Partial,
    Failed,
    Cancelled,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum StepState {
    Waiting,
    Ready,
    Running,
    Done,
    Failed,
    Skipped,
}

/// Where a transmission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum TransmissionState {
    Queued,
    Sending,
    Accepted,
    Delivered,
    Failed,
    Skipped,
    Uncertain,
    Cancelled,
}

/// What happens to a transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    Claimed,
    Accepted,
    Delivered,
    Deferred,
    Refused,
    /// The outcome of an attempt is not known.
    Lost,
    /// Something it needs failed, or its attempts are used up.
    GivenUp,
    Suppressed,
    Cancelled,
    /// A person wants it tried again.
    Retried,
    /// An uncertain attempt is repeated.
    Repeated,
    /// The next contact of its recipient is tried instead.
    Turned,
    /// The far side says later that it has arrived after all.
    Arrived,
    /// The far side says later that it came back.
    Returned,
    /// A person takes back what was offered.
    Withdrawn,
}

impl From<&Outcome> for Event {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted(_) => Self::Accepted,
            Outcome::Delivered(_) => Self::Delivered,
            Outcome::Deferred { .. } => Self::Deferred,
            Outcome::Refused(_) => Self::Refused,
            Outcome::Uncertain(_) => Self::Lost,
        }
    }
}

impl RunState {
    /// The word for it, in SQL, JSON and pages alike.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Expanding => "expanding",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl StepState {
    /// The word for it, in SQL, JSON and pages alike.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl TransmissionState {
    /// All there are.
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sending,
        Self::Accepted,
        Self::Delivered,
        Self::Failed,
        Self::Skipped,
        Self::Uncertain,
        Self::Cancelled,
    ];

    /// The word for it, in SQL, JSON and pages alike.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Uncertain => "uncertain",
            Self::Cancelled => "cancelled",
        }
    }

    /// Where `event` leads from here, or `None` when it cannot happen here.
    pub fn after(self, event: Event) -> Option<Self> {
        use TransmissionState as S;
        match (self, event) {
            (S::Queued, Event::Claimed) => Some(S::Sending),
            (S::Sending | S::Uncertain, Event::Accepted) => Some(S::Accepted),
            (S::Sending | S::Accepted | S::Uncertain, Event::Delivered) => Some(S::Delivered),
            (S::Failed | S::Queued | S::Skipped, Event::Arrived) => Some(S::Delivered),
            (S::Sending | S::Accepted | S::Uncertain, Event::Deferred) => Some(S::Queued),
            (S::Sending | S::Accepted | S::Uncertain, Event::Refused)
            | (S::Queued | S::Sending | S::Accepted | S::Uncertain, Event::GivenUp)
            | (S::Delivered, Event::Returned) => Some(S::Failed),
            (S::Sending | S::Accepted, Event::Lost) => Some(S::Uncertain),
            (S::Queued, Event::Suppressed) => Some(S::Skipped),
            (S::Queued, Event::Cancelled) | (S::Accepted, Event::Withdrawn) => Some(S::Cancelled),
            (S::Failed, Event::Turned) => Some(S::Skipped),
            (S::Failed, Event::Retried) | (S::Uncertain, Event::Repeated) => Some(S::Queued),
            _ => None,
        }
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Queued | Self::Sending)
    }
}

/// How many transmissions of a run are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    pub queued: i32,
    pub sending: i32,
    pub accepted: i32,
    pub delivered: i32,
    pub failed: i32,
    pub skipped: i32,
    pub uncertain: i32,
    pub cancelled: i32,
}

impl Counts {
    /// Transmissions that are on their way or wait for their turn.
    pub fn open(&self) -> i32 {
        self.queued + self.sending
    }

    /// All of them.
    pub fn total(&self) -> i32 {
        self.open() + self.accepted + self.delivered + self.failed + self.skipped + self.uncertain + self.cancelled
    }

    /// The state of a run whose transmissions stand like this, with `awaited` that hold it open until the far side has
    /// said what became of them. What is uncertain counts as not sent until it is settled, so that somebody is told.
    pub fn run_state(&self, cancelled: bool, awaited: i64) -> RunState {
        let sent = self.accepted + self.delivered;
        let missing = self.failed + self.uncertain;
        match () {
            () if self.open() > 0 || awaited > 0 => RunState::Running,
            () if cancelled => RunState::Cancelled,
            () if missing == 0 => RunState::Succeeded,
            () if sent > 0 => RunState::Partial,
            () => RunState::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 15] = [
        Event::Claimed,
        Event::Accepted,
        Event::Delivered,
        Event::Deferred,
        Event::Refused,
        Event::Lost,
        Event::GivenUp,
        Event::Suppressed,
        Event::Cancelled,
        Event::Retried,
        Event::Repeated,
        Event::Turned,
        Event::Arrived,
        Event::Returned,
        Event::Withdrawn,
    ];

    #[test]
    fn only_later_word_moves_what_was_delivered_or_skipped_and_nothing_what_was_cancelled() {
        use TransmissionState as S;
        for state in [S::Delivered, S::Skipped, S::Cancelled] {
            for event in EVENTS {
                let expected = match (state, event) {
                    (S::Delivered, Event::Returned) => Some(S::Failed),
                    (S::Skipped, Event::Arrived) => Some(S::Delivered),
                    _ => None,
                };
                assert_eq!(state.after(event), expected, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn only_a_claim_leads_to_sending_and_only_from_queued() {
        for state in TransmissionState::ALL {
            for event in EVENTS {
                if state.after(event) == Some(TransmissionState::Sending) {
                    assert_eq!((state, event), (TransmissionState::Queued, Event::Claimed));
                }
            }
        }
    }

    #[test]
    fn the_state_of_a_run_follows_from_its_transmissions() {
        let counts = |queued, delivered, failed, skipped, uncertain| Counts {
            queued,
            delivered,
            failed,
            skipped,
            uncertain,
            ..Counts::default()
        };
        let cases = [
            (counts(1, 5, 0, 0, 0), false, RunState::Running),
            (counts(0, 5, 0, 0, 0), false, RunState::Succeeded),
            (counts(0, 5, 1, 0, 0), false, RunState::Partial),
            (counts(0, 0, 1, 1, 0), false, RunState::Failed),
            (counts(0, 0, 0, 3, 0), false, RunState::Succeeded),
            (counts(0, 2, 0, 0, 1), false, RunState::Partial),
            (counts(0, 2, 0, 0, 0), true, RunState::Cancelled),
            (counts(1, 2, 0, 0, 0), true, RunState::Running),
        ];
        for (counts, cancelled, expected) in cases {
            assert_eq!(counts.run_state(cancelled, 0), expected, "{counts:?}");
            assert_eq!(counts.run_state(cancelled, 1), RunState::Running, "{counts:?}");
        }
    }
}
