//! What a run leaves behind, and who is told.

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use postbook::{
    account, http,
    run::act::{self, Again},
    workflow::Kind,
};
use sqlx::PgPool;
use tower::ServiceExt;

use super::{ANN, YARD, morning, note};
use crate::harness::TestApp;

/// What an administrator gets at `path`.
async fn get(app: &TestApp, path: &str) -> (StatusCode, String, Vec<u8>) {
    app.apply("[[user]]\nname = \"root\"\nrole = \"admin\"").await;
    let token = account::issue(&app.db, &app.author(), ("root", "a test", None)).await.expect("a token").token;
    let router = http::router(http::App::new(app.engine.clone(), Default::default(), 1 << 20)).expect("the doors");
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let answer = router.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    let kind = answer.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    let status = answer.status();
    (status, kind, to_bytes(answer.into_body(), usize::MAX).await.expect("a body").to_vec())
}

fn names(zip: Vec<u8>) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).expect("a ZIP");
    (0..archive.len()).map(|at| archive.by_index(at).expect("a file").name().expect("a name").into_owned()).collect()
}

#[sqlx::test]
async fn a_run_has_a_door_to_a_zip_with_one_entry_a_file_in_the_order_of_the_batch(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(&[note("zebra", "eg=="), note("apple", "YQ==")].join(", "), &[ANN, YARD].join(", "))).await;
    let run = app.run("morning").await;

    let (status, kind, zip) = get(&app, &format!("/api/v1/runs/{run}/files.zip")).await;

    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/zip"));
    assert_eq!(names(zip), ["zebra.txt", "apple.txt", "manifest.csv"]);
}

#[sqlx::test]
async fn the_files_of_the_latest_run_are_at_hand(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(&note("monday", "eA=="), ANN)).await;
    app.run("morning").await;
    app.apply(&morning(&note("tuesday", "eA=="), ANN)).await;
    app.run("morning").await;

    let (status, _, zip) = get(&app, "/api/v1/batches/morning/runs/latest/files.zip").await;

    assert_eq!(status, StatusCode::OK);
    assert_eq!(names(zip), ["tuesday.txt", "manifest.csv"]);
}

#[sqlx::test]
async fn names_in_the_zip_are_safe_and_told_apart(db: PgPool) {
    let app = TestApp::start(db).await;
    let held = |file: &str| format!(r#"{{ file = "{file}", media_type = "text/plain", content = "eA==" }}"#);
    app.apply(&morning(&[held("list.txt"), held("LIST.txt"), held("a:b?.txt")].join(", "), ANN)).await;
    let run = app.run("morning").await;

    let files = app.zip(run).await;

    let mut seen = std::collections::BTreeSet::new();
    for name in files.keys() {
        assert!(!name.contains(['/', '\\', ':', '?', '*', '"', '<', '>', '|']), "{name}");
        assert!(seen.insert(name.to_lowercase()), "{name} is there twice for some");
    }
    assert_eq!(files.len(), 4, "{:?}", files.keys());
}

#[sqlx::test]
async fn each_monitor_gets_one_notice_a_failed_run_and_nobody_else_does(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply("[[user]]\nname = \"nick\"\nmonitor = true\ncontacts = { email = \"nick@example.org\" }").await;
    app.apply("[[user]]\nname = \"olga\"\ncontacts = { email = \"olga@example.org\" }").await;
    let refused = r#"{ name = "Carla", email = "refused@example.org" }"#;
    app.apply(&morning(r#"{ document = "checklist" }, { document = "orders" }"#, refused)).await;

    app.run("morning").await;

    for monitor in ["mona@example.org", "nick@example.org"] {
        let mails = app.mails_to(monitor);
        assert_eq!(mails.len(), 1, "{monitor}");
        assert_eq!(mails[0].subject, "morning: nothing sent, 2 failed");
        assert!(mails[0].text.contains("- Checklist, Open orders to Carla <refused@example.org>"), "{}", mails[0].text);
    }
    assert!(app.mails_to("olga@example.org").is_empty());
}

#[sqlx::test]
async fn a_run_that_went_well_bothers_nobody(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }"#, ANN)).await;

    app.run("morning").await;

    assert!(app.mails_to("mona@example.org").is_empty());
}

#[sqlx::test]
async fn every_transmission_and_every_step_belongs_to_a_run(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }, { document = "hours" }"#, &[ANN, YARD].join(", "))).await;

    let run = app.run("morning").await;

    assert!(app.transmissions(run).await.iter().all(|it| it.run == run));
    let optional = "select count(*) from information_schema.columns where table_schema = 'public'
                     and table_name in ('transmission', 'step', 'item', 'artifact') and column_name = 'run'
                     and is_nullable = 'YES'";
    assert_eq!(app.count(optional).await, 0);
}

#[sqlx::test]
async fn the_run_shows_the_states_of_its_transmissions_while_they_change(db: PgPool) {
    let app = TestApp::start(db).await;
    app.reports.break_for(1);
    app.apply(&morning(r#"{ document = "checklist" }, { document = "hours" }"#, ANN)).await;

    let run = app.start_run("morning").await;
    app.drain().await;
    // Counting rests between two counts of a run, and the broken report is asked again a second later.
    app.later(std::time::Duration::from_millis(500)).await;
    let counts = app.seen(run).await.counts;
    assert_eq!((counts.delivered, counts.queued), (1, 1), "{counts:?}");
    let counts = app.finish(run).await.counts;
    assert_eq!((counts.delivered, counts.queued), (2, 0), "{counts:?}");
}

#[sqlx::test]
async fn a_batch_is_never_queued_itself(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }"#, ANN)).await;
    app.start_run("morning").await;

    let leads_to_a_batch = "select count(*) from pg_constraint
                             where contype = 'f' and conrelid in ('transmission'::regclass, 'step'::regclass)
                               and confrelid = 'batch'::regclass";
    assert_eq!(app.count(leads_to_a_batch).await, 0);
    assert_eq!(app.count("select count(*) from transmission").await, 0, "starting queues the expansion, no batch");
    assert_eq!(app.due().await.iter().map(|hint| hint.kind).collect::<Vec<_>>(), [Kind::Expand]);
}

#[sqlx::test]
async fn a_single_transmission_waits_in_the_same_queue_as_those_of_a_batch(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }"#, ANN)).await;
    let first = app.run("morning").await;
    let sent = app.transmissions(first).await[0].id;
    let jobs = "select count(*) from apalis.jobs where job_type = 'postbook.transmit'";
    let before = app.count(jobs).await;

    let again = Again { render: false, despite_suppression: false, key: "once more".to_owned(), by: "test".to_owned() };
    act::resend(&app.engine, sent, &again).await.expect("a copy");
    let second = app.run("morning").await;
    app.finish(first).await;

    assert_eq!(app.count(jobs).await, before + 2, "one for the single one, one for the batch's");
    assert_eq!(app.mails_to("ann@example.org").len(), 3);
    assert_eq!(app.seen(second).await.counts.delivered, 1);
}
