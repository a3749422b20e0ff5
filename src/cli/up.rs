//! Commands that run until they are told to stop.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Place, log_to_stderr, print};
use crate::{
    account,
    app::{App, Roles},
    db::installation::Pause,
    queue::Queue,
};

/// All roles in one process.
#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    safe: Safe,
}

/// The doors and triggers.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    safe: Safe,
}

/// How careful a start is.
#[derive(Debug, Clone, Copy, Args)]
struct Safe {
    /// Start with all sending paused, on every node, until `postbook sending release`.
    #[arg(long)]
    paused: bool,
}

/// A worker node.
#[derive(Debug, Args)]
pub(super) struct Work {
    /// The queues it serves.
    #[arg(long, value_delimiter = ',', default_values_t = ["run".to_owned(), "render".to_owned(), "transmit".to_owned()])]
    queues: Vec<String>,
    /// The name this node goes by in attempts and logs; a fresh part is added at every start.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    safe: Safe,
}

impl Up {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        node(place, Roles { doors: true, triggers: true, queues: Queue::ALL.to_vec() }, (None, self.safe)).await
    }
}

impl Serve {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        node(place, Roles { doors: true, triggers: true, queues: Vec::new() }, (None, self.safe)).await
    }
}

impl Work {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let mut queues = Vec::new();
        for name in &self.queues {
            match Queue::from_str(name, true) {
                Ok(queue) => queues.push(queue),
                Err(_) => bail!("there is no queue `{name}`; the queues are run, render and transmit"),
            }
        }
        node(place, Roles { doors: false, triggers: false, queues }, (self.name, self.safe)).await
    }
}

async fn node(place: &Place, roles: Roles, (name, safe): (Option<String>, Safe)) -> Result<()> {
    let config = place.config()?;
    log_to_stderr(&config, &config.log.level.clone());
    let stop = stop_on_signal(config.engine.grace)?;
    let worker = !roles.doors;
    let mut app = App::open(config, &place.data, worker).await?;
    if let Some(name) = name {
        app.engine.settings.worker = format!("{name}-{}", app.engine.settings.worker);
    }
    if let Some(pause) = app.check_in(safe.paused).await? {
        warn(&pause)?;
    }
    if roles.doors {
        welcome(&app).await?;
    }
    let node = app.engine.settings.worker.clone();
    let ready = |address: Option<String>| match address {
        Some(address) => print::line(format_args!("postbook is open at {address}/api/docs; ^C stops it")),
        None => print::line(format_args!("postbook works as {node}; ^C stops it")),
    };
    app.run(roles, stop, ready).await?;
    app.database.close().await
}

/// Nobody should wonder why nothing is sent.
fn warn(pause: &Pause) -> Result<()> {
    tracing::warn!(why = pause.why, by = pause.by, since = %pause.at, "sending is paused until it is released");
    print::line(format_args!(
        "SENDING IS PAUSED since {} by {}: {}",
        print::time(Some(pause.at)),
        pause.by,
        pause.why
    ))?;
    print::line("  What waits:  postbook sending")?;
    print::line("  Let it go:   postbook sending release --reason \"...\"   (with --run RUN, one run)")?;
    print::line("  Drop it:     postbook sending drop --run RUN|--all --reason \"...\"")
}

/// Gives the first administrator a token, because nobody could get in otherwise.
async fn welcome(app: &App) -> Result<()> {
    if let Some(issued) = account::first_admin(&app.database.pool, app.engine.clock.now()).await? {
        print::line("There was no administrator yet, so there is one now, `admin`. Its token, shown this once:")?;
        print::line(format_args!("  {}", issued.token))?;
    }
    Ok(())
}

/// A token that is cancelled by SIGTERM or ^C. A second signal, or the end of `grace`, ends the program at once.
pub(crate) fn stop_on_signal(grace: Duration) -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for ^C")?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        let mut signal = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        signal().await;
        print::note("postbook: stopping; what is being sent is finished first (^C again ends at once)");
        stopping.cancel();
        let _ = tokio::time::timeout(grace, signal()).await;
        print::note("postbook: ended without waiting for what was being sent; it is uncertain now");
        std::process::exit(1);
    });
    Ok(stop)
}
