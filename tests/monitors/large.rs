//! A day with a lot of it, and a digest that goes through a real mail server.

use std::time::Duration;

use mail_parser::MessageParser;
use postbook::{
    id::RunId,
    monitor::digest::{self, Period},
    run::letter::Desk,
};
use serde_json::json;
use sqlx::PgPool;

use super::{ANN, batch, mona_in, round, seen, set};
use crate::{harness::TestApp, peers::Postfix};

/// A run of `count` transmissions to people of its own that all were delivered, but for every thousandth.
async fn full(app: &TestApp, count: i32) -> RunId {
    let run = app.run("morning").await;
    sqlx::query(
        "insert into transmission (run, purpose, key, recipient_name, channel, contact, state, reason, waiting, created_at, changed_at, sent_at)
         select $1, 'document', 'x' || n, 'Person ' || n, 'email', 'person' || n || '@example.org',
                case when n % 1000 = 0 then 'failed' else 'delivered' end,
                case when n % 1000 = 0 then '{\"scope\": \"contact\", \"code\": \"x\", \"text\": \"550 5.1.1 no such mailbox\"}'::jsonb end,
                0, $3, $3, case when n % 1000 > 0 then $3 + n * interval '10 ms' end
           from generate_series(1, $2) as n",
    )
    .bind(run.0)
    .bind(count)
    .bind(app.engine.clock.now())
    .execute(&app.db)
    .await
    .expect("transmissions");
    sqlx::query(
        "insert into transmission_item (transmission, position, item)
         select transmission.id, 0, item.id from transmission join item on item.run = transmission.run
          where transmission.run = $1 and transmission.key like 'x%'",
    )
    .bind(run.0)
    .execute(&app.db)
    .await
    .expect("their documents");
    sqlx::query(
        "update run set delivered = delivered + $2 - $2 / 1000, failed = $2 / 1000, state = 'partial' where id = $1",
    )
    .bind(run.0)
    .bind(count)
    .execute(&app.db)
    .await
    .expect("counts");
    run
}

#[sqlx::test]
async fn a_day_with_ten_thousand_transmissions_is_a_few_pages(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&batch("morning", ANN)).await;
    set(&app, "2041-06-01T06:00:00Z");
    full(&app, 10_000).await;
    let (config, now) = (&app.engine.settings.monitor, app.engine.clock.now());
    let date = "2041-06-02".parse().expect("a date");

    let mut db = app.db.acquire().await.expect("a connection");
    let period = Period::of_day(&mut db, date, config, now + Duration::from_secs(300)).await.expect("a day");
    let began = std::time::Instant::now();
    let digest = digest::digest(&mut db, &period).await.expect("a digest");
    let took = began.elapsed();
    let params = json!({ "digest": digest });
    let desk = Desk::open(&app.engine).await.expect("a desk");
    let message = desk.message(&app.engine, (digest.subject(), "digest"), &params).expect("words");
    let pdf = desk.paper(&app.engine, ("digest", date), &params).await.expect("a page");

    seen::leave("large.pdf", &pdf);
    seen::leave("large.html", message.html.unwrap_or_default().as_bytes());
    assert_eq!(digest.summary, "1 run: 9,991 sent, 10 not sent");
    assert_eq!((digest.failed.len(), digest.delivered.len()), (10, 1));
    assert_eq!((digest.delivered[0].recipients.len(), digest.delivered[0].more), (20, 9_971));
    assert!(message.text.lines().count() < 60, "{}", message.text);
    let pages = lopdf::Document::load_mem(&pdf).expect("a PDF").get_pages().len();
    assert!(pages <= 2, "{pages} pages");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[sqlx::test]
async fn a_digest_goes_through_a_real_mail_server_with_its_pdf(db: PgPool) {
    let account = Postfix::running().plain();
    let mut app = TestApp::start_on(db, |accounts| {
        accounts.insert("mail".to_owned(), account);
    })
    .await;
    app.engine.settings.monitor.pdf = true;
    let mona = format!("mona-{:08x}@test.local", rand::random::<u32>());
    mona_in(&app, "UTC").await;
    app.apply(&format!(
        "[[user]]\nname = \"mona\"\ntitle = \"Mona\"\nmonitor = true\ncontacts = {{ email = \"{mona}\" }}"
    ))
    .await;
    set(&app, "2041-06-02T04:00:00Z");

    round(&app).await;

    let id =
        sqlx::query_scalar::<_, String>("select transcript from attempt").fetch_one(&app.db).await.expect("an attempt");
    assert!(id.contains("< 250"), "{id}");
    let mails = arrived(&mona).await;
    let mail = MessageParser::default().parse(&mails).expect("a mail");
    assert_eq!(mail.subject(), Some("Postbook, 2 June 2041: nothing was sent"));
    assert!(mail.body_html(0).is_some_and(|html| html.contains("Nothing went wrong")));
    assert!(mail.attachment(0).is_some_and(|pdf| pdf.contents().starts_with(b"%PDF-")));
}

/// The mail to `mailbox`, once it is in its inbox.
async fn arrived(mailbox: &str) -> Vec<u8> {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            look.tick().await;
            let files = std::fs::read_dir(Postfix::running().inbox()).expect("the inbox");
            let mut mails = files.filter_map(|file| std::fs::read(file.ok()?.path()).ok());
            if let Some(mail) = mails.find(|mail| String::from_utf8_lossy(mail).contains(mailbox)) {
                return mail;
            }
        }
    });
    found.await.expect("the mail within half a minute")
}
