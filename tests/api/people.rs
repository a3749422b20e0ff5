//! Users, tokens, suppressions and the audit log.

use axum::http::{Method, StatusCode, header};
use postbook::{account, clock::Clock};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::Door;

#[sqlx::test]
async fn without_a_valid_token_nothing_is_told(db: PgPool) {
    let door = Door::open(db).await;
    for token in ["", "pb_wrong"] {
        for path in
            ["batches", "batches/x", "calendars", "documents", "users", "tokens", "suppressions", "accounts", "audit"]
        {
            let answer = door.send(token, Method::GET, &format!("/api/v1/{path}"), None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
            assert_eq!(answer.json()["type"], "/problems/unauthenticated");
        }
    }
}

#[sqlx::test]
async fn the_first_administrator_is_made_once(db: PgPool) {
    let door = Door::open(db.clone()).await;
    assert!(account::first_admin(&db, Clock::default().now()).await.unwrap().is_none());
    assert_eq!(door.get("/api/v1/users/admin").await.json()["role"], "admin");
}

#[sqlx::test]
async fn a_revoked_token_opens_nothing(db: PgPool) {
    let door = Door::open(db).await;
    let issued = door.post("/api/v1/tokens", json!({ "title": "export", "scope": "operator" })).await.json();
    let secret = issued["token"].as_str().unwrap();
    assert!(secret.starts_with("pb_"));
    let list = || door.send(secret, Method::GET, "/api/v1/batches", None);
    assert_eq!(list().await.status, StatusCode::OK);
    let path = format!("/api/v1/tokens/{}", issued["id"]);
    assert_eq!(door.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(list().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(door.delete(&path).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test]
async fn secrets_are_kept_as_hashes_only_and_use_is_noted(db: PgPool) {
    let door = Door::open(db).await;
    door.get("/api/v1/tokens").await;
    let listed = door.get("/api/v1/tokens").await;
    assert!(!listed.text().contains(&door.admin));
    assert!(listed.json()["items"][0]["last_used_at"].is_string());
    let rows = sqlx::query_scalar::<_, String>("select row_to_json(token)::text from token").fetch_all(&door.db).await;
    assert!(rows.unwrap().iter().all(|row| !row.contains(&door.admin)));
}

#[sqlx::test]
async fn a_token_does_no_more_than_its_scope_and_its_users_role(db: PgPool) {
    let door = Door::open(db).await;
    let narrow = door.post("/api/v1/tokens", json!({ "title": "narrow", "scope": "user" })).await.json();
    let narrow = narrow["token"].as_str().unwrap();
    assert_eq!(door.send(narrow, Method::GET, "/api/v1/users", None).await.status, StatusCode::FORBIDDEN);
    let user = door.user("site-a", "user").await;
    let wanted = |body: Value| door.send(&user, Method::POST, "/api/v1/tokens", Some(body));
    assert_eq!(wanted(json!({ "title": "own", "scope": "user" })).await.status, StatusCode::CREATED);
    assert_eq!(wanted(json!({ "title": "more", "scope": "admin" })).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        wanted(json!({ "title": "other", "scope": "user", "user": "admin" })).await.status,
        StatusCode::FORBIDDEN
    );
    let too_much = door.post("/api/v1/tokens", json!({ "title": "x", "user": "site-a", "scope": "admin" })).await;
    assert!(too_much.fault("scope").contains("more than the role"));
    let own = door.send(&user, Method::GET, "/api/v1/tokens", None).await.json();
    assert!(own["items"].as_array().unwrap().iter().all(|token| token["user"] == "site-a"));
    assert_eq!(door.send(&user, Method::DELETE, "/api/v1/tokens/1", None).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test]
async fn a_disabled_user_is_kept_out_and_the_last_admin_stays(db: PgPool) {
    let door = Door::open(db).await;
    let user = door.user("site-a", "user").await;
    assert_eq!(door.post("/api/v1/users/site-a/disable", json!({})).await.status, StatusCode::NO_CONTENT);
    let answer = door.send(&user, Method::GET, "/api/v1/batches", None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    for answer in [
        door.post("/api/v1/users/admin/disable", json!({})).await,
        door.put("/api/v1/users/admin", json!({ "role": "user" })).await,
    ] {
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(answer.json()["detail"].as_str().unwrap().contains("last enabled admin"));
    }
}

#[sqlx::test]
async fn what_is_wrong_with_a_user_is_told(db: PgPool) {
    let door = Door::open(db).await;
    let answer = door
        .post("/api/v1/users", json!({ "name": "A b", "role": "king", "contacts": { "email": "x" }, "monitor": true }))
        .await;
    for place in ["name", "role", "contacts/email"] {
        answer.fault(place);
    }
    let silent = door.post("/api/v1/users", json!({ "name": "night", "monitor": true })).await;
    assert!(silent.fault("contacts/email").contains("told by email"));
}

#[sqlx::test]
async fn suppressed_addresses_are_listed_and_lifted(db: PgPool) {
    let door = Door::open(db).await;
    let added = door.post("/api/v1/suppressions", json!({ "channel": "email", "contact": "Ann@Example.org" })).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    assert_eq!(added.json()["stops"], json!(["email", "pickup"]), "it gets no links either");
    assert_eq!(door.get("/api/v1/suppressions").await.json()["items"][0], added.json());
    assert_eq!(added.json()["contact"], "ann@example.org");
    let fax = door.post("/api/v1/suppressions", json!({ "channel": "fax", "contact": "+13125550002" })).await;
    assert_eq!(fax.json()["stops"], json!(["fax"]));
    let path = "/api/v1/suppressions/email/ANN@example.org";
    assert_eq!(door.delete(path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.delete(path).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test]
async fn every_change_is_in_the_audit_log(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let batch = "/api/v1/batches/morning-checklists";
    door.post(&format!("{batch}/disable"), json!({})).await;
    door.post(&format!("{batch}/disable"), json!({})).await;
    door.delete(batch).await;
    door.delete("/api/v1/documents/open-orders").await;
    let log = door.get("/api/v1/audit?limit=7").await.json();
    let actions: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    let expected = [
        "document.deleted",
        "batch.deleted",
        "batch.disabled",
        "batch.saved",
        "document.saved",
        "token.issued",
        "user.saved",
    ];
    assert_eq!(actions, expected);
    assert_eq!(log["items"][0]["by"], "admin");
    let rest = door.get(&format!("/api/v1/audit?after={}", log["next"].as_str().unwrap())).await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
}
