//! What runs do, step by step, on a real database.

mod harness;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use harness::TestApp;
use postbook::{
    channel::{
        Settle,
        account::{AccountConfig, Channels},
    },
    clock::Clock,
    id::{RunId, TransmissionId},
    queue::Hint,
    run::{
        self, Cause, CauseKind, RunState, Start, TransmissionState,
        act::{self, ActError, Again, Settlement},
    },
    workflow::Kind,
};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

/// Three documents to one recipient, given up after three tries.
const MORNING: &str = r#"
[[batch]]
name = "morning"
title = "Morning"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "checklist" }, { document = "orders" }, { document = "hours" }]
recipients = [{ name = "Ann", email = "ann@example.org" }]
message = { subject = "{{ document.title }}", text = "Good morning {{ recipient.name }}" }
"#;

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[sqlx::test]
async fn one_report_that_fails_leaves_the_run_partial_and_a_retry_sends_exactly_that_one(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    app.reports.break_for(3);

    let run = app.start_run("morning").await;
    let ended = app.finish(run).await;

    assert_eq!(ended.state, RunState::Partial);
    assert_eq!((ended.counts.delivered, ended.counts.failed), (2, 1));
    let failed = app.transmissions(run).await.pop().expect("three transmissions");
    assert_eq!(failed.state, TransmissionState::Failed);
    let reason = failed.reason.expect("a reason");
    assert_eq!(reason["code"], "http-500");
    assert!(reason["text"].as_str().is_some_and(|text| text.contains("500")), "{reason}");
    assert_eq!(app.reports.asked().len(), 3, "three tries, as the workflow says");
    let notices = app.notices(run).await;
    assert_eq!(notices.len(), 1, "one monitor, told once");
    let told = app.mails_to("mona@example.org");
    assert_eq!(told.len(), 1);
    assert!(told[0].text.contains("Hours") && told[0].text.contains("500"), "{}", told[0].text);
    assert_eq!(app.mails_to("ann@example.org").len(), 2);

    act::retry(&app.engine, run, "test").await.expect("something to retry");
    let ended = app.finish(run).await;

    assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 3));
    let subjects: Vec<_> = app.mails_to("ann@example.org").into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.len(), 3, "exactly one more: {subjects:?}");
    assert_eq!(app.mails_to("mona@example.org").len(), 1, "nothing new to tell");
}

#[sqlx::test]
async fn a_report_that_comes_back_in_time_is_sent_without_anybody_noticing(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    app.reports.break_for(2);

    let run = app.start_run("morning").await;
    app.drain().await;
    assert_eq!(app.seen(run).await.state, RunState::Running, "the third document waits for its next try");
    let ended = app.finish(run).await;

    assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 3));
    assert!(app.mails_to("mona@example.org").is_empty());
}

#[sqlx::test]
async fn what_the_book_says_was_sent_was_sent_byte_for_byte(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;

    let run = app.run("morning").await;

    let mut booked: Vec<_> = app.transmissions(run).await.into_iter().flat_map(|it| it.documents).collect();
    booked.sort_by(|a, b| a.title.cmp(&b.title));
    let mut sent: Vec<_> = app.mails_to("ann@example.org").into_iter().collect();
    sent.sort_by(|a, b| a.subject.cmp(&b.subject));
    let of_mail =
        |mail: &harness::Mail| (mail.subject.clone(), mail.attachments[0].0.clone(), hex(&mail.attachments[0].1));
    let sent: Vec<_> = sent.iter().map(of_mail).collect();
    let booked: Vec<_> =
        booked.into_iter().map(|it| (it.title, it.file.expect("a file"), it.digest.expect("a digest"))).collect();
    assert_eq!(sent, booked);
}

