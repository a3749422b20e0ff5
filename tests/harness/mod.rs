//! A whole Postbook in one test: its own database, mails in a folder of its own, a report server that does as told,
//! and no workers: `drain` does every step that is due, one after the other, until nothing is.
#![allow(dead_code, reason = "each test program uses its part of the harness")]

mod archive;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use mail_parser::{Message, MessageParser, MimeHeaders};
use postbook::{
    app,
    audit::Author,
    catalog::{self, Shelf},
    channel::account::{AccountConfig, Channels},
    document::{
        Expressions, Store, Toolbox,
        renderer::{Renderer, RendererConfig},
    },
    id::{RunId, StepId, TransmissionId},
    queue::{self, Hint},
    run::{
        self, Cause, CauseKind, Engine, Settings, Start,
        book::{self, Piece, Purpose, Run, Transmission},
    },
    setup,
    source::http::{Client, RemoteConfig},
    workflow::{self, Files, Folder, Kind},
};
use sqlx::PgPool;
use tempfile::TempDir;

/// A Postbook without workers.
pub struct TestApp {
    pub db: PgPool,
    pub engine: Engine,
    pub shelf: Shelf,
    pub reports: Reports,
    pub folder: TempDir,
    accounts: BTreeMap<String, AccountConfig>,
}

impl TestApp {
    /// Puts one together on a database that has our tables.
    pub async fn start(db: PgPool) -> Self {
        Self::start_on(db, |_| ()).await
    }

    /// The same, whose accounts `change` has a say in.
    pub async fn start_on(db: PgPool, change: impl FnOnce(&mut BTreeMap<String, AccountConfig>)) -> Self {
        queue::setup(&db).await.expect("the queue's tables");
        let folder = tempfile::tempdir().expect("a folder");
        let outbox = folder.path().join("outbox");
        std::fs::create_dir(&outbox).expect("an outbox");
        let reports = Reports::start().await;
        let store = Store::in_database(db.clone());
        let mut accounts = accounts(&outbox);
        change(&mut accounts);
        let engine = engine(&db, &accounts, "test");
        let folders = folders();
        catalog::workflow::register(&db, &store, &folders, engine.clock.now()).await.expect("workflows");
        let app = Self { shelf: Shelf { db: db.clone(), store }, db, engine, reports, folder, accounts };
        app.apply(BASICS).await;
        app
    }

    /// Another node on the same database, by the same clock.
    pub fn another(&self) -> Engine {
        let mut engine = engine(&self.db, &self.accounts, "another");
        engine.clock = self.engine.clock.clone();
        engine
    }

    /// Uses another account under this name, or one more.
    pub fn use_account(&mut self, name: &str, account: AccountConfig) {
        self.accounts.insert(name.to_owned(), account);
        let clock = self.engine.clock.clone();
        self.engine = engine(&self.db, &self.accounts, "test").on(clock);
    }

    /// Sets up what is written as TOML (`[[user]]`, `[[document]]`, `[[batch]]`).
    pub async fn apply(&self, toml: &str) {
        self.try_apply(toml).await.expect("sound TOML");
    }

    /// As `apply`; what is wrong comes back.
    pub async fn try_apply(&self, toml: &str) -> anyhow::Result<()> {
        let text = toml.replace("REPORTS", &self.reports.url);
        let wishes = setup::wishes("test.toml", None, toml::from_str(&text)?, &|name| {
            Ok(std::fs::read(format!("tests/data/{name}"))?)
        })?;
        let plan = setup::plan(&self.shelf, &app::accounts(&self.engine), wishes).await?;
        plan.carry_out(&self.shelf, &self.author()).await?;
        Ok(())
    }

    pub fn author(&self) -> Author {
        Author { name: "test".to_owned(), at: self.engine.clock.now() }
    }

    /// Starts a run of `batch` on demand.
    pub async fn start_run(&self, batch: &str) -> RunId {
        self.start_with(batch, |_| ()).await
    }

    /// Starts a run that `change` has a say in.
    pub async fn start_with(&self, batch: &str, change: impl FnOnce(&mut Start)) -> RunId {
        let key = format!("demand {:032x}", rand::random::<u128>());
        let mut start = Start {
            batch: batch.to_owned(),
            cause: Cause { kind: CauseKind::Demand, key, by: Some("test".to_owned()) },
            date: None,
            params: Default::default(),
            hold: false,
        };
        change(&mut start);
        run::start(&self.engine, start).await.expect("a run").run
    }

