//! What a server's answer means for the transmission.
//!
//! The enhanced code (RFC 3463) says how far a refusal reaches, where there is one; else the reply code does. The same
//! words mean different things at different stages: a refusal before the recipient is named is about us.

use std::{fmt, time::Duration};

use crate::{
    channel::Outcome,
    reason::{Reason, Scope},
};

use super::reply::{Reply, Trouble};

/// The code of what is larger than the server said it takes (RFC 1870, section 6.2).
pub(super) const SIZE: &str = "smtp-size";

/// Whether a refusal with this code means that the message is too large: for the mailbox or for the server by its
/// enhanced code (RFC 3463, sections 3.3 and 3.4), or by the bare reply code of RFC 1870, section 6.1.
pub(super) fn is_too_large(code: &str) -> bool {
    code == SIZE || code == "smtp-552" || code.ends_with("-5.2.3") || code.ends_with("-5.3.4")
}

/// How far the conversation had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    Login,
    Sender,
    Recipient,
    /// Between the recipient and the final dot.
    Data,
    /// After the final dot: the server may have the message.
    Message,
}

/// The outcome of `trouble` with `host` at `stage`; `greylist` is the least time to wait when it greylists.
pub(super) fn outcome(host: &str, stage: Stage, trouble: Trouble, greylist: Duration) -> Outcome {
    match trouble {
        Trouble::Said(reply) => said(host, stage, &reply, greylist),
        Trouble::Lost(text) => lost(host, stage, &text),
        Trouble::Distrust(text) => {
            let text =
                format!("the certificate of {host} is not trusted: {text}; name its authority as the account's `ca`");
            Outcome::Refused(Reason::new(Scope::Account, "smtp-certificate", text))
        }
        Trouble::Lacks(what) => {
            let text = format!("{host} does not offer {what}, which this account asks for");
            Outcome::Refused(Reason::new(Scope::Account, "smtp-lacks", text))
        }
    }
}

fn lost(host: &str, stage: Stage, text: &str) -> Outcome {
    if stage == Stage::Message {
        let text =
            format!("the connection to {host} was lost after the whole message was sent ({text}): it may have arrived");
        return Outcome::Uncertain(Reason::new(Scope::Attempt, "smtp-lost-after-message", text));
    }
    let code = if stage == Stage::Connect { "smtp-connect" } else { "smtp-lost" };
    let text = format!("no conversation with {host} {stage}: {text}");
    Outcome::Deferred { reason: Reason::new(Scope::Attempt, code, text), after: None }
}

fn said(host: &str, stage: Stage, reply: &Reply, greylist: Duration) -> Outcome {
    let code = match reply.enhanced() {
        Some((subject, detail)) => format!("smtp-{}-{}.{subject}.{detail}", reply.code, reply.code / 100),
        None => format!("smtp-{}", reply.code),
    };
    let reason = Reason::new(scope(stage, reply), code, format!("{host} answered {stage}: {reply}"));
    match reply.code {
        500..600 => Outcome::Refused(reason),
        _ => Outcome::Deferred { reason, after: greylists(stage, reply).then_some(greylist) },
    }
}

fn greylists(stage: Stage, reply: &Reply) -> bool {
    let words = || reply.text.to_ascii_lowercase();
    let named = || ["greylist", "graylist"].iter().any(|it| words().contains(it));
    matches!(stage, Stage::Recipient | Stage::Data | Stage::Message)
        && (400..500).contains(&reply.code)
        && (reply.enhanced() == Some((7, 1)) || named())
}

/// How far a refusal reaches.
fn scope(stage: Stage, reply: &Reply) -> Scope {
    let permanent = reply.code >= 500;
    match stage {
        Stage::Connect if permanent => Scope::Account,
        Stage::Connect => Scope::Attempt,
        Stage::Login => Scope::Account,
        // It is our own address that the server does not like.
        Stage::Sender if reply_scope(reply) == Scope::Contact => Scope::Account,
        Stage::Sender | Stage::Recipient | Stage::Data | Stage::Message => reply_scope(reply),
    }
}

pub(super) fn reply_scope(reply: &Reply) -> Scope {
    let permanent = reply.code >= 500;
    match reply.enhanced() {
        // The sender's address, its syntax or its host.
        Some((1, 7 | 8)) => Scope::Account,
        Some((1, _) | (4, 4)) => Scope::Contact,
        // Too big for the mailbox, or for the server.
        Some((2, 3) | (3, 4)) => Scope::Document,
        Some((2, _)) => Scope::Contact,
        // The content or its form.
        Some((6, _)) => Scope::Document,
        Some((7, _)) if permanent => Scope::Account,
        Some((3..=5 | 7, _)) => Scope::Attempt,
        _ => bare_scope(reply.code),
    }
}