#[sqlx::test]
async fn starting_only_writes_the_run_and_its_first_step_and_sends_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;

    let run = app.start_run("morning").await;

    assert_eq!(app.seen(run).await.state, RunState::Expanding);
    assert!(app.mails().is_empty());
    let due = app.due().await;
    assert_eq!(due.len(), 1);
    run::perform(&app.engine, due[0]).await.expect("the expansion");
    let states: BTreeSet<_> = app.book(run).await.into_iter().map(|(.., state)| state).collect();
    assert_eq!(states, BTreeSet::from(["queued".to_owned()]));
    assert!(app.mails().is_empty(), "expanding sends nothing either");
}

#[sqlx::test]
async fn the_same_cause_starts_one_run_however_many_ask_at_once(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let start = Start {
        batch: "morning".to_owned(),
        cause: Cause { kind: CauseKind::Schedule, key: "schedule 2026-04-01T06:00".to_owned(), by: None },
        date: None,
        params: Default::default(),
        hold: false,
    };

    let asked = (0..20).map(|_| run::start(&app.engine, start.clone()));
    let started: Vec<_> = futures::future::join_all(asked).await.into_iter().map(|it| it.expect("a run")).collect();

    assert_eq!(started.iter().filter(|it| it.fresh).count(), 1);
    assert_eq!(started.iter().map(|it| it.run).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(app.count("select count(*) from run").await, 1);
    assert_eq!(app.count("select count(*) from step").await, 1);
}

#[sqlx::test]
async fn an_expansion_that_dies_in_the_middle_is_finished_without_doubles(db: PgPool) {
    let app = TestApp::start(db).await;
    let recipients: Vec<_> =
        (0..1200).map(|at| format!("{{ name = \"R{at}\", email = \"r{at}@example.org\" }}")).collect();
    app.apply(&format!(
        r#"
        [[batch]]
        name = "many"
        workflow = "quick"
        run_as = "site-a"
        documents = [{{ document = "checklist" }}, {{ document = "orders" }}]
        recipients = [{}]
        "#,
        recipients.join(", ")
    ))
    .await;
    let run = app.start_run("many").await;
    let expand = app.due().await[0];

    // The second of three chunks meets a database that refuses.
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as $$
         begin if new.recipient_name = 'R700' then raise exception 'gone'; end if; return new; end $$;
         create trigger refuse before insert on transmission for each row execute function refuse();",
    )
    .execute(&app.db)
    .await
    .expect("a trap");
    run::perform(&app.engine, expand).await.expect_err("the trap");
    assert_eq!(app.count("select count(*) from transmission").await, 1000, "one chunk is in");
    assert_eq!(
        app.count("select count(*) from step where kind = 'render'").await,
        0,
        "and nothing can be sent from it"
    );
    sqlx::raw_sql("drop trigger refuse on transmission").execute(&app.db).await.expect("no trap");

    app.engine.clock.advance(Duration::from_secs(120));
    assert_eq!(run::rescue::lapsed(&app.engine).await.expect("a sweep"), 0, "it was put back, not left to lapse");
    run::perform(&app.engine, expand).await.expect("the expansion");
    run::perform(&app.engine, expand).await.expect("nothing");

    assert_eq!(app.count("select count(*) from transmission").await, 2400);
    assert_eq!(app.count("select count(distinct key) from transmission").await, 2400);
    assert_eq!(app.count("select count(*) from item").await, 2, "neither document is personal");
    assert_eq!(app.count("select count(*) from transmission_item").await, 2400);
    assert_eq!(app.seen(run).await.state, RunState::Running);
}

#[sqlx::test]
async fn a_held_run_does_nothing_until_it_is_released(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;

    let run = app.start_with("morning", |start| start.hold = true).await;
    app.drain().await;
    assert_eq!(app.seen(run).await.state, RunState::Held);
    assert_eq!(app.count("select count(*) from step").await, 0);

    act::release(&app.engine, run, "test").await.expect("a held run");
    assert_eq!(app.finish(run).await.state, RunState::Succeeded);
    let again = act::release(&app.engine, run, "test").await.expect_err("released already");
    assert!(again.to_string().contains("is not held"), "{again}");
}

