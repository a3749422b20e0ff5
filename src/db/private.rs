//! A Postgres of our own, for the first hour and for single machines.
//!
//! The data are in `postgres` below the data folder; connections come through a socket in there, which only its owner
//! can reach. A server that outlived a killed Postbook is taken over as it is; one that died is started again and
//! recovers. Settings that decide about durability stay as Postgres ships them. Used by [`super::Database`].

use std::{
    fs::{self, DirBuilder, File},
    io::Write,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};

use super::{
    DatabaseError,
    binaries::Binaries,
    guise::Guise,
    lock,
    postmaster::{self, Address, State},
};

/// How long a server may take to become ready. Shorter gives up on recovery after a crash under heavy load.
const READY: Duration = Duration::from_secs(300);

/// How often a server that is not ready is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The longest path of a socket: 108 bytes on Linux, 104 on macOS, with the zero at the end.
const SOCKET_PATH: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// macOS has no C.UTF-8; there, sorting by bytes comes from C, and texts are UTF-8 all the same.
const LOCALE: &str = if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" };

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
        let mut server = options.clone().database("postgres").connect().await.context("asking the private Postgres")?;
        let created = sqlx::query("create database postbook").execute(&mut server).await;
        let there = |error: &sqlx::Error| error.as_database_error().and_then(|e| e.code()).as_deref() == Some("42P04");
        if let Err(error) = created
            && !there(&error)
        {
            return Err(error).context("creating the database");
        }
        server.close().await.context("asking the private Postgres")?;
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

/// A data folder whose server is being seen to.
struct Place {
    folder: PathBuf,
    data: PathBuf,
    binaries: Binaries,
    guise: Guise,
}

impl Place {
    /// Brings the server to where it answers. Without a process when it was running already.
    fn ready(&self) -> Result<(Address, Option<Child>)> {
        if !self.data.exists() {
            self.create()?;
        }
        self.guise.own(&self.data)?;
        let begun = Instant::now();
        while begun.elapsed() < READY {
            match postmaster::look(&self.data)? {
                State::Ready(address) => return Ok((address, None)),
                State::Busy => thread::sleep(LOOK),
                State::Stale(address) => {
                    postmaster::forget(&self.data)?;
                    address.iter().for_each(|address| discard_socket(&self.data, &address.socket));
                }
                State::Gone => {
                    if let Some((address, child)) = self.launch()? {
                        return Ok((address, Some(child)));
                    }
                }
            }
        }
        bail!("the Postgres in {} does not become ready, see {}", self.data.display(), self.log().display())
    }

    /// Creates the data aside and renames them, so that a half-made folder is never taken for a whole one.
    fn create(&self) -> Result<()> {
        let new = self.folder.join("postgres.new");
        if new.exists() {
            fs::remove_dir_all(&new).with_context(|| format!("removing {}", new.display()))?;
        }
        private_folder(&new)?;
        self.guise.own(&new)?;
        let mut command = self.guise.command(&self.binaries.program("initdb"));
        command.arg("-D").arg(&new).args(["-U", "postbook", "-E", "UTF8", "--locale", LOCALE]);
        command.args(["--auth-local=trust", "--auth-host=reject"]).stdin(Stdio::null());
        let output = command.output().context("running initdb")?;
        if !output.status.success() {
            bail!("initdb in {} failed: {}", new.display(), String::from_utf8_lossy(&output.stderr).trim());
        }
        let mut settings = File::options().append(true).open(new.join("postgresql.conf"))?;
        settings.write_all(b"include 'postbook.conf'\n")?;
        fs::rename(&new, &self.data).context("putting the new data in place")
    }

    /// Starts the server and waits for it. `None` when it has to be tried again: the backends of a server that was
    /// killed hold its memory for a moment.
    fn launch(&self) -> Result<Option<(Address, Child)>> {
        self.settings()?;
        let path = self.log();
        let log = File::options().create(true).append(true).open(&path).context("opening the log of Postgres")?;
        let before = log.metadata().context("opening the log of Postgres")?.len();
        // Not by pg_ctl, which starts it through a shell and stumbles over quotes. A group of its own, so that
        // Ctrl-C reaches Postbook alone.
        let mut server = self.guise.command(&self.binaries.program("postgres"));
        server.arg("-D").arg(&self.data).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut child = server.spawn().context("starting Postgres")?;
        while child.try_wait().context("starting Postgres")?.is_none() {
            if let State::Ready(address) = postmaster::look(&self.data)? {
                return Ok(Some((address, child)));
            }
            thread::sleep(LOOK);
        }
        let said = fs::read(&path).unwrap_or_default().split_off(usize::try_from(before)?);
        let said = String::from_utf8_lossy(&said);
        if !said.contains("pre-existing shared memory block") {
            bail!("the Postgres in {} does not start: {}", self.data.display(), said.trim());
        }
        Ok(None)
    }

    /// Writes the settings that are ours.
    fn settings(&self) -> Result<()> {
        let socket = socket_folder(&self.data)?;
        // A killed server leaves it behind, with a process id that may be somebody else's by now.
        let _ = fs::remove_file(socket.join(format!("{SOCKET_NAME}.lock")));
        self.guise.own(&socket)?;
        let socket = socket.to_str().context("the data folder's name is no UTF-8")?.replace('"', "\"\"");
        let path = self.data.join("postbook.conf");
        let text = format!(
            "# Written anew at every start.\n\
             listen_addresses = ''\nport = 5432\nunix_socket_directories = '\"{}\"'\nunix_socket_permissions = 0700\n\
             max_connections = 200\nlog_checkpoints = off\n",
            socket.replace('\\', "\\\\").replace('\'', "''")
        );
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        self.guise.own(&path)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }
}

/// Where the socket goes: beside the data, or where the path to it is short enough.
fn socket_folder(data: &Path) -> Result<PathBuf> {
    if data.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH {
        return Ok(data.to_owned());
    }
    let short = std::env::temp_dir().join(format!("postbook-{:08x}", rand::random::<u32>()));
    private_folder(&short)?;
    Ok(short)
}

/// Removes the folder that was made for a socket, if one was.
fn discard_socket(data: &Path, socket: &Path) {
    let named = socket.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postbook-"));
    if socket != data && named {
        // A folder that stays behind in the temp folder costs nothing.
        let _ = fs::remove_dir_all(socket);
    }
}

/// A new folder that only its owner can enter. Fails when there is one by that name, whoever made it.
fn private_folder(path: &Path) -> Result<()> {
    DirBuilder::new().mode(0o700).create(path).with_context(|| format!("creating {}", path.display()))
}
