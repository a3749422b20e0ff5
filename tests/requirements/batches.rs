//! What a batch is made of, and when it may run.

use postbook::{
    catalog::{Expect, batch},
    run::{self, RunState, StartError},
};
use sqlx::PgPool;

use super::{ANN, YARD, complaint, morning, note};
use crate::harness::TestApp;

#[sqlx::test]
async fn a_recipient_need_not_be_a_user(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }"#, r#"{ name = "A stranger", email = "who@elsewhere.example" }"#))
        .await;

    app.run("morning").await;

    assert_eq!(app.count(r#"select count(*) from "user" where contacts ->> 'email' like 'who@%'"#).await, 0);
    assert_eq!(app.mails_to("who@elsewhere.example").len(), 1);
}

#[sqlx::test]
async fn a_list_of_three_documents_makes_three_transmissions(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }, { document = "orders" }, { document = "hours" }"#, ANN)).await;

    let run = app.run("morning").await;

    let book = app.book(run).await;
    let documents: Vec<_> = book.iter().map(|(document, _, state)| (document.as_str(), state.as_str())).collect();
    assert_eq!(documents, [("checklist", "delivered"), ("orders", "delivered"), ("hours", "delivered")]);
}

#[sqlx::test]
async fn a_single_document_makes_one_transmission(db: PgPool) {
    let app = TestApp::start(db).await;
    let single = r#"{ path = "one-page.pdf", media_type = "application/pdf" }"#;
    app.apply(&morning(single, ANN)).await;

    let run = app.run("morning").await;

    assert_eq!(app.book(run).await.len(), 1);
    let mails = app.mails_to("ann@example.org");
    assert_eq!(mails[0].attachments[0].1, std::fs::read("tests/data/one-page.pdf").expect("the file"));
}

#[sqlx::test]
async fn a_list_takes_every_document_of_the_catalogue_and_no_other(db: PgPool) {
    let app = TestApp::start(db).await;
    let catalogue = postbook::catalog::document::list(&app.db, None, 100).await.expect("the catalogue");
    let names: Vec<_> = catalogue.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["checklist", "hours", "orders"]);
    let all: Vec<_> = names.iter().map(|name| format!(r#"{{ document = "{name}" }}"#)).collect();

    app.apply(&morning(&all.join(", "), ANN)).await;
    let text = complaint(&app, &morning(r#"{ document = "weather" }"#, ANN)).await;

    assert!(text.contains("documents/0/document: there is no document `weather`"), "{text}");
}

#[sqlx::test]
async fn a_batch_is_not_sent_by_a_batch(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }"#, ANN)).await;
    let evening = morning(r#"{ document = "morning" }"#, ANN).replace("name = \"morning\"", "name = \"evening\"");

    let text = complaint(&app, &evening).await;

    assert!(text.contains("`morning` is a batch, and a batch cannot be sent by a batch"), "{text}");
    assert_eq!(app.count("select count(*) from batch where not own").await, 1);
}

#[sqlx::test]
async fn the_destination_is_kept_checked_and_shown(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }"#, ANN)).await;

    let text = complaint(&app, &morning(r#"{ document = "checklist" }"#, r#"{ name = "Ann", email = "ann" }"#)).await;
    assert!(text.contains("recipients/0/email: the mailbox has no @"), "{text}");

    let (kept, _) = batch::get(&app.shelf, "morning", None).await.expect("the catalogue").expect("the batch");
    assert_eq!(kept.recipients[0].as_ref().expect("a recipient")["email"], "ann@example.org");
    let run = app.run("morning").await;
    assert_eq!(app.transmissions(run).await[0].contact, "ann@example.org");
}

#[sqlx::test]
async fn replacing_the_held_file_changes_later_runs_only(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(&note("stock", "MTIgYm9sdHMK"), ANN)).await;
    let before = app.run("morning").await;

    app.apply(&morning(&note("stock", "OSBib2x0cwo="), ANN)).await;
    let after = app.run("morning").await;

    assert_eq!(app.zip(before).await["stock.txt"], b"12 bolts\n");
    assert_eq!(app.zip(after).await["stock.txt"], b"9 bolts\n");
}

#[sqlx::test]
async fn documents_keep_their_order_in_the_run_and_in_the_manifest(db: PgPool) {
    let app = TestApp::start(db).await;
    let names = ["zebra", "apple", "mango"];
    let documents: Vec<_> = names.iter().map(|name| note(name, "eA==")).collect();
    app.apply(&morning(&documents.join(", "), ANN)).await;

    let run = app.run("morning").await;

    let book: Vec<_> = app.book(run).await.into_iter().map(|(document, ..)| document).collect();
    assert_eq!(book, names);
    let manifest = String::from_utf8(app.zip(run).await["manifest.csv"].clone()).expect("text");
    let lines: Vec<_> = manifest.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(lines, names);
}

#[sqlx::test]
async fn each_recipient_gets_each_document(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }, { document = "hours" }"#, &[ANN, YARD].join(", "))).await;

    let run = app.run("morning").await;

    let pairs: Vec<_> = app.book(run).await.into_iter().map(|(document, recipient, _)| (recipient, document)).collect();
    let expected = [("Ann", "checklist"), ("Ann", "hours"), ("Yard", "checklist"), ("Yard", "hours")];
    assert_eq!(pairs, expected.map(|(recipient, document)| (recipient.to_owned(), document.to_owned())));
    assert_eq!(app.reports.asked().len(), 1, "what is the same for all is asked for once");
}

#[sqlx::test]
async fn a_disabled_batch_does_not_run_and_keeps_its_history(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }"#, ANN)).await;
    let before = app.run("morning").await;
    batch::enable(&app.db, &app.author(), ("morning", false)).await.expect("the switch");

    let start = run::Start {
        batch: "morning".to_owned(),
        cause: run::Cause { kind: run::CauseKind::Schedule, key: "schedule x".to_owned(), by: None },
        date: None,
        params: Default::default(),
        hold: false,
    };
    let refused = run::start(&app.engine, start.clone()).await;

    assert!(matches!(refused, Err(StartError::Disabled(_))), "{refused:?}");
    assert_eq!(app.seen(before).await.state, RunState::Succeeded);
    batch::enable(&app.db, &app.author(), ("morning", true)).await.expect("the switch");
    assert!(run::start(&app.engine, start).await.expect("a run").fresh);
}

#[sqlx::test]
async fn users_can_be_changed_before_there_is_an_administrator(db: PgPool) {
    let app = TestApp::start(db).await;
    let user = postbook::account::get(&app.db, "site-a").await.expect("the users").expect("the user");
    let renamed = postbook::account::User { title: "Site A, north".to_owned(), ..user };

    postbook::account::save(&app.db, &app.author(), renamed, Expect::Any).await.expect("no complaint");

    assert_eq!(app.count(r#"select count(*) from "user" where title = 'Site A, north'"#).await, 1);
}

#[sqlx::test]
async fn users_that_were_set_up_first_do_not_keep_the_administrator_out(db: PgPool) {
    let app = TestApp::start(db).await;
    let now = app.engine.clock.now();

    let issued = postbook::account::first_admin(&app.db, now).await.expect("the users").expect("an administrator");

    let caller = postbook::account::authenticate(&app.db, &issued.token, now).await.expect("the tokens");
    assert_eq!(caller.expect("a caller").user, "admin");
    assert!(postbook::account::first_admin(&app.db, now).await.expect("the users").is_none(), "made once");
}