#[sqlx::test]
async fn a_paused_run_sends_nothing_until_it_is_resumed(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    let expand = app.due().await[0];
    run::perform(&app.engine, expand).await.expect("the expansion");

    act::pause(&app.engine, run, "test").await.expect("a running run");
    app.later(Duration::from_secs(3600)).await;
    run::perform(
        &app.engine,
        Hint { kind: postbook::workflow::Kind::Render, id: postbook::id::StepId(expand.id.0 + 1) },
    )
    .await
    .expect("a hint that comes late");
    assert!(app.mails().is_empty());

    act::resume(&app.engine, run, "test").await.expect("a paused run");
    assert_eq!(app.finish(run).await.state, RunState::Succeeded);
}

#[sqlx::test]
async fn a_cancelled_run_sends_nothing_more_and_ends_cancelled(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    let expand = app.due().await[0];
    run::perform(&app.engine, expand).await.expect("the expansion");

    act::cancel(&app.engine, run, "test").await.expect("a running run");
    let ended = app.finish(run).await;

    assert_eq!((ended.state, ended.counts.cancelled), (RunState::Cancelled, 3));
    assert!(app.mails().is_empty());
    assert!(matches!(act::cancel(&app.engine, run, "test").await, Err(ActError::NotNow(_))));
    assert!(matches!(act::retry(&app.engine, run, "test").await, Err(ActError::NotNow(_))));
}

#[sqlx::test]
async fn a_run_cancelled_while_held_ends_at_once(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_with("morning", |start| start.hold = true).await;

    act::cancel(&app.engine, run, "test").await.expect("a held run");

    let ended = app.seen(run).await;
    assert_eq!(ended.state, RunState::Cancelled);
    assert!(ended.ended_at.is_some());
}

fn again(key: &str, render: bool) -> Again {
    Again { render, despite_suppression: false, key: key.to_owned(), by: "test".to_owned() }
}

#[sqlx::test]
async fn sending_again_sends_the_same_bytes_or_renders_them_anew(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.run("morning").await;
    let hours = app.transmissions(run).await[2].clone();
    let asked = app.reports.asked().len();

    let same = act::resend(&app.engine, hours.id, &again("a", false)).await.expect("a copy");
    assert_eq!(act::resend(&app.engine, hours.id, &again("a", false)).await.expect("the same wish"), same);
    app.finish(run).await;
    assert_eq!(app.reports.asked().len(), asked, "the same bytes need no report server");

    let anew = act::resend(&app.engine, hours.id, &again("b", true)).await.expect("a copy");
    let ended = app.finish(run).await;
    assert_eq!(app.reports.asked().len(), asked + 1);

    assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 5));
    let all = app.transmissions(run).await;
    let of = |id| all.iter().find(|it| it.id == id).expect("the copy");
    assert_eq!(of(same).documents[0].digest, hours.documents[0].digest);
    assert_eq!((of(same).resend_of, of(anew).resend_of), (Some(hours.id), Some(hours.id)));
    assert_eq!(app.mails_to("ann@example.org").len(), 5);
    let ids: BTreeSet<_> = app.mails().into_iter().map(|mail| mail.message_id).collect();
    assert_eq!(ids.len(), 5, "a transmission has a Message-ID of its own");
}

#[sqlx::test]
async fn a_worker_that_dies_while_sending_leaves_an_attempt_that_is_repeated_and_said_to_be(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    until_transmit(&app).await;
    let step = app.due().await[0];
    begin_and_die(&app, step).await;

    app.engine.clock.advance(Duration::from_secs(120));
    assert_eq!(run::rescue::lapsed(&app.engine).await.expect("a sweep"), 1);
    app.finish(run).await;

    let first = app.transmissions(run).await[0].clone();
    assert_eq!((first.state, first.possibly_twice, first.attempts), (TransmissionState::Delivered, true, 2));
    let outcomes: Vec<_> = app.attempts(first.id).await.into_iter().map(|it| it.outcome.expect("an outcome")).collect();
    assert_eq!(outcomes, ["uncertain", "delivered"]);
}

