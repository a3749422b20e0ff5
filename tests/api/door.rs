//! Requests handed to the router, and answers as JSON.

use std::{collections::BTreeMap, path::Path, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use postbook::{
    account, catalog,
    channel::account::{AccountConfig, Channels},
    clock::Clock,
    document::{
        Expressions, Store, Toolbox,
        renderer::{Renderer, RendererConfig},
    },
    http, queue,
    run::{Engine, Settings},
    source::http::{Client, RemoteConfig},
    trigger,
    worker::{self, Load},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How many bytes the doors take in these tests.
pub const LIMIT: usize = 64 * 1024;

/// A PDF as far as the doors can tell.
pub const PDF: &str = "JVBERi0xLjQKJSBhIGNoZWNrbGlzdAo=";

/// The doors of a fresh installation, with its first administrator.
pub struct Door {
    router: Router,
    engine: Engine,
    pub db: PgPool,
    pub admin: String,
    _paper: TempDir,
}

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Door {
    pub async fn open(db: PgPool) -> Self {
        queue::setup(&db).await.unwrap();
        let shelf = catalog::Shelf { db: db.clone(), store: Store::in_database(db.clone()) };
        let now = Clock::default().now();
        let folders = postbook::workflow::embedded();
        catalog::workflow::register(&db, &shelf.store, &folders, now).await.unwrap();
        let admin = account::first_admin(&db, now).await.unwrap().unwrap().token;
        let paper = tempfile::tempdir().unwrap();
        let engine = engine(&shelf, paper.path());
        let accounts = [("mail", "email"), ("line", "fax")];
        let accounts = accounts.map(|(name, channel)| (name.to_owned(), channel.to_owned())).into();
        let app = http::App::new(engine.clone(), accounts, LIMIT);
        Self { router: http::router(app).unwrap(), engine, db, admin, _paper: paper }
    }

    /// Works on whatever there is until `run` has ended, and gives its events.
    pub async fn watch(&self, run: &Value) -> String {
        self.working(async { self.get(&format!("/api/v1/runs/{run}/events")).await.text() }).await
    }

    /// Works on whatever there is until the list at `path` has `count` items, and gives them.
    pub async fn work_until(&self, path: &str, count: usize) -> Vec<Value> {
        let listed = async {
            loop {
                let items = self.get(path).await.json()["items"].as_array().cloned().unwrap();
                if items.len() >= count {
                    return items;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let listed = tokio::time::timeout(Duration::from_secs(30), listed);
        self.working(listed).await.unwrap_or_else(|_| panic!("{path} has no {count} items after 30 seconds"))
    }

    /// Does `what` while a worker is at work.
    async fn working<T>(&self, what: impl Future<Output = T>) -> T {
        let stop = CancellationToken::new();
        let load = Load { queues: queue::Queue::ALL.to_vec(), steps: 4, loops: 1 };
        let worker = tokio::spawn(worker::work(self.engine.clone(), load, stop.clone()));
        let done = what.await;
        stop.cancel();
        worker.await.unwrap();
        done
    }

    /// Sends a request as whoever shows `token`.
    pub async fn send(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.hand(request.body(body).unwrap()).await
    }

    /// Hands over any request.
    pub async fn hand(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(&self.admin, Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(&self.admin, Method::POST, path, Some(body)).await
    }

    /// Asks for an act that needs no body.
    pub async fn post_owned(&self, path: String) -> Answer {
        self.send(&self.admin, Method::POST, &path, None).await
    }

    /// How many runs a query finds on its first page.
    pub async fn count(&self, query: &str) -> usize {
        self.get(&format!("/api/v1/runs{query}")).await.json()["items"].as_array().unwrap().len()
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(&self.admin, Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(&self.admin, Method::DELETE, path, None).await
    }

    /// Looks at the schedules, as a node does.
    pub async fn look(&self) {
        trigger::schedule::round(&self.engine, &CancellationToken::new()).await.unwrap();
    }

    /// Sets the clock forward, and looks at the schedules.
    pub async fn later(&self, by: Duration) {
        self.engine.clock.advance(by);
        self.look().await;
    }

    /// Adds a user with a token of their own.
    pub async fn user(&self, name: &str, role: &str) -> String {
        let user = self.put(&format!("/api/v1/users/{name}"), json!({ "role": role })).await;
        assert_eq!(user.status, StatusCode::CREATED, "{}", user.text());
        let token = self.post("/api/v1/tokens", json!({ "user": name, "title": "a test" })).await;
        assert_eq!(token.status, StatusCode::CREATED, "{}", token.text());
        token.json()["token"].as_str().unwrap().to_owned()
    }

    /// Adds what [`batch`] refers to, and the batch.
    pub async fn with_batch(&self) {
        self.user("site-a", "user").await;
        assert_eq!(self.put("/api/v1/documents/open-orders", orders()).await.status, StatusCode::CREATED);
        let saved = self.post("/api/v1/batches", batch()).await;
        assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text());
    }
}

/// An engine whose mail goes nowhere, and whose faxes become pages in `paper`.
fn engine(shelf: &catalog::Shelf, paper: &Path) -> Engine {
    let mail: AccountConfig = serde_json::from_value(json!({ "url": "discard:", "channel": "email" })).unwrap();
    let fax: AccountConfig =
        serde_json::from_value(json!({ "url": format!("folder://{}", paper.display()), "channel": "fax" })).unwrap();
    let accounts = BTreeMap::from([("mail".to_owned(), mail), ("paper".to_owned(), fax)]);
    let channels = Channels::open(&accounts).unwrap();
    let toolbox = Toolbox {
        renderer: Renderer::new(env!("CARGO_BIN_EXE_postbook").into(), RendererConfig::default()),
        http: Client::new(&RemoteConfig { allow: Vec::new() }).unwrap(),
        store: shelf.store.clone(),
        expressions: Expressions::default(),
        secrets: BTreeMap::new(),
    };
    let settings =
        Settings { worker: "test".to_owned(), lease: Duration::from_secs(60), deaths: 3, monitor: Default::default() };
    Engine::new(shelf.db.clone(), channels, toolbox, settings)
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the fault at `place`.
    #[track_caller]
    pub fn fault(&self, place: &str) -> String {
        let body = self.json();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let found = errors.iter().find(|fault| fault["at"] == place);
        found.unwrap_or_else(|| panic!("nothing is told about {place}: {body:#}"))["text"].as_str().unwrap().to_owned()
    }
}

/// A report with two parameters.
pub fn orders() -> Value {
    json!({
        "title": "Open orders", "kind": "remote", "url": "https://reports.example.org/orders",
        "media_type": "application/pdf",
        "params": {
            "company": { "type": "text", "required": true },
            "since": { "type": "date" },
            "view": { "type": "text", "choices": ["district", "builder"] },
        },
    })
}

/// A batch with a document of the catalogue, a held one, and two recipients.
pub fn batch() -> Value {
    json!({
        "name": "morning-checklists", "title": "Morning checklists", "workflow": "batch-documents",
        "run_as": "site-a", "enabled": true, "bundle": false, "zone": "Europe/Amsterdam",
        "documents": [
            { "document": "open-orders",
              "params": { "company": "{{ user.company }}", "since": "{{ business_date | minus(months=1) }}" } },
            { "name": "opening-checklist", "title": "Opening checklist", "file": "opening.pdf",
              "media_type": "application/pdf", "content": PDF },
        ],
        "recipients": [
            { "name": "Ann Baker", "email": "ann@example.org" },
            { "name": "Yard office", "email": "yard@example.org", "fax": "+13125550002", "params": { "yard": 7 } },
        ],
        "policy": { "send": "first_valid", "order": ["email", "fax"] },
        "message": { "subject": "{{ document.title }}, {{ business_date }}", "text": "Good morning {{ recipient.name }}" },
        "accounts": { "email": "mail" },
        "schedule": [{ "rule": "monthly on the 2nd tuesday at 06:00", "zone": "Europe/Amsterdam", "missed": "run_once" }],
    })
}
