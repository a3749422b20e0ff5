//! Turns at contacts and domains, and hours in which something is sent.

use chrono::{DateTime, NaiveTime, Utc};
use postbook::channel::account::Each;

use super::*;

fn at_once(most: usize) -> Limits {
    Limits { at_once: NonZeroUsize::new(most), per_minute: None }
}

/// A Postbook whose mail goes to `server`, with these limits for one mailbox and for one domain.
pub async fn mailing_each(db: PgPool, server: &MailServer, each: Each) -> TestApp {
    TestApp::start_on(db, |accounts| {
        let mut mail = server.account();
        mail.each = each;
        accounts.insert("mail".to_owned(), mail);
    })
    .await
}

/// A batch `name` with two documents for Ann, and what it says besides.
async fn for_ann(app: &TestApp, name: &str, besides: &str) {
    app.apply(&format!(
        r#"
        [[batch]]
        name = "{name}"
        workflow = "quick"
        run_as = "site-a"
        documents = [{{ document = "checklist" }}, {{ document = "orders" }}]
        recipients = [{{ name = "Ann", email = "Ann@example.org" }}]
        accounts = {{ email = "mail" }}
        {besides}
        "#
    ))
    .await;
}

async fn renders(app: &TestApp) {
    loop {
        let before: Vec<_> = app.due().await.into_iter().filter(|hint| hint.kind != Kind::Transmit).collect();
        if before.is_empty() {
            return;
        }
        for hint in before {
            run::perform(&app.engine, hint).await.expect("a step");
        }
    }
}

#[sqlx::test]
async fn one_mailbox_gets_one_at_a_time_from_all_batches_and_nodes(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing_each(db, &server, Each { contact: at_once(1), domain: Limits::default() }).await;
    let other = app.another();
    for_ann(&app, "one", "").await;
    for_ann(&app, "other", "").await;
    let runs = [app.start_run("one").await, app.start_run("other").await];
    renders(&app).await;
    server.hold(true);

    let due = transmit_due(&app).await;
    assert_eq!(due.len(), 4);
    let sent = futures::future::join_all(
        due.iter().zip([&app.engine, &other].into_iter().cycle()).map(|(hint, node)| run::perform(node, *hint)),
    );
    let watched = async {
        server.until_held(1).await;
        until_nothing_is_due(&app).await;
        assert_eq!(server.held().len(), 1);
        server.hold(false);
    };
    let (sent, ()) = tokio::join!(sent, watched);
    sent.into_iter().for_each(|it| it.expect("a step"));

    assert_eq!(server.taken().len(), 1);
    let waiting: Vec<_> = app.transmissions(runs[1]).await.into_iter().filter_map(|it| it.reason).collect();
    assert!(waiting.iter().all(|it| it["code"] == "contact-busy"), "{waiting:?}");
    assert_eq!(transmit_due(&app).await.len(), 1, "the next one is called at once");
    for run in runs {
        let ended = app.finish(run).await;
        assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 2));
    }
    assert_eq!(most_tries(&app).await, 0);
}

#[sqlx::test]
async fn a_domain_gets_so_many_a_minute_and_no_more(db: PgPool) {
    let server = MailServer::start().await;
    let three = Limits { at_once: None, per_minute: NonZeroUsize::new(3) };
    let app = mailing_each(db, &server, Each { contact: Limits::default(), domain: three }).await;
    with_batch(&app, mailboxes(8)).await;

    let run = app.start_run("morning").await;
    app.drain().await;
    assert_eq!(server.taken().len(), 3);
    let waiting = app.transmissions(run).await.into_iter().find_map(|it| it.reason).expect("one that waits");
    assert_eq!(waiting["code"], "contact-minute");

    let ended = app.finish(run).await;
    assert_eq!((ended.counts.delivered, most_tries(&app).await), (8, 0));
}

/// When it is this time in UTC next.
fn next(now: DateTime<Utc>, time: &str) -> DateTime<Utc> {
    let time: NaiveTime = time.parse().expect("a time");
    let today = now.date_naive().and_time(time).and_utc();
    if today > now { today } else { today + chrono::Duration::days(1) }
}

pub fn advance_to(app: &TestApp, time: &str) -> DateTime<Utc> {
    let now = app.engine.clock.now();
    let then = next(now, time);
    app.engine.clock.advance((then - now).to_std().expect("a time to come"));
    then
}

#[sqlx::test]
async fn what_is_due_at_night_waits_for_the_morning_where_its_recipient_is(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing_each(db, &server, Each::default()).await;
    app.apply(
        r#"
        [[batch]]
        name = "morning"
        workflow = "quick"
        run_as = "site-a"
        documents = [{ document = "checklist" }]
        recipients = [
          { name = "Ann", email = "ann@example.org", params = { zone = "UTC" } },
          { name = "Ben", email = "ben@example.org", params = { zone = "Etc/GMT+6" } },
        ]
        quiet = "21:00-08:00"
        accounts = { email = "mail" }
        "#,
    )
    .await;
    let evening = advance_to(&app, "22:00:00");

    let run = app.start_run("morning").await;
    app.drain().await;

    assert_eq!(server.taken().len(), 1, "where Ben is, it is four in the afternoon");
    let waiting: Vec<_> = app.transmissions(run).await;
    let ann = waiting.iter().find(|it| it.contact == "ann@example.org").expect("Ann's");
    let reason = ann.reason.as_ref().expect("a reason");
    assert_eq!(
        (ann.state, ann.attempts, reason["code"].as_str()),
        (TransmissionState::Queued, 0, Some("out-of-hours"))
    );
    assert!(reason["text"].as_str().is_some_and(|text| text.contains("08:00 in UTC")), "{reason}");
    let due = ann.next_at.expect("a time") - evening;
    assert!(due >= chrono::Duration::hours(10) && due < chrono::Duration::minutes(606), "{due}");

    app.later(Duration::from_secs(607 * 60)).await;
    let ended = app.finish(run).await;
    assert_eq!((ended.counts.delivered, most_tries(&app).await), (2, 0));
}

#[sqlx::test]
async fn hours_that_never_meet_fail_with_that_reason(db: PgPool) {
    let server = MailServer::start().await;
    let app = TestApp::start_on(db, |accounts| {
        let mut mail = server.account();
        mail.window = Some("02:00-04:00".to_owned());
        accounts.insert("mail".to_owned(), mail);
    })
    .await;
    for_ann(&app, "night", "quiet = \"21:00-08:00\"").await;
    let preview = run::preview(&app.engine, "night", None, &Default::default()).await.expect("a preview");

    let run = app.run("night").await;

    let failed = app.transmissions(run).await;
    assert!(failed.iter().all(|it| it.state == TransmissionState::Failed && it.attempts == 0), "{failed:?}");
    assert_eq!(failed[0].reason.as_ref().expect("a reason")["code"], "never-open");
    assert_eq!((preview.queued, preview.failed, preview.reasons["never-open"]), (0, 2, 2));
}
