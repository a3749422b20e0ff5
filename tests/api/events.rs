//! Events over the API: what is answered, and what is refused.

use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::Door;

const EVENTS: &str = "/api/v1/events";

/// A batch that subscribes.
async fn subscribed(db: PgPool) -> Door {
    let door = Door::open(db).await;
    door.user("site-a", "user").await;
    let batch = json!({
        "name": "results", "workflow": "batch-documents", "run_as": "site-a",
        "documents": [{ "name": "note", "file": "note.txt", "media_type": "text/plain", "content": "MTIgYm9sdHMK" }],
        "recipients": [{ "name": "Ann", "email": "ann@example.org" }],
        "event": [{ "type": "campaign.ended", "match": { "client": "acme" } }],
    });
    let saved = door.post("/api/v1/batches", batch.clone()).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text());
    assert_eq!(saved.json()["event"], batch["event"]);
    door
}

fn ended(key: &str) -> Value {
    json!({ "type": "campaign.ended", "key": key, "data": { "client": "acme", "id": 17 } })
}

#[sqlx::test]
async fn an_event_is_answered_with_its_runs_and_again_with_the_same(db: PgPool) {
    let door = subscribed(db).await;
    let operator = door.user("campaigns", "operator").await;

    let first = door.send(&operator, Method::POST, EVENTS, Some(ended("17"))).await;
    let again = door.post(EVENTS, ended("17")).await;

    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text());
    assert_eq!((first.json(), first.status), (again.json(), again.status));
    let run = &first.json()["runs"][0];
    assert_eq!((&run["batch"], &run["reason"]), (&json!("results"), &Value::Null));
    let seen = door.get(&format!("/api/v1/runs/{}", run["run"])).await.json();
    assert_eq!(seen["cause"], json!({ "kind": "event", "key": "event campaign.ended 17", "by": "campaigns" }));
    assert_eq!(door.count("?batch=results").await, 1);

    let unknown = door.post(EVENTS, json!({ "type": "nobody.asked", "key": "1" })).await;
    assert_eq!((unknown.status, &unknown.json()["runs"]), (StatusCode::ACCEPTED, &json!([])));
    assert!(unknown.json()["note"].as_str().unwrap().contains("no batch subscribes"), "{}", unknown.text());
    let listed = door.get(&format!("{EVENTS}?type=campaign.ended&limit=5")).await.json();
    assert_eq!(listed["items"], json!([first.json()]));
}

#[sqlx::test]
async fn hostile_events_are_refused_and_nothing_is_stored(db: PgPool) {
    let door = subscribed(db).await;
    let mut nested = json!(1);
    for _ in 0..40 {
        nested = json!({ "a": nested });
    }
    let long = "x".repeat(30_000);
    for (event, place) in [
        (json!({}), "type"),
        (json!({ "type": "a b", "key": "1" }), "type"),
        (json!({ "type": "x".repeat(101), "key": "1" }), "type"),
        (json!({ "type": "a" }), "key"),
        (json!({ "type": "a", "key": "" }), "key"),
        (json!({ "type": "a", "key": "x\u{0}y" }), "key"),
        (json!({ "type": "a", "key": "x\ny" }), "key"),
        (json!({ "type": "a", "key": long }), "key"),
        (json!({ "type": "a", "key": "1", "data": [1] }), "data"),
        (json!({ "type": "a", "key": "1", "data": { "a": nested } }), "data"),
        (json!({ "type": "a", "key": "1", "data": { "a": "b\u{0}" } }), "data/a"),
        (json!({ "type": "a", "key": "1", "date": {} }), "date"),
    ] {
        let refused = door.post(EVENTS, event).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{place}: {}", refused.text());
        refused.fault(place);
    }
    let raw = |body: String| {
        let request = Request::post(EVENTS)
            .header(header::AUTHORIZATION, format!("Bearer {}", door.admin))
            .header(header::CONTENT_TYPE, "application/json");
        door.hand(request.body(body.into()).unwrap())
    };
    let megabyte = raw(json!({ "type": "a", "key": "x".repeat(1 << 20) }).to_string()).await;
    assert_eq!(megabyte.status, StatusCode::PAYLOAD_TOO_LARGE);
    let deep = format!("{{\"type\":\"a\",\"key\":\"1\",\"data\":{}1{}}}", "{\"a\":".repeat(5000), "}".repeat(5000));
    assert_eq!(raw(deep).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(door.get(EVENTS).await.json()["items"], json!([]));
}

#[sqlx::test]
async fn events_files_and_places_are_for_operators(db: PgPool) {
    let door = subscribed(db).await;
    let user = door.user("site-b", "user").await;
    let operator = door.user("campaigns", "operator").await;
    for path in [EVENTS, "/api/v1/files", "/api/v1/places"] {
        assert_eq!(door.send(&user, Method::GET, path, None).await.status, StatusCode::FORBIDDEN);
        assert_eq!(door.send("", Method::GET, path, None).await.status, StatusCode::UNAUTHORIZED);
        let listed = door.send(&operator, Method::GET, path, None).await;
        assert_eq!((listed.status, listed.json()["items"].as_array().unwrap().len()), (StatusCode::OK, 0));
    }
    assert_eq!(door.send(&user, Method::POST, EVENTS, Some(ended("17"))).await.status, StatusCode::FORBIDDEN);
    let wrong = door.get("/api/v1/files?state=lost").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.fault("state");
}
