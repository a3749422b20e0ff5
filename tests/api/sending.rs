//! Pausing what is sent over the API, and what purged files are answered with.

use axum::http::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;

use crate::door::Door;

const SENDING: &str = "/api/v1/sending";

#[sqlx::test]
async fn sending_is_paused_shown_released_and_dropped(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let path = |act: &str| format!("{SENDING}/{act}");
    let shown = door.get(SENDING).await.json();
    assert_eq!((&shown["paused"], &shown["waiting"]), (&json!(false), &json!([])));

    let paused = door.post(&path("pause"), json!({ "reason": "a look first" })).await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.text());
    assert_eq!((&paused.json()["paused"], &paused.json()["why"]), (&json!(true), &json!("a look first")));
    assert_eq!(door.post(&path("pause"), json!({ "reason": "again" })).await.status, StatusCode::CONFLICT);
    let metrics = door.send("", Method::GET, "/metrics", None).await.text();
    assert!(metrics.contains("postbook_sending_paused 1\n"), "{metrics}");

    for (act, body) in [
        ("pause", json!({})),
        ("release", json!({ "reason": "" })),
        ("drop", json!({ "reason": "which one?" })),
        ("drop", json!({ "reason": "which one?", "run": 1, "all": true })),
    ] {
        let refused = door.post(&path(act), body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{act}: {}", refused.text());
    }
    let unknown = door.post(&path("release"), json!({ "reason": "this one", "run": 4711 })).await;
    assert_eq!((unknown.status, &unknown.json()["errors"][0]["at"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("run")));

    let dropped = door.post(&path("drop"), json!({ "reason": "an old backup", "all": true })).await;
    assert_eq!(dropped.status, StatusCode::OK, "{}", dropped.text());
    let released = door.post(&path("release"), json!({ "reason": "all is well" })).await;
    assert_eq!((released.status, &released.json()["paused"]), (StatusCode::OK, &json!(false)));
    let audit = door.get("/api/v1/audit").await.json();
    let actions: Vec<_> = audit["items"].as_array().unwrap().iter().map(|line| line["action"].clone()).collect();
    assert!(actions.contains(&json!("sending.paused")) && actions.contains(&json!("sending.released")), "{actions:?}");
}

#[sqlx::test]
async fn only_operators_see_and_change_what_is_sent(db: PgPool) {
    let door = Door::open(db).await;
    let user = door.user("site-a", "user").await;
    let operator = door.user("night-shift", "operator").await;
    assert_eq!(door.send(&user, Method::GET, SENDING, None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(door.send(&operator, Method::GET, SENDING, None).await.status, StatusCode::OK);
    let body = Some(json!({ "reason": "a look first" }));
    for act in ["pause", "release", "drop"] {
        let answer = door.send(&user, Method::POST, &format!("{SENDING}/{act}"), body.clone()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}

#[sqlx::test]
async fn an_archive_whose_files_were_purged_says_when(db: PgPool) {
    let door = Door::open(db).await;
    door.user("site-a", "user").await;
    let batch = json!({
        "name": "lists", "workflow": "batch-documents", "run_as": "site-a",
        "documents": [{ "name": "stock", "file": "stock.txt", "media_type": "text/plain", "content": "MTIgYm9sdHMK" }],
        "recipients": [{ "name": "Ann", "email": "ann@example.org" }],
    });
    assert_eq!(door.post("/api/v1/batches", batch).await.status, StatusCode::CREATED);
    let run = door.post("/api/v1/batches/lists/runs", json!({})).await.json()["id"].clone();
    door.watch(&run).await;
    sqlx::query("update artifact set purged_at = '2027-02-03'").execute(&door.db).await.unwrap();

    for path in [format!("/api/v1/runs/{run}/files.zip"), "/api/v1/batches/lists/runs/latest/files.zip".to_owned()] {
        let gone = door.get(&path).await;
        assert_eq!((gone.status, &gone.json()["type"]), (StatusCode::GONE, &json!("/problems/gone")));
        assert!(gone.json()["detail"].as_str().unwrap().contains("2027-02-03"), "{}", gone.text());
    }
    let transmission = door.get(&format!("/api/v1/runs/{run}/transmissions")).await.json()["items"][0]["id"].clone();
    let evidence = door.get(&format!("/api/v1/transmissions/{transmission}/evidence.zip")).await;
    assert_eq!(evidence.status, StatusCode::OK, "attempts and digests are still told");
}
