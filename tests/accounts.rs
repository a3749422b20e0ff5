//! Accounts that are refused, held back, and limited: what waits, what is told, and that nothing is lost.

#[path = "accounts/contacts.rs"]
mod contacts;
mod harness;
#[path = "accounts/outlook.rs"]
mod outlook;
#[path = "accounts/server.rs"]
mod server;

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use harness::TestApp;
use postbook::{
    channel::account::Limits,
    id::RunId,
    queue::Hint,
    run::{
        self, Engine, RunState, TransmissionState,
        allowance::{self, HoldError, Now, Standing},
    },
    workflow::Kind,
};
use server::MailServer;
use sqlx::PgPool;

const MINUTE: Duration = Duration::from_secs(60);

/// One document to each of `mailboxes`, given up after three tries.
async fn with_batch(app: &TestApp, mailboxes: impl IntoIterator<Item = String>) {
    let recipients: Vec<_> =
        mailboxes.into_iter().map(|it| format!("{{ name = \"{it}\", email = \"{it}\" }}")).collect();
    app.apply(&format!(
        r#"
        [[batch]]
        name = "morning"
        workflow = "quick"
        run_as = "site-a"
        documents = [{{ document = "checklist" }}]
        recipients = [{}]
        accounts = {{ email = "mail" }}
        "#,
        recipients.join(", ")
    ))
    .await;
}

fn mailboxes(count: usize) -> impl Iterator<Item = String> {
    (10..10 + count).map(|at| format!("r{at}@example.org"))
}

/// A Postbook whose mail goes to `server`.
async fn mailing(db: PgPool, server: &MailServer, limits: Limits) -> TestApp {
    TestApp::start_on(db, |accounts| {
        let mut mail = server.account();
        mail.limits = limits;
        accounts.insert("mail".to_owned(), mail);
    })
    .await
}

/// Starts the batch and does everything up to its transmissions.
async fn until_transmissions(app: &TestApp) -> (RunId, Vec<Hint>) {
    let run = app.start_run("morning").await;
    loop {
        let (transmit, before): (Vec<_>, Vec<_>) =
            app.due().await.into_iter().partition(|hint| hint.kind == Kind::Transmit);
        if before.is_empty() {
            return (run, transmit);
        }
        for hint in before {
            run::perform(&app.engine, hint).await.expect("a step");
        }
    }
}

async fn mail(engine: &Engine) -> Now {
    let accounts = allowance::accounts(engine).await.expect("the accounts");
    accounts.into_iter().find(|it| it.name == "mail").expect("the account")
}

async fn transmit_due(app: &TestApp) -> Vec<Hint> {
    app.due().await.into_iter().filter(|hint| hint.kind == Kind::Transmit).collect()
}

/// Looks until everything that was due is being sent or was put off.
async fn until_nothing_is_due(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !transmit_due(app).await.is_empty() {
        assert!(Instant::now() < deadline, "{:?} are still due", transmit_due(app).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How often each transmission was tried as far as its workflow counts.
async fn most_tries(app: &TestApp) -> i64 {
    app.count("select max(tries)::bigint from step where kind = 'transmit'").await
}

#[sqlx::test]
async fn a_refused_login_pauses_the_account_and_everything_is_sent_when_it_is_taken_again(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(10)).await;
    server.refuse_logins(true);

    let run = app.start_run("morning").await;
    app.drain().await;

    let paused = mail(&app.engine).await;
    assert_eq!((paused.state, paused.paused_by), (Standing::Paused, None));
    assert_eq!(paused.reason.expect("a reason")["code"], "smtp-535-5.7.8");
    assert_eq!(paused.until_at.expect("an end") - paused.paused_at.expect("a begin"), chrono::Duration::minutes(1));
    assert_eq!(app.count("select count(*) from attempt").await, 1, "the others are put off without an attempt");
    for waiting in app.transmissions(run).await {
        let reason = waiting.reason.expect("a reason");
        let text = reason["text"].as_str().expect("a text");
        assert_eq!((waiting.state, reason["scope"].as_str()), (TransmissionState::Queued, Some("account")));
        assert!(text.contains("account mail is paused") && text.contains("wrong password"), "{text}");
        assert!(waiting.next_at >= paused.until_at, "{:?}", waiting.next_at);
    }
    assert_eq!(app.notices(run).await.len(), 1, "one monitor, one notice, which waits as well");

    server.refuse_logins(false);
    let ended = app.finish(run).await;

    assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 10));
    assert_eq!(mail(&app.engine).await.state, Standing::Open);
    assert_eq!(most_tries(&app).await, 0);
    assert_eq!(server.taken().len(), 11, "{:?}", server.taken());
    let failed = app.count("select count(*) from attempt where outcome = 'refused'").await;
    assert_eq!((failed, app.count("select count(*) from attempt").await), (1, 12));
}

