//! Runs, files and logs go at the age that their batch says, and what somebody may still need stays.

use std::{collections::BTreeMap, time::Duration};

use postbook::{
    config::{Age, Retention},
    id::RunId,
    run::{
        RunState,
        act::{self, ActError, Again},
        files, purge,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::PgPool;

use crate::harness::TestApp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn age(text: &str) -> Age {
    text.parse().expect("an age")
}

/// What the settings say here.
fn defaults() -> Retention {
    Retention { runs: age("400 days"), files: age("90 days"), logs: age("30 days") }
}

async fn purge_all(app: &TestApp) {
    while purge::purge(&app.engine, &defaults()).await.expect("a chunk") {}
}

/// A batch of one held file, whose bytes are `content`, kept as `keep` says.
fn batch(name: &str, content: &str, keep: &str) -> String {
    format!(
        "[[batch]]\nname = \"{name}\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n{keep}\n\
         documents = [{{ document = \"{content}\" }}]\n\
         recipients = [{{ name = \"Ann\", email = \"ann@example.org\" }}]\n"
    )
}

async fn is_there(app: &TestApp, run: RunId) -> bool {
    sqlx::query_scalar("select exists (select from run where id = $1)")
        .bind(run.0)
        .fetch_one(&app.db)
        .await
        .expect("a look")
}

async fn lines(app: &TestApp, run: RunId) -> i64 {
    sqlx::query_scalar("select count(*) from log where run = $1").bind(run.0).fetch_one(&app.db).await.expect("a count")
}

async fn have_bytes(app: &TestApp, run: RunId) -> bool {
    let digests = "select count(*) = count(blob.digest) from artifact left join blob on blob.digest = artifact.digest
                    where artifact.run = $1";
    sqlx::query_scalar(digests).bind(run.0).fetch_one(&app.db).await.expect("a look")
}

/// Nothing names what is not there.
async fn nothing_dangles(app: &TestApp) {
    for dangling in [
        "select count(*) from step where transmission is not null
            and not exists (select from transmission where id = step.transmission)",
        "select count(*) from step where item is not null and not exists (select from item where id = step.item)",
        "select count(*) from item where artifact is not null and not exists (select from artifact where id = item.artifact)",
        "select count(*) from artifact where purged_at is null
            and not exists (select from blob where digest = artifact.digest)",
        "select count(*) from run where purge_begun_at is not null",
    ] {
        assert_eq!(app.count(dangling).await, 0, "{dangling}");
    }
}

/// Something that keeps a run from going, however old it is.
const IN_THE_WAY: [&str; 6] = [
    "update run set state = 'held', ended_at = null where id = $1",
    "update run set state = 'running', ended_at = null where id = $1",
    "update run set paused_at = ended_at where id = $1",
    "update transmission set state = 'uncertain', reason = '{}' where run = $1",
    "update transmission set state = 'accepted' where run = $1",
    "update step set state = 'ready', due_at = '2100-01-01' where run = $1 and kind = 'transmit'",
];

#[sqlx::test]
async fn exactly_what_is_old_enough_and_needed_by_nobody_goes(db: PgPool) {
    let app = TestApp::start(db).await;
    let ages: BTreeMap<&str, (&str, [Option<u32>; 3])> = BTreeMap::from([
        ("usual", ("", [Some(400), Some(90), Some(30)])),
        ("short", ("keep = { runs = \"50 days\", files = \"5 days\" }", [Some(50), Some(5), Some(30)])),
        ("long", ("keep = { runs = \"forever\", logs = \"forever\" }", [None, Some(90), None])),
        ("files", ("keep = { files = \"forever\", logs = \"1 day\" }", [Some(400), None, Some(1)])),
    ]);
    for (name, (keep, _)) in &ages {
        app.apply(&batch(name, "orders", keep)).await;
    }
    for seed in 0..3 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut runs = Vec::new();
        for _ in 0..24 {
            let name = *ages.keys().nth(dice.random_range(0..ages.len())).expect("a batch");
            let run = app.run(name).await;
            let days: u32 = dice.random_range(0..600);
            let obstacle = if dice.random_bool(0.4) { IN_THE_WAY.get(dice.random_range(0..6)) } else { None };
            sqlx::query("update run set ended_at = $2 where id = $1")
                .bind(run.0)
                .bind(app.engine.clock.now() - days * DAY - Duration::from_secs(3600))
                .execute(&app.db)
                .await
                .expect("an old run");
            if let Some(statement) = obstacle {
                sqlx::query(*statement).bind(run.0).execute(&app.db).await.expect("an obstacle");
            }
            runs.push((run, name, days, obstacle));
        }

        purge_all(&app).await;

        for (run, name, days, obstacle) in runs {
            let old = |limit: Option<u32>| obstacle.is_none() && limit.is_some_and(|limit| days >= limit);
            let [whole, files, logs] = ages[name].1.map(old);
            let case = format!("seed {seed}: run {run} of {name}, {days} days old, {obstacle:?}");
            assert_eq!(is_there(&app, run).await, !whole, "{case}");
            if !whole {
                let purged = files::purged(&app.db, run).await.expect("a look").is_some();
                assert_eq!((purged, lines(&app, run).await == 0), (files, logs), "{case}");
            }
        }
        nothing_dangles(&app).await;
    }
}

#[sqlx::test]
async fn bytes_that_another_run_or_a_document_has_too_stay(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&batch("short", "orders", "keep = { files = \"5 days\" }")).await;
    app.apply(&batch("long", "orders", "keep = { files = \"forever\" }")).await;
    app.apply(&batch("stored", "checklist", "keep = { files = \"5 days\" }")).await;
    let start = async |batch: &str| {
        let date = "2026-04-01".parse().expect("a date");
        let run = app.start_with(batch, |start| start.date = Some(date)).await;
        app.drain().await;
        run
    };
    let (short, stored) = (start("short").await, start("stored").await);
    app.engine.clock.advance(3 * DAY);
    let long = start("long").await;
    let digest = async |run| app.transmissions(run).await[0].documents[0].digest.clone();
    let shared = digest(short).await == digest(long).await;

    app.engine.clock.advance(3 * DAY);
    purge_all(&app).await;

    assert!(files::purged(&app.db, short).await.expect("a look").is_some());
    assert!(files::purged(&app.db, stored).await.expect("a look").is_some());
    assert!(have_bytes(&app, stored).await, "the document still has them");
    assert!(have_bytes(&app, long).await && app.zip(long).await.len() == 2);
    assert_eq!(have_bytes(&app, short).await, shared);
    nothing_dangles(&app).await;
}

