//! What goes on meanwhile: batches with many recipients, started one after the other over the API.
//!
//! A start is asked for with a key until it is answered, as a careful program does; so each key is one run.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Api, batch, mailboxes, with_orders},
    plan::Plan,
};

/// Runs under way at most: more would only pile up work, and lateness would say nothing any more.
const OPEN: i64 = 8;

/// How long the doors may take for an answer, and the pause before they are asked again.
const ANSWER: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(300));

/// The day that the first run is about: later than all orders that the document asks for.
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2026, 6, 1).unwrap();

/// The batches, with `word` in every mailbox. Each run is about a day of its own, so that what it renders is unlike all
/// else.
pub struct Load {
    word: String,
    batches: Vec<Value>,
}

impl Load {
    pub fn new(word: &str) -> Self {
        let batches = vec![papers(word), letters(word), notes(word)];
        Self { word: word.to_owned(), batches }
    }

    /// Sets up what is needed.
    pub async fn set_up(&self, api: &Api) {
        let mona = format!("mona-{}@test.local", self.word);
        let monitor = json!({ "name": "mona", "title": "Mona", "monitor": true, "contacts": { "email": mona } });
        api.post("/users", monitor).await;
        api.set_up_orders().await;
        for batch in &self.batches {
            api.post("/batches", batch.clone()).await;
        }
    }

    /// Starts runs until `stop`, and says how many.
    pub async fn go_on(self, api: Api, db: PgPool, plan: Plan, stop: CancellationToken) -> usize {
        let mut beats = tokio::time::interval(plan.beat);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut started = 0;
        while !stop.is_cancelled() {
            beats.tick().await;
            let open = sqlx::query_scalar("select count(*) from run where ended_at is null").fetch_one(&db).await;
            if open.is_ok_and(|open: i64| open < OPEN) {
                let batch = &self.batches[started % self.batches.len()];
                let day = FIRST + Days::new(started as u64);
                start(&api, batch, (&format!("{}-{started}", self.word), day)).await;
                started += 1;
            }
        }
        started
    }
}

async fn start(api: &Api, batch: &Value, (key, day): (&str, NaiveDate)) {
    let path = format!("/batches/{}/runs", batch["name"].as_str().unwrap());
    let mut asks = tokio::time::interval(ANSWER.1);
    asks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        asks.tick().await;
        let request = api.request(Method::POST, &path).header("idempotency-key", key).timeout(ANSWER.0);
        match request.json(&json!({ "date": day })).send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) if answer.status().is_client_error() => {
                panic!("{path}: {}: {:?}", answer.status(), answer.text().await)
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// So many recipients who get files, links and faxes and no mail, with these numbers but for the last digit.
fn others(word: &str, number: &str, count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(move |at| {
        let (name, link) = (format!("{word}-{at}"), format!("link-{word}-{at}@test.local"));
        json!({ "name": name, "sftp": name, "pickup": link, "fax": format!("{number}{at}") })
    })
}

/// `batch` with more recipients, and the account by which it faxes.
fn with_others(mut batch: Value, others: impl Iterator<Item = Value>, fax: &str) -> Value {
    batch["recipients"].as_array_mut().unwrap().extend(others);
    batch["accounts"]["fax"] = fax.into();
    batch
}

/// One document for all, rendered once a run; some mailboxes are refused by the server, for good or for now. Faxes go out by
/// a mail gateway.
fn papers(word: &str) -> Value {
    let to = mailboxes(&format!("paper-{word}"), 24)
        .chain(mailboxes(&format!("nouser-{word}"), 2))
        .chain(mailboxes(&format!("full-{word}"), 2));
    let papers =
        with_others(batch("papers", "postfix", to), others(&format!("paper-{word}"), "+4822500010", 3), "gateway");
    with_orders(papers, json!({}))
}

/// A document of their own for each, to a server that is slow and often says no. Faxes go out by a service.
fn letters(word: &str) -> Value {
    let to = mailboxes(&format!("slow-0.3-{word}"), 8)
        .chain(mailboxes(&format!("often-3-{word}"), 6))
        .chain(mailboxes(&format!("letter-{word}"), 6))
        .chain(mailboxes(&format!("code-550-{word}"), 2));
    let since = json!({ "since": "{{ recipient.params.since }}" });
    let letters =
        with_others(batch("letters", "sink", to), others(&format!("letter-{word}"), "+1312555010", 1), "telnyx");
    let mut letters = with_orders(letters, since);
    for (number, recipient) in letters["recipients"].as_array_mut().unwrap().iter_mut().enumerate() {
        recipient["params"] = json!({ "since": format!("2026-01-{:02}", number + 1) });
    }
    letters
}

/// The same bytes for all, nothing to render.
fn notes(word: &str) -> Value {
    batch("notes", "postfix", mailboxes(&format!("note-{word}"), 20))
}

/// Whether something for `contact` is to arrive in the end.
pub fn is_wanted(contact: &str) -> bool {
    !["nouser", "full", "code"].iter().any(|word| contact.starts_with(word))
}
