//! Accounts at the doors: whether they work, and holding them back.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::Door;

async fn mail(door: &Door) -> Value {
    door.get("/api/v1/accounts").await.json()["items"][0].clone()
}

#[sqlx::test]
async fn an_account_is_paused_and_resumed_and_both_are_seen_by_everybody(db: PgPool) {
    let door = Door::open(db).await;
    assert_eq!(mail(&door).await["state"], "open");

    let paused = door.post("/api/v1/accounts/mail/pause", json!({ "why": "the server moves" })).await;

    assert_eq!(paused.status, StatusCode::OK, "{}", paused.text());
    let seen = mail(&door).await;
    assert_eq!(paused.json(), seen);
    assert_eq!((&seen["state"], &seen["paused_by"]), (&json!("paused"), &json!("admin")));
    assert_eq!((&seen["reason"]["text"], &seen["until_at"]), (&json!("the server moves"), &Value::Null));
    assert!(seen["paused_at"].is_string());
    let metrics = door.get("/metrics").await.text();
    assert!(metrics.contains("postbook_account_paused{account=\"mail\"} 1\n"), "{metrics}");

    let resumed = door.post_owned("/api/v1/accounts/mail/resume".to_owned()).await;

    assert_eq!((resumed.status, &resumed.json()["state"]), (StatusCode::OK, &json!("open")));
    assert!(door.get("/metrics").await.text().contains("postbook_account_paused{account=\"mail\"} 0\n"));
    let audit = door.get("/api/v1/audit").await.json();
    let acts: Vec<_> = audit["items"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(acts[..2], ["account.resumed", "account.paused"]);
}

#[sqlx::test]
async fn what_cannot_be_paused_or_resumed_is_told(db: PgPool) {
    let door = Door::open(db).await;
    let post = async |path: &str| door.post_owned(format!("/api/v1/accounts/{path}")).await.status;

    assert_eq!(post("male/pause").await, StatusCode::NOT_FOUND);
    assert_eq!(post("male/resume").await, StatusCode::NOT_FOUND);
    assert_eq!(post("mail/resume").await, StatusCode::CONFLICT);
    assert_eq!(post("mail/pause").await, StatusCode::OK);
    assert_eq!(post("mail/pause").await, StatusCode::CONFLICT);
    let two_lines = door.post("/api/v1/accounts/mail/pause", json!({ "why": "two\nlines" })).await;
    assert!(!two_lines.fault("why").is_empty());
}

#[sqlx::test]
async fn only_operators_hold_accounts_back(db: PgPool) {
    let door = Door::open(db).await;
    let user = door.user("site-a", "user").await;
    for act in ["pause", "resume"] {
        let refused = door.send(&user, Method::POST, &format!("/api/v1/accounts/mail/{act}"), None).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    }
}
