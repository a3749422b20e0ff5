//! What the preview says of text messages is what the run then does with them, by the account that sends them.

use std::collections::BTreeMap;

use postbook::{
    channel::account::AccountConfig,
    contact::sms::{self, Parts},
    run::{self, Preview},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    harness::TestApp,
    services::{SECRET, smsapi::SmsApi, twilio::Twilio},
};

/// A batch that texts each recipient the words they bring.
fn batch(texts: &[(&str, &str)]) -> String {
    let recipient = |(at, (name, text)): (usize, &(&str, &str))| {
        format!("{{ name = \"{name}\", sms = \"{}\", params = {{ words = {} }} }}", number(at), json!(text))
    };
    let recipients: Vec<_> = texts.iter().enumerate().map(recipient).collect();
    format!(
        "[[batch]]\nname = \"told\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\ndocuments = []\n\
         message = {{ text = \"{{{{ recipient.params.words }}}}\" }}\nrecipients = [{}]\n",
        recipients.join(", ")
    )
}

fn number(at: usize) -> String {
    format!("+1312555{:04}", 200 + at)
}

async fn start(db: PgPool, account: AccountConfig) -> TestApp {
    TestApp::start_on(db, |accounts| _ = accounts.insert("sms".to_owned(), account)).await
}

async fn preview(app: &TestApp) -> Preview {
    run::preview(&app.engine, "told", None, &Default::default()).await.unwrap()
}

/// State and reason of what does not go out, by recipient.
type Missing = BTreeMap<String, (&'static str, Value)>;

fn foreseen(preview: &Preview) -> Missing {
    let one = |one: &run::PreviewTransmission| (one.recipient.clone(), (one.state.name(), json!(one.reason)));
    preview.missing.iter().map(one).collect()
}

/// Does the batch, and gives what did not go out.
async fn booked(app: &TestApp) -> Missing {
    let run = app.run("told").await;
    let missing = app.transmissions(run).await.into_iter().filter_map(|one| {
        let reason = one.reason?;
        Some((one.recipient, (one.state.name(), reason)))
    });
    missing.collect()
}

/// The parts of what is to go out, by number.
fn parts(preview: &Preview) -> BTreeMap<String, Parts> {
    preview.transmissions.iter().map(|one| (one.contact.clone(), one.sms.clone().expect("parts"))).collect()
}

fn codes(missing: &Missing) -> Vec<(&str, &str)> {
    missing.iter().map(|(name, (_, reason))| (name.as_str(), reason["code"].as_str().expect("a code"))).collect()
}

const TEXTS: [(&str, &str); 6] = [
    ("fits", "  Good morning "),
    ("plain", "Zażółć gęślą jaźń, zażółć gęślą jaźń, zażółć gęślą jaźń, zażółć gęślą jaźń"),
    ("blank", " \n "),
    ("bell", "Good\u{7} morning"),
    (
        "long",
        "Good morning. Good morning. Good morning. Good morning. Good morning. Good morning. Good morning. Good \
      morning. Good morning. Good morning. Good morning. Good morning. Good morning.",
    ),
    ("odd", "日本"),
];

#[sqlx::test]
async fn the_preview_of_text_messages_is_what_the_run_does(db: PgPool) {
    for (transliterate, max_parts, failing) in [
        (false, 1, vec!["bell", "blank", "long", "plain"]),
        (true, 1, vec!["bell", "blank", "long"]),
        (true, 2, vec!["bell", "blank"]),
    ] {
        let service = SmsApi::start();
        let mut account = service.account(SECRET);
        (account.transliterate, account.max_parts) = (transliterate, max_parts);
        let app = start(db.clone(), account).await;
        app.apply(&batch(&TEXTS)).await;

        let preview = preview(&app).await;
        let booked = booked(&app).await;

        assert_eq!(foreseen(&preview), booked);
        assert_eq!(booked.keys().collect::<Vec<_>>(), failing);
        let sent = service.service.messages.lock().unwrap().clone();
        let sent = sent.into_iter().map(|message| (format!("+{}", message.to), sms::count(&message.text)));
        assert_eq!(parts(&preview), sent.collect());
        assert_eq!((preview.queued, preview.failed), (TEXTS.len() - booked.len(), booked.len()));
        assert_eq!(preview.channels.get("sms"), Some(&preview.queued));
        assert_eq!(preview.reasons.values().sum::<usize>(), booked.len());
    }
}

#[sqlx::test]
async fn the_preview_knows_the_longest_text_that_a_service_takes(db: PgPool) {
    let service = Twilio::start();
    let mut account = service.account(SECRET);
    account.max_parts = 20;
    let app = start(db, account).await;
    let (fits, longer) = ("x".repeat(1600), "x".repeat(1601));
    app.apply(&batch(&[("fits", &fits), ("longer", &longer), ("longest", &longer.repeat(2))])).await;

    let preview = preview(&app).await;
    let booked = booked(&app).await;

    assert_eq!(foreseen(&preview), booked);
    assert_eq!(codes(&booked), [("longer", "sms-too-long"), ("longest", "sms-too-long")]);
    assert_ne!(booked["longer"], booked["longest"], "one is too long for the service, the other for `max_parts`");
    assert_eq!(preview.transmissions[0].sms.as_ref().unwrap().parts, 11);
}

#[sqlx::test]
async fn a_message_that_cannot_be_written_fails_in_the_preview_as_in_the_run(db: PgPool) {
    let service = SmsApi::start();
    let app = start(db, service.account(SECRET)).await;
    app.apply(&batch(&[("fits", "Good morning"), ("bare", "")]).replace(", params = { words = \"\" }", "")).await;

    let preview = preview(&app).await;
    let booked = booked(&app).await;

    assert_eq!(foreseen(&preview), booked);
    assert_eq!(codes(&booked), [("bare", "message")]);
}

#[sqlx::test]
async fn what_is_refused_for_good_is_not_said_to_wait(db: PgPool) {
    let service = SmsApi::start();
    let app = start(db, service.account(SECRET)).await;
    let closed = "window = \"weekdays 08:00-08:01\"\nzone = \"UTC\"\n";
    app.apply(&(batch(&[("fits", "Good morning"), ("blank", "")]) + closed)).await;

    let preview = preview(&app).await;

    assert_eq!((preview.queued, preview.waiting, preview.failed), (1, 1, 1));
    assert_eq!(preview.missing[0].reason.as_ref().unwrap().code, "sms-no-text");
    assert!(preview.missing[0].next_at.is_none());
}

#[sqlx::test]
async fn a_document_is_sent_by_no_text_message_in_the_preview_and_in_the_run(db: PgPool) {
    let service = SmsApi::start();
    let app = start(db, service.account(SECRET)).await;
    let documents = "documents = [{ document = \"checklist\" }]";
    app.apply(&batch(&[("fits", "Good morning")]).replace("documents = []", documents)).await;

    let preview = preview(&app).await;
    let booked = booked(&app).await;

    assert_eq!(foreseen(&preview), booked);
    assert_eq!(codes(&booked), [("fits", "words-only")]);
    assert!(service.service.messages.lock().unwrap().is_empty());
}