    /// Runs `batch` to its end.
    pub async fn run(&self, batch: &str) -> RunId {
        let run = self.start_run(batch).await;
        self.drain().await;
        run
    }

    /// The steps that are due, as hints.
    pub async fn due(&self) -> Vec<Hint> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select step.id, step.kind from step join run on run.id = step.run
              where step.state = 'ready' and step.due_at <= $1 and run.paused_at is null
                and (step.kind not in ('transmit', 'put', 'move') or not exists (
                        select from installation where paused_at is not null and pauses is distinct from run.released_in))
              order by step.id",
        )
        .bind(self.engine.clock.now())
        .fetch_all(&self.db)
        .await
        .expect("the due steps");
        rows.into_iter().map(|(id, kind)| Hint { kind: kind_of(&kind), id: StepId(id) }).collect()
    }

    /// Does all that is due, until nothing is. Each step is done twice: the second time must change nothing.
    pub async fn drain(&self) {
        loop {
            let due = self.due().await;
            if due.is_empty() {
                return;
            }
            for hint in due {
                run::perform(&self.engine, hint).await.expect("a step");
                run::perform(&self.engine, hint).await.expect("a step done twice");
            }
        }
    }

    /// Sets the clock forward, and does what has become due.
    pub async fn later(&self, by: Duration) {
        self.engine.clock.advance(by);
        self.drain().await;
    }

    /// Goes on until a run has ended, setting the clock forward to whatever is next.
    pub async fn finish(&self, run: RunId) -> Run {
        for _ in 0..200 {
            self.drain().await;
            let seen = self.seen(run).await;
            if seen.ended_at.is_some() && book::is_quiet(&self.db, run).await.expect("a look") {
                return seen;
            }
            self.engine.clock.advance(Duration::from_secs(60));
        }
        panic!("run {run} does not end");
    }

    pub async fn seen(&self, run: RunId) -> Run {
        book::run(&self.db, run, None).await.expect("the book").expect("the run")
    }

    pub async fn transmissions(&self, run: RunId) -> Vec<Transmission> {
        let piece = Piece { after: None, limit: 10_000 };
        book::transmissions(&self.db, run, Purpose::Document, piece).await.expect("the book")
    }

    pub async fn notices(&self, run: RunId) -> Vec<Transmission> {
        let piece = Piece { after: None, limit: 100 };
        book::transmissions(&self.db, run, Purpose::Notice, piece).await.expect("the book")
    }

    /// Document, recipient and state of each transmission.
    pub async fn book(&self, run: RunId) -> Vec<(String, String, String)> {
        let of = |it: Transmission| {
            let documents: Vec<_> = it.documents.iter().map(|document| document.name.clone()).collect();
            (documents.join("+"), it.recipient, it.state.name().to_owned())
        };
        self.transmissions(run).await.into_iter().map(of).collect()
    }

    pub async fn attempts(&self, transmission: TransmissionId) -> Vec<book::Attempt> {
        book::attempts(&self.db, transmission).await.expect("the book")
    }

    /// The mails in the outbox, in the order of their names.
    pub fn mails(&self) -> Vec<Mail> {
        let mut paths: Vec<_> = std::fs::read_dir(self.folder.path().join("outbox"))
            .expect("the outbox")
            .map(|entry| entry.expect("a file").path())
            .filter(|path| path.extension().is_some_and(|it| it == "eml"))
            .collect();
        paths.sort();
        paths.iter().map(|path| Mail::read(&std::fs::read(path).expect("a mail"))).collect()
    }

    /// The mails to `address`.
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// How many rows a query counts.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.db).await.expect("a count")
    }
}

fn engine(db: &PgPool, accounts: &BTreeMap<String, AccountConfig>, worker: &str) -> Engine {
    let toolbox = Toolbox {
        renderer: Renderer::new(PathBuf::from(env!("CARGO_BIN_EXE_postbook")), RendererConfig::default()),
        http: Client::new(&RemoteConfig { allow: vec!["127.0.0.0/8".parse().expect("a range")] }).expect("a client"),
        store: Store::in_database(db.clone()),
        expressions: Expressions::default(),
        secrets: BTreeMap::from([("reports".to_owned(), secret())]),
    };
    let settings =
        Settings { worker: worker.to_owned(), lease: Duration::from_secs(60), deaths: 3, monitor: Default::default() };
    Engine::new(db.clone(), Channels::open(accounts).expect("accounts"), toolbox, settings)
}

fn kind_of(word: &str) -> Kind {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).expect("a kind of step")
}