#[sqlx::test]
async fn a_worker_that_wakes_up_after_its_lease_changes_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    until_transmit(&app).await;
    let step = app.due().await[0];
    begin_and_die(&app, step).await;
    app.engine.clock.advance(Duration::from_secs(120));
    run::rescue::lapsed(&app.engine).await.expect("a sweep");
    app.finish(run).await;
    let before = app.book(run).await;

    // What the old worker would write now: it names its lease, and finds no row.
    let late = sqlx::query(
        "update step set state = 'done', lease_until = null where id = $1 and lease = 1 and state = 'running'",
    )
    .bind(step.id.0)
    .execute(&app.db)
    .await
    .expect("a write");

    assert_eq!(late.rows_affected(), 0);
    assert_eq!(app.book(run).await, before);
}

#[sqlx::test]
async fn a_node_whose_clock_is_minutes_ahead_takes_nothing_from_others_because_it_goes_by_the_database(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    app.start_run("morning").await;
    until_transmit(&app).await;
    begin_and_die(&app, app.due().await[0]).await;
    let ahead = || app.another().on(Clock::from(Utc::now() + TimeDelta::minutes(5)));

    let following = ahead();
    following.renew().await.expect("the database's time");
    assert_eq!(run::rescue::lapsed(&following).await.expect("a sweep"), 0);

    assert_eq!(run::rescue::lapsed(&ahead()).await.expect("a sweep"), 1, "by its own clock it would");
}

#[sqlx::test]
async fn an_uncertain_transmission_that_is_held_waits_for_a_person(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    until_transmit(&app).await;
    let step = app.due().await[0];
    // A step that keeps taking its workers down is not repeated for ever: it is held after the third.
    for _ in 0..3 {
        begin_and_die(&app, step).await;
        app.engine.clock.advance(Duration::from_secs(120));
        run::rescue::lapsed(&app.engine).await.expect("a sweep");
    }
    let ended = app.finish(run).await;
    assert_eq!((ended.state, ended.counts.uncertain), (RunState::Partial, 1));
    let held = app.transmissions(run).await[0].id;
    assert!(app.mails_to("mona@example.org")[0].text.contains("settle"), "the monitor is told what to do");

    act::settle(&app.engine, held, Settlement::Delivered, ("test", "Ann says she has it")).await.expect("uncertain");
    let settled = app.finish(run).await;

    assert_eq!((settled.state, settled.counts.delivered), (RunState::Succeeded, 3));
    let proof = app.transmissions(run).await[0].proof.clone().expect("a proof");
    assert_eq!(proof["text"], "Ann says she has it");
    let twice = act::settle(&app.engine, held, Settlement::Failed, ("test", "no")).await;
    assert!(matches!(twice, Err(ActError::NotNow(_))));
}

/// Does steps until the first one that transmits is due.
async fn until_transmit(app: &TestApp) {
    loop {
        let due = app.due().await;
        if due.first().is_some_and(|hint| hint.kind == postbook::workflow::Kind::Transmit) {
            return;
        }
        let hint = due.iter().find(|hint| hint.kind != postbook::workflow::Kind::Transmit).expect("a step before");
        run::perform(&app.engine, *hint).await.expect("a step");
        if app.due().await.iter().all(|hint| hint.kind == postbook::workflow::Kind::Transmit) {
            return;
        }
    }
}

