//! Batches over the API.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::{Door, LIMIT, PDF, batch};

const BATCHES: &str = "/api/v1/batches";
const BATCH: &str = "/api/v1/batches/morning-checklists";

#[sqlx::test]
async fn a_batch_comes_back_as_it_was_written(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let read = door.get(BATCH).await;
    assert_eq!(read.status, StatusCode::OK);
    assert_eq!(read.json(), batch());
    let again = door.put(BATCH, read.json()).await;
    assert_eq!((again.status, &again.headers[header::ETAG]), (StatusCode::OK, &read.headers[header::ETAG]));
}

#[sqlx::test]
async fn only_a_change_makes_a_new_revision(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let mut revisions = vec![door.get(BATCH).await.headers[header::ETAG].clone()];
    let changes: [(&str, Value); 4] = [
        ("/title", json!("Evening checklists")),
        ("/recipients/0/email", json!("ann.baker@example.org")),
        ("/documents/1/content", json!("JVBERi0xLjQKJSBhbm90aGVyCg==")),
        ("/documents/0/params/company", json!("Acme")),
    ];
    let mut batch = batch();
    for (place, value) in changes {
        *batch.pointer_mut(place).unwrap() = value;
        for _ in 0..2 {
            let saved = door.put(BATCH, batch.clone()).await;
            assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
            revisions.push(saved.headers[header::ETAG].clone());
        }
    }
    revisions.dedup();
    assert_eq!(revisions.len(), 5, "{revisions:?}");
    let kept = sqlx::query_scalar::<_, i64>("select count(*) from batch_revision where batch <> '.monitors'")
        .fetch_one(&door.db)
        .await
        .unwrap();
    assert_eq!(kept, 5);
}

#[sqlx::test]
async fn a_held_document_needs_no_record_in_the_catalogue(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let documents = door.get("/api/v1/documents").await.json();
    assert_eq!(documents["items"].as_array().unwrap().len(), 1);
    let single = json!({
        "name": "single", "workflow": "batch-documents", "run_as": "site-a",
        "documents": [{ "file": "Prüfliste März.pdf", "media_type": "application/pdf", "content": PDF }],
        "recipients": [{ "name": "Ann", "email": "ann@example.org" }],
    });
    let saved = door.post(BATCHES, single).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text());
    assert_eq!(saved.json()["documents"][0]["name"], "pr-fliste-m-rz");
    assert_eq!(saved.json()["documents"][0]["content"], PDF);
}

