//! A node put together: settings, database, engine and doors.
//!
//! Commands open one and use its parts; `up`, `serve` and `work` also run it until they are told to stop. Stopping
//! goes in order: no new steps, the steps in flight to their end, the doors, the database.

mod account;
mod settings;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use account::channels;
pub use settings::{country, databases, folders, places, public, watch};

use crate::{
    audit::{self, Author, Deed},
    catalog::{self, Outside, Shelf},
    clock::Clock,
    config::Config,
    db::{self, Database, DatabaseError, installation::Pause},
    http,
    queue::{self, Queue},
    run::{Engine, Settings, act::ActError, sending},
    sweep,
    trigger::{file, schedule},
    worker::{self, Load},
};

/// A node's parts.
pub struct App {
    pub config: Config,
    pub database: Database,
    pub engine: Engine,
    pub shelf: Shelf,
}

/// What a node does.
#[derive(Debug, Clone)]
pub struct Roles {
    /// Answers at the doors.
    pub doors: bool,
    /// Fires batches.
    pub triggers: bool,
    /// Serves these queues.
    pub queues: Vec<Queue>,
}

impl App {
    /// Opens the database, starting a private one in `data` when none is configured, brings its schema and the
    /// workflows up to date, and puts the engine together. A data folder that another Postbook has is shared when
    /// `join` says so.
    ///
    /// # Errors
    /// With all faults of the accounts or the workflows, and when the database cannot be opened.
    pub async fn open(config: Config, data: &Path, join: bool) -> Result<Self> {
        let channels = channels(&config)?;
        let places = places(&config)?;
        let (databases, country) = (databases(&config)?, country(&config)?);
        let folders = folders(&config)?;
        let database = match join {
            true => Database::join(&config.database, data).await,
            false => Database::open(&config.database, data).await,
        };
        let database = database.map_err(refusal)?;
        db::migrate(&database.pool, queue::setup).await.map_err(refusal)?;
        let store = settings::store(&config, &database)?;
        let clock = Clock::default();
        clock.follow(db::time(&database.pool)).await?;
        catalog::workflow::register(&database.pool, &store, &folders, clock.now()).await?;
        let toolbox = settings::toolbox(&config, store.clone())?;
        let settings = Settings {
            worker: worker_name(),
            lease: config.engine.lease,
            deaths: i32::from(config.engine.deaths),
            monitor: config.monitor.clone(),
        };
        let engine = Engine::new(database.pool.clone(), channels, toolbox, settings).on(clock).watching(places);
        let engine = engine.asking(databases).calling_from(country);
        let shelf = Shelf { db: database.pool.clone(), store };
        Ok(Self { config, database, engine, shelf })
    }

    /// Counts this start, and finds out whether sending is paused: because the book was put back from a backup, because
    /// somebody paused it, or from now on, when `paused` says so. To be asked before [`App::run`].
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn check_in(&self, paused: bool) -> Result<Option<Pause>> {
        count(&self.database, &self.engine).await?;
        if paused && sending::paused(&self.engine.db).await?.is_none() {
            match sending::pause(&self.engine, &self.itself(), "it was started with --paused").await {
                // Another node was faster.
                Ok(()) | Err(ActError::NotNow(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        sending::paused(&self.engine.db).await
    }

    /// Does what `roles` say until `stop`, and calls `ready` with the address of the doors once they are open.
    ///
    /// # Errors
    /// When the doors cannot be opened.
    pub async fn run(
        &self,
        roles: Roles,
        stop: CancellationToken,
        ready: impl FnOnce(Option<String>) -> Result<()>,
    ) -> Result<()> {
        let tasks = TaskTracker::new();
        let doors = CancellationToken::new();
        let _closing = doors.clone().drop_guard();
        let address = if roles.doors { Some(self.open_doors(&tasks, doors.clone()).await?) } else { None };
        let steps = self.config.engine.steps.get();
        let load = Load { queues: roles.queues, steps, loops: self.config.engine.fetchers.get() };
        let watching = roles.triggers.then(|| watch(&self.config)).transpose()?;
        let duties = sweep::Duties { interval: self.config.engine.sweep, keep: self.config.retention };
        ready(address)?;
        let triggers = async {
            if let Some(watch) = watching {
                tokio::join!(
                    schedule::watch(self.engine.clone(), self.config.schedule.poll, stop.clone()),
                    file::watch(self.engine.clone(), watch, stop.clone()),
                );
            }
        };
        tokio::join!(
            triggers,
            worker::work(self.engine.clone(), load, stop.clone()),
            sweep::sweep(self.engine.clone(), duties, stop.clone()),
            keep_counting(&self.database, &self.engine, &stop),
            stop.cancelled(),
        );
        doors.cancel();
        tasks.close();
        tasks.wait().await;
        Ok(())
    }

    /// The node as the one who does something.
    fn itself(&self) -> Author {
        Author { name: "postbook".to_owned(), at: self.engine.clock.now() }
    }

    async fn open_doors(&self, tasks: &TaskTracker, stop: CancellationToken) -> Result<String> {
        let listen = self.config.http.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("the doors cannot be opened at {listen}; set `http.listen` to a free address"))?;
        let address = listener.local_addr().context("asking where the doors are")?;
        let body_limit = usize::try_from(self.config.http.body_limit.0).unwrap_or(usize::MAX);
        let doors = http::App::new(self.engine.clone(), accounts(&self.engine).accounts, body_limit)
            .reached_at(public(&self.config)?)
            .until(stop.clone());
        let router = http::router(doors)?;
        tasks.spawn(http::serve(listener, router, http::Patience::default(), stop));
        Ok(format!("http://{address}"))
    }
}

/// How often a node counts. A book put back to a state that is younger than this looks as if nothing had happened; more
/// often writes more.
const COUNT: Duration = Duration::from_secs(10);

/// Counts the book on, and tells the audit log of pauses that came of it.
async fn count(database: &Database, engine: &Engine) -> Result<()> {
    let mut db = database.pool.acquire().await.context("connecting to check in")?;
    database.installation.check_in(&mut db).await?;
    drop(db);
    for pause in database.installation.news() {
        let author = Author { name: pause.by, at: engine.clock.now() };
        let deed = Deed { action: "sending.paused", object: "sending", detail: json!({ "why": pause.why }) };
        audit::note(&database.pool, &author, deed).await?;
    }
    Ok(())
}

async fn keep_counting(database: &Database, engine: &Engine, stop: &CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(COUNT)).await.is_some() {
        if let Err(error) = count(database, engine).await {
            tracing::warn!(error = format!("{error:#}"), "the book could not be counted on");
        }
    }
}

/// What the settings bring along, as checks of batches want it.
pub fn accounts(engine: &Engine) -> Outside {
    let accounts = engine.channels.accounts().map(|it| (it.name().to_owned(), it.channel().to_owned()));
    let data = engine.data.names().map(str::to_owned).collect();
    Outside { accounts: accounts.collect(), places: engine.places.clone(), data, country: engine.country }
}
/// Host, process and a random part: new at every start, so that nothing of an earlier one is taken for its own.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "node" } else { host };
    format!("{host}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}

fn refusal(error: DatabaseError) -> anyhow::Error {
    match error {
        DatabaseError::Fault(fault) => fault,
        refusal => anyhow!(refusal),
    }
}
