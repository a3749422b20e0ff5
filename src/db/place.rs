//! A private server's data folder: created, configured, started, and cleared of what a killed server left.
//!
//! Every stage can be cut short and begun again. Callers hold the folder's lock, so nobody else is at it.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io::Write,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    binaries::Binaries,
    guise::Guise,
    postmaster::{self, Address, State},
};

/// How long a server may take to become ready. Shorter gives up on recovery after a crash under heavy load.
pub const READY: Duration = Duration::from_secs(300);

/// How often a server that is not ready is looked at.
pub const LOOK: Duration = Duration::from_millis(20);

/// The longest path of a socket: 108 bytes on Linux, 104 on macOS, with the zero at the end.
const SOCKET_PATH: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// macOS has no C.UTF-8; there, sorting by bytes comes from C, and texts are UTF-8 all the same.
const LOCALE: &str = if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" };

/// A data folder whose server is being seen to.
pub struct Place {
    pub folder: PathBuf,
    pub data: PathBuf,
    pub binaries: Binaries,
    pub guise: Guise,
}

impl Place {
    /// Brings the server to where it answers. Without a process when it was running already.
    pub fn ready(&self) -> Result<(Address, Option<Child>)> {
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
        command.args(["--auth-local=trust", "--auth-host=reject", "--no-sync"]).stdin(Stdio::null());
        let output = command.output().context("running initdb")?;
        if !output.status.success() {
            bail!("initdb in {} failed: {}", new.display(), String::from_utf8_lossy(&output.stderr).trim());
        }
        let mut settings = File::options().append(true).open(new.join("postgresql.conf"))?;
        settings.write_all(b"include 'postbook.conf'\n")?;
        to_disk(&new)?;
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

/// Brings the file system of `folder` to disk at once, which takes a quarter of the time that a thousand files take one
/// by one.
fn to_disk(folder: &Path) -> Result<()> {
    let sync = |arguments: &[&OsStr]| Command::new("sync").args(arguments).stderr(Stdio::null()).status();
    let done = sync(&[OsStr::new("-f"), folder.as_os_str()]).is_ok_and(|status| status.success());
    // Where sync cannot take a single file system, all of them.
    ensure!(done || sync(&[]).context("running sync")?.success(), "bringing {} to disk failed", folder.display());
    Ok(())
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
pub fn discard_socket(data: &Path, socket: &Path) {
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
