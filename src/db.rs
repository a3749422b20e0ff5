//! The way to the database: a configured server, or a private one in the data folder.
//!
//! Opening connects, so that a wrong address shows at once and with the server's name, never its password. What can go
//! wrong for reasons a person can mend is a [`DatabaseError`]. Called once at start by every command; the schema is
//! brought up to date by [`migrate()`], under a lock so that nodes which start together do not collide.

mod binaries;
mod guise;
pub mod installation;
mod lock;
mod migrate;
mod place;
mod postmaster;
mod private;
mod seen;

use std::{path::Path, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::config;

pub use binaries::OLDEST;
pub use installation::Installation;
pub use migrate::migrate;
pub use private::Private;

/// How long the server may take to answer a first connection. Longer only delays the message about a wrong address.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a query may wait for a free connection. Shorter turns a busy moment, or a restart of the server, into
/// faults; longer keeps callers in the dark.
const ACQUIRE: Duration = Duration::from_secs(30);

/// How long a transaction may be left alone. None of ours does anything between two statements; one that does belongs to
/// a process that hangs or to a machine that is gone, and its locks would hold up all others. In milliseconds.
const IDLE: &str = "20000";

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("{0} is in use by another Postbook (process {1})")]
    InUse(PathBuf, String),
    #[error(
        "no PostgreSQL on this machine, and no `database.url` is set; install it with `apt-get install postgresql`, \
         `dnf install postgresql-server postgresql-contrib` or `brew install postgresql@17` (looked in {0})"
    )]
    NoBinaries(String),
    #[error("PostgreSQL {found} in {folder} is too old, {OLDEST} or newer is needed")]
    TooOld { found: u32, folder: PathBuf },
    #[error("{data} was made by PostgreSQL {wanted}, of which there is no copy on this machine; install that version")]
    OtherVersion { data: PathBuf, wanted: u32 },
    #[error(
        "the extension hstore is missing: install the package postgresql-contrib on the database's machine, or let the \
         owner of the database run `create extension hstore` ({0})"
    )]
    NoHstore(String),
    #[error("the database has migration {0}, which this Postbook does not know: it was last used by a newer one")]
    Newer(i64),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    pub pool: PgPool,
    /// Which book it is; asked at every new connection of the pool.
    pub installation: Installation,
    /// The server of our own, when there is one; it stops when this is dropped.
    pub private: Option<Private>,
}

impl Database {
    /// Connects to the configured server, or starts a private one in `folder` and connects to that.
    ///
    /// # Errors
    /// For one when another Postbook has the folder, or when there is no Postgres to start.
    pub async fn open(config: &config::Database, folder: &Path) -> Result<Self, DatabaseError> {
        if let Some(url) = &config.url {
            let installation = Installation::new(folder, false);
            let pool = connect(config, configured(url.expose())?, &installation).await?;
            return Ok(Self { pool, installation, private: None });
        }
        let (data, binaries) = (folder.to_owned(), config.binaries.clone());
        let private = tokio::task::spawn_blocking(move || Private::start(&data, binaries.as_deref()))
            .await
            .context("starting the private Postgres")??;
        let installation = Installation::new(folder, true);
        let pool = connect(config, private.options().await?, &installation).await?;
        Ok(Self { pool, installation, private: Some(private) })
    }

    /// As [`Database::open`]; but when another Postbook has the folder, its server is used along with it.
    ///
    /// # Errors
    /// As [`Database::open`], and when the other's server does not become ready.
    pub async fn join(config: &config::Database, folder: &Path) -> Result<Self, DatabaseError> {
        match Self::open(config, folder).await {
            Err(DatabaseError::InUse(folder, _)) => {
                let installation = Installation::new(&folder, true);
                let options = tokio::task::spawn_blocking(move || private::running(&folder))
                    .await
                    .context("waiting for the other Postbook's Postgres")??;
                let pool = connect(config, options, &installation).await?;
                Ok(Self { pool, installation, private: None })
            }
            opened => opened,
        }
    }

    /// Closes all connections, then stops the private server.
    ///
    /// # Errors
    /// When the private server does not stop.
    pub async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        let Some(private) = self.private else { return Ok(()) };
        tokio::task::spawn_blocking(move || private.stop()).await.context("stopping the private Postgres")?
    }
}

/// What time it is in the database.
///
/// # Errors
/// When it cannot be asked.
pub async fn time(pool: &PgPool) -> anyhow::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(pool)
        .await
        .context("asking the database what time it is")
}

fn configured(url: &str) -> anyhow::Result<PgConnectOptions> {
    PgConnectOptions::from_str(url).context("`database.url` is not of the form postgres://user:password@host:5432/name")
}

/// A pool whose first connection has been tried.
async fn connect(
    config: &config::Database,
    options: PgConnectOptions,
    installation: &Installation,
) -> anyhow::Result<PgPool> {
    let options = options.application_name("postbook").options([("idle_in_transaction_session_timeout", IDLE)]);
    let server = describe(&options);
    tokio::time::timeout(CONNECT, options.connect())
        .await
        .map_err(|_| anyhow!("no answer within {CONNECT:?}"))
        .and_then(|connected| Ok(connected?))
        .with_context(|| format!("connecting to Postgres at {server}"))?;
    let installation = installation.clone();
    let pool =
        PgPoolOptions::new().max_connections(config.pool.get()).acquire_timeout(ACQUIRE).after_connect(move |db, _| {
            let installation = installation.clone();
            Box::pin(async move {
                let greeted = installation.greet(db).await;
                greeted.map_err(|error| error.downcast().unwrap_or_else(|it| sqlx::Error::Protocol(format!("{it:#}"))))
            })
        });
    Ok(pool.connect_lazy_with(options))
}

/// The server as people know it: without the password.
fn describe(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!(
        "{host}, database {}, user {}",
        options.get_database().unwrap_or("of the same name"),
        options.get_username()
    )
}