#[sqlx::test]
async fn purged_files_are_told_of_and_rendered_again_only_when_asked(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&batch("short", "orders", "keep = { files = \"5 days\" }")).await;
    let run = app.run("short").await;
    let sent = app.transmissions(run).await[0].clone();
    app.engine.clock.advance(6 * DAY);
    purge_all(&app).await;

    let purged = app.seen(run).await.files_purged_at.expect("a date");
    assert_eq!(app.zip(run).await.into_keys().collect::<Vec<_>>(), ["manifest.csv"]);
    let again = |render| Again { render, despite_suppression: false, key: format!("{render}"), by: "test".to_owned() };
    let refused = act::resend(&app.engine, sent.id, &again(false)).await;
    let date = purged.date_naive().to_string();
    assert!(matches!(&refused, Err(ActError::NotNow(text)) if text.contains(&date)), "{refused:?}");

    act::resend(&app.engine, sent.id, &again(true)).await.expect("rendered again");
    app.drain().await;

    assert_eq!((app.mails().len(), app.finish(run).await.state), (2, RunState::Succeeded));
    assert_eq!(app.zip(run).await.len(), 2);
    assert_eq!(app.seen(run).await.files_purged_at, None);
    app.engine.clock.advance(6 * DAY);
    purge_all(&app).await;
    assert!(app.seen(run).await.files_purged_at.is_some(), "they became old once more");
}

#[sqlx::test]
async fn a_failed_run_whose_files_are_gone_is_not_retried_with_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(
        &batch("short", "orders", "keep = { files = \"5 days\" }").replace("ann@example.org", "refused@example.org"),
    )
    .await;
    let run = app.run("short").await;
    assert_eq!(app.finish(run).await.state, RunState::Failed);
    app.engine.clock.advance(6 * DAY);
    purge_all(&app).await;

    let refused = act::retry(&app.engine, run, "test").await;

    assert!(matches!(&refused, Err(ActError::NotNow(text)) if text.contains("were purged on")), "{refused:?}");
}

#[sqlx::test]
async fn what_a_batch_keeps_is_checked_and_given_back_as_written(db: PgPool) {
    let app = TestApp::start(db).await;
    for wrong in ["0 days", "soon", "400"] {
        let refused = app.try_apply(&batch("short", "orders", &format!("keep = {{ files = \"{wrong}\" }}"))).await;
        let text = refused.expect_err("no age").to_string();
        assert!(text.contains("keep/files") && text.contains("400 days"), "{text}");
    }
    app.apply(&batch("short", "orders", "keep = { files = \"5 days\", runs = \"forever\" }")).await;
    let (written, _) = postbook::catalog::batch::get(&app.shelf, "short", None).await.expect("a look").expect("it");
    let keep = written.keep.expect("it says so");
    assert_eq!((keep.files.as_deref(), keep.runs.as_deref(), keep.logs), (Some("5 days"), Some("forever"), None));
}
