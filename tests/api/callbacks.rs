//! The doors of accounts, which nobody logs in at.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use sqlx::PgPool;

use crate::door::{Answer, Door};

async fn call(door: &Door, method: Method, path: &str, body: Vec<u8>) -> Answer {
    door.hand(Request::builder().method(method).uri(path).body(Body::from(body)).unwrap()).await
}

#[sqlx::test]
async fn a_call_that_nobody_expects_is_turned_away_counted_and_kept_nowhere(db: PgPool) {
    let door = Door::open(db).await;
    for method in [Method::GET, Method::POST] {
        let answer = call(&door, method, "/callbacks/mail?status=delivered", b"MessageStatus=delivered".to_vec()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    }
    let strange = call(&door, Method::POST, "/callbacks/nobody", Vec::new()).await;
    assert_eq!(strange.status, StatusCode::NOT_FOUND);

    let metrics = door.get("/metrics").await.text();
    assert!(metrics.contains("postbook_callbacks_turned_away_total{why=\"not_expected\"} 2"), "{metrics}");
    assert!(metrics.contains("postbook_receipts_due 0"), "{metrics}");
    let kept: i64 = sqlx::query_scalar("select count(*) from receipt").fetch_one(&door.db).await.unwrap();
    assert_eq!(kept, 0);
}

#[sqlx::test]
async fn a_call_has_a_limit_of_its_own(db: PgPool) {
    let door = Door::open(db).await;
    let large = call(&door, Method::POST, "/callbacks/mail", vec![b'x'; 1024 * 1024 + 1]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let other = call(&door, Method::DELETE, "/callbacks/mail", Vec::new()).await;
    assert_eq!(other.status, StatusCode::METHOD_NOT_ALLOWED);
}
