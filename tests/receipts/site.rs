//! A Postbook whose mails go to a real server, and what its far side says of them.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use postbook::{
    channel::{About, Standing, Word, account::AccountConfig},
    id::RunId,
    run::{
        self,
        book::{self, Transmission},
        receipt::{self, Source},
    },
    workflow::Kind,
};
use sqlx::PgPool;

use crate::{harness::TestApp, peers::Sink};

const BATCHES: &str = r#"
[[batch]]
name = "morning"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "checklist" }]
recipients = [{ name = "Ann", email = "ann@test.local" }]

[[batch]]
name = "either"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "checklist" }]
recipients = [{ name = "Ann", email = "ann@test.local", folder = "ann" }]
policy = { send = "fallback", order = ["email", "folder"] }

[[batch]]
name = "cut"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "checklist" }]
recipients = [{ name = "Cut", email = "cut@test.local" }]

[[batch]]
name = "gone"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "checklist" }]
recipients = [{ name = "Gone", email = "gone@test.local" }]
"#;

/// How long anything may take. Only reached when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A little longer than this many seconds: what met the failure of an account comes behind the others.
pub fn longer(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs() + 15)
}

pub struct Site {
    pub app: TestApp,
}

impl Site {
    /// Mails go to the server that takes everything, and come back by a pipe; `change` has a say in the account.
    pub async fn start(db: PgPool, change: impl FnOnce(&mut AccountConfig)) -> Self {
        let mut mail = Sink::running().plain();
        mail.bounces = Some("pipe:".to_owned());
        change(&mut mail);
        Self::start_by(db, mail).await
    }

    /// Mails go by this account; by another one there is news of it when it is paused.
    pub async fn start_by(db: PgPool, mail: AccountConfig) -> Self {
        let app = TestApp::start_on(db, |accounts| {
            let outbox = accounts.insert("mail".to_owned(), mail).expect("the outbox");
            accounts.insert("spare".to_owned(), outbox);
        })
        .await;
        app.apply(BATCHES).await;
        Self { app }
    }

    /// The first transmission of `run`, with what was said of it.
    pub async fn transmission(&self, run: RunId) -> Transmission {
        let id = self.app.transmissions(run).await[0].id;
        book::transmission(&self.app.db, id).await.unwrap().unwrap()
    }

    /// The key of the first transmission of `run`.
    pub async fn key(&self, run: RunId) -> String {
        sqlx::query_scalar(
            "select run || '-' || id || '-' || to_hex((extract(epoch from created_at) * 1000000)::bigint)
               from transmission where run = $1 and purpose = 'document' order by id limit 1",
        )
        .bind(run.0)
        .fetch_one(&self.app.db)
        .await
        .unwrap()
    }

    /// The far side says something of the transmission of `run`, so many seconds after its first attempt began.
    pub async fn say(&self, run: RunId, standing: Standing, second: i64) {
        let began = self.app.attempts(self.transmission(run).await.id).await[0].started_at;
        let at = began + TimeDelta::seconds(second);
        let about = About::Key(self.key(run).await);
        self.receive(Word { about, standing, at: Some(at), id: None }).await;
        self.app.drain().await;
    }

    /// The same, now.
    pub async fn say_now(&self, run: RunId, standing: Standing) {
        let about = About::Key(self.key(run).await);
        let id = Some(format!("{:x}", rand::random::<u64>()));
        self.receive(Word { about, standing, at: None, id }).await;
        let due = self.app.due().await.into_iter().filter(|hint| hint.kind != Kind::Transmit);
        for hint in due.collect::<Vec<_>>() {
            run::perform(&self.app.engine, hint).await.unwrap();
        }
    }

    pub async fn receive(&self, word: Word) {
        receipt::receive(&self.app.engine, (Source::Callback, "mail"), vec![word], b"as it came").await.unwrap();
    }

    /// Sets the clock forward, and does what has become due, of words and of steps.
    pub async fn later(&self, by: Duration) {
        self.app.engine.clock.advance(by);
        receipt::pending(&self.app.engine).await.unwrap();
        receipt::expire(&self.app.engine).await.unwrap();
        self.app.drain().await;
    }

    /// Does everything up to the steps that transmit.
    pub async fn until_transmit(&self) {
        loop {
            let due = self.app.due().await;
            let Some(hint) = due.iter().find(|hint| hint.kind != Kind::Transmit) else { return };
            run::perform(&self.app.engine, *hint).await.unwrap();
        }
    }

    /// Waits until a count is no longer zero.
    pub async fn until(&self, what: &str, count: &'static str) {
        let begun = Instant::now();
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while self.app.count(count).await == 0 {
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
            looks.tick().await;
        }
    }
}
