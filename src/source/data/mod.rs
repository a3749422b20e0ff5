//! Registered business databases, asked with statements that administrators write.
//!
//! A statement is asked inside `select to_jsonb(..) from (..)`, in a transaction that may only read, with a limit on time
//! and rows: it can be nothing but one query. Values are bound, never spliced. Rows come in pieces, through a channel that
//! holds few of them, so that a large answer waits on the server's side. Called by the step that expands, by the preview
//! and by `postbook check`.

mod placeholder;
mod question;
mod role;
mod rows;

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use anyhow::anyhow;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

pub use placeholder::names;
pub use rows::{Row, Rows};

use super::Failure;
use crate::{
    reason::{Reason, Scope},
    secret::Secret,
};

/// How a database is registered.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    pub url: Secret,
    /// How long one statement may take, until its last row is read.
    pub timeout: Duration,
    /// How many rows it may give.
    pub rows: u64,
}

/// The registered databases by their names.
#[derive(Debug, Default)]
pub struct Databases(BTreeMap<String, Database>);

struct Database {
    options: PgConnectOptions,
    timeout: Duration,
    rows: u64,
}

/// Never shows the password, which its options hold.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({}, {:?})", self.options.get_host(), self.timeout)
    }
}

impl Databases {
    /// Registers what `configs` say; nothing is connected to yet.
    ///
    /// # Errors
    /// With what is wrong with any of them.
    pub fn open(configs: &BTreeMap<String, DatabaseConfig>) -> Result<Self, Vec<anyhow::Error>> {
        let opened = configs.iter().map(|(name, config)| Ok((name.clone(), open(name, config)?)));
        let (opened, faults): (Vec<_>, Vec<_>) = opened.partition(Result::is_ok);
        let faults: Vec<_> = faults.into_iter().filter_map(Result::err).collect();
        if faults.is_empty() { Ok(Self(opened.into_iter().filter_map(Result::ok).collect())) } else { Err(faults) }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Finds out whether the database `name` answers, and that its role may only read.
    ///
    /// # Errors
    /// Why it would not answer a batch either, or what its role may do beyond reading.
    pub async fn probe(&self, name: &str) -> Result<String, Failure> {
        role::probe(self.find(name)?).await
    }

    /// Asks the database `name`; `values` has one for each name that the statement has with a colon.
    ///
    /// # Errors
    /// When the database is not registered, does not answer, or refuses the statement.
    pub async fn ask(&self, name: &str, statement: &str, values: &Values) -> Result<Rows, Failure> {
        question::ask(self.find(name)?, statement, values).await
    }

    fn find(&self, name: &str) -> Result<&Database, Failure> {
        self.0.get(name).ok_or_else(|| {
            let text = format!("no database `{name}` is registered here; add `[data.{name}]` to the configuration");
            refused("no-data", text)
        })
    }
}

/// What is bound, by name; nothing is null.
pub type Values = BTreeMap<String, Option<String>>;

fn open(name: &str, config: &DatabaseConfig) -> anyhow::Result<Database> {
    let url = config.url.expose();
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(anyhow!("`data.{name}.url` is no address of a Postgres; write postgres://user:password@host/name"));
    }
    // What sqlx says of a URL repeats parts of it.
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| anyhow!("`data.{name}.url` cannot be read; write postgres://user:password@host:5432/name"))?;
    let options = options.application_name("postbook").disable_statement_logging();
    Ok(Database { options, timeout: config.timeout, rows: config.rows })
}

/// A failure that comes again however often it is tried.
fn refused(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Account, code, text), again: false, after: None }
}

/// What a driver's error means.
fn failed(error: &sqlx::Error) -> Failure {
    let Some(told) = error.as_database_error() else {
        let reason = Reason::new(Scope::Account, "data-away", format!("the database cannot be asked: {error}"));
        return Failure { reason, again: true, after: None };
    };
    let code = told.code().unwrap_or_default().into_owned();
    let text = match code.as_str() {
        "57014" => {
            "the statement took longer than it may; make it quicker, or raise the `timeout` of the database".to_owned()
        }
        _ => format!("the database refused the statement: {}", told.message()),
    };
    // Connections, resources, operators and conflicts; everything else is the statement's own doing.
    let again = ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class)) && code != "57014";
    Failure { reason: Reason::new(Scope::Account, format!("data-{code}"), text), again, after: None }
}
