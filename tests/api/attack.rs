//! What strangers and scripts gone wrong send.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
    routing::get,
};
use postbook::http::{Patience, serve};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::door::{Answer, Door, batch};

const LONG: usize = 50_000;

async fn send(door: &Door, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::put(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", door.admin))
        .header(header::CONTENT_TYPE, "application/json");
    door.hand(request.body(body.into()).unwrap()).await
}

#[sqlx::test]
async fn what_is_too_long_is_refused_and_not_repeated_in_full(db: PgPool) {
    let door = Door::open(db).await;
    let long = "x".repeat(LONG);
    for (path, body, place) in [
        ("users/u", json!({ "title": long }), "title"),
        ("users/u", json!({ "role": long }), "role"),
        ("users/u", json!({ "attributes": { "a": long } }), "attributes"),
        ("documents/d", json!({ "kind": "stored", "file": "a", "media_type": long, "content": "YQ==" }), "media_type"),
        ("batches/b", json!({ "workflow": long }), "workflow"),
        ("batches/b", json!({ "recipients": [{ "name": long, "email": "a@example.org" }] }), "recipients/0/name"),
    ] {
        let answer = door.put(&format!("/api/v1/{path}"), body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{place}");
        answer.fault(place);
        assert!(answer.body.len() < 8_000, "{place}: {} bytes", answer.body.len());
    }
    let unknown = door.get(&format!("/api/v1/documents/{long}")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.body.len() < 2_000);
}

#[sqlx::test]
async fn a_name_that_stands_twice_in_a_body_is_refused(db: PgPool) {
    let door = Door::open(db).await;
    let twice = send(&door, "/api/v1/users/u", r#"{ "title": "One", "title": "Two" }"#).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert!(twice.json()["detail"].as_str().unwrap().contains("`title` stands twice"), "{}", twice.text());
    let twice = door.get("/api/v1/runs?limit=1&limit=2").await;
    assert!(twice.fault("query").contains("once"));
}

#[sqlx::test]
async fn bodies_that_are_no_json_say_where_they_break(db: PgPool) {
    let door = Door::open(db).await;
    let deep = "[".repeat(LONG);
    for body in [&b"{\"title\":\"\xff\"}"[..], b"{\"title\":\"\\ud800\"}", b"{}{}", b"{\"a\":NaN}", deep.as_bytes()] {
        let answer = send(&door, "/api/v1/users/u", body.to_vec()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.json()["detail"].as_str().unwrap().contains("line 1 column"), "{}", answer.text());
    }
    let marked = send(&door, "/api/v1/users/u", "\u{feff}{}").await;
    assert_eq!(marked.status, StatusCode::CREATED, "{}", marked.text());
}

#[sqlx::test]
async fn lines_hold_no_tricks_of_writing(db: PgPool) {
    let door = Door::open(db).await;
    for title in ["a\r\nBcc: b@example.org", "a\u{2028}b", "\u{202e}gpj.exe", "\u{200b}", " "] {
        door.put("/api/v1/users/u", json!({ "title": title })).await.fault("title");
    }
    for title in ["شركة\u{200f}", "Отчёт 😀", "../.."] {
        assert!(door.put("/api/v1/users/u", json!({ "title": title })).await.status.is_success(), "{title}");
    }
    let odd = json!({ "kind": "stored", "file": "a", "media_type": "text/plain; charset=é", "content": "YQ==" });
    door.put("/api/v1/documents/d", odd).await.fault("media_type");
}

#[sqlx::test]
async fn a_hundred_faults_among_many_recipients_are_told_at_once(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let one = |at: usize| match at % 7 {
        0 => json!({ "name": "R", "email": "nobody" }),
        _ => json!({ "name": "R", "email": "r@example.org" }),
    };
    let mut body = batch();
    body["recipients"] = (0..1000).map(one).collect::<Vec<Value>>().into();
    let answer = door.put("/api/v1/batches/morning-checklists", body).await;
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 100);
    answer.fault("recipients/693/email");
}

#[sqlx::test]
async fn tokens_are_taken_from_their_header_only(db: PgPool) {
    let door = Door::open(db).await;
    for path in ["token", "access_token", "authorization"].map(|name| format!("/api/v1/users?{name}={}", door.admin)) {
        assert_eq!(door.send("", Method::GET, &path, None).await.status, StatusCode::UNAUTHORIZED);
    }
    for value in [format!("Basic {}", door.admin), door.admin.clone(), format!("Bearer{}", door.admin)] {
        let request = Request::get("/api/v1/users").header(header::AUTHORIZATION, value).body(Body::empty());
        let answer = door.hand(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.json()["detail"].as_str().unwrap().contains("Authorization: Bearer"));
    }
}

#[sqlx::test]
async fn keys_of_pages_are_those_that_were_given(db: PgPool) {
    let door = Door::open(db).await;
    for list in ["runs", "tokens", "audit", "suppressions", "recipients"] {
        door.get(&format!("/api/v1/{list}?after=somewhere")).await.fault("after");
    }
}

/// A server that lets others take as long as `asking`, and where it is.
async fn patient(asking: Duration, stop: CancellationToken) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/", get(async || "well"));
    let patience = Patience { asking, leaving: Duration::from_millis(100) };
    (address, tokio::spawn(serve(listener, router, patience, stop)))
}

#[tokio::test]
async fn a_connection_that_does_not_finish_asking_is_closed() {
    let (address, _server) = patient(Duration::from_millis(200), CancellationToken::new()).await;
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    let mut idle = TcpStream::connect(&address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    for (connection, answered) in [(&mut slow, false), (&mut idle, true)] {
        let mut said = String::new();
        let closed = timeout(Duration::from_secs(30), connection.read_to_string(&mut said)).await;
        assert!(closed.is_ok(), "it is still open");
        assert_eq!(said.ends_with("well"), answered, "{said}");
    }
}

#[tokio::test]
async fn whoever_keeps_the_door_open_does_not_keep_it_from_closing() {
    let stop = CancellationToken::new();
    let (address, server) = patient(Duration::from_secs(3600), stop.clone()).await;
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    stop.cancel();
    timeout(Duration::from_secs(30), server).await.expect("an end").unwrap();
    assert!(TcpStream::connect(&address).await.is_err());
}
