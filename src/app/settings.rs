//! The settings, made into what a node works with. Whatever is wrong with them is told in their own words.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, bail};

use crate::{
    catalog,
    config::Config,
    contact::Country,
    db::Database,
    document::{Expressions, Store, Toolbox, renderer::Renderer, renderer::RendererConfig},
    source::{
        self,
        data::{DatabaseConfig, Databases},
        place::{self, Pattern, Places, PlacesConfig, Server},
    },
    trigger::file::Watch,
    workflow::{self, Folder},
};

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
pub(super) fn store(config: &Config, database: &Database) -> Result<Store> {
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

pub(super) fn toolbox(config: &Config, store: Store) -> Result<Toolbox> {
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
pub(super) fn listed<T: std::fmt::Display>(what: &str, faults: &[T]) -> anyhow::Error {
    let lines: Vec<_> = faults.iter().map(|fault| format!("  {fault}")).collect();
    anyhow!("the {what} have faults:\n{}", lines.join("\n"))
}
