//! Why Sinch did not send a fax, by how far it reaches.

use serde::Deserialize;

use crate::{
    channel::{
        Outcome, Report, Standing,
        fax::{HUMAN, failed},
        service::{Reply, answered},
    },
    reason::{Reason, Scope},
};

/// Failures by kind and number (developers.sinch.com, Fax API, "Error Messages"): the same number means different things
/// in different kinds. What is not here concerns the one try.
const CAUSES: [((&str, i64), Scope, &str); 14] = [
    (("CALL_ERROR", 17), Scope::Attempt, "busy"),
    (("CALL_ERROR", 16), Scope::Attempt, "no-answer"),
    (("CALL_ERROR", 30), Scope::Attempt, "no-answer"),
    (("CALL_ERROR", 19), Scope::Contact, HUMAN),
    (("CALL_ERROR", 32), Scope::Contact, HUMAN),
    (("CALL_ERROR", 34), Scope::Contact, "no-such-number"),
    (("CALL_ERROR", 49), Scope::Contact, "no-such-number"),
    (("FAX_ERROR", 132), Scope::Contact, HUMAN),
    (("FAX_ERROR", 38), Scope::Contact, HUMAN),
    (("FAX_ERROR", 46), Scope::Account, "out-of-credit"),
    (("FAX_ERROR", 133), Scope::Account, "not-permitted"),
    (("FAX_ERROR", 75), Scope::Attempt, "cancelled"),
    (("FAX_ERROR", 117), Scope::Document, "no-pages"),
    (("FAX_ERROR", 48), Scope::Attempt, "no-paper"),
];

/// What a fax that failed for `failure` comes to.
pub(super) fn failure(failure: (&str, i64), message: &str) -> Standing {
    let (kind, number) = failure;
    let (scope, code) = match CAUSES.iter().find(|(known, ..)| *known == failure) {
        Some((_, scope, code)) => (*scope, *code),
        // Its own store failed, not our file.
        None if kind == "DOCUMENT_CONVERSION_ERROR" && matches!(number, 57 | 69) => (Scope::Attempt, "service"),
        None if kind == "DOCUMENT_CONVERSION_ERROR" => (Scope::Document, "bad-file"),
        None => (Scope::Attempt, "line"),
    };
    let text = format!("the service says that it failed: {kind:.40} {number} {message:.200}");
    failed(scope, code, text.trim().to_owned())
}

/// Whether a failure of the account, by its stable code, may be one at some numbers only.
pub(super) fn is_by_destination(code: &str) -> bool {
    code == "fax-not-permitted"
}

#[derive(Deserialize)]
struct Refusal {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default, rename = "fieldViolations")]
    violations: Vec<Violation>,
}

#[derive(Deserialize)]
struct Violation {
    #[serde(default)]
    field: String,
}

/// What a request that Sinch found faults with comes to, where it names the field.
pub(super) fn refusal(host: &str, reply: &Reply, words: &str) -> Option<Report> {
    if !matches!(reply.status, 400 | 422) {
        return None;
    }
    let error = reply.json::<Refusal>()?.error;
    let field = error.details.iter().flat_map(|it| &it.violations).map(|it| it.field.as_str()).next();
    let scope = match field {
        Some("to") => Scope::Contact,
        Some("from" | "headerText" | "callbackUrl" | "labels" | "maxRetries" | "resolution") => Scope::Account,
        Some(field) if field.starts_with("file") || field.starts_with("contentUrl") => Scope::Document,
        _ => Scope::Attempt,
    };
    let told = if error.message.is_empty() { words } else { &error.message };
    let text = format!("{host} refused it: {:.40} {told:.300}", error.status);
    let reason = Reason::new(scope, format!("sinch-{}", reply.status), text);
    Some(answered(Outcome::Refused(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_means_different_things_in_different_kinds() {
        for (failed, expected) in [
            (("FAX_ERROR", 133), ("failed", Scope::Account, "fax-not-permitted")),
            (("DOCUMENT_CONVERSION_ERROR", 133), ("failed", Scope::Document, "fax-bad-file")),
            (("DOCUMENT_CONVERSION_ERROR", 57), ("deferred", Scope::Attempt, "fax-service")),
            (("CALL_ERROR", 17), ("deferred", Scope::Attempt, "fax-busy")),
            (("FAX_ERROR", 17), ("deferred", Scope::Attempt, "fax-line")),
            (("CALL_ERROR", 49), ("failed", Scope::Contact, "fax-no-such-number")),
            (("FAX_ERROR", 46), ("failed", Scope::Account, "fax-out-of-credit")),
            (("FAX_ERROR", 132), ("deferred", Scope::Contact, "human-answered")),
            (("NEW_ERROR", 1), ("deferred", Scope::Attempt, "fax-line")),
        ] {
            let (name, reason) = match failure(failed, "words") {
                Standing::Deferred { reason, .. } => ("deferred", reason),
                Standing::Failed(reason) => ("failed", reason),
                other => panic!("{failed:?}: {other:?}"),
            };
            assert_eq!((name, reason.scope, reason.code.as_str()), expected, "{failed:?}");
        }
    }
}
