//! Why Telnyx did not send a fax, by how far it reaches.

use serde::Deserialize;

use crate::{
    channel::{
        Outcome, Report, Standing,
        fax::{HUMAN, failed},
        service::{Reply, answered},
    },
    reason::{Reason, Scope},
};

/// The words of `failure_reason` (support.telnyx.com, "Fax API - Error List"), except those that only concern one try.
/// Several mean that something answered that is no fax machine, most often a person.
const CAUSES: [(&str, Scope, &str); 26] = [
    ("receiver_unallocated_number", Scope::Contact, "no-such-number"),
    ("receiver_invalid_number_format", Scope::Contact, "no-such-number"),
    ("destination_invalid", Scope::Contact, "no-such-number"),
    ("fax_initial_communication_timeout", Scope::Contact, HUMAN),
    ("receiver_decline", Scope::Contact, HUMAN),
    ("receiver_incompatible_destination", Scope::Contact, HUMAN),
    ("user_busy", Scope::Attempt, "busy"),
    ("receiver_no_answer", Scope::Attempt, "no-answer"),
    ("receiver_no_response", Scope::Attempt, "no-answer"),
    ("file_format_invalid", Scope::Document, "bad-file"),
    ("file_size_limit_exceeded", Scope::Document, "too-big"),
    ("page_count_limit_exceeded", Scope::Document, "too-many-pages"),
    ("file_download_failed", Scope::Attempt, "file-lost"),
    ("account_disabled", Scope::Account, "account-disabled"),
    ("no_outbound_profile", Scope::Account, "no-outbound-profile"),
    ("destination_not_in_service_plan", Scope::Account, "not-in-plan"),
    ("destination_not_in_countries_whitelist", Scope::Account, "country-not-allowed"),
    ("unverified_origination_number", Scope::Account, "sender-not-verified"),
    ("unverified_destination_not_allowed", Scope::Account, "account-not-verified"),
    ("outbound_profile_daily_spend_limit_exceeded", Scope::Account, "out-of-credit"),
    ("user_channel_limit_exceeded", Scope::Attempt, "too-many-at-once"),
    ("outbound_profile_channel_limit_exceeded", Scope::Attempt, "too-many-at-once"),
    ("connection_channel_limit_exceeded", Scope::Attempt, "too-many-at-once"),
    ("sender_canceled", Scope::Attempt, "cancelled"),
    ("destination_unreachable", Scope::Attempt, "unreachable"),
    ("carrier_lost", Scope::Attempt, "line-lost"),
];

/// What a fax that failed for `failure` comes to. What is not known is taken to concern this try: the line, the
/// carrier, the machine at the other end.
pub(super) fn failure(failure: &str) -> Standing {
    let known = CAUSES.iter().find(|(word, ..)| *word == failure);
    let (scope, code) = known.map_or((Scope::Attempt, "line"), |(_, scope, code)| (*scope, *code));
    let text = match failure {
        "" => "the service says that it failed, and not why".to_owned(),
        words => format!("the service says that it failed: {words:.100}"),
    };
    failed(scope, code, text)
}

/// Whether a failure of the account, by its stable code, is one at some numbers only: other countries may be allowed.
pub(super) fn is_by_destination(code: &str) -> bool {
    matches!(code, "fax-not-in-plan" | "fax-country-not-allowed" | "fax-account-not-verified")
}

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    pointer: String,
}

/// What a request that Telnyx found faults with comes to, where they say more than the status: `errors` with the place
/// of each (developers.telnyx.com, "API errors").
pub(super) fn refusal(host: &str, reply: &Reply, words: &str) -> Option<Report> {
    if !matches!(reply.status, 400 | 422) {
        return None;
    }
    let fault = reply.json::<Refusal>()?.errors.into_iter().next()?;
    let place = fault.source.as_ref().map_or("", |source| source.pointer.trim_start_matches('/'));
    let scope = match place {
        "to" => Scope::Contact,
        "media_name" | "media" | "contents" => Scope::Document,
        "from" | "connection_id" | "webhook_url" => Scope::Account,
        _ => Scope::Attempt,
    };
    let told = format!("{} {}", fault.title, fault.detail);
    let told = if told.trim().is_empty() { words } else { told.trim() };
    let reason = Reason::new(scope, format!("telnyx-{:.20}", fault.code), format!("{host} refused it: {told:.300}"));
    Some(answered(Outcome::Refused(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_failures_of_the_account_those_that_some_numbers_have_are_not_for_anybody() {
        let account = CAUSES.iter().filter(|(_, scope, _)| *scope == Scope::Account);
        let some: Vec<_> =
            account.filter(|(.., code)| is_by_destination(&format!("fax-{code}"))).map(|(word, ..)| *word).collect();
        assert_eq!(
            some,
            [
                "destination_not_in_service_plan",
                "destination_not_in_countries_whitelist",
                "unverified_destination_not_allowed"
            ]
        );
    }

    #[test]
    fn each_cause_reaches_as_far_as_it_should() {
        for (word, expected) in [
            ("user_busy", ("deferred", Scope::Attempt, "fax-busy")),
            ("carrier_lost", ("deferred", Scope::Attempt, "fax-line-lost")),
            ("something_new", ("deferred", Scope::Attempt, "fax-line")),
            ("", ("deferred", Scope::Attempt, "fax-line")),
            ("fax_initial_communication_timeout", ("deferred", Scope::Contact, "human-answered")),
            ("receiver_unallocated_number", ("failed", Scope::Contact, "fax-no-such-number")),
            ("page_count_limit_exceeded", ("failed", Scope::Document, "fax-too-many-pages")),
            ("account_disabled", ("failed", Scope::Account, "fax-account-disabled")),
            ("sender_canceled", ("failed", Scope::Attempt, "fax-cancelled")),
        ] {
            let (name, reason) = match failure(word) {
                Standing::Deferred { reason, .. } => ("deferred", reason),
                Standing::Failed(reason) => ("failed", reason),
                other => panic!("{word}: {other:?}"),
            };
            assert_eq!((name, reason.scope, reason.code.as_str()), expected, "{word}");
        }
    }
}
