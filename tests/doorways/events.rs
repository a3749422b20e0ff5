//! Events, as a program tells of them and as batches see them.

use postbook::{
    catalog::batch,
    trigger::event::{self, Event, NewEvent},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::harness::TestApp;

/// A Postbook with a batch that subscribes to the end of Acme's campaigns.
async fn start(db: PgPool) -> TestApp {
    let app = TestApp::start(db).await;
    app.apply(&subscriber("results", r#"match = { client = "acme" }"#)).await;
    app
}

fn subscriber(name: &str, more: &str) -> String {
    format!(
        r#"
[[document]]
name = "results-{name}"
title = "Results"
kind = "remote"
url = "REPORTS/results"
query = {{ campaign = "{{{{ params.campaign }}}}" }}
media_type = "text/csv"
params = {{ campaign = {{ type = "text", default = "none" }} }}

[[batch]]
name = "{name}"
workflow = "quick"
run_as = "site-a"
documents = [{{ document = "results-{name}" }}]
recipients = [{{ name = "Ann", email = "ann@example.org" }}]
message = {{ subject = "{{{{ event.data.title }}}} has ended" }}
event = [{{ type = "campaign.ended", params = {{ campaign = "{{{{ event.data.id }}}}" }}, {more} }}]
"#
    )
}

async fn tell(app: &TestApp, key: &str, data: Value) -> Event {
    let Value::Object(data) = data else { panic!("data are an object") };
    let new = NewEvent { kind: "campaign.ended".to_owned(), key: key.to_owned(), data };
    event::receive(&app.engine, &app.author(), new).await.expect("an event")
}

#[sqlx::test]
async fn each_campaign_that_ends_is_one_run_which_sees_its_data(db: PgPool) {
    let app = start(db).await;

    let first = tell(&app, "17", json!({ "client": "acme", "id": 17, "title": "Spring" })).await;
    tell(&app, "18", json!({ "client": "acme", "id": 18, "title": "Summer" })).await;
    app.drain().await;

    assert_eq!(app.count("select count(*) from run").await, 2);
    let run = app.seen(first.runs[0].run.expect("a run")).await;
    assert_eq!((run.cause.key.as_str(), run.cause.by.as_deref()), ("event campaign.ended 17", Some("test")));
    let mut subjects: Vec<_> = app.mails().into_iter().map(|mail| mail.subject).collect();
    subjects.sort();
    assert_eq!(subjects, ["Spring has ended", "Summer has ended"]);
    let mut asked = app.reports.asked();
    asked.sort();
    assert_eq!(asked, ["/results?campaign=17", "/results?campaign=18"]);
}

#[sqlx::test]
async fn the_same_event_twice_is_one_run_and_one_answer_also_at_once(db: PgPool) {
    let app = start(db).await;
    let data = || json!({ "client": "acme", "id": 17, "title": "Spring" });
    let answers = futures::future::join_all((0..20).map(|_| tell(&app, "17", data()))).await;
    let later = tell(&app, "17", json!({ "client": "other" })).await;

    assert!(answers.iter().all(|answer| *answer == later), "{answers:#?}");
    assert_eq!(later.data, data(), "who it is, is what its key says");
    assert_eq!(app.count("select count(*) from run").await, 1);
    assert_eq!(app.count("select count(*) from audit where action = 'event.received'").await, 1);
}

#[sqlx::test]
async fn all_who_subscribe_run_once_and_who_cannot_is_told_of(db: PgPool) {
    let app = start(db).await;
    app.apply(&subscriber("archive", "")).await;
    app.apply(&subscriber("paused", "")).await;
    batch::enable(&app.db, &app.author(), ("paused", false)).await.expect("a batch");

    let event = tell(&app, "17", json!({ "client": "acme", "id": 17, "title": "Spring" })).await;

    let told: Vec<_> = event.runs.iter().map(|it| (it.batch.as_str(), it.run.is_some())).collect();
    assert_eq!(told, [("archive", true), ("paused", false), ("results", true)]);
    assert!(event.runs[1].reason.as_ref().expect("a reason").contains("disabled"));
    assert_eq!(event.note, None);
}

#[sqlx::test]
async fn an_event_that_nobody_wants_is_kept_and_said_to_be_unwanted(db: PgPool) {
    let app = start(db).await;
    let event = tell(&app, "17", json!({ "client": "somebody else" })).await;
    assert!(event.note.expect("a note").contains("no batch subscribes"));
    assert_eq!(app.count("select count(*) from event where fired_at is not null").await, 1);
    assert_eq!(app.count("select count(*) from run").await, 0);
}

#[sqlx::test]
async fn what_a_node_that_is_gone_has_left_is_fired_by_the_next_sweep(db: PgPool) {
    let app = start(db).await;
    let data = json!({ "client": "acme", "id": 17, "title": "Spring" });
    sqlx::query(
        "insert into event (type, key, data, received_at, received_by) values ('campaign.ended', '17', $1, $2, 'test')",
    )
    .bind(&data)
    .bind(app.engine.clock.now())
    .execute(&app.db)
    .await
    .expect("an event");
    event::sweep(&app.engine).await.expect("a sweep");
    assert_eq!(app.count("select count(*) from run").await, 0, "its node may still be at it");

    app.engine.clock.advance(std::time::Duration::from_secs(11));
    event::sweep(&app.engine).await.expect("a sweep");
    event::sweep(&app.engine).await.expect("another sweep");

    assert_eq!(app.count("select count(*) from run").await, 1);
    assert_eq!(tell(&app, "17", data).await.runs.len(), 1);
}

#[sqlx::test]
async fn a_run_on_demand_has_no_event_and_says_so(db: PgPool) {
    let app = start(db).await;
    let run = app.run("results").await;
    let run = app.finish(run).await;
    assert_eq!(serde_json::to_value(run.state).expect("a state"), "failed", "its subject speaks of an event");
}
