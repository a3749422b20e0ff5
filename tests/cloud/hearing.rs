//! Whose callbacks are believed, and what they tell.

use std::sync::LazyLock;

use chrono::{TimeDelta, Utc};
use postbook::channel::{About, Callback, Standing, Unheard, Word, account::Account};
use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::{
    FAX, MOBILE, fax, hear, open, parcel,
    services::{
        SECRET,
        sinch::{self, Sinch},
        smsapi::SmsApi,
        telnyx::Telnyx,
        twilio::Twilio,
    },
};

const URL: &str = "https://postbook.test/callbacks/fax";

/// A webhook of Telnyx about fax `f1`.
fn event(id: &str, kind: &str, status: &str) -> Vec<u8> {
    let payload = json!({ "fax_id": "f1", "connection_id": "1", "direction": "outbound", "to": FAX, "status": status,
        "client_state": "MSBrMQ==", "page_count": 3, "call_duration_secs": 70, "failure_reason": "user_busy" });
    let data = json!({ "id": id, "event_type": kind, "occurred_at": "2026-04-01T06:00:00Z", "record_type": "event",
        "payload": payload });
    json!({ "data": data, "meta": { "attempt": 1, "delivered_to": URL } }).to_string().into_bytes()
}

fn only(heard: Result<postbook::channel::Heard, Unheard>) -> Word {
    let words = heard.unwrap().words;
    let [word] = &words[..] else { panic!("{words:?}") };
    word.clone()
}

#[tokio::test]
async fn what_telnyx_signs_is_heard_and_nothing_else() {
    let server = Telnyx::start();
    let account = open(&server.account(SECRET));
    let (body, now) = (event("e1", "fax.delivered", "delivered"), Utc::now());
    let headers = server.service.sign(&body, now);

    let word = only(hear(&account, URL, &headers, &body));
    assert_eq!((&word.about, word.id.as_deref()), (&About::Reference("f1".to_owned()), Some("e1")));
    assert!(matches!(&word.standing, Standing::Delivered(proof) if proof.text.contains("3 pages")), "{word:?}");
    assert_eq!(word.at.unwrap().to_rfc3339(), "2026-04-01T06:00:00+00:00");
    // The same again is the same word, by its number.
    assert_eq!(only(hear(&account, URL, &headers, &body)), word);

    for (headers, body) in [(HeaderMap::new(), &body), (headers.clone(), &event("e1", "fax.failed", "failed"))] {
        assert!(matches!(hear(&account, URL, &headers, body), Err(Unheard::Forged(_))));
    }
    for age in [TimeDelta::seconds(301), TimeDelta::seconds(-301)] {
        let callback = Callback { method: "POST", url: URL, headers: &headers, body: &body, now: now + age };
        assert!(matches!(account.hear(&callback), Err(Unheard::Stale(_))), "{age}");
    }
    let mut silent = server.account(SECRET);
    silent.verify = None;
    assert_eq!(hear(&open(&silent), URL, &headers, &body), Err(Unheard::NotExpected));
}

#[tokio::test]
async fn an_event_of_telnyx_on_the_way_is_never_taken_for_an_end() {
    let server = Telnyx::start();
    let account = open(&server.account(SECRET));
    for (kind, status, underway) in [
        ("fax.queued", "delivered", Some(true)),
        ("fax.sending.started", "failed", Some(true)),
        ("fax.failed", "sending", Some(false)),
        ("fax.received", "received", None),
        ("fax.new.kind", "delivered", None),
    ] {
        let body = event("e1", kind, status);
        let heard = hear(&account, URL, &server.service.sign(&body, Utc::now()), &body).unwrap();
        let found = heard.words.first().map(|word| matches!(word.standing, Standing::Underway(_)));
        assert_eq!(found, underway, "{kind} {status}");
    }
    let body = b"{}";
    let unreadable = hear(&account, URL, &server.service.sign(body, Utc::now()), body);
    assert!(matches!(unreadable, Err(Unheard::Unreadable(_))));
}

