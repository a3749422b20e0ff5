//! The next contact when one failed, or when nothing may be sent there any more.

use std::time::Duration;

use postbook::{
    catalog::suppression::{self, Address, Kind},
    channel::account::AccountConfig,
    contact::Contact,
    run::{RunState, act},
};
use sqlx::PgPool;

use super::{letter, stand_ins, start, told};
use crate::harness::TestApp;

const FALLBACK: &str = r#"policy = { send = "fallback", order = ["email", "fax"] }"#;

fn to(recipients: &str) -> String {
    letter(&format!("{FALLBACK}\nrecipients = [{recipients}]"))
}

const BOTH: &str = r#"{ name = "Ann", email = "refused@example.org", fax = "+13125550002" }"#;

#[sqlx::test]
async fn who_cannot_be_reached_by_mail_gets_a_fax_and_the_run_has_not_failed(db: PgPool) {
    let app = start(db).await;
    app.apply(&to(&format!(r#"{BOTH}, {{ name = "Bob", email = "bob@example.org", fax = "+13125550003" }}"#))).await;
    let preview = postbook::run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    let run = app.start_run("letter").await;

    let ended = app.finish(run).await;

    assert_eq!((preview.queued, preview.channels.get("fax")), (2, None));
    let next = &preview.transmissions[0].then[0];
    assert_eq!((next.channel.as_str(), next.contact.as_str()), ("fax", "+13125550002"));
    assert_eq!(
        told(&app, run).await,
        [
            "Ann email refused@example.org skipped turned",
            "Bob email bob@example.org delivered",
            "Ann fax +13125550002 delivered",
        ]
    );
    assert_eq!((ended.state, ended.counts.delivered, ended.counts.failed), (RunState::Succeeded, 2, 0));
    let book = app.transmissions(run).await;
    assert_eq!(book[2].turned_from, Some(book[0].id));
    let why = book[0].reason.as_ref().expect("a reason")["text"].as_str().expect("a text").to_owned();
    assert!(why.contains("turned to fax +13125550002"), "{why}");
    assert_eq!(app.attempts(book[0].id).await[0].outcome.as_deref(), Some("refused"));
    assert_eq!(book[0].documents[0].digest, book[2].documents[0].digest);
    assert!(app.mails_to("mona@example.org").is_empty(), "nobody is alarmed");
    act::retry(&app.engine, run, "test").await.expect_err("nothing has failed");
}

#[sqlx::test]
async fn the_run_fails_when_the_last_contact_does_and_a_retry_tries_that_one(db: PgPool) {
    let app = start(db).await;
    let both = r#"{ name = "Ann", email = "refused@example.org", folder = "ann" }"#;
    let batch =
        to(both).replace("\"fax\"", "\"folder\"").replace("[[batch]]", "[[batch]]\naccounts = { email = \"mail\" }");
    app.apply(&batch).await;
    std::fs::write(app.folder.path().join("outbox/ann"), "in the way").expect("a file where a folder should be");
    let run = app.start_run("letter").await;

    let ended = app.finish(run).await;

    assert_eq!(ended.state, RunState::Failed, "{:?}", told(&app, run).await);
    std::fs::remove_file(app.folder.path().join("outbox/ann")).expect("gone");
    assert_eq!(act::retry(&app.engine, run, "test").await.expect("one failed"), 1);
    let ended = app.finish(run).await;
    assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 1));
}

#[sqlx::test]
async fn a_document_that_cannot_be_made_turns_to_nobody(db: PgPool) {
    let app = start(db).await;
    app.reports.break_for(100);
    app.apply(&to(BOTH).replace("checklist", "hours")).await;
    let run = app.start_run("letter").await;

    let ended = app.finish(run).await;

    assert_eq!(ended.state, RunState::Failed);
    assert_eq!(told(&app, run).await, ["Ann email refused@example.org failed http-500"]);
}

#[sqlx::test]
async fn a_contact_that_another_recipient_was_sent_at_is_not_turned_to(db: PgPool) {
    let app = start(db).await;
    app.apply(&to(&format!(r#"{{ name = "Bob", fax = "+1 312 555 0002" }}, {BOTH}"#))).await;
    let run = app.start_run("letter").await;

    app.finish(run).await;

    assert_eq!(
        told(&app, run).await,
        [
            "Bob fax +13125550002 delivered",
            "Ann email refused@example.org skipped turned",
            "Ann fax +13125550002 skipped duplicate",
        ]
    );
}

#[sqlx::test]
async fn words_alone_are_turned_to_the_next_contact_as_well(db: PgPool) {
    let app = start(db).await;
    let words = r#"[[batch]]
        name = "letter"
        workflow = "quick"
        run_as = "site-a"
        message = { subject = "Closed", text = "The yard is closed today." }
        policy = { send = "fallback", order = ["email", "sms"] }
        recipients = [{ name = "Ann", email = "refused@example.org", sms = "+48512345678" },
                      { name = "Bob", sms = "+48512345679" }, { name = "Cy", email = "refused@example.org", sms = "+48512345679" }]"#;
    app.apply(words).await;
    let preview = postbook::run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    let run = app.start_run("letter").await;

    let ended = app.finish(run).await;

    assert_eq!(preview.transmissions[0].then[0].contact, "+48512345678");
    assert_eq!(
        told(&app, run).await,
        [
            "Ann email refused@example.org skipped turned",
            "Bob sms +48512345679 delivered",
            "Cy email refused@example.org skipped turned",
            "Ann sms +48512345678 delivered",
            "Cy sms +48512345679 delivered",
        ]
    );
    assert_eq!(ended.state, RunState::Succeeded);
}

#[sqlx::test]
async fn words_that_would_be_refused_and_then_turned_are_not_said_to_fail(db: PgPool) {
    let app = TestApp::start_on(db, |accounts| {
        stand_ins(accounts);
        let mut smsapi = AccountConfig::new("smsapi://:token@127.0.0.1:1?tls=none");
        smsapi.max_parts = 1;
        accounts.insert("sms".to_owned(), smsapi);
    })
    .await;
    app.apply(&format!(
        r#"[[batch]]
        name = "letter"
        workflow = "quick"
        run_as = "site-a"
        message = {{ text = "{}" }}
        policy = {{ send = "fallback", order = ["sms", "fax"] }}
        recipients = [{{ name = "Ann", sms = "+48512345678", fax = "+13125550002" }}]"#,
        "x".repeat(400)
    ))
    .await;
    let preview = postbook::run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    let run = app.start_run("letter").await;

    let ended = app.finish(run).await;

    assert_eq!((preview.queued, preview.failed), (1, 0));
    assert_eq!(preview.transmissions[0].then[0].contact, "+13125550002");
    assert_eq!((ended.counts.delivered, ended.counts.failed), (1, 0), "{:?}", told(&app, run).await);
}

#[sqlx::test]
async fn documents_are_not_turned_to_a_channel_that_carries_words_only(db: PgPool) {
    let texts = tempfile::tempdir().expect("a folder");
    let app = TestApp::start_on(db, |accounts| {
        stand_ins(accounts);
        let folder = AccountConfig::new(format!("folder://{}", texts.path().display()));
        accounts.insert("sms".to_owned(), AccountConfig { channel: Some("sms".to_owned()), ..folder });
    })
    .await;
    let ann = r#"{ name = "Ann", email = "refused@example.org", sms = "+48512345678", fax = "+13125550002" }"#;
    app.apply(&to(ann).replace(r#""email", "fax""#, r#""email", "sms", "fax""#)).await;
    let run = app.start_run("letter").await;

    app.finish(run).await;

    let delivered: Vec<_> = told(&app, run).await.into_iter().filter(|line| line.ends_with("delivered")).collect();
    assert_eq!(delivered, ["Ann fax +13125550002 delivered"]);
}

#[sqlx::test]
async fn nothing_is_turned_to_when_the_policy_does_not_say_so_or_the_run_is_cancelled(db: PgPool) {
    let app = start(db).await;
    app.apply(&to(BOTH).replace("fallback", "first_valid")).await;
    let run = app.start_run("letter").await;
    assert_eq!(app.finish(run).await.state, RunState::Failed);
    assert_eq!(app.transmissions(run).await.len(), 1);

    app.apply(&to(BOTH)).await;
    let run = app.start_run("letter").await;
    for _ in 0..2 {
        let due = app.due().await;
        postbook::run::perform(&app.engine, due[0]).await.expect("a step");
    }
    act::cancel(&app.engine, run, "test").await.expect("a cancelled run");
    app.drain().await;
    assert_eq!(app.transmissions(run).await.len(), 1);
    assert_eq!(app.seen(run).await.state, RunState::Cancelled);
}

#[sqlx::test]
async fn what_is_suppressed_meanwhile_is_turned_away_from_under_either_policy(db: PgPool) {
    let app = start(db).await;
    for policy in ["first_valid", "fallback"] {
        let ann = r#"{ name = "Ann", email = "ann@example.org", fax = "+13125550002" }"#;
        app.apply(&to(ann).replace("fallback", policy)).await;
        let run = app.start_run("letter").await;
        postbook::run::perform(&app.engine, app.due().await[0]).await.expect("the expansion");
        app.engine.clock.advance(Duration::from_secs(1));
        suppress(&app, "email", "ann@example.org").await;

        let ended = app.finish(run).await;

        assert_eq!(ended.state, RunState::Succeeded);
        assert_eq!(
            told(&app, run).await,
            ["Ann email ann@example.org skipped suppressed", "Ann fax +13125550002 delivered"],
            "{policy}"
        );
        suppression::remove(&app.db, &app.author(), ("email", "ann@example.org"), None).await.expect("lifted");
    }
}

async fn suppress(app: &TestApp, channel: &str, contact: &str) {
    let contact = Contact::parse(channel, contact).expect("a contact");
    let address = Address::of(channel, &contact, Kind::Bounce, "it came back");
    suppression::add(&app.db, &app.author(), address).await.expect("a suppression");
}
