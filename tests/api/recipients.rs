//! Whom the batches of today send to, and how it went the last time.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::Door;

const RECIPIENTS: &str = "/api/v1/recipients";

/// A batch that sends one note as `run_as` to `recipients`.
async fn with_batch(door: &Door, (name, run_as): (&str, &str), recipients: Value) {
    let batch = json!({
        "workflow": "batch-documents", "run_as": run_as, "recipients": recipients,
        "documents": [{ "name": "note", "file": "note.txt", "media_type": "text/plain", "content": "bm90ZQ==" }],
    });
    let saved = door.put(&format!("/api/v1/batches/{name}"), batch).await;
    assert!(saved.status.is_success(), "{}", saved.text());
}

/// Two batches of two users, both to Ann, the second also to the yard.
async fn with_batches(door: &Door) -> String {
    door.user("site-a", "user").await;
    let other = door.user("site-b", "user").await;
    with_batch(door, ("morning", "site-a"), json!([{ "name": "Ann", "email": "ann@EXAMPLE.org" }])).await;
    let both = json!([
        { "name": "Yard", "email": "yard@example.org", "folder": "yard" }, { "name": "Ann", "email": "ann@EXAMPLE.org" },
    ]);
    with_batch(door, ("evening", "site-b"), both).await;
    other
}

async fn names(door: &Door, token: &str, query: &str) -> Vec<String> {
    let list = door.send(token, Method::GET, &format!("{RECIPIENTS}{query}"), None).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text());
    let text = |one: &Value| format!("{} {}", one["name"].as_str().unwrap(), one["channel"].as_str().unwrap());
    list.json()["items"].as_array().unwrap().iter().map(text).collect()
}

#[sqlx::test]
async fn each_contact_is_listed_once_with_its_batches(db: PgPool) {
    let door = Door::open(db).await;
    with_batches(&door).await;
    let list = door.get(RECIPIENTS).await.json();
    assert_eq!(
        list["items"][0],
        json!({ "name": "Ann", "channel": "email", "contact": "ann@EXAMPLE.org", "batches": ["evening", "morning"], "last": null })
    );
    assert_eq!(names(&door, &door.admin, "").await, ["Ann email", "Yard email", "Yard folder"]);
    door.delete("/api/v1/batches/evening").await;
    assert_eq!(names(&door, &door.admin, "").await, ["Ann email"]);
}

#[sqlx::test]
async fn they_are_found_by_a_part_of_name_or_contact(db: PgPool) {
    let door = Door::open(db).await;
    with_batches(&door).await;
    assert_eq!(names(&door, &door.admin, "?name=AR").await, ["Yard email", "Yard folder"]);
    assert_eq!(names(&door, &door.admin, "?contact=example.ORG&name=y").await, ["Yard email"]);
    assert!(names(&door, &door.admin, "?name=%25").await.is_empty());
    assert!(door.get(&format!("{RECIPIENTS}?name=%00")).await.fault("name").contains("NUL"));
}

#[sqlx::test]
async fn pages_go_on_where_the_last_one_ended(db: PgPool) {
    let door = Door::open(db).await;
    with_batches(&door).await;
    let first = door.get(&format!("{RECIPIENTS}?limit=2")).await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next: String = first["next"].as_str().unwrap().bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(names(&door, &door.admin, &format!("?limit=2&after={next}")).await, ["Yard folder"]);
    for wrong in ["Ann", "[]", "%5B%22%5Cu0000%22%2C%22%22%2C%22%22%5D"] {
        door.get(&format!("{RECIPIENTS}?after={wrong}")).await.fault("after");
    }
}

#[sqlx::test]
async fn the_last_transmission_is_shown_to_those_who_may_see_it(db: PgPool) {
    let door = Door::open(db).await;
    let other = with_batches(&door).await;
    let run = door.post("/api/v1/batches/morning/runs", json!({})).await.json()["id"].clone();
    door.watch(&run).await;
    let ann = door.get(&format!("{RECIPIENTS}?name=ann")).await.json()["items"][0].clone();
    assert_eq!((&ann["last"]["run"], &ann["last"]["state"]), (&run, &json!("delivered")), "{ann}");
    assert!(ann["last"]["at"].is_string());
    let seen = door.send(&other, Method::GET, &format!("{RECIPIENTS}?name=ann"), None).await.json();
    assert_eq!((&seen["items"][0]["batches"], &seen["items"][0]["last"]), (&json!(["evening"]), &Value::Null));
}
