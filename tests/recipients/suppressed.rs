//! Contacts to which nothing is sent any more.

use postbook::{
    catalog::{
        Faults,
        suppression::{self, Input, Kind},
    },
    run::{
        self,
        act::{self, Again},
    },
};
use sqlx::PgPool;

use super::{STATEMENT, letter, start, told};
use crate::harness::TestApp;

pub async fn suppress(app: &TestApp, channel: &str, contact: &str, kind: Kind) -> suppression::Suppression {
    let input = Input {
        channel: Some(channel.to_owned()),
        contact: Some(contact.to_owned()),
        kind: Some(kind),
        reason: Some("they said so".to_owned()),
    };
    let address = suppression::check(input, app.engine.country, Faults::default()).expect("an address");
    suppression::add(&app.db, &app.author(), address).await.expect("a suppression")
}

#[sqlx::test]
async fn the_policy_takes_the_next_contact_when_the_first_is_suppressed(db: PgPool) {
    let app = start(db).await;
    suppress(&app, "email", "Ann@Example.org", Kind::Unsubscribed).await;
    suppress(&app, "fax", "+1 (312) 555-0003", Kind::WrongNumber).await;
    app.apply(&letter(
        r#"policy = { send = "first_valid", order = ["email", "fax"] }
        recipients = [
            { name = "Ann", email = "aNN@example.org", fax = "+13125550002" },
            { name = "Bob", fax = "+13125550003" },
        ]"#,
    ))
    .await;

    let run = app.run("letter").await;

    assert_eq!(
        told(&app, run).await,
        [
            "Ann fax +13125550002 delivered",
            "Ann email aNN@example.org skipped suppressed",
            "Bob fax +13125550003 skipped suppressed",
        ]
    );
}

#[sqlx::test]
async fn the_preview_and_the_run_say_of_a_number_that_people_answer_there(db: PgPool) {
    let app = start(db).await;
    suppress(&app, "fax", "+1 (312) 555-0003", Kind::Answered).await;
    suppress(&app, "fax", "+1 (312) 555-0004", Kind::WrongNumber).await;
    let to = ["2", "3", "4"].map(|last| format!("{{ name = \"{last}\", fax = \"+1312555000{last}\" }}")).join(", ");
    app.apply(&letter(&format!("recipients = [{to}]"))).await;

    let preview = run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    let run = app.run("letter").await;

    assert_eq!(preview.reasons, [("number-answered".to_owned(), 1), ("suppressed".to_owned(), 1)].into());
    assert_eq!(
        told(&app, run).await,
        [
            "2 fax +13125550002 delivered",
            "3 fax +13125550003 skipped number-answered",
            "4 fax +13125550004 skipped suppressed",
        ]
    );
    let text = &preview.missing[0].reason.as_ref().expect("a reason").text;
    assert!(text.contains("because people answer there"), "{text}");
}

#[sqlx::test]
async fn a_suppression_says_of_what_kind_it_is_why_who_and_when(db: PgPool) {
    let app = start(db).await;
    let added = suppress(&app, "sms", "+48 601 234 567", Kind::Stop).await;

    let listed = suppression::list(&app.db, None, 10).await.expect("a list");

    assert_eq!(listed, std::slice::from_ref(&added));
    assert_eq!((added.contact.as_str(), added.kind, added.created_by.as_str()), ("+48601234567", Kind::Stop, "test"));
    let shown = serde_json::to_value(&added).expect("JSON");
    assert_eq!((&shown["kind"], &shown["reason"]), (&"stop".into(), &"they said so".into()));
    assert!(suppression::remove(&app.db, &app.author(), ("sms", "+48601234567"), None).await.expect("a look"));
}

#[sqlx::test]
async fn a_person_may_send_to_it_once_all_the_same(db: PgPool) {
    let app = start(db).await;
    app.apply(&letter(r#"recipients = [{ name = "Ann", email = "ann@example.org" }]"#)).await;
    let run = app.run("letter").await;
    suppress(&app, "email", "ann@example.org", Kind::ByHand).await;
    let sent = app.transmissions(run).await[0].id;
    let again = |despite_suppression| Again {
        render: false,
        despite_suppression,
        key: format!("{despite_suppression}"),
        by: "test".to_owned(),
    };

    act::resend(&app.engine, sent, &again(false)).await.expect("a copy");
    act::resend(&app.engine, sent, &again(true)).await.expect("another copy");
    app.drain().await;

    assert_eq!(
        told(&app, run).await,
        [
            "Ann email ann@example.org delivered",
            "Ann email ann@example.org skipped suppressed",
            "Ann email ann@example.org delivered",
        ]
    );
    assert_eq!(app.mails_to("ann@example.org").len(), 2);
}

#[sqlx::test]
async fn the_book_says_what_somebody_did_not_get_and_it_can_be_sent_all_the_same(db: PgPool) {
    let app = start(db).await;
    suppress(&app, "email", "ann@example.org", Kind::ByHand).await;
    app.apply(STATEMENT).await;
    let two =
        r#"recipients = [{ name = "Ann", email = "ann@example.org" }, { name = "Bob", email = "bob@example.org" }]"#;
    let documents = r#"{ document = "statement" }, { document = "checklist" }"#;
    app.apply(&letter(two).replace(r#"{ document = "checklist" }"#, documents)).await;

    let preview = run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    let run = app.run("letter").await;

    let all = app.transmissions(run).await;
    let names = |at: usize| all[at].documents.iter().map(|it| it.title.as_str()).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec!["Statement"], vec!["Checklist"]));
    assert_eq!(preview.documents.len(), 2, "Bob's, and what is for everybody");
    assert_eq!(app.count("select count(*) from step where kind = 'render'").await, 2);
    let missing: Vec<_> = preview.missing.iter().map(|it| it.documents.clone()).collect();
    assert_eq!(missing, [["statement"], ["checklist"]]);

    let again = |render| Again { render, despite_suppression: true, key: "k".to_owned(), by: "test".to_owned() };
    let refused = act::resend(&app.engine, all[0].id, &again(false)).await.expect_err("not rendered").to_string();
    assert!(refused.contains("send it again with `render`"), "{refused}");
    act::resend(&app.engine, all[0].id, &again(true)).await.expect("rendered for her");
    act::resend(&app.engine, all[1].id, &again(false)).await.expect("the same bytes as Bob's");
    app.drain().await;
    assert_eq!(app.mails_to("ann@example.org").len(), 2);
}