/// What a worker has written when it dies after committing its intent and before any outcome.
async fn begin_and_die(app: &TestApp, step: Hint) {
    let now = app.engine.clock.now();
    sqlx::query(
        "with claimed as (
             update step set state = 'running', lease = lease + 1, lease_until = $2, worker = 'gone'
              where id = $1 and state = 'ready' returning transmission, lease
         ), sending as (
             update transmission set state = 'sending', attempts = attempts + 1
               from claimed where id = claimed.transmission returning id, attempts, lease
         )
         insert into attempt (transmission, number, lease, worker, started_at)
         select id, attempts, lease, 'gone', $3 from sending",
    )
    .bind(step.id.0)
    .bind(now + Duration::from_secs(60))
    .bind(now)
    .execute(&app.db)
    .await
    .expect("a claim");
}

#[sqlx::test]
async fn a_render_that_keeps_taking_its_workers_down_fails_with_that_reason(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    run::perform(&app.engine, app.due().await[0]).await.expect("the expansion");
    let render = app.due().await.into_iter().find(|it| it.kind == postbook::workflow::Kind::Render).expect("a render");

    for _ in 0..3 {
        sqlx::query("update step set state = 'running', lease = lease + 1, lease_until = $2 where id = $1")
            .bind(render.id.0)
            .bind(app.engine.clock.now())
            .execute(&app.db)
            .await
            .expect("a claim");
        app.engine.clock.advance(Duration::from_secs(1));
        run::rescue::lapsed(&app.engine).await.expect("a sweep");
    }
    let ended = app.finish(run).await;

    assert_eq!((ended.state, ended.counts.failed), (RunState::Partial, 1));
    let reason = app.transmissions(run).await[0].reason.clone().expect("a reason");
    assert_eq!(reason["code"], "poison");
}

#[sqlx::test]
async fn hints_that_got_lost_are_given_again(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    app.start_run("morning").await;
    let jobs = "select count(*) from apalis.jobs";
    assert_eq!(app.count(jobs).await, 1);
    sqlx::raw_sql("delete from apalis.jobs").execute(&app.db).await.expect("lost");

    assert_eq!(run::rescue::hints(&app.engine).await.expect("a sweep"), 0, "it may still come");
    app.engine.clock.advance(Duration::from_secs(61));
    assert_eq!(run::rescue::hints(&app.engine).await.expect("a sweep"), 1);
    assert_eq!(run::rescue::hints(&app.engine).await.expect("a sweep"), 0, "once for each lease");
    assert_eq!(app.count(jobs).await, 1);
}

#[sqlx::test]
async fn a_bundle_carries_all_documents_and_fails_as_one(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&MORNING.replace("documents =", "bundle = true\ndocuments =")).await;

    let run = app.run("morning").await;
    assert_eq!(app.book(run).await, [("checklist+orders+hours".to_owned(), "Ann".to_owned(), "delivered".to_owned())]);
    let mails = app.mails_to("ann@example.org");
    assert_eq!((mails.len(), mails[0].attachments.len()), (1, 3));

    app.reports.break_for(3);
    let run = app.start_run("morning").await;
    let ended = app.finish(run).await;
    assert_eq!((ended.state, ended.counts.failed), (RunState::Failed, 1));
    assert_eq!(app.mails_to("ann@example.org").len(), 1, "no bundle without its third document");

    act::retry(&app.engine, run, "test").await.expect("a failed bundle");
    assert_eq!(app.finish(run).await.state, RunState::Succeeded);
    assert_eq!(app.mails_to("ann@example.org").len(), 2);
}

#[sqlx::test]
async fn a_run_of_a_document_that_is_gone_fails_and_the_monitors_are_told_why(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    sqlx::raw_sql("update document set deleted_at = created_at where name = 'hours'")
        .execute(&app.db)
        .await
        .expect("gone");

    let ended = app.finish(run).await;

    assert_eq!(ended.state, RunState::Failed);
    assert!(app.transmissions(run).await.is_empty(), "nothing is sent from a batch that is not whole");
    let told = app.mails_to("mona@example.org");
    assert!(told[0].text.contains("`hours` is no longer there"), "{}", told[0].text);

    sqlx::raw_sql("update document set deleted_at = null where name = 'hours'").execute(&app.db).await.expect("back");
    act::retry(&app.engine, run, "test").await.expect("a failed run");
    assert_eq!(app.finish(run).await.state, RunState::Succeeded);
}

