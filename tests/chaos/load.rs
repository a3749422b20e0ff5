//! What goes on meanwhile: batches with many recipients, started one after the other over the API.
//!
//! A start is asked for with a key until it is answered, as a careful program does; so each key is one run.

use std::time::Duration;

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

/// The batches, with `word` in every mailbox.
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
                start(&api, batch, &format!("{}-{started}", self.word)).await;
                started += 1;
            }
        }
        started
    }
}

async fn start(api: &Api, batch: &Value, key: &str) {
    let path = format!("/batches/{}/runs", batch["name"].as_str().unwrap());
    let mut asks = tokio::time::interval(ANSWER.1);
    asks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        asks.tick().await;
        let request = api.request(Method::POST, &path).header("idempotency-key", key).timeout(ANSWER.0);
        match request.json(&json!({})).send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) if answer.status().is_client_error() => {
                panic!("{path}: {}: {:?}", answer.status(), answer.text().await)
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// One document for all, rendered once a run; some mailboxes are refused by the server, for good or for now.
fn papers(word: &str) -> Value {
    let to = mailboxes(&format!("paper-{word}"), 24)
        .chain(mailboxes(&format!("nouser-{word}"), 2))
        .chain(mailboxes(&format!("full-{word}"), 2));
    with_orders(batch("papers", "postfix", to), json!({}))
}

/// A document of their own for each, to a server that is slow and often says no.
fn letters(word: &str) -> Value {
    let to = mailboxes(&format!("slow-0.3-{word}"), 8)
        .chain(mailboxes(&format!("often-3-{word}"), 6))
        .chain(mailboxes(&format!("letter-{word}"), 6))
        .chain(mailboxes(&format!("code-550-{word}"), 2));
    let since = json!({ "since": "{{ recipient.params.since }}" });
    let mut letters = with_orders(batch("letters", "sink", to), since);
    for (number, recipient) in letters["recipients"].as_array_mut().unwrap().iter_mut().enumerate() {
        recipient["params"] = json!({ "since": format!("2026-01-{:02}", number + 1) });
    }
    letters
}

/// The same bytes for all, nothing to render.
fn notes(word: &str) -> Value {
    batch("notes", "postfix", mailboxes(&format!("note-{word}"), 20))
}

/// Whether a mail to `contact` is to arrive in the end.
pub fn is_wanted(contact: &str) -> bool {
    !["nouser", "full", "code"].iter().any(|word| contact.starts_with(word))
}
