//! A Postgres of our own, for the first hour and for single machines.
//!
//! The data are in `postgres` below the data folder; connections come through a socket in there, which only its owner
//! can reach. A server that outlived a killed Postbook is taken over as it is; one that died is started again and
//! recovers. Settings that decide about durability stay as Postgres ships them. Used by [`super::Database`].

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};

use super::{
    DatabaseError,
    binaries::Binaries,
    guise::Guise,
    lock,
    place::{LOOK, Place, READY, discard_socket},
    postmaster::{self, Address, State},
};

/// A running server of our own. Stops when dropped.
#[derive(Debug)]
pub struct Private {
    data: PathBuf,
    binaries: Binaries,
    guise: Guise,
    address: Address,
    /// The server, unless it was taken over.
    child: Option<Child>,
    stopped: bool,
    /// Held until the server has stopped.
    _lock: File,
}

impl Private {
    /// Takes `folder`, and takes over, starts or creates its server with the programs in `binaries` or the usual places.
    ///
    /// # Errors
    /// When another process has the folder, the programs are not to be had, or the server does not start.
    pub fn start(folder: &Path, binaries: Option<&Path>) -> Result<Self, DatabaseError> {
        let fault = || format!("the data folder {}", folder.display());
        fs::create_dir_all(folder).with_context(fault)?;
        let folder = folder.canonicalize().with_context(fault)?;
        let lock = lock::take(&folder)?;
        let data = folder.join("postgres");
        let binaries = Binaries::find(binaries, &data)?;
        let guise = Guise::choose()?;
        let place = Place { folder, data, binaries, guise };
        let (address, child) = place.ready()?;
        let Place { data, binaries, guise, .. } = place;
        Ok(Self { data, binaries, guise, address, child, stopped: false, _lock: lock })
    }

    /// How to connect, once there is a database to connect to.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn options(&self) -> Result<PgConnectOptions> {
        let options = options(&self.address);
        let asking = "asking the private Postgres";
        let mut server = options.clone().database("postgres").connect().await.context(asking)?;
        let there =
            sqlx::query_scalar!(r#"select exists (select from pg_database where datname = 'postbook') as "there!""#);
        if !there.fetch_one(&mut server).await.context(asking)? {
            sqlx::query("create database postbook").execute(&mut server).await.context("creating the database")?;
        }
        server.close().await.context(asking)?;
        Ok(options)
    }

    /// Stops the server: open transactions are rolled back, nothing committed is lost.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(mut self) -> Result<()> {
        self.halt()
    }

    fn halt(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.stopped, true) {
            return Ok(());
        }
        if let Some(child) = &mut self.child
            && child.try_wait().context("looking after the private Postgres")?.is_some()
        {
            return Ok(());
        }
        let mut stop = self.guise.command(&self.binaries.program("pg_ctl"));
        stop.arg("-D").arg(&self.data).args(["stop", "-m", "fast", "-w", "-s"]).stdin(Stdio::null());
        let output = stop.output().context("running pg_ctl")?;
        if !output.status.success() && postmaster::look(&self.data)? != State::Gone {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            bail!("the Postgres in {} does not stop: {said}", self.data.display());
        }
        discard_socket(&self.data, &self.address.socket);
        self.child.as_mut().map(Child::wait).transpose().context("looking after the private Postgres")?;
        Ok(())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Err(error) = self.halt() {
            tracing::warn!(error = format!("{error:#}"), "the private Postgres was left running");
        }
    }
}

/// How to connect to the server that another process keeps in `folder`.
pub fn running(folder: &Path) -> Result<PgConnectOptions> {
    let begun = Instant::now();
    while begun.elapsed() < READY {
        if let State::Ready(address) = postmaster::look(&folder.join("postgres"))? {
            return Ok(options(&address));
        }
        thread::sleep(LOOK);
    }
    bail!("the Postgres of the other Postbook in {} does not become ready", folder.display())
}

fn options(address: &Address) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&address.socket)
        .port(address.port)
        .username("postbook")
        .database("postbook")
}
