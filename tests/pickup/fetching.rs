//! From the mail with a link to the file, and what the book says meanwhile.

use std::time::Duration;

use postbook::{
    account,
    run::{act, pickup},
};
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::site::{Site, link_in};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A run whose mail has gone out, and its link.
async fn sent(site: &Site, documents: &[&str]) -> (postbook::id::RunId, String) {
    let run = site.send(documents, "pickup = \"ann@example.org\"").await;
    let mails = site.app.mails_to("ann@example.org");
    let mail = mails.last().unwrap();
    assert_eq!((mail.subject.as_str(), mail.attachments.len()), ("Plans for Ann", 0));
    (run, link_in(&mail.text))
}

#[sqlx::test]
async fn the_mail_brings_a_link_and_the_download_is_the_receipt(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let (run, link) = sent(&site, &["checklist"]).await;
    assert_eq!(site.state(run).await, "accepted");
    assert_eq!(site.app.seen(run).await.state.name(), "succeeded");

    let page = site.get(&link).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("Plans for Ann") && page.contains("one-page.pdf"), "{page}");
    let there = site.press(&link, 0).await;
    assert_eq!(site.state(run).await, "accepted", "asking is not having");
    let file = site.get(&there).await;
    assert_eq!(file.status(), 200);
    assert_eq!(
        file.headers()["content-disposition"],
        "attachment; filename=\"one-page.pdf\"; filename*=UTF-8''one%2Dpage%2Epdf"
    );
    assert_eq!(file.headers()["content-type"], "application/pdf");
    let bytes = file.bytes().await.unwrap();

    let transmission = site.only(run).await;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(Some(&digest), transmission.documents[0].digest.as_ref());
    assert_eq!(transmission.state.name(), "delivered");
    assert!(transmission.by_link);
    let proof = transmission.proof.unwrap();
    assert_eq!(proof["by"], "203.0.113.7");
    assert!(proof["text"].as_str().unwrap().contains("Browser/1.0"), "{proof}");
    let shown = pickup::shown(&site.app.db, transmission.id).await.unwrap().unwrap();
    assert_eq!(shown.downloads.len(), 1);
    assert!(shown.downloads[0].finished_at.is_some());
    assert_eq!(site.words(transmission.id).await, ["delivered accepted to delivered"]);
}

#[sqlx::test]
async fn looking_is_no_download_however_often_and_by_whatever_means(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let (run, link) = sent(&site, &["checklist"]).await;

    for method in [Method::GET, Method::HEAD, Method::GET] {
        assert_eq!(site.visit(method, &link, &[]).await.status(), 200);
    }
    // A robot that tries every address on the page: the form's does not answer to looks.
    assert_eq!(site.get(&format!("{link}/files/0")).await.status(), 405);
    let there = site.press(&link, 0).await;
    let head = site.visit(Method::HEAD, &there, &[]).await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["accept-ranges"], "bytes");

    assert_eq!(site.state(run).await, "accepted");
    assert!(site.words(site.only(run).await.id).await.is_empty());
}

#[sqlx::test]
async fn of_several_files_each_has_to_be_fetched(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let (run, link) = sent(&site, &["checklist", "hours"]).await;

    for _ in 0..2 {
        let there = site.press(&link, 0).await;
        site.get(&there).await.bytes().await.unwrap();
        let transmission = site.only(run).await;
        assert_eq!(transmission.state.name(), "accepted");
        assert_eq!(
            transmission.progress.as_deref(),
            Some("1 of 2 files were fetched by the link, the last one one-page.pdf")
        );
    }
    let there = site.press(&link, 1).await;
    site.get(&there).await.bytes().await.unwrap();
    assert_eq!(site.state(run).await, "delivered");
}

#[sqlx::test]
async fn a_download_that_broke_off_goes_on_and_counts_when_its_last_byte_is_there(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    site.store("big", &vec![7; 3_000_000]).await;
    let (run, link) = sent(&site, &["big"]).await;
    let there = site.press(&link, 0).await;

    let half = site.visit(Method::GET, &there, &[("range", "bytes=0-1999999")]).await;
    assert_eq!(half.status(), 206);
    assert_eq!(half.headers()["content-range"], "bytes 0-1999999/3000000");
    let tag = half.headers()["etag"].to_str().unwrap().to_owned();
    let mut whole = half.bytes().await.unwrap().to_vec();
    assert_eq!(site.state(run).await, "accepted");

    let rest = site.visit(Method::GET, &there, &[("range", "bytes=2000000-"), ("if-range", &tag)]).await;
    whole.extend(rest.bytes().await.unwrap());
    assert_eq!(whole, vec![7; 3_000_000]);
    assert_eq!(site.state(run).await, "delivered");
    let outside = site.visit(Method::GET, &there, &[("range", "bytes=3000000-")]).await;
    assert_eq!(
        (outside.status().as_u16(), &outside.headers()["content-range"]),
        (416, &"bytes */3000000".parse().unwrap())
    );
}

