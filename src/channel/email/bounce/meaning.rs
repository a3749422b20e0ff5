//! What one block of a report means for the transmission.

use chrono::{DateTime, Utc};

use super::{
    super::{classify, reply::Reply},
    fields::Fields,
};
use crate::{
    channel::{Proof, Standing},
    reason::{Reason, Scope},
};

/// As much of a server's words as is kept.
const LONGEST: usize = 1000;

/// What was said of one recipient.
pub(super) struct Meaning {
    pub standing: Standing,
    pub at: Option<DateTime<Utc>>,
    pub suppress: Option<String>,
}

/// What the block of a recipient says; nothing when it names no action.
pub(super) fn of_recipient(block: &Fields) -> Option<Meaning> {
    let action = block.get("Action")?.split_whitespace().next()?.to_ascii_lowercase();
    let by = block.typed("Remote-MTA").unwrap_or("the mail server").to_owned();
    let words = shown(block.typed("Diagnostic-Code").unwrap_or("it gave no words"));
    let at = block.get("Last-Attempt-Date").and_then(|at| DateTime::parse_from_rfc2822(at).ok());
    let (standing, suppress) = match action.as_str() {
        "failed" => failed(block, &by, &words),
        "delivered" => (Standing::Delivered(Proof { text: format!("delivered to the mailbox: {words}"), by }), None),
        "delayed" => (Standing::Underway(format!("delayed: {by} says {words}")), None),
        "relayed" | "expanded" => (Standing::Underway(format!("{action} by {by}, which says no more of it")), None),
        _ => return None,
    };
    Some(Meaning { standing, at: at.map(|at| at.to_utc()), suppress })
}

/// It arrived, and the recipient does not want it.
pub(super) fn of_complaint(report: &Fields) -> Meaning {
    let kind = shown(report.get("Feedback-Type").unwrap_or("abuse"));
    let suppress = (!kind.eq_ignore_ascii_case("not-spam")).then(|| format!("the recipient complained ({kind})"));
    let at = report.get("Arrival-Date").and_then(|at| DateTime::parse_from_rfc2822(at).ok());
    let standing = Standing::Underway(format!("the recipient complained about it ({kind})"));
    Meaning { standing, at: at.map(|at| at.to_utc()), suppress }
}

fn failed(block: &Fields, by: &str, words: &str) -> (Standing, Option<String>) {
    let (status, reply) = status(block, words);
    let scope = match status.class {
        // Given up after days of trying.
        4 => Scope::Attempt,
        _ => classify::reply_scope(&reply),
    };
    let reason = Reason::new(scope, format!("bounce-{status}"), format!("it came back: {by} says {words}"));
    let suppress = status.is_hard().then(|| format!("bounced: {status} {words}"));
    (Standing::Failed(reason), suppress)
}

/// An enhanced status code (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Status {
    class: u16,
    subject: u16,
    detail: u16,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().next()?.split('.').map(|part| part.parse().ok());
        let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { class, subject, detail })
    }

    /// Whether the address does not exist, or not any more: writing to it again only harms the sender's name.
    fn is_hard(self) -> bool {
        self.class == 5 && matches!((self.subject, self.detail), (1, 1 | 2 | 3 | 6 | 10) | (2, 1))
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The status as the report has it; where that says nothing more than that it failed, the far server's own.
fn status(block: &Fields, words: &str) -> (Status, Reply) {
    let (code, rest) = words.split_once([' ', '-']).unwrap_or((words, ""));
    let code: Option<u16> = code.parse().ok().filter(|code| (400..600).contains(code));
    let own = block.get("Status").and_then(Status::parse);
    let theirs = code.and_then(|_| Status::parse(rest));
    let vague = |status: &Status| status.subject == 0 && status.detail == 0;
    let status = own.filter(|own| !vague(own)).or(theirs).or(own);
    let status = status.unwrap_or(Status { class: code.map_or(5, |code| code / 100), subject: 0, detail: 0 });
    let code = code.filter(|code| code / 100 == status.class).unwrap_or(status.class * 100 + 54);
    let reply = match vague(&status) {
        true => Reply::new(code, rest),
        false => Reply::new(code, &status.to_string()),
    };
    (status, reply)
}

fn shown(text: &str) -> String {
    text.chars().take(LONGEST).map(|it| if it.is_control() { ' ' } else { it }).collect()
}
