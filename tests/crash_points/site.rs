//! A Postbook whose engines are taken down at a chosen point, and the one that comes after them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{Days, NaiveDate};
use futures::future::join_all;
use postbook::{
    channel::{
        Settle,
        account::{AccountConfig, Channels},
    },
    config,
    document::{
        Expressions, Store, Toolbox,
        renderer::{Renderer, RendererConfig},
    },
    id::RunId,
    queue::{Hint, Stretch},
    run::{self, Cause, CauseKind, Engine, Settings, Start, book, rescue},
};
use sqlx::{
    PgPool,
    postgres::{PgPoolOptions, PgSslMode},
};

use super::{
    fault::{End, Fault},
    mail::{MailServer, Smtp},
    postgres::Postgres,
    proxy,
};
use crate::harness::TestApp;

/// A report of its own for each date, and one that the report server does not have; to two people.
const BATCH: &str = r#"
[[document]]
name = "daily"
title = "Daily"
kind = "remote"
url = "REPORTS/daily"
query = { date = "{{ business_date }}" }
media_type = "text/csv"

[[document]]
name = "missing"
title = "Missing"
kind = "remote"
url = "REPORTS/no/such"
media_type = "text/csv"

[[batch]]
name = "morning"
workflow = "quick"
run_as = "site-a"
documents = [{ document = "daily" }, { document = "missing" }]
recipients = [{ name = "Ann", email = "ann@example.org" }, { name = "Bob", email = "bob@example.org" }]
message = { subject = "{{ document.title }}", text = "Good morning" }
"#;

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(60);

/// How often an engine may find nothing to do before its run is said to be stuck.
const PATIENCE: usize = 40;

/// Whether an engine does one step after the other, or all that it hears of at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    OneByOne,
    AtOnce,
}

pub struct Site {
    pub app: TestApp,
    pub mail: MailServer,
    pub settle: Settle,
    pace: Pace,
    heir: Engine,
    /// How many runs there have been.
    runs: AtomicUsize,
}

/// A run that engines died over.
pub struct Haunted {
    pub run: RunId,
    /// What the last engine met with, which nobody troubled.
    pub faults: Vec<String>,
}

impl Site {
    pub async fn start(db: PgPool, settle: Settle, pace: Pace) -> Self {
        let app = TestApp::start(db).await;
        app.apply(BATCH).await;
        let mail = MailServer::start().await;
        let heir = engine(&app, app.db.clone(), (mail.address, settle));
        Self { app, mail, settle, pace, heir, runs: AtomicUsize::new(0) }
    }

    /// Has a run begun by an engine for each of `faults`, one after the other, and ended by one that meets none.
    pub async fn haunt(&self, faults: &[Arc<Fault>]) -> Haunted {
        let start = start(self.runs.fetch_add(1, Ordering::Relaxed));
        for fault in faults {
            let doomed = self.doomed(fault).await;
            let work = self.drive(&doomed, &start);
            match fault.end {
                // Dropped where it stands.
                End::Crash => tokio::select! { biased; () = fault.death() => {}, _ = work => {} },
                End::Break => drop(work.await),
            }
            fault.bury();
        }
        let (run, faults) = self.drive(&self.heir, &start).await;
        Haunted { run: run.expect("an untroubled engine starts the run"), faults }
    }

    /// An engine whose lines to the database and to the mail server go through `fault`.
    async fn doomed(&self, fault: &Arc<Fault>) -> Engine {
        let options = self.app.db.connect_options();
        let server =
            tokio::net::lookup_host((options.get_host(), options.get_port())).await.expect("the server").next();
        let line = proxy::open::<Postgres>(server.expect("an address"), fault.clone()).await;
        let options = (*options).clone().host("127.0.0.1").port(line.port()).ssl_mode(PgSslMode::Disable);
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(LEASE);
        let mail = proxy::open::<Smtp>(self.mail.address, fault.clone()).await;
        engine(&self.app, pool.connect_lazy_with(options), (mail, self.settle))
    }

