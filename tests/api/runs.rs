//! Runs over the API: started, watched, acted on, and handed out.

use axum::http::{Method, Request, StatusCode, header};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::{Answer, Door};

const RUNS: &str = "/api/v1/batches/lists/runs";

/// Two lists to Ann and the yard, held in the batch.
async fn with_lists(door: &Door) {
    door.user("site-a", "user").await;
    let batch = json!({
        "name": "lists", "workflow": "batch-documents", "run_as": "site-a",
        "documents": [
            { "name": "stock", "file": "stock.txt", "media_type": "text/plain", "content": "MTIgYm9sdHMK" },
            { "name": "orders", "file": "orders.txt", "media_type": "text/plain", "content": "MyBvcmRlcnMK" },
        ],
        "recipients": [{ "name": "Ann", "email": "ann@example.org" }, { "name": "Yard", "email": "yard@example.org" }],
    });
    let saved = door.post("/api/v1/batches", batch).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text());
}

async fn start(door: &Door, key: &str) -> Answer {
    let request = Request::post(RUNS)
        .header(header::AUTHORIZATION, format!("Bearer {}", door.admin))
        .header("idempotency-key", key)
        .body(Default::default());
    door.hand(request.unwrap()).await
}

#[sqlx::test]
async fn a_run_is_started_watched_and_handed_out(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    let started = door.post(RUNS, json!({ "date": "2026-04-01" })).await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.text());
    let id = started.json()["id"].clone();
    assert_eq!(started.headers[header::LOCATION], format!("/api/v1/runs/{id}"));
    assert_eq!(started.json()["business_date"], "2026-04-01");

    let events = door.watch(&id).await;
    assert!(events.contains("event: started") && events.contains("event: ended"), "{events}");
    let run = door.get(&format!("/api/v1/runs/{id}")).await.json();
    assert_eq!((&run["state"], &run["counts"]["delivered"]), (&json!("succeeded"), &json!(4)), "{run}");
    let sent = door.get(&format!("/api/v1/runs/{id}/transmissions")).await.json();
    assert_eq!(sent["items"].as_array().unwrap().len(), 4);
    let first = sent["items"][0]["id"].clone();
    let attempts = door.get(&format!("/api/v1/transmissions/{first}/attempts")).await.json();
    assert_eq!(attempts["items"][0]["outcome"], "delivered");
    assert!(!door.get(&format!("/api/v1/runs/{id}/steps")).await.json()["items"].as_array().unwrap().is_empty());
    for path in [
        format!("/api/v1/runs/{id}/files.zip"),
        "/api/v1/batches/lists/runs/latest/files.zip".to_owned(),
        format!("/api/v1/transmissions/{first}/evidence.zip"),
    ] {
        let zip = door.get(&path).await;
        assert_eq!(
            (zip.status, &zip.headers[header::CONTENT_TYPE]),
            (StatusCode::OK, &"application/zip".parse().unwrap())
        );
        assert!(zip.body.starts_with(b"PK"));
    }
    let again = door.post(&format!("/api/v1/transmissions/{first}/resend"), json!({ "render": false })).await;
    assert_eq!((again.status, &again.json()["resend_of"]), (StatusCode::ACCEPTED, &first), "{}", again.text());
}