#[sqlx::test]
async fn who_acts_is_in_the_audit_log_once_and_what_is_refused_is_not(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    let engine = &app.engine;
    act::pause(engine, run, "ann").await.expect("a running run");
    act::pause(engine, run, "ann").await.expect_err("paused already");
    act::resume(engine, run, "bob").await.expect("a paused run");
    app.finish(run).await;
    let sent = app.transmissions(run).await[0].id;
    for _ in 0..2 {
        act::resend(engine, sent, &again("a", false)).await.expect("one wish");
    }
    act::cancel(engine, run, "eve").await.expect("an open run");
    act::retry(engine, run, "eve").await.expect_err("a cancelled run");

    let told: Vec<(String, String, String)> =
        sqlx::query_as("select by, action, object from audit where action not like '%.saved' order by id")
            .fetch_all(&app.db)
            .await
            .unwrap();
    let line = |by: &str, action: &str, object: &dyn ToString| (by.to_owned(), action.to_owned(), object.to_string());
    let expected = [
        line("test", "run.started", &run),
        line("ann", "run.paused", &run),
        line("bob", "run.resumed", &run),
        line("test", "transmission.resent", &sent),
        line("eve", "run.cancelled", &run),
    ];
    assert_eq!(told, expected);
}

#[sqlx::test]
async fn nobody_else_is_kept_waiting_by_a_transmission_that_cannot_leave(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&MORNING.replace(
        "recipients = [",
        "recipients = [{ name = \"Rita\", email = \"refused-1@example.org\" }, { name = \"Faye\", fax = \"+13125550002\" }, ",
    ))
    .await;

    let run = app.start_run("morning").await;
    let ended = app.finish(run).await;

    assert_eq!((ended.counts.delivered, ended.counts.failed, ended.counts.skipped), (3, 3, 3));
    let skipped = app.transmissions(run).await.into_iter().find(|it| it.state == TransmissionState::Skipped);
    let reason = skipped.and_then(|it| it.reason).expect("a reason");
    assert_eq!(reason["code"], "no-account");
}

#[sqlx::test]
async fn counts_are_counted_anew_so_that_no_outcome_is_missed(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run: RunId = app.run("morning").await;

    sqlx::raw_sql("update run set delivered = 17, state = 'running', ended_at = null")
        .execute(&app.db)
        .await
        .expect("wrong");
    sqlx::raw_sql("update step set state = 'ready', due_at = created_at where kind = 'record'")
        .execute(&app.db)
        .await
        .expect("marked");
    app.drain().await;

    assert_eq!((app.seen(run).await.state, app.seen(run).await.counts.delivered), (RunState::Succeeded, 3));
}

#[sqlx::test]
async fn whoever_acts_on_a_run_and_whoever_counts_it_do_not_wait_for_each_other(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    let count = until_count(&app).await;

    // Like an act: the run first, its steps later, among them the one that counts and new ones.
    let mut act = app.db.begin().await.expect("a transaction");
    sqlx::query("select from run where id = $1 for no key update")
        .bind(run.0)
        .execute(&mut *act)
        .await
        .expect("the run");
    let counting = tokio::spawn({
        let engine = app.engine.clone();
        async move { run::perform(&engine, count).await }
    });
    until_somebody_waits(&app).await;
    sqlx::query("select from step where run = $1 for update nowait")
        .bind(run.0)
        .execute(&mut *act)
        .await
        .expect("steps that whoever counts does not hold while waiting for the run");
    act.commit().await.expect("an act");
    counting.await.expect("a task").expect("a count");
}

/// Does all that is due until a count is, which is left.
async fn until_count(app: &TestApp) -> Hint {
    loop {
        let due = app.due().await;
        if let Some(count) = due.iter().find(|hint| hint.kind == Kind::Record) {
            return *count;
        }
        for hint in due {
            run::perform(&app.engine, hint).await.expect("a step");
        }
    }
}

