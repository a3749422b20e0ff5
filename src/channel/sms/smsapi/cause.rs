//! Why SMSAPI did not take a message, by how far it reaches.

use crate::{
    channel::{Outcome, Proof, Report, service::answered},
    reason::{Reason, Scope},
};

/// What an error of that number comes to (docs.smsapi.com, "Error codes"). What is not known is about this message.
pub(super) fn refusal(host: &str, code: &str, words: &str) -> Report {
    let text = format!("{host} refused it: error {code:.10}, {words}");
    let reason = |scope, code: &str| Reason::new(scope, code, text.clone());
    let own = format!("smsapi-{code:.10}");
    match code.parse::<u32>().unwrap_or_default() {
        // The same `idx` was sent before: an earlier attempt got through after all.
        53 => {
            let text = format!("{host} has it already under this key, from an earlier attempt");
            Report::new(Outcome::Accepted(Proof { by: host.to_owned(), text }))
        }
        13 | 57 => refused(reason(Scope::Contact, &own)),
        59 => refused(reason(Scope::Contact, "opted-out")),
        11 | 12 | 17 | 76 | 94 => refused(reason(Scope::Document, &own)),
        103 => refused(reason(Scope::Account, "out-of-credit")),
        14 | 70 | 74 | 98 | 101 | 102 | 105 | 110 | 112 | 401 | 997 | 1000 => refused(reason(Scope::Account, &own)),
        // Ten messages within a minute to this number.
        52 => deferred(reason(Scope::Contact, &own)),
        202 | 203 => deferred(reason(Scope::Account, &own)),
        // It says itself that the message was not submitted, or that it does not know.
        200 => deferred(reason(Scope::Attempt, &own)),
        8 | 201 | 999 => Report::new(Outcome::Uncertain(reason(Scope::Attempt, &own))),
        _ => refused(reason(Scope::Attempt, &own)),
    }
}

fn refused(reason: Reason) -> Report {
    answered(Outcome::Refused(reason))
}

fn deferred(reason: Reason) -> Report {
    answered(Outcome::Deferred { reason, after: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_reaches_as_far_as_it_should() {
        for (code, name, scope, stable) in [
            ("13", "refused", Scope::Contact, "smsapi-13"),
            ("59", "refused", Scope::Contact, "opted-out"),
            ("12", "refused", Scope::Document, "smsapi-12"),
            ("101", "refused", Scope::Account, "smsapi-101"),
            ("103", "refused", Scope::Account, "out-of-credit"),
            ("202", "deferred", Scope::Account, "smsapi-202"),
            ("200", "deferred", Scope::Attempt, "smsapi-200"),
            ("201", "uncertain", Scope::Attempt, "smsapi-201"),
            ("4711", "refused", Scope::Attempt, "smsapi-4711"),
            ("what", "refused", Scope::Attempt, "smsapi-what"),
        ] {
            let report = refusal("smsapi", code, "words");
            let reason = report.outcome.reason().unwrap();
            assert_eq!((report.outcome.name(), reason.scope, reason.code.as_str()), (name, scope, stable), "{code}");
            assert_eq!(report.for_anybody, scope == Scope::Account, "{code}");
        }
        assert!(matches!(refusal("smsapi", "53", "").outcome, Outcome::Accepted(_)));
    }
}
