//! Nothing is sent while sending is paused, and afterwards everything once.

use std::time::Duration;

use postbook::{
    id::RunId,
    run::{
        RunState, TransmissionState,
        act::ActError,
        rescue,
        sending::{self, Waiting},
    },
};
use sqlx::PgPool;

use crate::harness::TestApp;

const MORNING: &str = r#"
[[batch]]
name = "morning"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "checklist" }, { document = "orders" }]
recipients = [{ name = "Ann", email = "ann@example.org" }, { name = "Bob", email = "bob@example.org" }]

[[batch]]
name = "refused"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "checklist" }]
recipients = [{ name = "Rita", email = "refused@example.org" }]
"#;

async fn paused(db: PgPool) -> TestApp {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    sending::pause(&app.engine, &app.author(), "a look first").await.expect("a pause");
    app
}

async fn release(app: &TestApp) {
    sending::release(&app.engine, &app.author(), "all is well").await.expect("a release");
    app.drain().await;
}

/// Run, purpose, channel, account and number of what waits.
async fn waiting(app: &TestApp) -> Vec<(RunId, String, String, i64)> {
    let told = |it: Waiting| (it.run, format!("{:?}", it.purpose), it.account.unwrap_or_default(), it.queued);
    sending::sending(&app.engine).await.expect("a look").waiting.into_iter().map(told).collect()
}

#[sqlx::test]
async fn while_sending_is_paused_documents_are_rendered_and_nothing_leaves(db: PgPool) {
    let app = paused(db).await;

    let run = app.run("morning").await;

    assert!(app.mails().is_empty());
    assert_eq!(app.count("select count(*) from artifact").await, 2);
    assert_eq!(app.count("select count(*) from attempt").await, 0);
    assert_eq!(app.seen(run).await.state, RunState::Running);
    for transmission in app.transmissions(run).await {
        assert_eq!(transmission.state, TransmissionState::Queued);
        assert_eq!(transmission.waits_for.as_deref(), Some("all sending is paused: a look first"));
    }
    assert_eq!(waiting(&app).await, [(run, "Document".to_owned(), "mail".to_owned(), 4)]);

    release(&app).await;

    assert_eq!(app.finish(run).await.state, RunState::Succeeded);
    assert_eq!(app.mails().len(), 4);
    assert!(waiting(&app).await.is_empty());
    assert_eq!(app.count("select count(*) from audit where action in ('sending.paused', 'sending.released')").await, 2);
}

#[sqlx::test]
async fn what_waits_for_a_release_is_given_no_hints_and_then_one_each(db: PgPool) {
    let app = paused(db).await;
    app.run("morning").await;
    sqlx::query("delete from apalis.jobs").execute(&app.db).await.expect("hints that got lost");
    app.engine.clock.advance(Duration::from_secs(600));
    for _ in 0..3 {
        rescue::hints(&app.engine).await.expect("a sweep");
    }
    let hints = "select count(*) from apalis.jobs where job_type = 'postbook.transmit'";
    assert_eq!(app.count(hints).await, 0);

    sending::release(&app.engine, &app.author(), "all is well").await.expect("a release");

    assert_eq!(app.count(hints).await, 4);
    rescue::hints(&app.engine).await.expect("a sweep");
    assert_eq!(app.count(hints).await, 4, "they are told of once");
}

#[sqlx::test]
async fn notices_wait_too(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    app.reports.break_for(0);
    let run = app.start_run("refused").await;
    while app.seen(run).await.ended_at.is_none() {
        let due = app.due().await;
        for hint in due {
            postbook::run::perform(&app.engine, hint).await.expect("a step");
        }
        app.engine.clock.advance(Duration::from_secs(1));
    }
    sending::pause(&app.engine, &app.author(), "a look first").await.expect("a pause");

    app.drain().await;

    assert_eq!(app.notices(run).await.len(), 1);
    assert!(app.mails_to("mona@example.org").is_empty());
    assert_eq!(waiting(&app).await, [(run, "Notice".to_owned(), "mail".to_owned(), 1)]);
    release(&app).await;
    assert_eq!(app.mails_to("mona@example.org").len(), 1);
}