fn secret() -> postbook::secret::Credential {
    toml::from_str("user = 'postbook'\npassword = 'open sesame'").expect("a credential")
}

/// E-mail goes into the outbox, except to `refused@`; files go into `files/`.
fn accounts(outbox: &std::path::Path) -> BTreeMap<String, AccountConfig> {
    let mut mail = AccountConfig::new(format!("folder://{}?format=eml", outbox.display()));
    mail.channel = Some("email".to_owned());
    mail.from = Some("Postbook <postbook@example.org>".to_owned());
    mail.refuse = vec!["refused*@example.org".to_owned()];
    let files = AccountConfig::new(format!("folder://{}", outbox.display()));
    BTreeMap::from([("files".to_owned(), files), ("mail".to_owned(), mail)])
}

/// The workflows that come along, and `quick`, which gives up after three tries.
fn folders() -> Vec<Folder> {
    let mut all = workflow::embedded();
    let base = all.iter().find(|folder| folder.name == "batch-documents").expect("the workflow").clone();
    let files = base.files.entries().iter().map(|(path, bytes)| {
        let text =
            String::from_utf8_lossy(bytes).replace("attempts = 5, first = \"10s\"", "attempts = 3, first = \"1s\"");
        (path.clone(), if path == "workflow.toml" { text.into_bytes().into() } else { bytes.clone() })
    });
    all.push(Folder { name: "quick".to_owned(), files: files.collect::<Files>(), samples: base.samples });
    all
}

/// What most tests begin with: a user, a monitor, and a document of each kind.
const BASICS: &str = r#"
[[user]]
name = "site-a"
title = "Site A"
attributes = { company = "Acme", builder = "B-1" }

[[user]]
name = "mona"
title = "Mona"
role = "operator"
monitor = true
contacts = { email = "mona@example.org" }

[[document]]
name = "checklist"
title = "Checklist"
kind = "stored"
path = "one-page.pdf"
media_type = "application/pdf"

[[document]]
name = "orders"
title = "Open orders"
kind = "template"
template = "templates/open-orders.typ"
params = { since = { type = "date", default = "2026-01-01" } }

[[document]]
name = "hours"
title = "Hours"
kind = "remote"
url = "REPORTS/hours"
query = { company = "{{ user.company }}" }
media_type = "text/csv"
"#;

/// A mail as a mail program sees it.
#[derive(Debug, Clone)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub message_id: String,
    /// Name and bytes.
    pub attachments: Vec<(String, Vec<u8>)>,
}

impl Mail {
    pub fn read(bytes: &[u8]) -> Self {
        let mail: Message<'_> = MessageParser::default().parse(bytes).expect("a mail");
        let to = mail.to().and_then(|to| to.first()).and_then(|to| to.address()).unwrap_or_default().to_owned();
        let attachments = mail.attachments();
        Self {
            to,
            subject: mail.subject().unwrap_or_default().to_owned(),
            text: mail.body_text(0).map(|text| text.into_owned()).unwrap_or_default(),
            message_id: mail.message_id().unwrap_or_default().to_owned(),
            attachments: attachments
                .map(|it| (it.attachment_name().unwrap_or_default().to_owned(), it.contents().to_vec()))
                .collect(),
        }
    }
}

/// A report server: answers with what it is told to, and keeps what it was asked.
#[derive(Clone)]
pub struct Reports {
    pub url: String,
    state: Arc<Told>,
}

#[derive(Default)]
struct Told {
    /// Answers that are an error, before the good ones.
    broken: AtomicUsize,
    asked: Mutex<Vec<(String, HeaderMap)>>,
}

impl Reports {
    async fn start() -> Self {
        let state = Arc::new(Told::default());
        let router = Router::new().route("/{report}", get(report)).with_state(state.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// The next `times` answers are 500.
    pub fn break_for(&self, times: usize) {
        self.state.broken.store(times, Ordering::SeqCst);
    }

    /// Paths with their queries, in the order they were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().expect("the list").iter().map(|(path, _)| path.clone()).collect()
    }

    /// The headers of all requests.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.state.asked.lock().expect("the list").iter().map(|(_, headers)| headers.clone()).collect()
    }
}

async fn report(State(told): State<Arc<Told>>, Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    told.asked.lock().expect("the list").push((uri.to_string(), headers));
    let left = told.broken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| it.checked_sub(1));
    if left.is_ok() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the report engine is down").into_response();
    }
    let body = format!("report,{name}\r\nasked,{}\r\n", uri.query().unwrap_or_default());
    ([(header::CONTENT_TYPE, "text/csv")], body).into_response()
}
