//! The stand a measure is made on: a Postbook in a fresh folder, set up and helped by processes of this same program.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use serde_json::Map;
use sqlx::{ConnectOptions, Connection};
use tokio::process::Command;

use super::progress::Progress;
use crate::{
    app::{self, App},
    config::Config,
    id::RunId,
    run::{self, Cause, CauseKind, Start},
};

/// The batch that is measured.
pub(super) const BATCH: &str = "bench";

/// The business database that audiences ask: the stand's own, over a connection of its own.
pub(super) const BUSINESS: &str = "business";

/// Settings from the environment that are heeded, so that they can be compared. Any other could lead off the stand, to
/// a database or a mail server that is real.
const HEEDED: [&str; 4] =
    ["POSTBOOK__ENGINE__", "POSTBOOK__RENDER__", "POSTBOOK__DATABASE__POOL", "POSTBOOK__DATABASE__BINARIES"];

/// A Postbook in a folder of its own. Dropping it stops its Postgres and removes the folder, in this order.
pub(super) struct Stand {
    pub(super) app: App,
    folder: Folder,
    reports: Option<SocketAddr>,
}

/// What a stand has besides.
#[derive(Default)]
pub(super) struct Besides {
    /// A report server that it may ask.
    pub reports: Option<SocketAddr>,
    /// A service for text messages, which calls back at the doors.
    pub texts: Option<SocketAddr>,
}

impl Stand {
    /// Opens one whose account throws away all it is given.
    pub(super) async fn open(besides: Besides) -> Result<Self> {
        let Besides { reports, texts } = besides;
        let _progress = Progress::of("starting a private Postgres");
        let folder = Folder::new()?;
        let allow = reports.map(|address| format!("\"{address}\"")).unwrap_or_default();
        let text = format!(
            "[account.nowhere]\nurl = \"discard:\"\nchannel = \"email\"\n\n[remote]\nallow = [{allow}]\n\n\
             [engine]\nsteps = 256\n\n[log]\nlevel = \"warn\"\n{}",
            texts.map(doors).transpose()?.unwrap_or_default()
        );
        fs::write(folder.config(), text).context("writing the settings of a measure")?;
        let config = Config::from_layers(Some(&folder.config()), &environment())?;
        let app = App::open(config, &folder.data(), false).await?;
        Ok(Self { app, folder, reports })
    }

    /// Registers its own database as one that audiences may ask. Its address is not known before it runs.
    pub(super) fn ask_itself(&mut self) -> Result<()> {
        let url = self.app.database.pool.connect_options().to_url_lossy();
        let text = fs::read_to_string(self.folder.config()).context("reading the settings of a measure")?;
        fs::write(self.folder.config(), format!("{text}\n[data.{BUSINESS}]\nurl = \"{url}\"\n"))
            .context("adding to the settings of a measure")?;
        let config = Config::from_layers(Some(&self.folder.config()), &environment())?;
        self.app.engine = self.app.engine.clone().asking(app::databases(&config)?);
        Ok(())
    }

    /// Sets up what `text` says, and brings it to disk, so that this is not measured.
    pub(super) async fn set_up(&self, text: String) -> Result<()> {
        let _progress = Progress::of("setting up");
        let folder = self.folder.0.join("setup");
        fs::create_dir(&folder).context("making the folder to set up from")?;
        fs::write(folder.join("bench.toml"), text).context("writing what is to be set up")?;
        let done = self.program()?.arg("apply").arg(&folder).output().await.context("setting up")?;
        ensure!(done.status.success(), "setting up failed: {}", String::from_utf8_lossy(&done.stderr).trim());
        self.settle().await
    }

    /// Lets Postgres write what it has put off. That it takes long is no news, so nothing is said about it.
    pub(super) async fn settle(&self) -> Result<()> {
        let quiet = self.app.database.pool.connect_options().as_ref().clone().disable_statement_logging();
        let mut db = quiet.connect().await.context("connecting to bring the set-up to disk")?;
        sqlx::raw_sql("checkpoint").execute(&mut db).await.context("bringing the set-up to disk")?;
        db.close().await.context("disconnecting")
    }

    /// Starts a run of the batch, held until it is released.
    pub(super) async fn hold(&self) -> Result<RunId> {
        let cause = Cause { kind: CauseKind::Demand, key: "bench".to_owned(), by: None };
        let start = Start { batch: BATCH.to_owned(), cause, date: None, params: Map::new(), hold: true };
        Ok(run::start(&self.app.engine, start).await?.run)
    }

    /// Lets `run` begin.
    pub(super) async fn release(&self, run: RunId) -> Result<()> {
        Ok(run::act::release(&self.app.engine, run, "bench").await?)
    }

    /// Where its report server is.
    pub(super) fn reports(&self) -> Result<SocketAddr> {
        self.reports.context("this stand has no report server")
    }

    /// This program on this stand, ended with this process.
    pub(super) fn program(&self) -> Result<Command> {
        let program = std::env::current_exe().context("finding this program, which sets up in a process of its own")?;
        let mut command = Command::new(program);
        command.env_clear().envs(environment()).kill_on_drop(true);
        command.arg("--config").arg(self.folder.config()).arg("--data").arg(self.folder.data());
        Ok(command)
    }

    /// Stops the Postgres and removes the folder.
    pub(super) async fn close(self) -> Result<()> {
        self.app.database.close().await
    }
}

/// Settings for doors at a free address, and for an account by the service at `texts`.
fn doors(texts: SocketAddr) -> Result<String> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let free = free.context("looking for a free address")?;
    Ok(format!(
        "\n[http]\nlisten = \"{free}\"\npublic = \"http://{free}\"\n\n\
         [account.texts]\nurl = \"kannel://bench:bench@{texts}?tls=none\"\n"
    ))
}

/// The environment without the settings that are not heeded.
fn environment() -> BTreeMap<String, String> {
    let heeded = |name: &str| HEEDED.iter().any(|start| name.starts_with(start));
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !name.starts_with("POSTBOOK__") || heeded(name))
        .collect()
}

/// A fresh folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("postbook-bench-{:08x}", rand::random::<u32>()));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    fn config(&self) -> PathBuf {
        self.0.join("postbook.toml")
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the folder of a measure could not be removed");
        }
    }
}
