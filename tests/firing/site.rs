//! A Postbook whose schedules are looked at when a test says so.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use postbook::{
    audit::Author,
    catalog::batch,
    id::RunId,
    run::Engine,
    trigger::schedule::{self, Due, Range},
};
use serde_json::Value;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::harness::TestApp;

/// A site in the future, so that the clock can be set forward to any day that a test is about.
pub struct Site {
    pub app: TestApp,
}

/// What became of an occurrence.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    pub key: String,
    pub state: String,
    pub run: Option<i64>,
    pub business_date: chrono::NaiveDate,
    pub reason: Option<Value>,
    pub notes: Value,
}

impl Row {
    /// Its key, its state, and the code of its reason.
    pub fn told(&self) -> String {
        let code = self.reason.as_ref().and_then(|reason| reason["code"].as_str());
        [Some(self.key.as_str()), Some(&self.state), code].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The schedule of a batch, as TOML.
pub fn daily(more: &str) -> String {
    format!("{{ rule = \"daily at 06:00\", zone = \"Europe/Amsterdam\"{more} }}")
}

impl Site {
    /// Opens one at `begin`.
    pub async fn open(db: PgPool, begin: &str) -> Self {
        let site = Self { app: TestApp::start(db).await };
        site.go_to(begin);
        site
    }

    /// Writes the batch `name` with these schedules, as TOML.
    pub async fn batch(&self, name: &str, schedules: &str) {
        self.batch_with(name, schedules, "").await;
    }

    /// The same, with more fields.
    pub async fn batch_with(&self, name: &str, schedules: &str, more: &str) {
        let toml = format!(
            "[[batch]]\nname = \"{name}\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
             documents = [{{ document = \"checklist\" }}]\n\
             recipients = [{{ name = \"Ann\", email = \"ann@example.org\" }}]\n\
             schedule = [{schedules}]\n{more}"
        );
        self.app.apply(&toml).await;
    }

    /// Sets the clock forward.
    pub fn go_to(&self, instant: &str) {
        self.go(self::instant(instant));
    }

    /// A little further, because each look asks the database for the time again, and may find that it is earlier.
    pub fn go(&self, instant: DateTime<Utc>) {
        let ahead =
            (instant + TimeDelta::milliseconds(200) - self.app.engine.clock.now()).to_std().expect("an instant ahead");
        self.app.engine.clock.advance(ahead);
    }

    /// Looks at the schedules.
    pub async fn look(&self) {
        look(&self.app.engine).await;
    }

    /// Goes there and looks.
    pub async fn look_at(&self, instant: &str) {
        self.go_to(instant);
        self.look().await;
    }

    /// Goes there in steps, looks after each, and does what is due.
    pub async fn work_until(&self, instant: &str, step: Duration) {
        let end = self::instant(instant);
        while self.app.engine.clock.now() < end {
            let next = (self.app.engine.clock.now() + step).min(end);
            self.go(next);
            self.look().await;
            self.app.drain().await;
        }
    }

    pub async fn enable(&self, name: &str, enabled: bool) {
        assert!(batch::enable(&self.app.db, &self.author("ann"), (name, enabled)).await.expect("switched"));
    }

    pub fn author(&self, name: &str) -> Author {
        Author { name: name.to_owned(), at: self.app.engine.clock.now() }
    }

    /// What became of the occurrences of a batch, in their order.
    pub async fn rows(&self, batch: &str) -> Vec<Row> {
        sqlx::query_as(
            "select key, state, run, business_date, reason, notes from occurrence where batch = $1 order by due_at, key",
        )
        .bind(batch)
        .fetch_all(&self.app.db)
        .await
        .expect("the occurrences")
    }

    pub async fn told(&self, batch: &str) -> Vec<String> {
        self.rows(batch).await.iter().map(Row::told).collect()
    }

    /// The runs of a batch: what caused them and what they are about.
    pub async fn runs(&self, batch: &str) -> Vec<(String, String)> {
        sqlx::query_as("select cause_key, business_date::text from run where batch = $1 order by id")
            .bind(batch)
            .fetch_all(&self.app.db)
            .await
            .expect("the runs")
    }

    /// Decided and planned occurrences between two local dates.
    pub async fn dues(&self, batch: &str, from: &str, to: &str) -> Vec<Due> {
        let range = Range { from: from.parse().unwrap(), to: to.parse().unwrap(), after: None, limit: 100_000 };
        schedule::of_batch(&self.app.db, (batch, None), &range, self.app.engine.clock.now()).await.expect("a list")
    }

    /// Lets a run end in `state`.
    pub async fn end(&self, run: RunId, state: &str) {
        sqlx::query("update run set state = $2, ended_at = $3 where id = $1")
            .bind(run.0)
            .bind(state)
            .bind(self.app.engine.clock.now())
            .execute(&self.app.db)
            .await
            .expect("an ended run");
    }

    pub async fn audit(&self, action: &str) -> i64 {
        sqlx::query_scalar("select count(*) from audit where action = $1")
            .bind(action)
            .fetch_one(&self.app.db)
            .await
            .expect("the audit log")
    }
}

/// Looks at the schedules once, as a node would.
pub async fn look(engine: &Engine) {
    schedule::round(engine, &CancellationToken::new()).await.expect("a round");
}
