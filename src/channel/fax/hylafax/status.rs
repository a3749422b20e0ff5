//! What became of a call, by the server's number for it (HylaFAX's faxd/STATUS.txt), sorted by how far it reaches.
//!
//! A server that may call once says 333 or 334 when that call failed, and why only in words: `No answer from remote; too
//! many attempts to dial`. What it was for is found again by the words.

use crate::{
    channel::fax::HUMAN,
    reason::{Reason, Scope},
};

/// What a failure means for the transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Another call may do better.
    Later(Scope),
    /// None will.
    Never(Scope),
}

/// The failures that reach further than their attempt, or have a name of their own.
const KNOWN: [(u16, &str); 18] = [
    (1, "Busy signal detected"),
    (2, "No carrier detected"),
    (3, "No answer from remote"),
    (4, "No local dialtone"),
    (5, "Invalid dialing command"),
    (6, "Unknown problem"),
    (7, "Carrier established, but Phase A failure"),
    (8, "Data connection established (wanted fax)"),
    (9, "Glare - RING detected"),
    (10, "Blacklisted by modem"),
    (11, "Ringback detected, no answer without CED"),
    (12, "Ring detected without successful handshake"),
    (122, "Remote has no T.4 receiver capability"),
    (126, "No receiver protocol (T.30 T1 timeout)"),
    (212, "Ring detect without successful handshake"),
    (215, "Ringback detected, no answer (timeout)"),
    (218, "No answer (T.30 T1 timeout)"),
    (420, "Unable to configure modem for fax use"),
];

/// What the server's last word on a job that failed means.
pub(super) fn sort(code: u16, text: &str, caller: &str) -> (Fate, Reason) {
    let text = text.trim();
    let (code, text) = cause(code, text);
    let fate = fate(code);
    let (Fate::Later(scope) | Fate::Never(scope)) = fate;
    let name = match code {
        1 => "fax-busy".to_owned(),
        3 => "fax-no-answer".to_owned(),
        // Somebody or a voice mailbox lifted, and no fax machine was there. `No carrier detected` (2) may mean that as
        // well, but modems that hear no ringing say it when nobody lifts.
        12 | 126 | 212 => HUMAN.to_owned(),
        code => format!("hylafax-{code}"),
    };
    let text = if text.is_empty() { "no reason given" } else { text };
    (fate, Reason::new(scope, name, format!("{caller} could not send it: {text} ({code})")))
}

/// Which failure used up the calls.
fn cause(code: u16, text: &str) -> (u16, &str) {
    let Some((first, _)) = text.split_once("; too many attempts") else {
        return (code, text);
    };
    let known = KNOWN.iter().find(|(_, words)| first.starts_with(words));
    (known.map_or(code, |(code, _)| *code), first)
}

fn fate(code: u16) -> Fate {
    use Fate::{Later, Never};
    use Scope::{Account, Attempt, Contact, Document};
    match code {
        // The line of the fax server itself is dead, or the modem will not work.
        4 | 340 | 341 | 343 | 346 | 420..=422 | 900..=999 => Later(Account),
        // Something answered that is no fax machine, or not now: somebody has to look at the number in the end.
        2 | 8 | 10..=12 | 122 | 126 | 212 | 215..=216 | 218 | 261 | 264 => Later(Contact),
        // The server cannot make pages of it, or the other machine takes no such pages.
        315 | 316 | 317 | 321..=323 | 326 | 329 | 335 | 347 | 402..=419 => Never(Document),
        327 | 348 => Never(Contact),
        328 | 330..=332 | 336 => Never(Account),
        // Somebody at the server ended it.
        344 | 345 => Never(Attempt),
        _ => Later(Attempt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_scope_and_says_whether_another_call_may_help() {
        use Fate::{Later, Never};
        for (code, text, fate, name) in [
            (1, "Busy signal detected", Later(Scope::Attempt), "fax-busy"),
            (333, "Busy signal detected; too many attempts to dial", Later(Scope::Attempt), "fax-busy"),
            (2, "No carrier detected", Later(Scope::Contact), "hylafax-2"),
            (333, "No answer from remote; too many attempts to dial", Later(Scope::Attempt), "fax-no-answer"),
            (333, "No local dialtone; too many attempts to dial", Later(Scope::Account), "hylafax-4"),
            (12, "Ring detected without successful handshake", Later(Scope::Contact), HUMAN),
            (126, "No receiver protocol (T.30 T1 timeout)", Later(Scope::Contact), HUMAN),
            (333, "No receiver protocol (T.30 T1 timeout); too many attempts to dial", Later(Scope::Contact), HUMAN),
            (128, "Remote fax disconnected prematurely", Later(Scope::Attempt), "hylafax-128"),
            (
                334,
                "No response to PPS repeated 3 times; too many attempts to send",
                Later(Scope::Attempt),
                "hylafax-334",
            ),
            (321, "Converted document is not valid TIFF", Never(Scope::Document), "hylafax-321"),
            (325, "Kill time expired", Later(Scope::Attempt), "hylafax-325"),
            (327, "REJECT: Unable to convert dial string", Never(Scope::Contact), "hylafax-327"),
            (328, "REJECT: Requested modem x is not registered", Never(Scope::Account), "hylafax-328"),
            (335, "REJECT: Too many pages in submission", Never(Scope::Document), "hylafax-335"),
            (345, "Job aborted by request", Never(Scope::Attempt), "hylafax-345"),
            (416, "Client does not support document page width", Never(Scope::Document), "hylafax-416"),
            (0, "", Later(Scope::Attempt), "hylafax-0"),
            (65535, "new", Later(Scope::Attempt), "hylafax-65535"),
        ] {
            let (found, reason) = sort(code, text, "fax");
            assert_eq!((found, reason.code.as_str()), (fate, name), "{code} {text}");
        }
    }

    #[test]
    fn the_words_say_what_happened_not_that_it_was_the_last_call() {
        let (_, reason) = sort(333, "No answer from remote; too many attempts to dial", "fax.example.org");
        assert_eq!(reason.text, "fax.example.org could not send it: No answer from remote (3)");
    }
}
