//! Who has no link, or half of one, and what programs that look on could see.

use reqwest::Method;
use sqlx::PgPool;

use crate::site::{SECRET, Site, link_in};

async fn link(site: &Site, to: &str) -> String {
    site.send(&["checklist"], &format!("pickup = \"{to}\"")).await;
    link_in(&site.app.mails_to(to)[0].text)
}

#[sqlx::test]
async fn every_recipient_has_a_link_of_their_own_and_the_book_has_none_of_them(db: PgPool) {
    let site = Site::open(db.clone(), |_| ()).await;
    let (ann, ben) = (link(&site, "ann@example.org").await, link(&site, "ben@example.org").await);
    assert_ne!(ann, ben);

    let rows: Vec<String> = sqlx::query_scalar(
        "select row_to_json(pickup)::text from pickup
         union all select row_to_json(attempt)::text from attempt
         union all select row_to_json(transmission)::text from transmission
         union all select row_to_json(log)::text from log",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    assert!(!rows.is_empty());
    let secrets = [ann.rsplit('/').next().unwrap(), ben.rsplit('/').next().unwrap(), SECRET];
    for secret in secrets {
        assert!(rows.iter().all(|row| !row.contains(secret)), "{secret}");
    }
}

#[sqlx::test]
async fn the_pass_of_one_link_opens_nothing_by_another(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let (ann, ben) = (link(&site, "ann@example.org").await, link(&site, "ben@example.org").await);
    let there = site.press(&ann, 0).await;
    let pass = there.rsplit('/').next().unwrap();
    for url in [format!("{ben}/taken/{pass}"), format!("{ann}/taken/{}", "A".repeat(32)), format!("{ann}/taken/x")] {
        assert_eq!(site.get(&url).await.status(), 404, "{url}");
    }
    for position in ["7", "-1", "2147483647"] {
        let answer = site.visit(Method::POST, &format!("{ann}/files/{position}"), &[]).await;
        assert_eq!(answer.status(), 404, "{position}");
    }
}

#[sqlx::test]
async fn who_tries_many_links_has_to_wait_and_others_do_not(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let link = link(&site, "ann@example.org").await;
    let from = |address| [("x-forwarded-for", address)];
    for number in 0..30 {
        let wrong = format!("{}/pickup/{number:A>32}", site.url);
        assert_eq!(site.visit(Method::GET, &wrong, &from("198.51.100.9")).await.status(), 404);
    }
    let answer = site.visit(Method::GET, &link, &from("198.51.100.9")).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"60".parse().unwrap()));
    assert_eq!(site.visit(Method::GET, &link, &from("203.0.113.7")).await.status(), 200);
}

#[sqlx::test]
async fn browsers_are_told_to_be_careful_with_pages_and_files(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let link = link(&site, "ann@example.org").await;
    let there = site.press(&link, 0).await;
    let nowhere = format!("{}/pickup/nowhere", site.url);
    for url in [&link, &there, &nowhere] {
        let answer = site.get(url).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("x-robots-tag", "noindex, nofollow"),
        ] {
            assert_eq!(answer.headers()[name], value, "{url}");
        }
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    let page = site.get(&nowhere).await;
    assert_eq!(page.status(), 404);
    let page = page.text().await.unwrap();
    assert!(page.contains("This link leads nowhere") && page.contains("Copy the whole link"), "{page}");
}

#[sqlx::test]
async fn a_hostile_subject_stays_text_on_the_page(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    site.app
        .apply(
            r#"
            [[batch]]
            name = "odd"
            workflow = "quick"
            run_as = "site-a"
            documents = [{ document = "checklist" }]
            recipients = [{ name = "<script>alert(1)</script>", pickup = "ann@example.org" }]
            message = { subject = "For {{ recipient.name }} \"{% raw %}{{ style }}{% endraw %}", text = "Hi" }
            "#,
        )
        .await;
    site.app.run("odd").await;
    let page = site.get(&link_in(&site.app.mails_to("ann@example.org")[0].text)).await.text().await.unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    assert!(page.contains("{{ style }}"), "{page}");
}