#[sqlx::test]
async fn a_link_that_nobody_used_ends_and_the_transmission_has_failed(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let (run, link) = sent(&site, &["checklist"]).await;
    let there = site.press(&link, 0).await;

    site.wait(15 * DAY).await;

    let transmission = site.only(run).await;
    assert_eq!(transmission.state.name(), "failed");
    assert_eq!(transmission.reason.unwrap()["code"], "no-word");
    for url in [&link, &there] {
        let page = site.get(url).await;
        assert_eq!(page.status(), 410);
        let page = page.text().await.unwrap();
        assert!(page.contains("This link has ended") && page.contains("Ask whoever sent it"), "{page}");
    }

    // Sent again, the same link leads somewhere again.
    act::retry(&site.app.engine, run, "test").await.unwrap();
    site.app.drain().await;
    assert_eq!(site.state(run).await, "accepted");
    assert_eq!(site.get(&link).await.status(), 200);
}

#[sqlx::test]
async fn a_link_can_mean_delivered_when_nobody_used_it(db: PgPool) {
    let site = Site::open(db, |accounts| {
        let links = accounts.get_mut("links").unwrap();
        links.unclaimed = Some(postbook::channel::Silence::Delivered);
        links.lifetime = DAY;
    })
    .await;
    let (run, link) = sent(&site, &["checklist"]).await;
    site.wait(2 * DAY).await;
    assert_eq!(site.state(run).await, "delivered");
    assert_eq!(site.get(&link).await.status(), 410);
}

#[sqlx::test]
async fn a_link_that_is_withdrawn_leads_nowhere_from_then_on(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let (run, link) = sent(&site, &["checklist"]).await;
    let there = site.press(&link, 0).await;
    let transmission = site.only(run).await.id;

    act::revoke(&site.app.engine, transmission, "mona").await.unwrap();
    site.app.drain().await;

    for url in [&link, &there] {
        let page = site.get(url).await;
        assert_eq!(page.status(), 410);
        assert!(page.text().await.unwrap().contains("This link was withdrawn"));
    }
    let cancelled = site.only(run).await;
    assert_eq!((cancelled.state.name(), cancelled.reason.unwrap()["code"].as_str()), ("cancelled", Some("revoked")));
    assert!(act::revoke(&site.app.engine, transmission, "mona").await.is_err(), "only once");
    assert!(act::retry(&site.app.engine, run, "test").await.is_err(), "it has not failed");
}

#[sqlx::test]
async fn without_mail_the_link_stands_in_the_book(db: PgPool) {
    let site = Site::open(db, |accounts| accounts.get_mut("links").unwrap().mail = None).await;
    let run = site.send(&["checklist"], "pickup = \"ann@example.org\"").await;

    assert!(site.app.mails().is_empty());
    let transmission = site.only(run).await;
    assert_eq!(transmission.state.name(), "accepted");
    let link = pickup::link(&site.app.engine, transmission.id).await.unwrap().unwrap();
    let there = site.press(&link, 0).await;
    site.get(&there).await.bytes().await.unwrap();
    assert_eq!(site.state(run).await, "delivered");
}

#[sqlx::test]
async fn an_operator_sees_the_link_and_withdraws_it_and_the_audit_log_has_both(db: PgPool) {
    let site = Site::open(db.clone(), |_| ()).await;
    let (run, link) = sent(&site, &["checklist"]).await;
    let there = site.press(&link, 0).await;
    site.get(&there).await.bytes().await.unwrap();
    let admin = account::first_admin(&db, site.app.engine.clock.now()).await.unwrap().unwrap();
    let bearer = format!("Bearer {}", admin.token);
    let ask = async |method, path: &str| {
        site.visit(method, &format!("{}/api/v1/transmissions/{path}", site.url), &[("authorization", &bearer)]).await
    };
    let id = site.only(run).await.id;

    let shown: Value = ask(Method::GET, &format!("{id}/pickup")).await.json().await.unwrap();
    assert_eq!(shown["link"], Value::from(link.clone()));
    assert_eq!(shown["downloads"][0]["address"], "203.0.113.7");
    assert_eq!(site.get(&format!("{}/api/v1/transmissions/{id}/pickup", site.url)).await.status(), 401);
    assert_eq!(ask(Method::GET, "999/pickup").await.status(), 404);
    assert_eq!(ask(Method::POST, "999/revoke").await.status(), 404);

    assert_eq!(ask(Method::POST, &format!("{id}/revoke")).await.status(), 200);
    assert_eq!(ask(Method::POST, &format!("{id}/revoke")).await.status(), 409);
    assert_eq!(site.state(run).await, "delivered", "what was fetched stays so");
    assert_eq!(site.get(&link).await.status(), 410);
    let deeds = site.app.count("select count(*) from audit where action in ('pickup.read', 'pickup.revoked')").await;
    assert_eq!(deeds, 2);
}
