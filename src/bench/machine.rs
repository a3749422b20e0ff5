//! What a figure has to be read with: the machine, and what its Postgres promises.

use std::fmt;

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::PgPool;

/// The circumstances of a measure.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    cores: usize,
    postgres: String,
    fsync: String,
    synchronous_commit: String,
}

impl Machine {
    /// This machine, and the server behind `db` as it says itself.
    pub(super) async fn of(db: &PgPool) -> Result<Self> {
        let server = sqlx::query!(
            r#"
            select current_setting('server_version') as "version!", current_setting('fsync') as "fsync!",
                   current_setting('synchronous_commit') as "synchronous_commit!"
            "#,
        )
        .fetch_one(db)
        .await
        .context("asking Postgres for its settings")?;
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            postgres: server.version,
            fsync: server.fsync,
            synchronous_commit: server.synchronous_commit,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, postgres, fsync, synchronous_commit } = self;
        write!(f, "{cores} cores, Postgres {postgres} (fsync {fsync}, synchronous_commit {synchronous_commit})")
    }
}
