//! The doors for programs: the API, and what watches over a node.
//!
//! Handlers check who is calling, hand on to the parts behind, and turn refusals into problems; there is no decision
//! and no SQL here.

pub mod api;
mod auth;
mod body;
mod callback;
mod docs;
mod finish;
mod health;
mod ical;
mod idempotency;
mod json;
mod metrics;
mod openapi;
mod paging;
mod params;
mod pickup;
mod problem;
mod refusal;
mod serve;

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result};
use axum::{Router, body::Bytes, extract::DefaultBodyLimit, middleware, routing::get};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

pub use auth::{Admin, Anyone, Operator};
pub use metrics::Metrics;
pub use paging::{Page, Paging, PagingParams};
pub use pickup::Guesses;
pub use problem::Problem;
pub use serve::{Patience, serve};

use crate::{
    catalog::{Outside, Shelf},
    clock::Clock,
    run::Engine,
};

/// What the doors have at hand. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub clock: Clock,
    pub shelf: Shelf,
    pub engine: Engine,
    /// Channels by the names of their accounts.
    pub accounts: Arc<BTreeMap<String, String>>,
    /// How many bytes a request may have.
    pub body_limit: usize,
    pub metrics: Arc<Metrics>,
    /// Who tries links that do not exist.
    pub guesses: Guesses,
    /// Where the world reaches the doors.
    pub public: Option<String>,
    /// When it is given, answers that would go on for long are ended.
    pub stop: CancellationToken,
}

impl App {
    /// The doors of `engine`; `accounts` are channels by the names of their accounts.
    pub fn new(engine: Engine, accounts: BTreeMap<String, String>, body_limit: usize) -> Self {
        Self {
            clock: engine.clock.clone(),
            shelf: Shelf { db: engine.db.clone(), store: engine.toolbox.store.clone() },
            engine,
            accounts: Arc::new(accounts),
            body_limit,
            metrics: Arc::default(),
            guesses: Guesses::default(),
            public: None,
            stop: CancellationToken::new(),
        }
    }

    /// What the settings bring along for batches to name.
    fn outside(&self) -> Outside {
        let data = self.engine.data.names().map(str::to_owned).collect();
        let (places, country) = (self.engine.places.clone(), self.engine.country);
        Outside { accounts: (*self.accounts).clone(), places, data, country }
    }

    /// The same doors, which the world reaches at `public`.
    #[must_use]
    pub fn reached_at(self, public: Option<String>) -> Self {
        Self { public, ..self }
    }

    /// The same doors, whose long answers end when `stop` is given.
    #[must_use]
    pub fn until(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }
}

/// The doors of accounts, which have a limit of their own.
fn callbacks() -> Router<App> {
    let door = get(callback::callback).post(callback::callback);
    Router::new().route("/callbacks/{account}", door).layer(DefaultBodyLimit::max(callback::LIMIT))
}

/// All doors.
///
/// # Errors
/// When the description of the API cannot be written.
pub fn router(app: App) -> Result<Router> {
    let (api, description) =
        OpenApiRouter::with_openapi(openapi::Api::openapi()).nest("/api/v1", api::router()).split_for_parts();
    let description = serde_json::to_value(openapi::complete(description)).context("describing the API")?;
    let page = Bytes::from(docs::page(&description)?);
    // Written once: a handler is cloned for each request, and these are large.
    let description = Bytes::from(serde_json::to_vec(&description).context("describing the API")?);
    let api = api
        .route("/api/v1/openapi.json", get(async move || openapi::answer(description)))
        .route("/api/docs", get(async move || docs::answer(page)))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .layer(DefaultBodyLimit::max(app.body_limit))
        .merge(callbacks())
        .layer(middleware::from_fn_with_state(app.clone(), finish::finish))
        .with_state(app.clone());
    // What no path takes is answered by those that are merged last.
    Ok(pickup::router(app).merge(api))
}