#[tokio::test]
async fn sinch_is_asked_for_the_truth_and_not_believed() {
    let server = Sinch::start();
    let account = open(&server.account(SECRET));
    account.transmit(&fax("k1")).await;
    let told = {
        let fax = &mut server.service.faxes.lock().unwrap()[0];
        fax.status = "COMPLETED".to_owned();
        fax.clone()
    };
    let url = told.asked["callbackUrl"].as_str().unwrap();
    let body = json!({ "event": "FAX_COMPLETED", "eventTime": Utc::now(), "fax": sinch::described(&told) }).to_string();

    let word = only(hear(&account, url, &HeaderMap::new(), body.as_bytes()));
    assert_eq!(word.about, About::Attempt("k1".to_owned(), 1));
    assert!(matches!(word.standing, Standing::Underway(_)), "{word:?}");

    let forged = url.replace("attempt=1", "attempt=2");
    for url in [URL, forged.as_str()] {
        assert!(matches!(hear(&account, url, &HeaderMap::new(), body.as_bytes()), Err(Unheard::Forged(_))), "{url}");
    }
    let other = json!({ "event": "INCOMING_FAX", "fax": { "id": "x" } }).to_string();
    assert!(hear(&account, url, &HeaderMap::new(), other.as_bytes()).unwrap().words.is_empty());
}

#[tokio::test]
async fn smsapi_reports_to_an_address_that_only_we_can_have_made() {
    let server = SmsApi::start();
    let account = open(&server.account(SECRET));
    account.transmit(&parcel("k1", MOBILE)).await;
    let url = server.service.messages.lock().unwrap()[0].notify_url.clone().unwrap();
    let report = |url: &str| format!("{url}&MsgId=64D&status=404&idx=k1&donedate=1775023200&username=example");

    let heard = hear(&account, &report(&url), &HeaderMap::new(), b"").unwrap();
    assert_eq!((heard.reply.media_type, heard.reply.body.as_str()), ("text/plain", "OK"));
    assert_eq!(heard.words[0].about, About::Named { key: "k1".to_owned(), reference: "64D".to_owned() });
    assert!(matches!(heard.words[0].standing, Standing::Delivered(_)), "{heard:?}");

    let forged = report("https://postbook.test/callbacks/sms?key=azE&attempt=1&mark=AAAA");
    assert!(matches!(hear(&account, &forged, &HeaderMap::new(), b""), Err(Unheard::Forged(_))));
    let other = report(&url).replace("idx=k1", "idx=k2");
    assert!(matches!(hear(&account, &other, &HeaderMap::new(), b""), Err(Unheard::Forged(_))));
}

#[tokio::test]
async fn twilio_is_heard_by_its_signature_and_each_status_once() {
    let server = Twilio::start();
    let account = open(&server.account(SECRET));
    let url = "https://postbook.test/callbacks/sms";
    let body = |status: &str| format!("MessageSid=SM1&MessageStatus={status}&To=%2B13125550002&ErrorCode=30003");
    let say =
        |status: &str| hear(&account, url, &server.service.sign(url, body(status).as_bytes()), body(status).as_bytes());

    let (sent, undelivered) = (only(say("sent")), only(say("undelivered")));
    assert_eq!(undelivered.about, About::Reference("SM1".to_owned()));
    assert!(matches!(undelivered.standing, Standing::Deferred { .. }), "{undelivered:?}");
    assert_ne!(sent.id, undelivered.id);
    assert_eq!(only(say("undelivered")), undelivered);

    let headers = server.service.sign(url, body("sent").as_bytes());
    for (url, headers, body) in [
        (url, HeaderMap::new(), body("sent")),
        (url, headers.clone(), body("delivered")),
        ("https://postbook.test/callbacks/other", headers.clone(), body("sent")),
    ] {
        assert!(matches!(hear(&account, url, &headers, body.as_bytes()), Err(Unheard::Forged(_))), "{body}");
    }
}

/// A signed webhook of Telnyx: the account that hears it, its headers and its body.
static SIGNED: LazyLock<(Account, HeaderMap, Vec<u8>)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let server = Telnyx::start();
    let body = event("e1", "fax.delivered", "delivered");
    (open(&server.account(SECRET)), server.service.sign(&body, Utc::now()), body)
});

proptest! {
    #[test]
    fn a_callback_with_one_byte_changed_is_refused(place in 0_usize..3, at in any::<usize>(), change in 1_u8..) {
        let (account, headers, body) = &*SIGNED;
        let (mut headers, mut body) = (headers.clone(), body.clone());
        let names = ["telnyx-timestamp", "telnyx-signature-ed25519"];
        match names.get(place) {
            Some(name) => {
                let mut bytes = headers[*name].as_bytes().to_vec();
                let at = at % bytes.len();
                bytes[at] ^= change;
                let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
                headers.insert(*name, value);
            }
            None => {
                let at = at % body.len();
                body[at] ^= change;
            }
        }
        prop_assert!(matches!(hear(account, URL, &headers, &body), Err(Unheard::Forged(_))));
    }
}
