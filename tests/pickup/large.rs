//! Files that are too large for mail: a link goes out instead, and the book says so.

use std::time::Duration;

use mail_parser::MessageParser;
use postbook::run::book;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::{
    peers::Postfix,
    site::{Site, link_in},
};

/// 25 MB that do not look alike.
fn large() -> Vec<u8> {
    (0..25_000_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[sqlx::test]
async fn twenty_five_megabytes_to_a_server_that_takes_ten_go_out_as_a_link(db: PgPool) {
    let postfix = Postfix::running();
    let site = Site::open(db, |accounts| {
        accounts.insert("mail".to_owned(), postfix.plain());
    })
    .await;
    site.store("drawings", &large()).await;
    let run = site.send(&["drawings"], "email = \"ann@test.local\"").await;

    let transmission = site.only(run).await;
    assert_eq!((transmission.channel.as_str(), transmission.state.name()), ("email", "accepted"), "{transmission:?}");
    assert!(transmission.by_link);
    let attempts = site.app.attempts(transmission.id).await;
    let outcomes: Vec<_> = attempts.iter().map(|it| it.outcome.clone().unwrap()).collect();
    assert_eq!(outcomes, ["refused", "accepted"]);
    assert_eq!(attempts[0].reason.as_ref().unwrap()["code"], "smtp-size");
    let log = book::log(&site.app.db, run, 0).await.unwrap();
    let line = log.iter().find(|line| line.event == "link").unwrap();
    assert!(line.text.contains("go out as a link") && line.text.contains("smtp-size"), "{}", line.text);

    let key: (String,) = sqlx::query_as(
        "select run || '-' || id || '-' || to_hex((extract(epoch from created_at) * 1000000)::bigint) from transmission",
    )
    .fetch_one(&site.app.db)
    .await
    .unwrap();
    let mails = postfix.mails(&format!("{}@test.local", key.0), 1).await;
    let mail = MessageParser::default().parse(&mails[0]).unwrap();
    assert_eq!(mail.attachment_count(), 0);
    let text = mail.body_text(0).unwrap();
    assert!(text.starts_with("Good morning.") && text.contains("drawings.bin (25.0 MB)"), "{text}");
    let there = site.press(&link_in(&text), 0).await;
    let bytes = site.get(&there).await.bytes().await.unwrap();

    assert_eq!(Some(digest(&bytes)), transmission.documents[0].digest);
    assert_eq!(digest(&bytes), digest(&large()));
    assert_eq!(site.state(run).await, "delivered");
    let evidence = site.app.evidence(&site.only(run).await).await;
    assert!(evidence.contains_key("drawings.bin"), "the bytes themselves");
    let evidence: serde_json::Value = serde_json::from_slice(&evidence["evidence.json"]).unwrap();
    assert_eq!(evidence["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(evidence["pickup"]["downloads"][0]["digest"], digest(&bytes));
    assert_eq!(evidence["transmission"]["by_link"], true);
}

#[sqlx::test]
async fn what_the_account_does_not_carry_goes_out_as_a_link_at_once(db: PgPool) {
    let site = Site::open(db, |accounts| accounts.get_mut("mail").unwrap().attach_limit = Some(2_000_000)).await;
    site.store("big", &vec![7; 2_000_001]).await;
    let run = site.send(&["big"], "email = \"ann@example.org\"").await;

    let transmission = site.only(run).await;
    assert_eq!((transmission.state.name(), transmission.attempts), ("accepted", 1));
    let mail = &site.app.mails_to("ann@example.org")[0];
    assert!(mail.attachments.is_empty());
    let there = site.press(&link_in(&mail.text), 0).await;
    assert_eq!(site.get(&there).await.bytes().await.unwrap().len(), 2_000_001);
    assert_eq!(site.state(run).await, "delivered");
}

#[sqlx::test]
async fn what_fits_goes_out_as_it_is(db: PgPool) {
    let site = Site::open(db, |accounts| accounts.get_mut("mail").unwrap().attach_limit = Some(2_000_000)).await;
    site.store("fits", &vec![7; 2_000_000]).await;
    let run = site.send(&["fits"], "email = \"ann@example.org\"").await;
    let transmission = site.only(run).await;
    assert_eq!((transmission.state.name(), transmission.by_link), ("delivered", false));
    assert_eq!(site.app.mails_to("ann@example.org")[0].attachments.len(), 1);
}

#[sqlx::test]
async fn a_batch_can_have_large_files_refused(db: PgPool) {
    let site = Site::open(db, |accounts| accounts.get_mut("mail").unwrap().attach_limit = Some(2_000_000)).await;
    site.store("big", &vec![7; 2_000_001]).await;
    let run = site.send_with(&["big"], "email = \"ann@example.org\"", "too_large = \"refuse\"").await;

    let transmission = site.only(run).await;
    assert_eq!((transmission.state.name(), transmission.by_link), ("failed", false));
    let reason = transmission.reason.unwrap();
    assert_eq!((reason["scope"].as_str(), reason["code"].as_str()), (Some("document"), Some("attach-limit")));
    assert!(site.app.mails_to("ann@example.org").is_empty());
}

#[sqlx::test]
async fn the_preview_of_large_files_is_what_the_run_does(db: PgPool) {
    const MAIL: &str = "email = \"ann@example.org\"";
    for (links, contacts, more, size, (state, by_link)) in [
        (true, MAIL, "", 2_000_000, ("delivered", false)),
        (true, MAIL, "", 2_000_001, ("accepted", true)),
        (true, MAIL, "too_large = \"refuse\"", 2_000_001, ("failed", false)),
        (false, MAIL, "", 2_000_001, ("failed", false)),
        (true, "pickup = \"ann@example.org\"", "", 12, ("accepted", true)),
    ] {
        let site = Site::open(db.clone(), |accounts| {
            accounts.get_mut("mail").unwrap().attach_limit = Some(2_000_000);
            accounts.retain(|name, _| links || name != "links");
        })
        .await;
        site.store("plan", &vec![7; size]).await;
        site.set_up(&["plan"], contacts, more).await;

        let foreseen = site.foreseen().await;
        let run = site.app.run("plans").await;

        let sent = site.only(run).await;
        assert_eq!((sent.state.name(), sent.by_link), (state, by_link));
        assert_eq!((foreseen.by_link, json!(foreseen.reason)), (by_link, json!(sent.reason)));
        assert_eq!(foreseen.state.name() == "failed", state == "failed", "{foreseen:?}");
    }
}

#[sqlx::test]
async fn without_an_account_that_gives_links_the_refusal_stands(db: PgPool) {
    let postfix = Postfix::running();
    let site = Site::open(db, |accounts| {
        accounts.remove("links");
        accounts.insert("mail".to_owned(), postfix.plain());
    })
    .await;
    site.store("drawings", &large()).await;
    let run = site.send(&["drawings"], "email = \"ann@test.local\"").await;
    let transmission = site.only(run).await;
    assert_eq!((transmission.state.name(), transmission.attempts), ("failed", 1));
    assert_eq!(transmission.reason.unwrap()["code"], "smtp-size");
}

#[sqlx::test]
async fn a_mail_with_a_link_that_is_put_off_brings_the_same_link_later(db: PgPool) {
    let postfix = Postfix::running();
    let site = Site::open(db.clone(), |accounts| {
        let mut mail = postfix.plain();
        mail.attach_limit = Some(1000);
        accounts.insert("mail".to_owned(), mail);
    })
    .await;
    let run = site.send(&["checklist"], "email = \"full@test.local\"").await;
    let token = async || sqlx::query_scalar::<_, String>("select token from pickup").fetch_one(&db).await.unwrap();
    let before = token().await;
    site.wait(Duration::from_secs(60)).await;
    assert_eq!(site.only(run).await.attempts, 2);
    assert_eq!(token().await, before);
    let log = book::log(&site.app.db, run, 0).await.unwrap();
    assert_eq!(log.iter().filter(|line| line.event == "link").count(), 1, "it is said once");
}