#[sqlx::test]
async fn an_account_that_stays_refused_is_tried_by_one_transmission_after_pauses_that_double(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(4)).await;
    server.refuse_logins(true);
    let run = app.start_run("morning").await;
    app.drain().await;

    // The workflow would have given up after three tries.
    let mut minutes = Vec::new();
    for attempts in 1..=8 {
        assert_eq!(app.count("select count(*) from attempt").await, attempts, "one for each pause");
        let paused = mail(&app.engine).await;
        let left = paused.until_at.expect("an end") - app.engine.clock.now();
        minutes.push((left.num_seconds() + 30) / 60);
        app.later(left.to_std().expect("a time to come")).await;
    }

    assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(app.notices(run).await.len(), 1, "told once");
    server.refuse_logins(false);
    let ended = app.finish(run).await;
    assert_eq!((ended.state, ended.counts.delivered, most_tries(&app).await), (RunState::Succeeded, 4, 0));
}

#[sqlx::test]
async fn the_others_wait_until_the_first_one_came_out(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(10)).await;
    server.refuse_logins(true);
    let run = app.start_run("morning").await;
    app.drain().await;
    server.refuse_logins(false);
    server.hold(true);

    app.engine.clock.advance(MINUTE * 2);
    let due = transmit_due(&app).await;
    assert_eq!(due.len(), 11, "ten documents and a notice");
    let tried = futures::future::join_all(due.iter().map(|hint| run::perform(&app.engine, *hint)));
    let watched = async {
        server.until_held(1).await;
        until_nothing_is_due(&app).await;
        assert_eq!(mail(&app.engine).await.state, Standing::Trying);
        assert_eq!(server.held().len(), 1);
        server.hold(false);
    };
    let (tried, ()) = tokio::join!(tried, watched);
    tried.into_iter().for_each(|it| it.expect("a step"));

    assert_eq!(server.taken().len(), 1);
    assert_eq!(mail(&app.engine).await.state, Standing::Open);
    assert_eq!(transmit_due(&app).await.len(), 10, "they are called at once");
    assert_eq!(app.finish(run).await.counts.delivered, 10);
}

#[sqlx::test]
async fn monitors_are_told_of_a_pause_by_another_account_if_there_is_one(db: PgPool) {
    let server = MailServer::start().await;
    let app = TestApp::start_on(db, |accounts| {
        let outbox = accounts.insert("mail".to_owned(), server.account()).expect("the outbox");
        accounts.insert("spare".to_owned(), outbox);
    })
    .await;
    with_batch(&app, mailboxes(3)).await;
    server.refuse_logins(true);

    app.run("morning").await;

    let told = app.mails_to("mona@example.org");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subject, "The account mail is paused: smtp-535-5.7.8");
    assert!(told[0].text.contains("wrong password") && told[0].text.contains("postbook account resume mail"));
    assert_eq!(app.mails().len(), 1, "documents leave by the account that their batch names");
}

#[sqlx::test]
async fn a_recipient_who_is_refused_by_policy_fails_alone(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(5).chain(["policy@example.org".to_owned()])).await;

    let run = app.start_run("morning").await;
    let ended = app.finish(run).await;

    assert_eq!((ended.state, ended.counts.delivered, ended.counts.failed), (RunState::Partial, 5, 1));
    let failed = app.transmissions(run).await.into_iter().find(|it| it.state == TransmissionState::Failed);
    assert_eq!(failed.expect("the refused one").attempts, 2, "once more, in case it was the account");
    assert_eq!(app.count("select count(*) from account").await, 0, "no pause, and no row");
}

