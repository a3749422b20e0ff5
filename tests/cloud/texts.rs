//! An engine that texts by SMSAPI: what is tried again is a message of its own, unless it may be there already.

use std::time::Duration;

use axum::{Router, body::Body, http::Request};
use postbook::{
    http,
    run::{TransmissionState, act, receipt},
};
use sqlx::PgPool;
use tower::ServiceExt;

use crate::{
    MOBILE,
    harness::TestApp,
    services::{
        Fault, SECRET, Server,
        smsapi::{Message, SmsApi},
    },
};

const MINUTE: Duration = Duration::from_secs(60);

struct Site {
    app: TestApp,
    smsapi: Server<SmsApi>,
    doors: Router,
}

impl Site {
    async fn start(db: PgPool) -> Self {
        let smsapi = SmsApi::start();
        let config = smsapi.account(SECRET);
        let app = TestApp::start_on(db, |accounts| _ = accounts.insert("sms".to_owned(), config)).await;
        app.apply(&format!(
            r#"
            [[batch]]
            name = "notice"
            workflow = "quick"
            run_as = "site-a"
            message = {{ text = "the line is open" }}
            recipients = [{{ name = "Ann", sms = "{MOBILE}" }}]
            "#
        ))
        .await;
        let doors = http::router(http::App::new(app.engine.clone(), Default::default(), 1 << 20)).unwrap();
        Self { app, smsapi, doors }
    }

    fn messages(&self) -> Vec<Message> {
        self.smsapi.service.messages.lock().unwrap().clone()
    }

    /// SMSAPI reports this of the message with that number, as of now, to the address that it was given.
    async fn reports(&self, number: usize, status: &str) {
        let Message { id, idx, notify_url, .. } = self.messages()[number].clone();
        let now = self.app.engine.clock.now().timestamp();
        let url = notify_url.unwrap().replace("https://postbook.test", "");
        let url = format!("{url}&MsgId={id}&idx={idx}&status={status}&donedate={now}");
        let answer = self.doors.clone().oneshot(Request::get(url).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        self.app.drain().await;
    }

    /// Lets time go by until there are so many messages.
    async fn until_sent(&self, count: usize) {
        for _ in 0..10 {
            if self.messages().len() >= count {
                return;
            }
            self.app.later(MINUTE).await;
        }
        panic!("{} of {count} messages", self.messages().len());
    }

    async fn book(&self) -> (String, i32, bool) {
        let one = "select state, attempts, possibly_twice from transmission where purpose = 'document'";
        sqlx::query_as(one).fetch_one(&self.app.db).await.unwrap()
    }
}

fn is(state: TransmissionState, attempts: i32) -> (String, i32, bool) {
    (state.name().to_owned(), attempts, false)
}

#[sqlx::test]
async fn what_smsapi_could_not_send_is_sent_again_and_both_are_told_apart(db: PgPool) {
    let site = Site::start(db).await;
    site.app.run("notice").await;

    site.reports(0, "406").await;
    assert_eq!(site.book().await, is(TransmissionState::Queued, 1));
    site.until_sent(2).await;

    let [first, second] = &site.messages()[..] else { panic!("two messages") };
    assert_ne!(first.idx, second.idx);
    assert_eq!((&first.to, &first.text), (&second.to, &second.text));
    site.app.later(MINUTE).await;
    site.reports(0, "405").await;
    assert_eq!(site.book().await, is(TransmissionState::Accepted, 2));
    site.reports(1, "404").await;
    assert_eq!(site.book().await, is(TransmissionState::Delivered, 2));
}

#[sqlx::test]
async fn what_failed_and_is_retried_by_a_person_is_texted_again(db: PgPool) {
    let site = Site::start(db).await;
    let run = site.app.run("notice").await;
    site.reports(0, "405").await;
    assert_eq!(site.book().await, is(TransmissionState::Failed, 1));

    act::retry(&site.app.engine, run, "test").await.unwrap();
    site.app.drain().await;

    assert_eq!(site.messages().len(), 2);
    assert_eq!(site.book().await, is(TransmissionState::Accepted, 2));
}

#[sqlx::test]
async fn a_message_whose_answer_was_lost_is_not_sent_twice_and_asked_about_once_its_number_is_known(db: PgPool) {
    let site = Site::start(db).await;
    site.smsapi.fails_with(Fault::Cut);
    site.app.run("notice").await;
    site.app.later(MINUTE).await;
    let doubtful = |state: TransmissionState| (state.name().to_owned(), 2, true);
    assert_eq!(site.book().await, doubtful(TransmissionState::Accepted));
    assert_eq!(site.messages().len(), 1, "it was there already");

    // The report that it is on its way names it, so that it can be asked about.
    site.reports(0, "403").await;
    site.smsapi.service.messages.lock().unwrap()[0].status = "DELIVERED";
    site.app.engine.clock.advance(20 * MINUTE);
    assert_eq!(receipt::ask(&site.app.engine).await.unwrap(), 1);
    site.app.drain().await;

    assert_eq!(site.book().await, doubtful(TransmissionState::Delivered));
}

#[sqlx::test]
async fn a_failure_that_is_reported_before_the_repeat_is_not_forgotten(db: PgPool) {
    let site = Site::start(db).await;
    site.smsapi.fails_with(Fault::Cut);
    site.app.run("notice").await;
    site.reports(0, "405").await;
    assert_eq!(site.book().await.0, TransmissionState::Queued.name());

    site.app.later(10 * MINUTE).await;
    receipt::pending(&site.app.engine).await.unwrap();
    site.app.drain().await;

    assert_eq!((site.messages().len(), site.book().await.0.as_str()), (1, TransmissionState::Failed.name()));
}

#[sqlx::test]
async fn a_report_settles_a_message_whose_answer_was_lost(db: PgPool) {
    let site = Site::start(db).await;
    site.smsapi.fails_with(Fault::Cut);
    site.app.run("notice").await;
    assert_eq!(site.book().await.1, 1);

    site.reports(0, "404").await;

    assert_eq!(site.book().await, is(TransmissionState::Delivered, 1));
    site.app.later(10 * MINUTE).await;
    assert_eq!(site.messages().len(), 1);
}
