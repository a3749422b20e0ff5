//! Telnyx calling at the door of an engine that sent a fax by it.

use axum::{Router, body::Body, http::Request};
use chrono::{DateTime, TimeDelta, Utc};
use postbook::{http, run::TransmissionState};
use reqwest::header::HeaderMap;
use serde_json::json;
use sqlx::PgPool;
use tower::ServiceExt;

use crate::{
    FAX,
    harness::TestApp,
    services::{SECRET, Server, telnyx::Telnyx},
};

const DOOR: &str = "/callbacks/fax";

/// What Telnyx says about `fax`, under a number of its own.
fn event(fax: &str, (id, kind): (&str, &str), at: DateTime<Utc>) -> Vec<u8> {
    let status = kind.trim_start_matches("fax.").trim_end_matches(".started");
    let payload = json!({ "fax_id": fax, "direction": "outbound", "to": FAX, "status": status, "page_count": 2,
        "failure_reason": "user_busy" });
    json!({ "data": { "id": id, "event_type": kind, "occurred_at": at, "record_type": "event", "payload": payload } })
        .to_string()
        .into_bytes()
}

struct Site {
    app: TestApp,
    telnyx: Server<Telnyx>,
    doors: Router,
}

impl Site {
    /// With one fax that Telnyx has accepted.
    async fn start(db: PgPool) -> Self {
        let telnyx = Telnyx::start();
        let config = telnyx.account(SECRET);
        let app = TestApp::start_on(db, |accounts| _ = accounts.insert("fax".to_owned(), config)).await;
        app.apply(&format!(
            r#"
            [[batch]]
            name = "morning"
            workflow = "quick"
            run_as = "site-a"
            documents = [{{ document = "checklist" }}]
            recipients = [{{ name = "Yard office", fax = "{FAX}" }}]
            "#
        ))
        .await;
        app.run("morning").await;
        let doors = http::router(http::App::new(app.engine.clone(), Default::default(), 1 << 20)).unwrap();
        let site = Self { app, telnyx, doors };
        assert_eq!(site.state().await, TransmissionState::Accepted.name());
        site
    }

    fn now(&self) -> DateTime<Utc> {
        self.app.engine.clock.now()
    }

    fn fax(&self) -> String {
        self.telnyx.service.faxes.lock().unwrap()[0].id.clone()
    }

    async fn call(&self, headers: &HeaderMap, body: &[u8]) -> u16 {
        let mut request = Request::post(DOOR).body(Body::from(body.to_vec())).unwrap();
        request.headers_mut().extend(headers.clone());
        let status = self.doors.clone().oneshot(request).await.unwrap().status().as_u16();
        self.app.drain().await;
        status
    }

    /// As Telnyx calls, signed now.
    async fn says(&self, what: (&str, &str), at: DateTime<Utc>) -> u16 {
        let body = event(&self.fax(), what, at);
        self.call(&self.telnyx.service.sign(&body, self.now()), &body).await
    }

    async fn state(&self) -> String {
        let state = "select state from transmission where purpose = 'document'";
        sqlx::query_scalar(state).fetch_one(&self.app.db).await.unwrap()
    }

    async fn words(&self) -> i64 {
        self.app.count("select count(*) from receipt").await
    }
}

#[sqlx::test]
async fn what_is_forged_or_replayed_at_the_door_changes_nothing_and_is_not_kept(db: PgPool) {
    let site = Site::start(db).await;
    let (now, body) = (site.now(), event(&site.fax(), ("e1", "fax.delivered"), site.now()));
    let signed = site.telnyx.service.sign(&body, now);
    let other = event(&site.fax(), ("e1", "fax.failed"), now);

    for (headers, body) in [
        (HeaderMap::new(), &body),
        (signed, &other),
        (site.telnyx.service.sign(&body, now - TimeDelta::seconds(301)), &body),
    ] {
        assert_eq!(site.call(&headers, body).await, 403);
    }

    assert_eq!((site.state().await.as_str(), site.words().await), ("accepted", 0));
}

#[sqlx::test]
async fn words_at_the_door_count_once_and_never_backwards(db: PgPool) {
    let site = Site::start(db).await;
    let now = site.now();
    let run = "select state = 'succeeded' and ended_at is not null from run";
    let ended = || async { sqlx::query_scalar::<_, bool>(run).fetch_one(&site.app.db).await.unwrap() };
    assert!(!ended().await, "the run waits for the fax");

    assert_eq!(site.says(("e2", "fax.sending.started"), now).await, 200);
    assert_eq!(site.state().await, "accepted");
    assert_eq!(site.says(("e3", "fax.delivered"), now + TimeDelta::seconds(40)).await, 200);
    assert_eq!((site.state().await.as_str(), ended().await), ("delivered", true));
    let words = site.words().await;

    // The same again, what came before it, and a failure that is older.
    assert_eq!(site.says(("e3", "fax.delivered"), now + TimeDelta::seconds(40)).await, 200);
    assert_eq!(site.words().await, words);
    assert_eq!(site.says(("e1", "fax.queued"), now).await, 200);
    assert_eq!(site.says(("e4", "fax.failed"), now + TimeDelta::seconds(20)).await, 200);
    assert_eq!((site.state().await.as_str(), ended().await), ("delivered", true));
}

#[sqlx::test]
async fn a_busy_fax_is_tried_again_and_both_tries_are_told_apart(db: PgPool) {
    let site = Site::start(db).await;
    let first = site.fax();

    assert_eq!(site.says(("e1", "fax.failed"), site.now()).await, 200);
    assert_eq!(site.state().await, "queued");
    while site.telnyx.service.faxes.lock().unwrap().len() < 2 {
        site.app.later(std::time::Duration::from_secs(60)).await;
    }
    assert_eq!(site.state().await, "accepted");

    // A late word about the first one says nothing about the second.
    let body = event(&first, ("e9", "fax.failed"), site.now());
    assert_eq!(site.call(&site.telnyx.service.sign(&body, site.now()), &body).await, 200);
    assert_eq!(site.state().await, "accepted");
    let second = site.telnyx.service.faxes.lock().unwrap()[1].id.clone();
    let body = event(&second, ("e10", "fax.delivered"), site.now() + TimeDelta::hours(1));
    assert_eq!(site.call(&site.telnyx.service.sign(&body, site.now()), &body).await, 200);
    assert_eq!(site.state().await, "delivered");
}
