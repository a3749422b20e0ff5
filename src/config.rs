//! Settings: defaults, then a file, then the environment, each over the one before.
//!
//! The defaults are `config/default.toml`, compiled in; it is also the description of every setting. Whatever is wrong
//! (syntax, unknown names, wrong types, secrets that are not to be had) is collected and reported at once, each with
//! the file and line it stands on. Called once at start by every command.

mod account;
mod age;
mod fault;
mod fill;
mod layer;
mod read;
mod size;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};

use crate::secret::{Credential, Secret};

pub use account::{Account, Exists, Settle, Silence, TooLarge};
pub use age::Age;
pub use fault::{Fault, Faults, Origin};
pub use size::Size;

const DEFAULTS: &str = include_str!("../config/default.toml");

/// Everything that can be set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub database: Database,
    pub http: Http,
    pub engine: Engine,
    pub schedule: Schedule,
    pub blobs: Blobs,
    pub render: Render,
    pub remote: Remote,
    pub files: Files,
    pub contacts: Contacts,
    /// Business databases that audiences come from.
    #[serde(default)]
    pub data: BTreeMap<String, Data>,
    pub retention: Retention,
    pub monitor: Monitor,
    pub log: Log,
    #[serde(default)]
    account: BTreeMap<String, Account>,
    /// Credentials that documents name.
    #[serde(default)]
    pub secret: BTreeMap<String, Credential>,
    /// The names of the accounts in the order of the file.
    #[serde(skip)]
    order: Vec<String>,
}

/// Where the book is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Without it, a private Postgres in the data folder.
    #[serde(deserialize_with = "unless_empty")]
    pub url: Option<Secret>,
    pub pool: NonZeroU32,
    /// The folder of the programs for the private Postgres.
    #[serde(deserialize_with = "unless_empty")]
    pub binaries: Option<PathBuf>,
}

/// The doors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    /// Where the world reaches them.
    #[serde(deserialize_with = "unless_empty")]
    pub public: Option<String>,
    pub body_limit: Size,
}

/// How work is claimed and done.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub sweep: Duration,
    pub deaths: u16,
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// A folder with workflows beside the built-in ones.
    #[serde(deserialize_with = "unless_empty")]
    pub workflows: Option<PathBuf>,
    pub steps: NonZeroUsize,
    pub fetchers: NonZeroUsize,
}

/// How batches fire.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
}

/// Where the bytes of documents are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// Without it, in the database.
    #[serde(deserialize_with = "unless_empty")]
    pub url: Option<Secret>,
}

/// Limits on rendering.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Render {
    /// 0 for one per processor.
    pub children: usize,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub memory: Size,
}

/// Which report servers may be asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    pub allow: Vec<String>,
}

/// Where files may come in, and how they are taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Folders that may be watched, with all that are below them.
    pub roots: Vec<PathBuf>,
    #[serde(with = "humantime_serde")]
    pub look: Duration,
    /// Patterns of names that are never taken.
    pub ignore: Vec<String>,
    pub limit: Size,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

/// How contacts are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    /// Where numbers are that do not say.
    #[serde(deserialize_with = "unless_empty")]
    pub country: Option<String>,
}

/// A business database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub url: Secret,
    #[serde(default, with = "humantime_serde")]
    pub timeout: Option<Duration>,
    pub rows: Option<NonZeroU32>,
}

/// How long what batches bring forth is kept, where they do not say.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Runs with everything about them.
    pub runs: Age,
    /// The bytes of what they sent.
    pub files: Age,
    /// The lines of their logs.
    pub logs: Age,
}

/// What monitors are told, and when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// The zone of those who name none.
    pub zone: Tz,
    pub digest_at: NaiveTime,
    /// Whether the digest is attached to mails as a PDF.
    pub pdf: bool,
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    #[serde(with = "humantime_serde")]
    pub fold: Duration,
    /// How many failed runs are told one by one within `fold`.
    pub storm: u32,
    /// How many times more or fewer recipients than usual are unusual.
    pub unusual: f64,
    /// How many runs of a batch say what is usual.
    pub unusual_after: u32,
}

impl Default for Monitor {
    fn default() -> Self {
        let defaults = Config::from_layers(None, &BTreeMap::new());
        defaults.expect("the defaults that are compiled in have no faults").monitor
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Reads the settings from `file` (a file, or a folder with a `postbook.toml`) and the process's environment.
    /// Without `file`, `config/postbook.toml` is read when it is there.
    ///
    /// # Errors
    /// With all faults, when there are any.
    pub fn load(file: Option<&Path>) -> Result<Self, Faults> {
        let default = Path::new("config/postbook.toml");
        let file = match file {
            Some(folder) if folder.is_dir() => Some(folder.join("postbook.toml")),
            Some(file) => Some(file.to_owned()),
            None => default.exists().then(|| default.to_owned()),
        };
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::from_layers(file.as_deref(), &environment)
    }

    /// Reads the settings from exactly this file and this environment.
    ///
    /// # Errors
    /// With all faults, when there are any.
    pub fn from_layers(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let defaults = layer::parse(DEFAULTS, Path::new("default.toml"), &mut faults);
        let mut settings = defaults.clone();
        if let Some(file) = file {
            settings.merge(layer::read(file, &mut faults));
        }
        settings.merge(layer::environment(environment));
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        fill::fill(&mut settings, folder, environment, &mut faults);
        let order = settings.order("account");
        match read::read::<Self>(settings, &defaults, &mut faults) {
            Some(config) if faults.is_empty() => Ok(Self { order, ..config }),
            _ => Err(faults.sorted()),
        }
    }

    /// The accounts by name, in the order they stand in the file.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.order.iter().filter_map(|name| Some((name.as_str(), self.account.get(name)?)))
    }
}

/// Reads an empty text as nothing.
fn unless_empty<'de, D: Deserializer<'de>, T: From<String>>(from: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| T::from(text)))
}