/// Without an enhanced code.
fn bare_scope(code: u16) -> Scope {
    match code {
        550 | 551 | 553 | 556 => Scope::Contact,
        552 => Scope::Document,
        530 | 534 | 535 | 538 => Scope::Account,
        _ => Scope::Attempt,
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "on connecting",
            Self::Login => "to AUTH",
            Self::Sender => "to MAIL FROM",
            Self::Recipient => "to RCPT TO",
            Self::Data => "to DATA",
            Self::Message => "to the message",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREYLIST: Duration = Duration::from_secs(300);

    fn shown(stage: Stage, text: &str) -> String {
        let (code, text) = text.split_once(' ').unwrap();
        match said("mx", stage, &Reply::new(code.parse().unwrap(), text), GREYLIST) {
            Outcome::Deferred { reason, after } => format!("deferred {:?} {} {after:?}", reason.scope, reason.code),
            Outcome::Refused(reason) => format!("refused {:?} {}", reason.scope, reason.code),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_is_sorted_by_its_enhanced_code() {
        for (answer, expected) in [
            ("550 5.1.1 No such user", "refused Contact smtp-550-5.1.1"),
            ("553 5.1.3 Bad address syntax", "refused Contact smtp-553-5.1.3"),
            ("553 5.1.8 Sender's domain does not exist", "refused Account smtp-553-5.1.8"),
            ("450 4.1.2 Domain not found", "deferred Contact smtp-450-4.1.2 None"),
            ("550 5.2.1 Mailbox disabled", "refused Contact smtp-550-5.2.1"),
            ("552 5.2.2 Mailbox full", "refused Contact smtp-552-5.2.2"),
            ("452 4.2.2 Mailbox full", "deferred Contact smtp-452-4.2.2 None"),
            ("552 5.2.3 Too long for this mailbox", "refused Document smtp-552-5.2.3"),
            ("552 5.3.4 Message too big", "refused Document smtp-552-5.3.4"),
            ("554 5.3.0 Broken", "refused Attempt smtp-554-5.3.0"),
            ("452 4.3.1 No space", "deferred Attempt smtp-452-4.3.1 None"),
            ("550 5.4.4 No host", "refused Contact smtp-550-5.4.4"),
            ("550 5.4.6 Loop", "refused Attempt smtp-550-5.4.6"),
            ("501 5.5.4 Bad arguments", "refused Attempt smtp-501-5.5.4"),
            ("554 5.6.0 Bad content", "refused Document smtp-554-5.6.0"),
            ("554 5.7.1 Refused by policy", "refused Account smtp-554-5.7.1"),
            ("550 5.7.515 Not authenticated", "refused Account smtp-550-5.7.515"),
            ("451 4.7.1 Try again later", "deferred Attempt smtp-451-4.7.1 Some(300s)"),
            ("450 4.2.0 Greylisted for 5 minutes", "deferred Contact smtp-450-4.2.0 Some(300s)"),
            ("421 4.3.2 Closing", "deferred Attempt smtp-421-4.3.2 None"),
            ("550 4.1.1 Codes disagree", "refused Contact smtp-550"),
        ] {
            assert_eq!(shown(Stage::Recipient, answer), expected, "{answer}");
        }
    }

    #[test]
    fn an_answer_without_enhanced_code_is_sorted_by_its_reply_code() {
        for (answer, expected) in [
            ("550 unknown", "refused Contact smtp-550"),
            ("551 elsewhere", "refused Contact smtp-551"),
            ("553 not allowed", "refused Contact smtp-553"),
            ("552 too big", "refused Document smtp-552"),
            ("554 failed", "refused Attempt smtp-554"),
            ("530 sign in first", "refused Account smtp-530"),
            ("421 closing", "deferred Attempt smtp-421 None"),
            ("450 busy", "deferred Attempt smtp-450 None"),
            ("250 what", "deferred Attempt smtp-250 None"),
        ] {
            assert_eq!(shown(Stage::Recipient, answer), expected, "{answer}");
        }
    }

    #[test]
    fn a_refusal_before_the_recipient_is_about_us() {
        for (stage, answer, expected) in [
            (Stage::Connect, "554 no service for you", "refused Account smtp-554"),
            (Stage::Connect, "421 too many connections", "deferred Attempt smtp-421 None"),
            (Stage::Login, "535 5.7.8 wrong password", "refused Account smtp-535-5.7.8"),
            (Stage::Login, "454 4.7.0 try later", "deferred Account smtp-454-4.7.0 None"),
            (Stage::Sender, "550 5.1.0 who are you", "refused Account smtp-550-5.1.0"),
            (Stage::Sender, "552 5.3.4 too big", "refused Document smtp-552-5.3.4"),
            (Stage::Sender, "530 5.7.0 sign in first", "refused Account smtp-530-5.7.0"),
        ] {
            assert_eq!(shown(stage, answer), expected, "{answer}");
        }
    }

    #[test]
    fn only_a_loss_after_the_final_dot_is_uncertain() {
        let outcome = |stage| outcome("mx", stage, Trouble::Lost("reset".to_owned()), GREYLIST);
        for stage in [Stage::Connect, Stage::Login, Stage::Sender, Stage::Recipient, Stage::Data] {
            assert!(matches!(outcome(stage), Outcome::Deferred { .. }), "{stage}");
        }
        assert!(matches!(outcome(Stage::Message), Outcome::Uncertain(_)));
    }
}
