//! The description of the API, the page that shows it, and what every answer carries.

use axum::http::{Method, StatusCode, header};
use serde_json::Value;
use sqlx::PgPool;

use crate::door::Door;

#[sqlx::test]
async fn every_operation_is_described_with_its_problems(db: PgPool) {
    let door = Door::open(db).await;
    let answer = door.send("", Method::GET, "/api/v1/openapi.json", None).await;
    let api = answer.json();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let about = format!("{method} {path}");
            ids.push(operation["operationId"].as_str().unwrap_or_else(|| panic!("{about} has no id")).to_owned());
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("401"), "{about}");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{about}");
            assert_eq!(path.contains('{'), responses.contains_key("404"), "{about}");
            assert!(operation["summary"].is_string(), "{about}");
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for reference in references(&api) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[sqlx::test]
async fn the_page_needs_nothing_from_elsewhere(db: PgPool) {
    let door = Door::open(db).await;
    let page = door.send("", Method::GET, "/api/docs", None).await;
    assert_eq!(page.status, StatusCode::OK);
    let text = page.text();
    assert!(text.contains("id=\"list_batches\"") && text.contains("id=\"schema-Problem\""));
    assert!(!text.contains("<script") && !text.contains("src="));
    assert!(page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'"));
}

#[sqlx::test]
async fn unknown_paths_and_methods_are_problems_too(db: PgPool) {
    let door = Door::open(db).await;
    let nowhere = door.get("/api/v1/nothing").await;
    assert_eq!((nowhere.status, &nowhere.json()["type"]), (StatusCode::NOT_FOUND, &Value::from("/problems/not-found")));
    let patch = door.send(&door.admin, Method::PATCH, "/api/v1/batches", None).await;
    assert_eq!(patch.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(patch.headers.contains_key(header::ALLOW));
    for path in ["/api/v1/batches/%00", "/api/v1/batches/%ff", "/api/v1/tokens/x"] {
        let answer = door.send(&door.admin, Method::DELETE, path, None).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.text());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    }
}

#[sqlx::test]
async fn a_fault_is_told_by_its_request_id_only(db: PgPool) {
    let door = Door::open(db).await;
    sqlx::query("alter table audit rename to lost").execute(&door.db).await.unwrap();
    let answer = door.get("/api/v1/audit").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert!(answer.json()["detail"].as_str().unwrap().contains(id));
    assert!(!answer.text().contains("relation"));
}

#[sqlx::test]
async fn a_node_tells_that_it_lives_and_what_it_did(db: PgPool) {
    let door = Door::open(db).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = door.send("", Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    let metrics = door.send("", Method::GET, "/metrics", None).await.text();
    for line in [
        "postbook_http_answers_total{class=\"2xx\"} 3\n",
        "postbook_http_answer_duration_seconds_count 3\n",
        "postbook_http_answer_duration_seconds_bucket{le=\"+Inf\"} 3\n",
        "postbook_runs_open{state=\"held\"} 0\n",
        "postbook_database_up 1\n",
        "postbook_sending_paused 0\n",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[sqlx::test]
async fn without_the_database_there_are_still_the_nodes_own_numbers(db: PgPool) {
    let door = Door::open(db).await;
    door.db.close().await;
    let metrics = door.send("", Method::GET, "/metrics", None).await;
    assert_eq!(metrics.status, StatusCode::OK);
    let metrics = metrics.text();
    assert!(metrics.contains("postbook_database_up 0\n") && !metrics.contains("postbook_steps_due"), "{metrics}");
}