#[sqlx::test]
async fn an_account_that_may_send_to_nobody_is_paused(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(20)).await;
    server.refuse_all(true);

    let run = app.start_run("morning").await;
    app.drain().await;

    assert_eq!(mail(&app.engine).await.state, Standing::Paused);
    assert_eq!(app.count("select count(*) from attempt").await, 5, "as many as it takes to be sure");
    assert_eq!(app.count("select count(*) from transmission where state = 'failed'").await, 0);
    server.refuse_all(false);
    assert_eq!(app.finish(run).await.counts.delivered, 20);
}

#[sqlx::test]
async fn an_account_paused_by_hand_sends_nothing_until_it_is_resumed(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(5)).await;

    allowance::pause(&app.engine, &app.author(), ("mail", "the server moves")).await.expect("an open account");
    let run = app.start_run("morning").await;
    app.drain().await;
    app.later(Duration::from_secs(24 * 3600)).await;

    let paused = mail(&app.engine).await;
    assert_eq!((paused.state, paused.until_at, paused.paused_by.as_deref()), (Standing::Paused, None, Some("test")));
    assert_eq!((server.taken().len(), app.count("select count(*) from attempt").await), (0, 0));
    assert!(app.notices(run).await.is_empty(), "whoever pauses knows");
    let twice = allowance::pause(&app.engine, &app.author(), ("mail", "again")).await;
    assert!(matches!(twice, Err(HoldError::NotNow(_))));

    allowance::resume(&app.engine, &app.author(), "mail").await.expect("a paused account");
    app.drain().await;

    assert_eq!(app.seen(run).await.counts.delivered, 5, "without waiting any longer");
    assert!(matches!(allowance::resume(&app.engine, &app.author(), "mail").await, Err(HoldError::NotNow(_))));
    let nobody = allowance::resume(&app.engine, &app.author(), "male").await;
    assert!(matches!(nobody, Err(HoldError::Unknown(_))));
    let acts: Vec<String> = sqlx::query_scalar("select action from audit where object = 'mail' order by id")
        .fetch_all(&app.db)
        .await
        .expect("a look");
    assert_eq!(acts, ["account.paused", "account.resumed"]);
}

#[sqlx::test]
async fn a_pause_by_hand_outlasts_a_transmission_that_gets_through_meanwhile(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(2)).await;
    server.refuse_logins(true);
    app.run("morning").await;
    server.refuse_logins(false);
    server.hold(true);
    app.engine.clock.advance(MINUTE);

    let probe = transmit_due(&app).await[0];
    let (probed, ()) = tokio::join!(run::perform(&app.engine, probe), async {
        server.until_held(1).await;
        allowance::pause(&app.engine, &app.author(), ("mail", "for good")).await.expect("not paused by a person");
        server.hold(false);
    });
    probed.expect("a step");

    let paused = mail(&app.engine).await;
    assert_eq!((paused.state, paused.paused_by.as_deref()), (Standing::Paused, Some("test")));
    assert_eq!(server.taken().len(), 1);
}

/// Does all that is due, by two nodes at the same time.
async fn drain_by_both(app: &TestApp, engines: [&Engine; 2]) {
    loop {
        let due = app.due().await;
        if due.is_empty() {
            return;
        }
        let works = due.iter().map(|hint| run::perform(engines[usize::from(hint.id.0 % 2 == 0)], *hint));
        for done in futures::future::join_all(works).await {
            done.expect("a step");
        }
    }
}