#[sqlx::test]
async fn one_run_is_let_out_of_a_pause_and_not_of_the_next_one(db: PgPool) {
    let app = paused(db).await;
    let first = app.run("morning").await;
    let second = app.run("morning").await;

    sending::release_run(&app.engine, first, (&app.author(), "compared with the log")).await.expect("a release");
    app.drain().await;
    assert_eq!(app.finish(first).await.state, RunState::Succeeded);
    assert_eq!((app.mails().len(), app.seen(second).await.counts.delivered), (4, 0));

    let third = app.run("morning").await;
    sending::release_run(&app.engine, third, (&app.author(), "this too")).await.expect("a release");
    sending::release(&app.engine, &app.author(), "all of it").await.expect("a release");
    sending::pause(&app.engine, &app.author(), "once more").await.expect("a pause");
    app.drain().await;
    assert_eq!(app.mails().len(), 4, "those let out of the first pause are in the second");
    release(&app).await;
    assert_eq!(app.mails().len(), 12);
}

#[sqlx::test]
async fn a_dropped_run_is_cancelled_and_stays_so_after_the_release(db: PgPool) {
    let app = paused(db).await;
    let dropped = app.run("morning").await;
    let kept = app.run("morning").await;

    sending::drop_run(&app.engine, dropped, (&app.author(), "it was sent before")).await.expect("a drop");
    app.drain().await;
    assert_eq!(app.finish(dropped).await.state, RunState::Cancelled);
    release(&app).await;

    assert_eq!(app.finish(kept).await.state, RunState::Succeeded);
    assert_eq!((app.mails().len(), app.seen(dropped).await.counts.cancelled), (4, 4));
    let again = sending::drop_run(&app.engine, dropped, (&app.author(), "again")).await;
    assert!(matches!(again, Err(ActError::NotNow(_))), "{again:?}");
}

#[sqlx::test]
async fn everything_open_is_dropped_at_once_and_what_is_held_stays_held(db: PgPool) {
    let app = paused(db).await;
    let held = app.start_with("morning", |start| start.hold = true).await;
    let rendered = app.run("morning").await;
    let begun = app.start_run("morning").await;

    let dropped = sending::drop_all(&app.engine, (&app.author(), "an old backup")).await.expect("a drop");

    assert_eq!(dropped, [rendered, begun]);
    release(&app).await;
    for run in [rendered, begun] {
        assert_eq!(app.finish(run).await.state, RunState::Cancelled);
    }
    assert_eq!(app.seen(held).await.state, RunState::Held);
    assert!(app.mails().is_empty());
    assert_eq!(app.count("select count(*) from audit where action = 'sending.dropped'").await, 2);
}

#[sqlx::test]
async fn notices_of_runs_that_have_ended_are_dropped_as_well(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("refused").await;
    while app.notices(run).await.is_empty() {
        for hint in app.due().await {
            postbook::run::perform(&app.engine, hint).await.expect("a step");
        }
        app.engine.clock.advance(Duration::from_secs(1));
        if !app.notices(run).await.is_empty() {
            break;
        }
    }
    sending::pause(&app.engine, &app.author(), "a look first").await.expect("a pause");

    let dropped = sending::drop_all(&app.engine, (&app.author(), "an old backup")).await.expect("a drop");
    release(&app).await;

    assert_eq!(dropped, [run]);
    assert_eq!(app.notices(run).await[0].state, TransmissionState::Cancelled);
    assert!(app.mails().is_empty());
}

#[sqlx::test]
async fn a_pause_is_not_paused_and_no_pause_is_not_released(db: PgPool) {
    let app = paused(db).await;
    let twice = sending::pause(&app.engine, &app.author(), "again").await;
    assert!(matches!(&twice, Err(ActError::NotNow(text)) if text.contains("paused already")), "{twice:?}");
    release(&app).await;
    let twice = sending::release(&app.engine, &app.author(), "again").await;
    assert!(matches!(&twice, Err(ActError::NotNow(text)) if text.contains("not paused")), "{twice:?}");
    let run = app.run("morning").await;
    let out = sending::release_run(&app.engine, run, (&app.author(), "again")).await;
    assert!(matches!(out, Err(ActError::NotNow(_))), "{out:?}");
}
