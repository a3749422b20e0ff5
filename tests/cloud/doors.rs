//! Telnyx calling at the door of an engine that sent a fax by it.

use axum::{Router, body::Body, http::Request};
use chrono::{DateTime, TimeDelta, Utc};
use postbook::{
    channel::account::AccountConfig,
    http,
    run::{TransmissionState, receipt},
};
use reqwest::header::HeaderMap;
use serde_json::json;
use sqlx::PgPool;
use tower::ServiceExt;

use crate::{
    FAX,
    harness::TestApp,
    services::{
        SECRET, Server,
        telnyx::{Fax, Telnyx},
    },
};

/// What Telnyx says about `fax`, under a number of its own; of a failure, that the line was busy.
fn event(fax: &str, what: (&str, &str), at: DateTime<Utc>) -> Vec<u8> {
    event_for(fax, what, ("user_busy", at))
}

fn event_for(fax: &str, (id, kind): (&str, &str), (why, at): (&str, DateTime<Utc>)) -> Vec<u8> {
    let status = kind.trim_start_matches("fax.").trim_end_matches(".started");
    let payload = json!({ "fax_id": fax, "direction": "outbound", "to": FAX, "status": status, "page_count": 2,
        "failure_reason": why });
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
    /// With one fax of the batch `morning` that Telnyx has accepted; `noon` would send to the same number by another
    /// account.
    async fn start(db: PgPool) -> Self {
        let telnyx = Telnyx::start();
        let [fax, spare] = ["fax", "spare"].map(|name| {
            let callback = format!("https://postbook.test/callbacks/{name}");
            (name.to_owned(), AccountConfig { callback: Some(callback), ..telnyx.account(SECRET) })
        });
        // One that is not waited for long.
        let half = std::time::Duration::from_secs(30 * 60);
        let hasty = ("hasty".to_owned(), AccountConfig { word_within: Some(half), ..telnyx.account(SECRET) });
        let app = TestApp::start_on(db, |accounts| accounts.extend([fax, spare, hasty])).await;
        for (batch, account) in [("morning", "fax"), ("noon", "spare")] {
            app.apply(&format!(
                r#"
                [[batch]]
                name = "{batch}"
                workflow = "quick"
                run_as = "site-a"
                documents = [{{ document = "checklist" }}]
                recipients = [{{ name = "Yard office", fax = "{FAX}" }}]
                accounts = {{ fax = "{account}" }}
                "#
            ))
            .await;
        }
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

    fn faxes(&self) -> Vec<Fax> {
        self.telnyx.service.faxes.lock().unwrap().clone()
    }

    /// Telnyx says that the fax with this number failed so.
    async fn fails(&self, number: usize, why: &str) {
        let fax = &self.faxes()[number];
        let body = event_for(&fax.id, (&format!("e{number}"), "fax.failed"), (why, self.now()));
        let door = fax.webhook_url.as_deref().unwrap().strip_prefix("https://postbook.test").unwrap();
        assert_eq!(self.call_at(door, &self.telnyx.service.sign(&body, self.now()), &body).await, 200);
    }

    async fn call(&self, headers: &HeaderMap, body: &[u8]) -> u16 {
        self.call_at("/callbacks/fax", headers, body).await
    }

    async fn call_at(&self, door: &str, headers: &HeaderMap, body: &[u8]) -> u16 {
        let mut request = Request::post(door).body(Body::from(body.to_vec())).unwrap();
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

#[sqlx::test]
async fn a_number_is_called_once_at_a_time_by_all_batches_and_accounts(db: PgPool) {
    let site = Site::start(db).await;
    let noon = site.app.run("noon").await;

    // Telnyx has the first and has not called yet.
    site.app.later(std::time::Duration::from_secs(120)).await;
    let [waiting] = &site.app.transmissions(noon).await[..] else { panic!("one") };
    assert_eq!((waiting.state, waiting.attempts), (TransmissionState::Queued, 0));
    assert_eq!(waiting.reason.as_ref().unwrap()["code"], "contact-busy");
    assert_eq!(site.faxes().len(), 1);

    assert_eq!(site.says(("e1", "fax.delivered"), site.now()).await, 200);
    let [next] = &site.app.transmissions(noon).await[..] else { panic!("one") };
    assert_eq!((next.state, next.attempts), (TransmissionState::Accepted, 1));
    assert_eq!(site.faxes()[1].webhook_url.as_deref(), Some("https://postbook.test/callbacks/spare"));
}

#[sqlx::test]
async fn a_number_at_which_people_answered_twice_is_left_alone(db: PgPool) {
    let site = Site::start(db).await;
    let suppressed = "select count(*) from suppression";

    site.fails(0, "receiver_decline").await;
    assert_eq!((site.app.count(suppressed).await, site.state().await.as_str()), (0, "queued"));
    while site.faxes().len() < 2 {
        site.app.later(std::time::Duration::from_secs(60)).await;
    }
    site.fails(1, "fax_initial_communication_timeout").await;

    assert_eq!(site.app.count(suppressed).await, 1);
    site.app.later(std::time::Duration::from_secs(60 * 60)).await;
    assert_eq!((site.faxes().len(), site.state().await.as_str()), (2, "skipped"));
    let noon = site.app.run("noon").await;
    let [one] = &site.app.transmissions(noon).await[..] else { panic!("one") };
    assert_eq!((one.state, one.attempts), (TransmissionState::Skipped, 0));
    assert_eq!(one.reason.as_ref().unwrap()["code"], "number-answered");
    assert_eq!(site.faxes().len(), 2);
    let told = "select count(*) from alarm where kind = 'number-answered'";
    assert_eq!(site.app.count(told).await, 1);
}

#[sqlx::test]
async fn without_word_in_time_the_batch_says_what_that_means(db: PgPool) {
    let site = Site::start(db).await;
    let (half, later) = (std::time::Duration::from_secs(31 * 60), std::time::Duration::from_secs(2 * 60 * 60));
    let state = async |run| site.app.transmissions(run).await[0].state;
    site.app.engine.clock.advance(later);
    receipt::expire(&site.app.engine).await.unwrap();
    assert_eq!(site.state().await, "uncertain", "as the account has it");

    for (word, end, fallen_back) in [("failed", "skipped", 1), ("delivered", "delivered", 0)] {
        site.app
            .apply(&format!(
                r#"
                [[batch]]
                name = "{word}"
                workflow = "quick"
                run_as = "site-a"
                documents = [{{ document = "checklist" }}]
                recipients = [{{ name = "Yard", fax = "+1312555{fallen_back}012", folder = "{word}" }}]
                policy = {{ send = "fallback", order = ["fax", "folder"] }}
                accounts = {{ fax = "hasty" }}
                without_word = "{word}"
                "#
            ))
            .await;
        let run = site.app.run(word).await;
        assert_eq!(state(run).await, TransmissionState::Accepted);
        site.app.engine.clock.advance(half);
        receipt::expire(&site.app.engine).await.unwrap();
        site.app.drain().await;
        assert_eq!(state(run).await.name(), end);
        let sent = site.app.transmissions(run).await;
        assert_eq!(sent.len(), 1 + fallen_back);
        assert!(sent.iter().skip(1).all(|next| next.possibly_twice), "the fax may have arrived");
    }
}