#[sqlx::test]
async fn the_same_key_starts_one_run(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    let answers = join_all((0..20).map(|_| start(&door, "tuesday"))).await;
    let ids: Vec<Value> = answers.iter().map(|answer| answer.json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let other = start(&door, "wednesday").await;
    assert_ne!(other.json()["id"], ids[0]);
    assert_eq!(door.get("/api/v1/runs").await.json()["items"].as_array().unwrap().len(), 2);
    assert!(start(&door, &"x".repeat(201)).await.fault("Idempotency-Key").contains("200"));
}

#[sqlx::test]
async fn a_held_run_waits_until_it_is_released(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    let id = door.post(RUNS, json!({ "hold": true })).await.json()["id"].clone();
    let act = |what: &'static str| door.post_owned(format!("/api/v1/runs/{id}/{what}"));
    assert_eq!(door.get(&format!("/api/v1/runs/{id}")).await.json()["state"], "held");
    assert_eq!(act("resume").await.status, StatusCode::CONFLICT);
    assert_eq!(act("release").await.json()["state"], "expanding");
    assert!(act("pause").await.json()["paused_at"].is_string());
    assert!(act("resume").await.json()["paused_at"].is_null());
    assert_eq!(act("cancel").await.json()["state"], "cancelled");
    assert_eq!(act("cancel").await.status, StatusCode::CONFLICT);
    let told = door.get("/api/v1/audit?limit=5").await.json();
    let told: Vec<_> = told["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["run.cancelled", "run.resumed", "run.paused", "run.released", "run.started"]);
}

#[sqlx::test]
async fn a_preview_tells_who_would_get_what_and_sends_nothing(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    door.post("/api/v1/suppressions", json!({ "channel": "email", "contact": "Yard@example.org" })).await;
    let preview = door.post("/api/v1/batches/lists/preview", json!({})).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.text());
    let preview = preview.json();
    assert_eq!((&preview["recipients"], &preview["queued"], &preview["skipped"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!(door.get("/api/v1/runs").await.json()["items"], json!([]));
}

#[sqlx::test]
async fn what_cannot_be_started_is_told(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    assert!(door.post(RUNS, json!({ "date": "today" })).await.fault("date").contains("2026-04-01"));
    assert!(door.post(RUNS, json!({ "params": { "town": "x" } })).await.fault("params/town").contains("town"));
    assert_eq!(door.post("/api/v1/batches/nothing/runs", json!({})).await.status, StatusCode::NOT_FOUND);
    door.post("/api/v1/batches/lists/disable", json!({})).await;
    let disabled = door.post(RUNS, json!({})).await;
    assert_eq!(disabled.status, StatusCode::CONFLICT);
    assert!(disabled.json()["detail"].as_str().unwrap().contains("enable it"));
}

#[sqlx::test]
async fn users_watch_their_own_runs_and_operators_start_them(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    let stranger = door.user("site-b", "user").await;
    let operator = door.user("night-shift", "operator").await;
    let own = door.post("/api/v1/tokens", json!({ "user": "site-a", "title": "own" })).await.json()["token"].clone();
    let started = door.send(&operator, Method::POST, RUNS, None).await;
    assert_eq!((started.status, &started.json()["cause"]["by"]), (StatusCode::ACCEPTED, &json!("night-shift")));
    let id = started.json()["id"].clone();
    let first = "/api/v1/batches/lists/runs/latest/files.zip".to_owned();
    for path in ["", "/steps", "/transmissions", "/notices", "/files.zip", "/events"]
        .map(|end| format!("/api/v1/runs/{id}{end}"))
    {
        assert_eq!(door.send(&stranger, Method::GET, &path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(door.send(&stranger, Method::GET, &first, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(door.send(&stranger, Method::GET, "/api/v1/runs", None).await.json()["items"], json!([]));
    let own = own.as_str().unwrap();
    assert_eq!(door.send(own, Method::GET, &format!("/api/v1/runs/{id}"), None).await.status, StatusCode::OK);
    assert_eq!(door.send(own, Method::POST, RUNS, None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        door.send(own, Method::POST, &format!("/api/v1/runs/{id}/cancel"), None).await.status,
        StatusCode::FORBIDDEN
    );
}

#[sqlx::test]
async fn runs_are_found_by_batch_state_and_date(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    for date in ["2026-04-01", "2026-04-02", "2026-04-03"] {
        door.post(RUNS, json!({ "date": date, "hold": true })).await;
    }
    let count = |query: &'static str| door.count(query);
    assert_eq!(count("").await, 3);
    assert_eq!(count("?from=2026-04-02&to=2026-04-02").await, 1);
    assert_eq!(count("?batch=lists&state=held&limit=2").await, 2);
    assert_eq!(count("?batch=other").await, 0);
    assert_eq!(count("?state=failed").await, 0);
    let wrong = door.get("/api/v1/runs?state=done&from=x").await;
    wrong.fault("state");
    wrong.fault("from");
}

#[sqlx::test]
async fn what_monitors_were_told_is_listed_beside_what_was_sent(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    let monitor = json!({ "role": "operator", "monitor": true, "contacts": { "email": "mo@example.org" } });
    door.put("/api/v1/users/mo", monitor).await;
    let due = json!({
        "kind": "remote", "url": "https://reports.example.org/due", "media_type": "text/csv",
        "params": { "day": { "type": "date", "default": "{{ user.name }}" } },
    });
    assert_eq!(door.put("/api/v1/documents/due", due).await.status, StatusCode::CREATED);
    let mut lists = door.get("/api/v1/batches/lists").await.json();
    lists["documents"] = json!([{ "document": "due" }]);
    assert_eq!(door.put("/api/v1/batches/lists", lists).await.status, StatusCode::OK);
    let run = door.post(RUNS, json!({})).await.json()["id"].clone();
    let notices = door.work_until(&format!("/api/v1/runs/{run}/notices"), 1).await;
    assert_eq!((&notices[0]["contact"], &notices[0]["documents"]), (&json!("mo@example.org"), &json!([])));
    let sent = door.get(&format!("/api/v1/runs/{run}/transmissions")).await.json();
    let to: Vec<_> = sent["items"].as_array().unwrap().iter().map(|one| one["contact"].as_str().unwrap()).collect();
    assert_eq!(to, ["ann@example.org", "yard@example.org"]);
}

#[sqlx::test]
async fn an_operator_lists_the_batches_and_starts_one_of_them(db: PgPool) {
    let door = Door::open(db).await;
    with_lists(&door).await;
    let operator = door.user("night-shift", "operator").await;

    let listed = door.send(&operator, Method::GET, "/api/v1/batches", None).await.json();
    let batch = &listed["items"][0];
    assert_eq!((&batch["name"], &batch["title"], &batch["enabled"]), (&json!("lists"), &json!("lists"), &json!(true)));
    let started = door.send(&operator, Method::POST, RUNS, Some(json!({}))).await;

    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.text());
    assert_eq!(started.json()["cause"]["by"], "night-shift");
}