/// Looks until a connection to this test's database waits for a lock.
async fn until_somebody_waits(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let waits =
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&app.db).await.expect("a look") {
        assert!(Instant::now() < deadline, "nobody waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[sqlx::test]
async fn a_batch_whose_workflow_lacks_a_template_is_refused_by_name(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply("[[document]]\nname = \"letter\"\nkind = \"template\"\ntemplate = \"templates/letter.typ\"").await;

    let refused = app.try_apply(&MORNING.replace("\"orders\"", "\"letter\"")).await.expect_err("no such template");

    let text = refused.to_string();
    assert!(text.contains("documents/1/document") && text.contains("templates/letter.typ"), "{text}");
}

#[sqlx::test]
async fn an_outcome_is_kept_until_the_database_takes_it(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    until_transmit(&app).await;
    let step = app.due().await[0];
    // Two writes of the outcome are refused before the third is taken; a sequence counts them through the rollbacks.
    sqlx::raw_sql(
        "create sequence refused;
         create function refuse() returns trigger language plpgsql as $$
         begin if nextval('refused') <= 2 then raise exception 'away'; end if; return new; end $$;
         create trigger refuse before update of outcome on attempt for each row execute function refuse();",
    )
    .execute(&app.db)
    .await
    .expect("a trap");

    run::perform(&app.engine, step).await.expect("the step");

    let first = app.transmissions(run).await[0].clone();
    assert_eq!((first.state, first.attempts, first.possibly_twice), (TransmissionState::Delivered, 1, false));
    assert_eq!(app.mails().len(), 1);
}

/// A Postbook whose mail account leaves what is uncertain to people, and a step that is about to send.
async fn about_to_send_with_hold(db: PgPool) -> (TestApp, RunId, Hint) {
    let mut app = TestApp::start(db).await;
    let outbox = app.folder.path().join("outbox");
    let mut mail = AccountConfig::new(format!("folder://{}?format=eml", outbox.display()));
    mail.channel = Some("email".to_owned());
    mail.from = Some("Postbook <postbook@example.org>".to_owned());
    mail.settle = Some(Settle::Hold);
    app.engine.channels = Arc::new(Channels::open(&[("mail".to_owned(), mail)].into()).expect("an account"));
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    until_transmit(&app).await;
    let step = app.due().await[0];
    (app, run, step)
}

/// Sends, with a database that takes no outcome of it, until the lease runs out and the attempt is uncertain.
async fn send_past_the_lease(app: &TestApp, step: Hint) -> tokio::task::JoinHandle<anyhow::Result<()>> {
    sqlx::raw_sql(
        "create table gate (number integer); insert into gate values (1), (2);
         create function refuse() returns trigger language plpgsql as $$
         begin if exists (select from gate where number = new.number) then raise exception 'away'; end if; return new; end $$;
         create trigger refuse before update of outcome on attempt for each row
            when (new.outcome = 'delivered') execute function refuse();",
    )
    .execute(&app.db)
    .await
    .expect("a gate");
    let sending = tokio::spawn({
        let engine = app.engine.clone();
        async move { run::perform(&engine, step).await }
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    while app.mails().is_empty() {
        assert!(Instant::now() < deadline, "nothing is sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.engine.clock.advance(Duration::from_secs(120));
    assert_eq!(run::rescue::lapsed(&app.engine).await.expect("a sweep"), 1);
    sending
}

async fn open_gate(app: &TestApp, sending: tokio::task::JoinHandle<anyhow::Result<()>>) {
    sqlx::raw_sql("delete from gate").execute(&app.db).await.expect("an open gate");
    sending.await.expect("a task").expect("a step");
}

#[sqlx::test]
async fn an_outcome_that_comes_late_settles_what_is_still_uncertain(db: PgPool) {
    let (app, run, step) = about_to_send_with_hold(db).await;
    let sending = send_past_the_lease(&app, step).await;
    let first = app.transmissions(run).await[0].clone();
    assert_eq!(first.state, TransmissionState::Uncertain);

    open_gate(&app, sending).await;

    let first = app.transmissions(run).await[0].clone();
    assert_eq!((first.state, first.attempts, first.possibly_twice), (TransmissionState::Delivered, 1, false));
    assert!(first.proof.is_some() && first.reason.is_none() && first.sent_at.is_some());
    assert_eq!(app.attempts(first.id).await[0].outcome.as_deref(), Some("delivered"));
    assert_eq!(app.finish(run).await.state, RunState::Succeeded);
    assert_eq!(app.mails_to("ann@example.org").len(), 3);
}

#[sqlx::test]
async fn an_outcome_that_comes_late_changes_nothing_that_a_person_settled(db: PgPool) {
    let (app, run, step) = about_to_send_with_hold(db).await;
    let sending = send_past_the_lease(&app, step).await;
    let first = app.transmissions(run).await[0].id;
    act::settle(&app.engine, first, Settlement::Failed, ("test", "Ann has nothing")).await.expect("uncertain");

    open_gate(&app, sending).await;

    assert_eq!(app.transmissions(run).await[0].state, TransmissionState::Failed);
    assert_eq!(app.attempts(first).await[0].outcome.as_deref(), Some("delivered"), "noted all the same");
}

#[sqlx::test]
async fn a_retry_of_what_may_have_arrived_is_said_to_be_possibly_twice(db: PgPool) {
    let (app, run, step) = about_to_send_with_hold(db).await;
    begin_and_die(&app, step).await;
    app.engine.clock.advance(Duration::from_secs(120));
    run::rescue::lapsed(&app.engine).await.expect("a sweep");
    app.finish(run).await;
    let first = app.transmissions(run).await[0].id;
    act::settle(&app.engine, first, Settlement::Failed, ("test", "Ann has nothing")).await.expect("uncertain");

    act::retry(&app.engine, run, "test").await.expect("something to retry");
    app.finish(run).await;

    let all = app.transmissions(run).await;
    assert_eq!((all[0].state, all[0].possibly_twice), (TransmissionState::Delivered, true));
    assert!(all[1..].iter().all(|it| !it.possibly_twice), "nobody doubts the others");
}

#[sqlx::test]
async fn two_outcomes_that_come_late_do_not_hide_that_both_arrived(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(MORNING).await;
    let run = app.start_run("morning").await;
    until_transmit(&app).await;
    let step = app.due().await[0];
    let sent = send_past_the_lease(&app, step).await;
    let first = app.transmissions(run).await[0].id;
    let repeated = tokio::spawn({
        let engine = app.engine.clone();
        async move { run::perform(&engine, step).await }
    });
    until_outcomes(&app, first, &["uncertain", ""]).await;
    sqlx::raw_sql("delete from gate where number = 1").execute(&app.db).await.expect("half a gate");
    sent.await.expect("a task").expect("a step");
    until_outcomes(&app, first, &["delivered", ""]).await;
    app.engine.clock.advance(Duration::from_secs(120));
    assert_eq!(run::rescue::lapsed(&app.engine).await.expect("a sweep"), 1);

    open_gate(&app, repeated).await;

    let transmission = app.transmissions(run).await[0].clone();
    assert_eq!((transmission.state, transmission.possibly_twice), (TransmissionState::Delivered, true));
    until_outcomes(&app, first, &["delivered", "delivered"]).await;
}

/// Looks until the attempts at a transmission have these outcomes; an open one has none.
async fn until_outcomes(app: &TestApp, transmission: TransmissionId, expected: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let attempts = app.attempts(transmission).await;
        let outcomes: Vec<_> = attempts.into_iter().map(|it| it.outcome.unwrap_or_default()).collect();
        if outcomes == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{outcomes:?} instead of {expected:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
