//! Why Twilio did not take or deliver a message, by how far it reaches.

use serde::Deserialize;

use crate::{
    channel::{
        Outcome, Report, Standing,
        service::{Reply, answered},
    },
    reason::{Reason, Scope},
};

/// Codes of requests and of messages (www.twilio.com/docs/api/errors). The code `opted-out` is for lists of those who want
/// no more.
fn known(code: i64) -> Option<(Scope, Option<&'static str>)> {
    Some(match code {
        21610 => (Scope::Contact, Some("opted-out")),
        // No valid number, no mobile, not to be reached from here, landline, unknown.
        21211 | 21214 | 21217 | 21614 | 21612 | 30004 | 30005 | 30006 => (Scope::Contact, None),
        // No text, too long, not allowed.
        21602 | 21605 | 21617 | 30007 | 30019 => (Scope::Document, None),
        30002 | 20005 | 90010 => (Scope::Account, Some("account-suspended")),
        // Login, permissions, sender, region, registration.
        20003 | 20004 | 20008 | 20404 | 21212 | 21408 | 21603 | 21606 | 21608 | 21611 | 21659 | 21660 | 21703
        | 30034 => (Scope::Account, None),
        30001 | 30003 | 30008 | 30009 | 30010 => (Scope::Attempt, None),
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    #[serde(default)]
    message: String,
}

/// What a request that Twilio refused comes to, where its code says more than the status.
pub(super) fn refusal(host: &str, reply: &Reply, words: &str) -> Option<Report> {
    let Refusal { code, message } = reply.json()?;
    let told = if message.is_empty() { words } else { &message };
    let text = format!("{host} refused it: {code} {told:.300}");
    // Too many requests (20429) or too many messages waiting (21611): the account waits.
    if matches!(code, 20429 | 21611) || reply.status == 429 {
        let reason = Reason::new(Scope::Account, format!("twilio-{code}"), text);
        return Some(answered(Outcome::Deferred { reason, after: reply.after }));
    }
    let (scope, stable) = known(code)?;
    let reason = Reason::new(scope, stable.map_or_else(|| format!("twilio-{code}"), str::to_owned), text);
    let outcome = match scope {
        Scope::Attempt => Outcome::Deferred { reason, after: reply.after },
        _ => Outcome::Refused(reason),
    };
    Some(answered(outcome))
}

/// What a message that failed comes to. What is not known may do better another time.
pub(super) fn failure(status: &str, code: i64, message: &str, host: &str) -> Standing {
    let (scope, stable) = known(code).unwrap_or((Scope::Attempt, None));
    let stable = stable.map_or_else(|| format!("twilio-{code}"), str::to_owned);
    let text = format!("{host} reports `{status}`: {code} {message:.200}");
    let reason = Reason::new(scope, stable, text.trim().to_owned());
    match scope {
        Scope::Attempt if status != "canceled" => Standing::Deferred { reason, after: None },
        _ => Standing::Failed(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: i64) -> Option<Report> {
        let body = serde_json::json!({ "code": code, "message": "no", "status": status }).to_string();
        refusal("twilio", &Reply { status, after: None, body: body.into() }, "no")
    }

    #[test]
    fn each_code_of_a_request_reaches_as_far_as_it_should() {
        for (status, code, name, scope, stable) in [
            (400, 21211, "refused", Scope::Contact, "twilio-21211"),
            (400, 21610, "refused", Scope::Contact, "opted-out"),
            (400, 21617, "refused", Scope::Document, "twilio-21617"),
            (400, 21606, "refused", Scope::Account, "twilio-21606"),
            (401, 20003, "refused", Scope::Account, "twilio-20003"),
            (429, 20429, "deferred", Scope::Account, "twilio-20429"),
            (429, 21611, "deferred", Scope::Account, "twilio-21611"),
        ] {
            let report = refused(status, code).unwrap();
            let reason = report.outcome.reason().unwrap();
            assert_eq!((report.outcome.name(), reason.scope, reason.code.as_str()), (name, scope, stable), "{code}");
            assert_eq!(report.for_anybody, scope == Scope::Account, "{code}");
        }
        assert!(refused(500, 20500).is_none());
    }

    #[test]
    fn each_code_of_a_message_reaches_as_far_as_it_should() {
        for (code, deferred, scope) in [
            (30003, true, Scope::Attempt),
            (30008, true, Scope::Attempt),
            (4711, true, Scope::Attempt),
            (30005, false, Scope::Contact),
            (30007, false, Scope::Document),
            (30002, false, Scope::Account),
        ] {
            match failure("undelivered", code, "", "twilio") {
                Standing::Deferred { reason, .. } => assert_eq!((true, reason.scope), (deferred, scope), "{code}"),
                Standing::Failed(reason) => assert_eq!((false, reason.scope), (deferred, scope), "{code}"),
                other => panic!("{code}: {other:?}"),
            }
        }
    }
}