#[sqlx::test]
async fn no_minute_has_more_than_the_limit_whichever_node_sends_and_nothing_is_lost(db: PgPool) {
    let server = MailServer::start().await;
    let limits = Limits { per_minute: NonZeroUsize::new(20), ..Limits::default() };
    let app = mailing(db, &server, limits).await;
    with_batch(&app, mailboxes(100)).await;
    let (run, _) = until_transmissions(&app).await;
    let other = app.another();

    let begun = app.engine.clock.now();
    drain_by_both(&app, [&app.engine, &other]).await;
    assert_eq!(app.count("select count(*) from attempt").await, 20, "as many as a minute has");
    let put_off =
        app.count("select count(*) from step where kind = 'transmit' and reason ->> 'code' = 'account-minute'");
    assert_eq!(put_off.await, 80);
    while app.seen(run).await.ended_at.is_none() {
        app.engine.clock.advance(Duration::from_secs(2));
        drain_by_both(&app, [&app.engine, &other]).await;
    }

    assert_eq!(app.seen(run).await.counts.delivered, 100);
    let most: i64 = sqlx::query_scalar(
        "select max(sent) from (select count(*) as sent from attempt as first
           join attempt as other on other.started_at between first.started_at and first.started_at + interval '60 s'
          group by first.transmission, first.number) as minute",
    )
    .fetch_one(&app.db)
    .await
    .expect("a count");
    assert!(most <= 20, "{most} in a minute");
    let took = app.engine.clock.now() - begun;
    assert!(took < chrono::Duration::minutes(6), "a hundred at twenty a minute took {took}");
    assert_eq!(server.taken().len(), 100);
    let workers = app.count("select count(distinct worker) from attempt").await;
    assert_eq!(workers, 2);
}

#[sqlx::test]
async fn no_more_are_sent_at_once_than_the_limit_whichever_node_sends(db: PgPool) {
    let server = MailServer::start().await;
    let limits = Limits { at_once: NonZeroUsize::new(3), ..Limits::default() };
    let app = mailing(db, &server, limits).await;
    with_batch(&app, mailboxes(20)).await;
    let (run, due) = until_transmissions(&app).await;
    let other = app.another();
    server.hold(true);

    let works = due.iter().enumerate().map(|(at, hint)| run::perform([&app.engine, &other][at % 2], *hint));
    let watched = async {
        server.until_held(3).await;
        until_nothing_is_due(&app).await;
        assert_eq!(server.held().len(), 3);
        assert_eq!(app.count("select count(*) from transmission where state = 'sending'").await, 3);
        server.hold(false);
    };
    let (works, ()) = tokio::join!(futures::future::join_all(works), watched);
    works.into_iter().for_each(|it| it.expect("a step"));

    assert_eq!(server.taken().len(), 3);
    let called = transmit_due(&app).await;
    assert!((3..=6).contains(&called.len()), "each that came out has called one or two: {}", called.len());
    app.drain().await;
    assert_eq!(app.seen(run).await.counts.delivered, 20, "and so to the end");
    assert_eq!(app.count("select count(*) from attempt").await, 20, "without waiting for the clock");
}

#[sqlx::test]
async fn a_turn_whose_worker_died_is_given_to_somebody_else(db: PgPool) {
    let server = MailServer::start().await;
    let limits = Limits { at_once: NonZeroUsize::new(1), ..Limits::default() };
    let app = mailing(db, &server, limits).await;
    with_batch(&app, mailboxes(3)).await;
    let (run, due) = until_transmissions(&app).await;
    server.hold(true);

    let dying = tokio::spawn({
        let (engine, hint) = (app.engine.clone(), due[0]);
        async move { run::perform(&engine, hint).await }
    });
    server.until_held(1).await;
    dying.abort();
    let _ = dying.await;
    server.hold(false);
    app.engine.clock.advance(MINUTE * 2);
    run::rescue::lapsed(&app.engine).await.expect("a sweep");

    assert_eq!(app.finish(run).await.counts.delivered, 3);
}

#[sqlx::test]
async fn an_account_that_is_well_and_has_no_limits_has_no_row(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing(db, &server, Limits::default()).await;
    with_batch(&app, mailboxes(3)).await;

    app.run("morning").await;

    assert_eq!(server.taken().len(), 3);
    assert_eq!(app.count("select count(*) from account").await, 0);
}
