//! Documents over the API.

use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::{Door, PDF, orders};

const DOCUMENTS: &str = "/api/v1/documents";

fn checklist() -> Value {
    json!({ "name": "checklist", "title": "Checklist", "kind": "stored", "file": "checklist.pdf",
            "media_type": "application/pdf", "content": PDF })
}

#[sqlx::test]
async fn stored_bytes_come_back_bit_for_bit(db: PgPool) {
    let door = Door::open(db).await;
    let saved = door.post(DOCUMENTS, checklist()).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text());
    assert_eq!(saved.headers[header::LOCATION], "/api/v1/documents/checklist");
    let content = door.get("/api/v1/documents/checklist/content").await;
    assert_eq!(content.body, b"%PDF-1.4\n% a checklist\n");
    assert_eq!(content.headers[header::CONTENT_TYPE], "application/pdf");
    assert_eq!(door.post(DOCUMENTS, checklist()).await.status, StatusCode::CONFLICT);
}

#[sqlx::test]
async fn what_was_read_can_be_written_back_and_changes_nothing(db: PgPool) {
    let door = Door::open(db).await;
    door.post(DOCUMENTS, checklist()).await;
    door.put("/api/v1/documents/open-orders", orders()).await;
    for name in ["checklist", "open-orders"] {
        let path = format!("{DOCUMENTS}/{name}");
        let read = door.get(&path).await;
        let again = door.put(&path, read.json()).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.text());
        assert_eq!((again.json(), &again.headers[header::ETAG]), (read.json(), &read.headers[header::ETAG]));
    }
    let unknown =
        json!({ "kind": "stored", "file": "a.pdf", "media_type": "application/pdf", "digest": "0".repeat(64) });
    assert!(door.put("/api/v1/documents/a", unknown).await.fault("digest").contains("send them as `content`"));
}

#[sqlx::test]
async fn a_file_is_uploaded_from_a_form(db: PgPool) {
    let door = Door::open(db).await;
    let form = "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nPrüfliste\r\n\
                --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"liste.pdf\"\r\n\
                Content-Type: application/pdf\r\n\r\n%PDF-1.4\r\n--x--\r\n";
    let request = Request::put("/api/v1/documents/liste")
        .header(header::AUTHORIZATION, format!("Bearer {}", door.admin))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x")
        .body(form.into())
        .unwrap();
    let saved = door.hand(request).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text());
    assert_eq!((&saved.json()["title"], &saved.json()["file"]), (&json!("Prüfliste"), &json!("liste.pdf")));
    assert_eq!(door.get("/api/v1/documents/liste/content").await.body, b"%PDF-1.4");
}

#[sqlx::test]
async fn a_document_that_batches_use_is_not_deleted(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let refused = door.delete("/api/v1/documents/open-orders").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.json()["detail"].as_str().unwrap().contains("morning-checklists"));
    assert_eq!(door.get("/api/v1/documents/open-orders").await.status, StatusCode::OK);
    door.delete("/api/v1/batches/morning-checklists").await;
    assert_eq!(door.delete("/api/v1/documents/open-orders").await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.get("/api/v1/documents/open-orders").await.status, StatusCode::NOT_FOUND);
    assert_eq!(door.put("/api/v1/documents/open-orders", orders()).await.status, StatusCode::CREATED);
}

#[sqlx::test]
async fn what_is_wrong_with_a_document_is_told_with_its_place_and_remedy(db: PgPool) {
    let door = Door::open(db).await;
    let stored = |change: Value| {
        let mut document = checklist();
        document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        document
    };
    let remote = |change: Value| {
        let mut document = orders();
        document["name"] = json!("orders");
        document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        document
    };
    let cases = [
        (stored(json!({ "kind": "paper" })), "kind", "`stored`"),
        (stored(json!({ "content": "PGh0bWw+" })), "content", "is not a PDF"),
        (stored(json!({ "content": "" })), "content", "is empty"),
        (stored(json!({ "media_type": "pdf" })), "media_type", "application/pdf"),
        (stored(json!({ "url": "https://example.org" })), "url", "does not belong"),
        (stored(json!({ "name": "a/b" })), "name", "small letters"),
        (
            json!({ "name": "t", "kind": "template", "template": "../x.typ" }),
            "template",
            "inside the workflow's folder",
        ),
        (remote(json!({ "url": "file:///etc/passwd" })), "url", "https://"),
        (remote(json!({ "url": "https://example.org/{{ user" })), "url", "line 1"),
        (remote(json!({ "timeout": 0 })), "timeout", "1 to 3600"),
        (remote(json!({ "params": { "n": { "type": "integer", "default": "x" } } })), "params/n", "a whole number"),
        (remote(json!({ "params": { "n": { "type": "color" } } })), "params/n/type", "`integer`"),
    ];
    for (document, at, remedy) in cases {
        let answer = door.post(DOCUMENTS, document).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{at}: {}", answer.text());
        let text = answer.fault(at);
        assert!(text.contains(remedy), "{at}: {text}");
    }
}