#[sqlx::test]
async fn what_is_wrong_with_a_batch_is_told_with_its_place_and_remedy(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let cases: [(&str, Value, &str, &str); 27] = [
        ("/name", json!("Morning Checklists"), "name", "small letters"),
        ("/name", json!(5), "name", "expected a string"),
        ("/title", json!("a\r\nBcc: eve@example.org"), "title", "one line"),
        ("/workflow", json!("nothing"), "workflow", "batch-documents"),
        ("/run_as", json!("nobody"), "run_as", "there is no user `nobody`"),
        ("/zone", json!("Mars/Olympus"), "zone", "IANA"),
        ("/documents/0/document", json!("nothing"), "documents/0/document", "add it to the catalogue"),
        ("/documents/0/document", json!("morning-checklists"), "documents/0/document", "is a batch"),
        ("/documents/0/params/company", json!(["a"]), "documents/0/params/company", "text"),
        ("/documents/0/params/since", json!("yesterday"), "documents/0/params/since", "2026-04-01"),
        ("/documents/0/params/view", json!("street"), "documents/0/params/view", "one of `district`, `builder`"),
        ("/documents/0/params/town", json!("x"), "documents/0/params/town", "is no parameter"),
        ("/documents/0/params", json!({}), "documents/0/params/company", "is required"),
        ("/documents/1/content", json!("PGh0bWw+"), "documents/1/content", "is not a PDF"),
        ("/documents/1/content", json!("%%%"), "documents/1/content", "base64"),
        ("/documents/1/file", json!("../../etc/passwd"), "documents/1/file", "without folders"),
        ("/documents/1", json!({}), "documents/1", "write `document`"),
        ("/documents", json!([]), "message/subject", "speaks of `document`"),
        ("/recipients", json!([]), "recipients", "at least one"),
        ("/recipients/1/email", json!("yard"), "recipients/1/email", "ann@example.org"),
        ("/recipients/1/email", json!("yard@"), "recipients/1/email", "example.org"),
        ("/recipients/1/name", json!("Yard\nBcc: eve@example.org"), "recipients/1/name", "one line"),
        ("/recipients/1/emial", json!("ann@example.org"), "recipients/1/emial", "is unknown"),
        ("/policy/send", json!("some"), "policy/send", "`first_valid`"),
        ("/message/subject", json!("a\nb"), "message/subject", "one line"),
        ("/message/text", json!("Hello {{ name"), "message/text", "line 1"),
        ("/accounts/email", json!("other"), "accounts/email", "mail"),
    ];
    for (place, value, at, remedy) in cases {
        let answer = door.post(BATCHES, with(place, value.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{place} {value}: {}", answer.text());
        let text = answer.fault(at);
        assert!(text.contains(remedy), "{place} {value}: {text}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    }
}

/// The usual batch under another name, with one thing changed.
fn with(place: &str, value: Value) -> Value {
    let mut batch = batch();
    batch["name"] = json!("another");
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = if parent.is_empty() { &mut batch } else { batch.pointer_mut(parent).unwrap() };
    match parent {
        Value::Array(elements) => elements[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    batch
}

#[sqlx::test]
async fn all_faults_are_told_at_once(db: PgPool) {
    let door = Door::open(db).await;
    let answer = door.post(BATCHES, json!({ "titel": "x", "recipients": [{ "email": "ann" }], "bundle": "yes" })).await;
    for place in
        ["titel", "bundle", "name", "workflow", "run_as", "documents", "recipients/0/name", "recipients/0/email"]
    {
        answer.fault(place);
    }
    let rows =
        sqlx::query_scalar::<_, i64>("select count(*) from batch where not own").fetch_one(&door.db).await.unwrap();
    assert_eq!(rows, 0);
}

#[sqlx::test]
async fn bodies_that_cannot_be_read_are_refused_with_a_problem(db: PgPool) {
    let door = Door::open(db).await;
    let cases = [
        ("application/json", "{ \"name\": ".to_owned(), StatusCode::BAD_REQUEST, "as JSON"),
        ("text/plain", "{}".to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json"),
        ("application/json", "[1]".to_owned(), StatusCode::UNPROCESSABLE_ENTITY, "object"),
        ("application/json", "\"\\ud800\"".to_owned(), StatusCode::BAD_REQUEST, "as JSON"),
        ("application/json", " ".repeat(LIMIT + 1), StatusCode::PAYLOAD_TOO_LARGE, &LIMIT.to_string()),
    ];
    for (media_type, body, status, text) in cases {
        let request = axum::http::Request::post(BATCHES)
            .header(header::AUTHORIZATION, format!("Bearer {}", door.admin))
            .header(header::CONTENT_TYPE, media_type)
            .body(body.into())
            .unwrap();
        let answer = door.hand(request).await;
        assert_eq!(answer.status, status);
        assert!(answer.text().contains(text), "{}", answer.text());
    }
}

#[sqlx::test]
async fn a_batch_is_switched_and_deleted_and_can_come_back(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    assert_eq!(door.post(BATCHES, batch()).await.status, StatusCode::CONFLICT);
    assert_eq!(door.post(&format!("{BATCH}/disable"), json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.get(BATCH).await.json()["enabled"], false);
    assert_eq!(door.post(&format!("{BATCH}/enable"), json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.delete(BATCH).await.status, StatusCode::NO_CONTENT);
    for answer in
        [door.get(BATCH).await, door.delete(BATCH).await, door.post(&format!("{BATCH}/enable"), json!({})).await]
    {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(door.get(BATCHES).await.json(), json!({ "items": [], "next": null }));
    let back = door.post(BATCHES, batch()).await;
    assert_eq!((back.status, back.json()), (StatusCode::CREATED, batch()));
}

#[sqlx::test]
async fn batches_are_listed_a_page_at_a_time(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    for name in ["a", "b", "z"] {
        let mut batch = batch();
        batch["name"] = json!(name);
        assert_eq!(door.post(BATCHES, batch).await.status, StatusCode::CREATED);
    }
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let query = after.as_str().map(|after| format!("&after={after}")).unwrap_or_default();
        let page = door.get(&format!("{BATCHES}?limit=3{query}")).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|batch| batch["name"].as_str().unwrap().to_owned()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "morning-checklists", "z"]);
    assert!(door.get(&format!("{BATCHES}?limit=0")).await.fault("limit").contains("1 to 1000"));
}

#[sqlx::test]
async fn users_see_what_runs_as_them_and_only_admins_change_it(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let own = door.user("site-a-2", "user").await;
    let operator = door.user("night-shift", "operator").await;
    let mut batch = batch();
    batch["run_as"] = json!("site-a-2");
    batch["name"] = json!("own");
    assert_eq!(door.post(BATCHES, batch.clone()).await.status, StatusCode::CREATED);

    let names = |list: Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|batch| batch["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(door.send(&own, Method::GET, BATCHES, None).await.json()), ["own"]);
    assert_eq!(names(door.send(&operator, Method::GET, BATCHES, None).await.json()), ["morning-checklists", "own"]);
    assert_eq!(door.send(&own, Method::GET, BATCH, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(door.send(&own, Method::GET, "/api/v1/batches/own", None).await.status, StatusCode::OK);

    for token in [&own, &operator] {
        for (method, path, body) in [
            (Method::POST, BATCHES, Some(batch.clone())),
            (Method::PUT, "/api/v1/batches/own", Some(batch.clone())),
            (Method::DELETE, "/api/v1/batches/own", None),
            (Method::POST, "/api/v1/batches/own/disable", None),
        ] {
            let answer = door.send(token, method, path, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert_eq!(answer.json()["type"], "/problems/forbidden");
        }
    }
}

#[sqlx::test]
async fn a_thousand_recipients_come_back_in_their_order(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let recipients: Vec<_> =
        (0..1001).map(|n| json!({ "name": n.to_string(), "email": format!("{n}@example.org") })).collect();
    let mut batch = batch();
    batch["recipients"] = json!(recipients);
    let saved = door.put(BATCH, batch.clone()).await;
    assert_eq!(saved.json()["recipients"], batch["recipients"]);
    assert_eq!(door.get(BATCHES).await.json()["items"][0]["recipients"], 1001);
}

async fn table(door: &Door, text: &str) -> crate::door::Answer {
    let request = Request::post(format!("{BATCH}/recipients"))
        .header(header::AUTHORIZATION, format!("Bearer {}", door.admin))
        .header(header::CONTENT_TYPE, "text/csv; charset=utf-8");
    door.hand(request.body(Body::from(text.to_owned())).unwrap()).await
}

#[sqlx::test]
async fn a_table_replaces_the_recipients_all_of_them_or_none(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let before = door.get(BATCH).await.json();
    let wrong = table(&door, "name;email;fax;yard\r\nAnn;ann@example.org;;7\r\nFoo;foo;n/a;8\r\n").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.fault("recipients/1/email").contains("@") && wrong.fault("recipients/1/fax").contains("number"));
    assert_eq!(door.get(BATCH).await.json(), before);

    let right = table(&door, "name,email,fax,yard\nAnn,ann@example.org,,7\nBob,,+48 12 123 45 67,8\n").await;
    assert_eq!(
        right.json(),
        json!({ "batch": "morning-checklists", "recipients": 2, "changed": true }),
        "{}",
        right.text()
    );
    assert_eq!(
        door.get(BATCH).await.json()["recipients"],
        json!([
            { "name": "Ann", "email": "ann@example.org", "params": { "yard": "7" } },
            { "name": "Bob", "fax": "+48 12 123 45 67", "params": { "yard": "8" } },
        ])
    );
    let none = table(&door, "name,email\n").await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", none.text());
    assert_eq!(door.post(&format!("{BATCH}/recipients"), json!([])).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[sqlx::test]
async fn a_batch_that_counts_on_a_channel_without_an_account_cannot_be_switched_on(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let mut batch = batch();
    batch["policy"] = json!({ "send": "fallback", "order": ["email", "sms"] });
    let refused = door.put(BATCH, batch.clone()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.fault("policy/order/1").contains("no account is set up for the channel `sms`"),
        "{}",
        refused.text()
    );

    batch["enabled"] = json!(false);
    assert_eq!(door.put(BATCH, batch).await.status, StatusCode::OK);
    let enabled = door.post_owned(format!("{BATCH}/enable")).await;
    assert_eq!(enabled.status, StatusCode::CONFLICT);
    assert!(enabled.text().contains("no account is set up for the channel `sms`"), "{}", enabled.text());
}
