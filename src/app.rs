//! A node put together: settings, database, engine and doors.
//!
//! Commands open one and use its parts; `up`, `serve` and `work` also run it until they are told to stop. Stopping
//! goes in order: no new steps, the steps in flight to their end, the doors, the database.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    audit::{self, Author, Deed},
    catalog::{self, Outside, Shelf},
    channel::{
        Settle, Silence,
        account::{AccountConfig, Channels, Each, FaxConfig, Limits, TooLarge},
    },
    clock::Clock,
    config::{self, Config},
    contact::Country,
    db::{self, Database, DatabaseError, installation::Pause},
    document::{Expressions, Store, Toolbox, renderer::Renderer, renderer::RendererConfig},
    http,
    queue::{self, Queue},
    run::{Engine, Settings, act::ActError, sending},
    source::{
        self,
        data::{DatabaseConfig, Databases},
        place::{self, Exists, Pattern, Places, PlacesConfig, Server},
    },
    sweep,
    trigger::{
        file::{self, Watch},
        schedule,
    },
    worker::{self, Load},
    workflow::{self, Folder},
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
        let store = store(&config, &database)?;
        let clock = Clock::default();
        clock.follow(db::time(&database.pool)).await?;
        catalog::workflow::register(&database.pool, &store, &folders, clock.now()).await?;
        let toolbox = toolbox(&config, store.clone())?;
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
    pub async fn run(&self, roles: Roles, stop: CancellationToken, ready: impl FnOnce(Option<String>)) -> Result<()> {
        let tasks = TaskTracker::new();
        let doors = CancellationToken::new();
        let _closing = doors.clone().drop_guard();
        let address = if roles.doors { Some(self.open_doors(&tasks, doors.clone()).await?) } else { None };
        let steps = self.config.engine.steps.get();
        let load = Load { queues: roles.queues, steps, loops: self.config.engine.fetchers.get() };
        let watching = roles.triggers.then(|| watch(&self.config)).transpose()?;
        let duties = sweep::Duties { interval: self.config.engine.sweep, keep: self.config.retention };
        ready(address);
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

/// Where the world reaches the doors, without a slash at its end.
///
/// # Errors
/// When it is no address of a web server.
pub fn public(config: &Config) -> Result<Option<String>> {
    let Some(public) = &config.http.public else { return Ok(None) };
    let url = url::Url::parse(public).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if url.is_none_or(|url| url.host_str().is_none() || url.query().is_some() || url.fragment().is_some()) {
        bail!(
            "`http.public` is `{public}`; write the address that others reach this by, such as https://postbook.example.org"
        );
    }
    Ok(Some(public.trim_end_matches('/').to_owned()))
}

/// Opens the configured accounts.
///
/// # Errors
/// With what is wrong with any of them.
pub fn channels(config: &Config) -> Result<Channels> {
    let accounts = config.accounts().map(|(name, account)| {
        let callback = public(config)?.map(|public| format!("{public}/callbacks/{name}"));
        let links = public(config)?.map(|public| format!("{public}/pickup"));
        Ok((name.to_owned(), AccountConfig { links, ..account_config(account, callback) }))
    });
    let accounts = accounts.collect::<Result<_>>()?;
    Channels::open(&accounts).map_err(|faults| listed("accounts", &faults))
}

/// Registers the business databases; nothing is connected to yet.
///
/// # Errors
/// With what is wrong with any of them.
pub fn databases(config: &Config) -> Result<Databases> {
    let configs = config.data.iter().map(|(name, data)| {
        let timeout = data.timeout.unwrap_or(ANSWER_TIME);
        let rows = data.rows.map_or(MOST_ROWS, |rows| rows.get().into());
        (name.clone(), DatabaseConfig { url: data.url.clone(), timeout, rows })
    });
    Databases::open(&configs.collect()).map_err(|faults| listed("business databases", &faults))
}

/// How long a business database may take where its settings do not say, until the last row is read.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// How many rows it may give then. A query that joins too much gives more.
const MOST_ROWS: u64 = 1_000_000;

/// Where numbers are that do not say.
///
/// # Errors
/// When the setting is no country.
pub fn country(config: &Config) -> Result<Option<Country>> {
    let country = config.contacts.country.as_deref().map(str::parse::<Country>).transpose();
    country.map_err(|fault| anyhow!("`contacts.country` {fault}"))
}

/// Opens the places where files may come in.
///
/// # Errors
/// With what is wrong with any of their accounts.
pub fn places(config: &Config) -> Result<Places> {
    let accounts = config.accounts().filter(|(_, account)| Server::serves(account.url.expose()));
    let accounts = accounts.map(|(name, account)| {
        let (host_key, key, ca) = (account.host_key.clone(), account.key.clone(), account.ca.clone());
        (name.to_owned(), place::AccountConfig { url: account.url.expose().to_owned(), host_key, key, ca })
    });
    let (roots, timeout, limit) = (config.files.roots.clone(), config.files.timeout, config.files.limit.0);
    let settings = PlacesConfig { roots, accounts: accounts.collect(), timeout, limit };
    Places::open(&settings).map_err(|faults| listed("accounts", &faults))
}

/// How places are watched.
///
/// # Errors
/// When a pattern of names to pass over is none.
pub fn watch(config: &Config) -> Result<Watch> {
    let files = &config.files;
    let ignore = files.ignore.iter().cloned().map(Pattern::try_from).collect::<Result<_, _>>();
    let ignore = ignore.map_err(|fault| anyhow!("`files.ignore`: {fault}"))?;
    Ok(Watch { look: files.look, ignore, limit: files.limit.0, timeout: files.timeout })
}

/// What the file leaves out stays as the channel has it.
fn account_config(account: &config::Account, callback: Option<String>) -> AccountConfig {
    let defaults = AccountConfig::new(account.url.expose());
    AccountConfig {
        from: account.from.clone(),
        channel: account.channel.clone(),
        settle: account.settle.map(|settle| match settle {
            config::Settle::Repeat => Settle::Repeat,
            config::Settle::Hold => Settle::Hold,
            config::Settle::Ask => Settle::Ask,
        }),
        ask_for: account.ask_for.unwrap_or(defaults.ask_for),
        bounces: account.bounces.as_ref().map(|url| url.expose().to_owned()),
        bounces_within: account.bounces_within.unwrap_or(defaults.bounces_within),
        return_path: account.return_path.clone(),
        callback,
        verify: account.verify.clone(),
        max_parts: account.max_parts.map_or(defaults.max_parts, NonZeroUsize::get),
        transliterate: account.transliterate,
        ca: account.ca.clone(),
        host_key: account.host_key.clone(),
        key: account.key.clone(),
        exists: account.exists.map_or(defaults.exists, |exists| match exists {
            config::Exists::Overwrite => Exists::Overwrite,
            config::Exists::Suffix => Exists::Suffix,
            config::Exists::Fail => Exists::Fail,
        }),
        timeout: account.timeout.unwrap_or(defaults.timeout),
        // One node alone can have all turns.
        connections: account.connections.or(account.at_once).map_or(defaults.connections, NonZeroUsize::get),
        limits: Limits { at_once: account.at_once, per_minute: account.per_minute },
        each: Each {
            contact: Limits { at_once: account.contact_at_once, per_minute: account.contact_per_minute },
            domain: Limits { at_once: account.domain_at_once, per_minute: account.domain_per_minute },
        },
        window: account.window.clone(),
        quiet: account.quiet.clone(),
        zone: account.zone,
        greylist: account.greylist.unwrap_or(defaults.greylist),
        final_timeout: account.final_timeout.unwrap_or(defaults.final_timeout),
        refuse: account.refuse.clone(),
        fax: fax_config(account),
        attach_limit: account.attach_limit.map(|limit| limit.0),
        too_large: account.too_large.map(|it| match it {
            config::TooLarge::Link => TooLarge::Link,
            config::TooLarge::Refuse => TooLarge::Refuse,
        }),
        link_secret: account.link_secret.clone(),
        lifetime: account.lifetime.unwrap_or(defaults.lifetime),
        mail: account.mail.clone(),
        unclaimed: account.unclaimed.map(|it| match it {
            config::Unclaimed::Delivered => Silence::Delivered,
            config::Unclaimed::Failed => Silence::Failed,
            config::Unclaimed::Uncertain => Silence::Uncertain,
        }),
        ..defaults
    }
}

fn fax_config(account: &config::Account) -> FaxConfig {
    FaxConfig {
        station: account.station.clone(),
        header: account.header.clone(),
        resolution: account.resolution.clone(),
        paper: account.paper.clone(),
        modem: account.modem.clone(),
        dial: account.dial.clone(),
        dials: account.dials,
        expire: account.expire,
    }
}

/// The workflows that come along and those of the configured folder; a folder there replaces one of the same name.
///
/// # Errors
/// With every fault in any of them.
pub fn folders(config: &Config) -> Result<Vec<Folder>> {
    let mut all = workflow::embedded();
    if let Some(root) = &config.engine.workflows {
        let own = workflow::folders(root)?;
        all.retain(|folder| !own.iter().any(|it| it.name == folder.name));
        all.extend(own);
    }
    let faults = catalog::workflow::check(&all);
    if faults.is_empty() { Ok(all) } else { Err(listed("workflows", &faults)) }
}

fn listed<T: std::fmt::Display>(what: &str, faults: &[T]) -> anyhow::Error {
    let lines: Vec<_> = faults.iter().map(|fault| format!("  {fault}")).collect();
    anyhow!("the {what} have faults:\n{}", lines.join("\n"))
}

fn store(config: &Config, database: &Database) -> Result<Store> {
    let db = database.pool.clone();
    let Some(url) = &config.blobs.url else { return Ok(Store::in_database(db)) };
    let url =
        url::Url::parse(url.expose()).context("`blobs.url` is not a URL such as file:///var/lib/postbook/blobs")?;
    if url.scheme() != "file" {
        bail!(
            "`blobs.url` is of the kind {}; blobs can be kept in a folder (file:///path) or in the database (empty)",
            url.scheme()
        );
    }
    let folder = url.to_file_path().map_err(|()| anyhow!("`blobs.url` names no folder of this machine"))?;
    std::fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    let objects = object_store::local::LocalFileSystem::new_with_prefix(&folder)
        .with_context(|| format!("opening the folder {}", folder.display()))?;
    Ok(Store::in_objects(db, Arc::new(objects)))
}

fn toolbox(config: &Config, store: Store) -> Result<Toolbox> {
    let program = own_program()?;
    let defaults = RendererConfig::default();
    let children = match config.render.children {
        0 => defaults.children,
        children => children,
    };
    let limits = RendererConfig { children, timeout: config.render.timeout, memory: config.render.memory.0 };
    let allow = config.remote.allow.iter().map(|it| it.parse()).collect::<Result<_, _>>();
    let allow = allow.map_err(|error: source::http::AllowedError| anyhow!("`remote.allow`: {error}"))?;
    Ok(Toolbox {
        renderer: Renderer::new(program, limits),
        http: source::http::Client::new(&source::http::RemoteConfig { allow })?,
        store,
        expressions: Expressions::default(),
        secrets: config.secret.clone(),
    })
}

/// This program, which renders in processes of its own. Linux names the running one itself, also when its file was
/// replaced by a newer version meanwhile.
fn own_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("finding this program, which renders in processes of its own")
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
