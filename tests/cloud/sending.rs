//! What each service is told, and what comes back.

use base64::{Engine, prelude::BASE64_STANDARD};
use postbook::{
    channel::{Outcome, Report, account::Account},
    reason::Scope,
};

use crate::{
    FAX, MOBILE, fax, open, parcel,
    services::{SECRET, sinch, smsapi, telnyx, twilio},
};

fn accepted(report: &Report) -> String {
    let Outcome::Accepted(proof) = &report.outcome else { panic!("{report:?}") };
    assert!(!proof.by.is_empty() && !proof.text.is_empty(), "{report:?}");
    assert!(!format!("{report:?}").contains(SECRET), "{report:?}");
    report.reference.clone().unwrap_or_else(|| panic!("{report:?}"))
}

fn refused(report: &Report) -> (Scope, String, bool) {
    let Outcome::Refused(reason) = &report.outcome else { panic!("{report:?}") };
    (reason.scope, reason.code.clone(), report.for_anybody)
}

#[tokio::test]
async fn a_header_that_telnyx_would_not_print_is_refused_when_the_account_is_opened() {
    let mut config = telnyx::Telnyx::start().account(SECRET);
    config.fax.header = Some("Example Ltd".to_owned());
    let error = Account::open("fax", &config).unwrap_err().to_string();
    assert!(error.contains("take `header` and `station` out"), "{error}");
}

#[tokio::test]
async fn telnyx_gets_the_pages_and_the_attempt_they_belong_to() {
    let server = telnyx::Telnyx::start();
    let (account, parcel) = (open(&server.account(SECRET)), fax("k1"));

    let reference = accepted(&account.transmit(&parcel).await);

    let faxes = server.service.faxes.lock().unwrap();
    let [taken] = &faxes[..] else { panic!("{}", faxes.len()) };
    assert_eq!((taken.id.as_str(), taken.to.as_str()), (reference.as_str(), FAX));
    assert_eq!((taken.name.as_str(), &taken.bytes), ("fax.tiff", &parcel.files[0].bytes));
    assert_eq!(taken.webhook_url.as_deref(), Some("https://postbook.test/callbacks/fax"));
    assert_eq!(BASE64_STANDARD.decode(&taken.client_state).unwrap(), b"1 k1");
}

#[tokio::test]
async fn sinch_gets_the_pages_a_header_line_and_no_leave_to_try_again_by_itself() {
    for lists in [false, true] {
        let server = crate::services::Server::start(sinch::Sinch { lists, ..sinch::Sinch::default() });
        let (account, parcel) = (open(&server.account(SECRET)), fax("k1"));

        let reference = accepted(&account.transmit(&parcel).await);

        let faxes = server.service.faxes.lock().unwrap();
        let asked = &faxes[0].asked;
        assert_eq!((faxes[0].id.as_str(), faxes.len()), (reference.as_str(), 1));
        assert_eq!(asked["files"][0]["file"], BASE64_STANDARD.encode(&parcel.files[0].bytes));
        assert_eq!((&asked["files"][0]["fileType"], &asked["to"]), (&"TIF".into(), &FAX.into()));
        assert_eq!((&asked["headerText"], &asked["maxRetries"]), (&"Example Builders".into(), &0.into()));
        assert_eq!(asked["labels"]["postbook"], "k1");
        assert!(!asked["callbackUrl"].as_str().unwrap().contains(SECRET));
    }
}

#[tokio::test]
async fn smsapi_gets_the_text_and_our_key_and_takes_no_message_twice() {
    let server = smsapi::SmsApi::start();
    let (account, parcel) = (open(&server.account(SECRET)), parcel("k1", MOBILE));

    let reference = accepted(&account.transmit(&parcel).await);
    let again = account.transmit(&parcel).await;

    assert!(matches!(&again.outcome, Outcome::Accepted(proof) if proof.text.contains("already")), "{again:?}");
    let messages = server.service.messages.lock().unwrap();
    let [taken] = &messages[..] else { panic!("{}", messages.len()) };
    assert_eq!((taken.id.as_str(), taken.text.as_str()), (reference.as_str(), "Dzień dobry"));
    assert_eq!((taken.to.as_str(), taken.idx.as_str()), (MOBILE.trim_start_matches('+'), "k1"));
    assert!(!taken.notify_url.as_deref().unwrap().contains(SECRET));
}

#[tokio::test]
async fn twilio_gets_the_text_and_where_to_report() {
    let server = twilio::Twilio::start();
    let account = open(&server.account(SECRET));

    let reference = accepted(&account.transmit(&parcel("k1", FAX)).await);

    let messages = server.service.messages.lock().unwrap();
    assert_eq!((messages[0].sid.as_str(), messages[0].body.as_str()), (reference.as_str(), "Dzień dobry"));
    assert_eq!(messages[0].callback.as_deref(), Some("https://postbook.test/callbacks/sms"));
}

#[tokio::test]
async fn letters_that_double_the_price_are_replaced_where_the_account_says_so() {
    let server = twilio::Twilio::start();
    let mut config = server.account(SECRET);
    config.transliterate = true;
    accepted(&open(&config).transmit(&parcel("k1", FAX)).await);
    assert_eq!(server.service.messages.lock().unwrap()[0].body, "Dzien dobry");
}

#[tokio::test]
async fn a_number_that_opted_out_is_refused_in_the_same_words_by_all() {
    let (smsapi, twilio) = (smsapi::SmsApi::start(), twilio::Twilio::start());
    let opted_out = (Scope::Contact, "opted-out".to_owned(), false);
    let contact = format!("+{}", smsapi::OPTED_OUT);
    assert_eq!(refused(&open(&smsapi.account(SECRET)).transmit(&parcel("k1", &contact)).await), opted_out);
    let report = open(&twilio.account(SECRET)).transmit(&parcel("k1", twilio::OPTED_OUT)).await;
    assert_eq!(refused(&report), opted_out);
}

#[tokio::test]
async fn documents_do_not_go_by_sms_and_long_texts_only_as_far_as_the_account_allows() {
    let server = smsapi::SmsApi::start();
    let account = open(&server.account(SECRET));
    let files = fax("k1");
    let report = account.transmit(&files).await;
    assert_eq!(refused(&report), (Scope::Document, "sms-files".to_owned(), false));
    assert!(report.outcome.reason().unwrap().text.contains("fax.tiff"), "{report:?}");

    let mut long = parcel("k1", MOBILE);
    long.message.text = "x".repeat(1 << 20);
    assert_eq!(refused(&account.transmit(&long).await), (Scope::Document, "sms-too-long".to_owned(), false));
    assert!(server.service.messages.lock().unwrap().is_empty());
}
