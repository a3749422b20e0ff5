//! Pages of faxes as pictures, over the API.

use axum::http::{StatusCode, header};
use serde_json::json;
use sqlx::PgPool;

use crate::door::Door;

#[sqlx::test]
async fn a_page_of_a_fax_is_given_as_a_picture(db: PgPool) {
    let door = Door::open(db).await;
    let outsider = door.user("outsider", "user").await;
    door.user("site-a", "user").await;
    let batch = json!({
        "name": "faxes", "workflow": "batch-documents", "run_as": "site-a",
        "documents": [{ "name": "dot", "file": "dot.png", "media_type": "image/png", "content": DOT }],
        "recipients": [{ "name": "Ann", "fax": "+13125550002", "email": "ann@example.org" }],
    });
    let saved = door.post("/api/v1/batches", batch).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text());
    let run = door.post("/api/v1/batches/faxes/runs", json!({})).await.json()["id"].clone();
    door.watch(&run).await;
    let sent = door.get(&format!("/api/v1/runs/{run}/transmissions")).await.json();
    let id = |channel: &str| {
        let items = sent["items"].as_array().unwrap();
        items.iter().find(|one| one["channel"] == channel).unwrap()["id"].clone()
    };
    let page = |channel, name| format!("/api/v1/transmissions/{}/pages/{name}", id(channel));

    let first = door.get(&page("fax", "1.png")).await;

    assert_eq!((first.status, &first.headers[header::CONTENT_TYPE]), (StatusCode::OK, &"image/png".parse().unwrap()));
    assert!(first.body.starts_with(b"\x89PNG"));
    assert_eq!(door.get(&page("fax", "2.png")).await.status, StatusCode::OK);
    for (path, text) in [
        (page("fax", "3.png"), "it has 2 pages"),
        (page("fax", "0.png"), "it has 2 pages"),
        (page("fax", "1.jpg"), "there is no page `1.jpg`"),
        (page("fax", "-1.png"), "there is no page `-1.png`"),
        (page("email", "1.png"), "does not go out as fax pages"),
        ("/api/v1/transmissions/x/pages/1.png".to_owned(), "there is no transmission `x`"),
    ] {
        let answer = door.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text());
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
    let unseen = door.send(&outsider, axum::http::Method::GET, &page("fax", "1.png"), None).await;
    assert_eq!(unseen.status, StatusCode::NOT_FOUND, "it is not theirs");
}

/// A PNG of one black dot.
const DOT: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
