//! Numbers as people write them, with the country they are in when they do not say.

use postbook::{account, catalog::Faults, contact::Country};
use serde_json::json;
use sqlx::PgPool;

use super::{
    business::{execute, register},
    letter, start, told,
};
use crate::harness::TestApp;

fn poland() -> Option<Country> {
    Some("PL".parse().expect("a country"))
}

async fn at_home_in_poland(db: PgPool) -> TestApp {
    let mut app = start(db).await;
    app.engine = app.engine.clone().calling_from(poland());
    app
}

#[sqlx::test]
async fn a_number_without_a_country_is_where_the_settings_or_the_batch_say(db: PgPool) {
    let app = at_home_in_poland(db).await;
    let recipients =
        r#"recipients = [{ name = "Ann", fax = "+48 (12) 123-45-67" }, { name = "Bob", sms = "601 234 567" }]"#;
    app.apply(&letter(recipients)).await;
    let run = app.run("letter").await;
    assert_eq!(told(&app, run).await, ["Ann fax +48121234567 delivered", "Bob sms +48601234567 delivered"]);

    let american = letter("country = \"US\"\nrecipients = [{ name = \"Ann\", fax = \"(312) 555-0002\" }]");
    app.apply(&american).await;
    let run = app.run("letter").await;
    assert_eq!(told(&app, run).await, ["Ann fax +13125550002 delivered"]);
    let preview = postbook::run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    assert_eq!(preview.transmissions[0].contact, "+13125550002");
}

#[sqlx::test]
async fn what_is_no_number_is_refused_with_what_to_write_instead(db: PgPool) {
    let app = start(db).await;
    for (number, words) in [
        ("n/a", "there is no number in it; write one with its country"),
        ("12 123 45 67", "it says no country"),
        ("+48 12", "check its digits"),
    ] {
        let batch = letter(&format!("recipients = [{{ name = \"Ann\", fax = \"{number}\" }}]"));
        let text = app.try_apply(&batch).await.expect_err("a fault").to_string();
        assert!(text.contains("recipients/0/fax") && text.contains(words), "{number}: {text}");
    }
    let text = app.try_apply(&letter("country = \"Poland\"\nrecipients = []")).await.expect_err("a fault").to_string();
    assert!(text.contains("country: is no country; write its code"), "{text}");
}

#[test]
fn the_number_of_a_user_is_kept_with_its_country() {
    let user = json!({ "name": "ann", "contacts": { "sms": "601 234 567", "email": "Ann@example.org" } });
    let user = account::check(serde_json::from_value(user).expect("a user"), poland(), Faults::default());
    let contacts = user.expect("a sound user").contacts;
    assert_eq!(contacts["sms"], "+48601234567");
    assert_eq!(contacts["email"], "Ann@example.org");
}

#[sqlx::test]
async fn contacts_are_checked_before_anything_is_rendered(db: PgPool) {
    let mut app = start(db).await;
    register(&mut app, "values (1, 'Ann', 'foo', 'n/a', '', true, null, 0)").await;
    let query = r#"audience = { data = "crm", query = "select name, email, fax from crm.customer order by id" }"#;
    app.apply(&letter(query).replace("checklist", "hours")).await;

    let run = app.run("letter").await;
    assert!(app.reports.asked().is_empty(), "no report is asked for anybody");
    assert_eq!(told(&app, run).await, ["Ann email foo skipped bad-mailbox", "Ann fax n/a skipped bad-number"]);

    execute(&app.db, "insert into crm.customer (id, name, email) values (2, 'Bob', 'bob@example.org')").await;
    app.run("letter").await;
    assert_eq!(app.reports.asked().len(), 1);
}

#[sqlx::test]
async fn a_mail_comes_before_a_fax_and_a_fax_only_if_there_will_be_no_mail(db: PgPool) {
    let app = start(db).await;
    for (send, email, expected) in [
        ("all", "ann@example.org", vec!["Ann email ann@example.org delivered", "Ann fax +13125550002 delivered"]),
        ("first_valid", "ann@example.org", vec!["Ann email ann@example.org delivered"]),
        ("first_valid", "", vec!["Ann fax +13125550002 delivered"]),
    ] {
        let email = if email.is_empty() { String::new() } else { format!("email = \"{email}\", ") };
        app.apply(&letter(&format!(
            "policy = {{ send = \"{send}\", order = [\"email\", \"fax\"] }}\n\
             recipients = [{{ name = \"Ann\", {email}fax = \"+13125550002\" }}]"
        )))
        .await;
        let run = app.run("letter").await;
        assert_eq!(told(&app, run).await, expected, "{send}");
    }
}