    /// Starts the run and does what the queue says until nothing of it is left; gives the faults that steps met.
    async fn drive(&self, engine: &Engine, start: &Start) -> (Option<RunId>, Vec<String>) {
        let mut faults = Vec::new();
        let mut begun = None;
        for _ in 0..PATIENCE {
            if begun.is_none() {
                begun = noted(run::start(engine, start.clone()).await, &mut faults).map(|started| started.run);
            }
            let jobs = self.take_jobs().await;
            if jobs.is_empty() && self.is_over(begun).await {
                return (begun, faults);
            }
            if jobs.is_empty() {
                engine.clock.advance(LEASE + Duration::from_secs(1));
                noted(rescue::lapsed(engine).await, &mut faults);
                noted(rescue::hints(engine).await, &mut faults);
            }
            let mut hints = Vec::new();
            for job in jobs {
                hints.extend(noted(run::due(engine, job).await, &mut faults).unwrap_or_default());
            }
            self.perform(engine, hints, &mut faults).await;
        }
        faults.push("the run does not come to its end".to_owned());
        (begun, faults)
    }

    async fn perform(&self, engine: &Engine, hints: Vec<Hint>, faults: &mut Vec<String>) {
        match self.pace {
            Pace::OneByOne => {
                for hint in hints {
                    noted(run::perform(engine, hint).await, faults);
                }
            }
            Pace::AtOnce => {
                for done in join_all(hints.into_iter().map(|hint| run::perform(engine, hint))).await {
                    noted(done, faults);
                }
            }
        }
    }

    async fn is_over(&self, run: Option<RunId>) -> bool {
        let Some(run) = run else { return false };
        self.app.seen(run).await.ended_at.is_some() && book::is_quiet(&self.app.db, run).await.expect("the book")
    }

    /// Takes all jobs out of the queue, as a worker would; those of an engine that dies go with it.
    async fn take_jobs(&self) -> Vec<Stretch> {
        let jobs: Vec<Vec<u8>> =
            sqlx::query_scalar("delete from apalis.jobs where job_type like 'postbook.%' returning job")
                .fetch_all(&self.app.db)
                .await
                .expect("the queue");
        let mut jobs: Vec<Stretch> = jobs.into_iter().map(|job| serde_json::from_slice(&job).expect("a job")).collect();
        jobs.sort_by_key(|job| job.id.0);
        jobs
    }
}

fn noted<T, E: Into<anyhow::Error>>(result: Result<T, E>, faults: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| faults.push(format!("{:#}", error.into()))).ok()
}

/// A cause and a date of its own for each number.
fn start(number: usize) -> Start {
    let first = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date");
    Start {
        batch: "morning".to_owned(),
        cause: Cause { kind: CauseKind::Demand, key: format!("case {number}"), by: Some("test".to_owned()) },
        date: first.checked_add_days(Days::new(number as u64)),
        params: Default::default(),
        hold: false,
    }
}

fn engine(app: &TestApp, db: PgPool, (mail, settle): (SocketAddr, Settle)) -> Engine {
    let mut account = AccountConfig::new(format!("smtp://127.0.0.1:{}?tls=none", mail.port()));
    account.from = Some("Postbook <postbook@example.org>".to_owned());
    account.settle = Some(settle);
    let channels = Channels::open(&[("mail".to_owned(), account)].into()).expect("an account");
    let toolbox = Toolbox {
        renderer: Renderer::new(env!("CARGO_BIN_EXE_postbook").into(), RendererConfig::default()),
        http: app.engine.toolbox.http.clone(),
        store: Store::in_database(db.clone()),
        expressions: Expressions::default(),
        secrets: Default::default(),
    };
    // Each run has its own notice, however many fail.
    let monitor = config::Monitor { storm: u32::MAX, ..Default::default() };
    let settings = Settings { worker: "crash".to_owned(), lease: LEASE, deaths: 3, monitor };
    Engine::new(db, channels, toolbox, settings).on(app.engine.clock.clone())
}
