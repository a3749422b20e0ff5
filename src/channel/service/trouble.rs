//! What no answer, and an answer that is no yes, mean for the transmission.

use std::{error::Error, fmt};

use crate::{
    channel::{Outcome, Report},
    reason::{Reason, Scope},
    source::cause::told as with_causes,
};

use super::{Reply, reply::one_line};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::channel) enum Trouble {
    /// The request never left.
    Unsent(String),
    /// The service did not show who it is, so it was told nothing.
    Distrust(String),
    /// The request was on its way: the service may have done what it asks for.
    Lost(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsent(text) => write!(f, "nothing was sent: {text}"),
            Self::Distrust(text) => write!(f, "nothing was sent: {text}; name its authority as the account's `ca`"),
            Self::Lost(text) => write!(f, "there was no whole answer: {text}"),
        }
    }
}

impl Trouble {
    /// The same about something that may be done again at any time: a look, an upload that nobody reads yet.
    pub(in crate::channel) fn harmless(self, host: &str) -> Reason {
        let code = match self {
            Self::Unsent(_) => "http-connect",
            Self::Distrust(_) => return Reason::new(Scope::Account, "http-certificate", format!("{host}: {self}")),
            Self::Lost(_) => "http-lost",
        };
        Reason::new(Scope::Attempt, code, format!("{host}: {self}"))
    }
}

/// What no answer means for a message that was to be sent.
pub(in crate::channel) fn unanswered(host: &str, trouble: Trouble) -> Report {
    let (lost, distrust) = (matches!(trouble, Trouble::Lost(_)), matches!(trouble, Trouble::Distrust(_)));
    let reason = trouble.harmless(host);
    if lost {
        let text = format!("{}; the message may have been taken", reason.text);
        return Report::new(Outcome::Uncertain(Reason { text, ..reason }));
    }
    let outcome = if distrust { Outcome::Refused(reason) } else { Outcome::Deferred { reason, after: None } };
    Report { for_anybody: true, ..Report::new(outcome) }
}

/// What an answer that is no yes means where the service's own words say no more than its status (RFC 9110, section 15;
/// RFC 6585 for 429).
pub(in crate::channel) fn ended(host: &str, reply: &Reply, words: &str) -> Report {
    let status = reply.status;
    let reason = |scope| Reason::new(scope, format!("http-{status}"), told(host, status, words));
    answered(match status {
        401 | 403 | 404 | 405 => Outcome::Refused(reason(Scope::Account)),
        402 => Outcome::Refused(Reason { code: "out-of-credit".to_owned(), ..reason(Scope::Account) }),
        429 => Outcome::Deferred { reason: reason(Scope::Account), after: reply.after },
        413..=415 => Outcome::Refused(reason(Scope::Document)),
        // A redirect is not followed: what it leads to is not the service that the account names.
        300..400 => Outcome::Refused(reason(Scope::Account)),
        400..500 => Outcome::Refused(reason(Scope::Attempt)),
        // A server that failed may have failed after it had done its work, and so may a proxy in front of it.
        _ => Outcome::Uncertain(reason(Scope::Attempt)),
    })
}

/// The claim ran out before the message was sent, so it was not.
pub(in crate::channel) fn too_late() -> Report {
    let text = "the claim ran out before the message was sent, so it was not: this process was held up for too long";
    Report::new(Outcome::Deferred { reason: Reason::new(Scope::Attempt, "claim-ran-out", text), after: None })
}

/// The report of an answer. What it says about the account, it would have said to anybody.
pub(in crate::channel) fn answered(outcome: Outcome) -> Report {
    let for_anybody = outcome.reason().is_some_and(|reason| reason.scope == Scope::Account);
    Report { for_anybody, ..Report::new(outcome) }
}

fn told(host: &str, status: u16, words: &str) -> String {
    match one_line(words) {
        words if words.is_empty() => format!("{host} answered {status}"),
        words => format!("{host} answered {status}: {words}"),
    }
}

/// An error with all that caused it, but without the address that was asked: a query may hold secrets.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let text = match () {
        () if error.is_timeout() => "no answer in time",
        () if error.is_connect() => "no connection",
        () => "the connection failed",
    };
    match error.source() {
        Some(cause) => one_line(&format!("{text}: {}", with_causes(cause))),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(status: u16) -> Reply {
        Reply { status, after: Some(Duration::from_secs(7)), body: bytes::Bytes::new() }
    }

    #[test]
    fn what_was_never_sent_is_tried_again_and_what_may_have_been_taken_is_in_doubt() {
        let unsent = unanswered("api.test", Trouble::Unsent("refused".to_owned()));
        assert!(matches!(unsent.outcome, Outcome::Deferred { .. }), "{unsent:?}");
        let lost = unanswered("api.test", Trouble::Lost("reset".to_owned()));
        assert!(matches!(lost.outcome, Outcome::Uncertain(_)), "{lost:?}");
        let distrust = unanswered("api.test", Trouble::Distrust("expired".to_owned()));
        assert!(matches!(distrust.outcome, Outcome::Refused(Reason { scope: Scope::Account, .. })), "{distrust:?}");
    }

    #[test]
    fn a_status_says_how_far_a_refusal_reaches() {
        for (status, name, scope, for_anybody) in [
            (302, "refused", Scope::Account, true),
            (400, "refused", Scope::Attempt, false),
            (401, "refused", Scope::Account, true),
            (402, "refused", Scope::Account, true),
            (403, "refused", Scope::Account, true),
            (413, "refused", Scope::Document, false),
            (429, "deferred", Scope::Account, true),
            (500, "uncertain", Scope::Attempt, false),
            (503, "uncertain", Scope::Attempt, false),
        ] {
            let report = ended("api.test", &reply(status), "no\n");
            let reason = report.outcome.reason().unwrap();
            assert_eq!(
                (report.outcome.name(), reason.scope, report.for_anybody),
                (name, scope, for_anybody),
                "{status}"
            );
        }
        let pause = ended("api.test", &reply(429), "").outcome;
        assert!(matches!(pause, Outcome::Deferred { after: Some(after), .. } if after.as_secs() == 7));
    }
}
