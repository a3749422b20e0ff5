//! The demo: the main job for real, on a private Postgres, with mails written into a folder.
//!
//! Three documents (a stored PDF, a Typst report with a table, a report from a server that the demo itself runs) go
//! to three recipients, one of whom is refused on purpose. Nothing of it is special: the batch, its documents and users
//! are the sample files of the workflow `batch-documents`, and the run goes the way every run goes.

mod report_server;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{
    Place, log_to_stderr, print,
    show::{all, book_table, write},
    up::stop_on_signal,
    watch::watch,
};
use crate::{
    account::{self, Role},
    app::{self, App, Roles},
    audit::Author,
    config::Config,
    id::RunId,
    queue::Queue,
    run::{self, Cause, CauseKind, Counts, RunState, Start, book::Purpose},
    setup,
    workflow::{self, Files},
};

/// The batch the demo runs.
const BATCH: &str = "morning-checklists";

/// What the demo means to come out: three documents to three recipients, of whom one is refused.
const MEANT: Counts =
    Counts { queued: 0, sending: 0, accepted: 0, delivered: 6, failed: 3, skipped: 0, uncertain: 0, cancelled: 0 };

/// Shows the main job.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the run instead of serving the doors.
    #[arg(long)]
    once: bool,
}

impl Demo {
    /// Runs the demo. Ends with success when the run came out as it is meant to.
    pub(crate) async fn run(self, place: &Place) -> Result<ExitCode> {
        let began = std::time::Instant::now();
        let samples = samples()?;
        let reports = report_server::start(&samples).await?;
        let outbox = place.data.join("outbox");
        let config = settings(&outbox, &reports)?;
        log_to_stderr(&config, "warn");
        print::line(format_args!("Postbook demo: data in {}, report server at {}", place.data.display(), reports.url))?;
        let grace = config.engine.grace;
        let app = App::open(config, &place.data, false).await?;
        print::line(format_args!("  private Postgres ready after {:.1} s", began.elapsed().as_secs_f32()))?;
        if let Some(pause) = app.check_in(false).await? {
            bail!("all sending is paused ({}); see `postbook sending`", pause.why);
        }
        set_up(&app, &samples, &reports.url).await?;
        let stop = stop_on_signal(grace)?;
        let node = run_node(&app, self.once, stop.clone());
        let show = async {
            // Once the node stops, nothing happens any more that could be waited for.
            let good = stop.run_until_cancelled(show(&app, place, &outbox)).await.unwrap_or(Ok(false))?;
            print::line(format_args!("  {:.1} s in all", began.elapsed().as_secs_f32()))?;
            if self.once || !good {
                stop.cancel();
            }
            Ok(good)
        };
        // A node that cannot open its doors does no work either, and there is nothing to wait for.
        let both = tokio::try_join!(show, node);
        app.database.close().await?;
        let (good, ()) = both?;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Mails go into the outbox, and the demo's own report server may be asked.
fn settings(outbox: &Path, reports: &report_server::Server) -> Result<Config> {
    std::fs::create_dir_all(outbox).with_context(|| format!("making {}", outbox.display()))?;
    let outbox = std::fs::canonicalize(outbox).with_context(|| format!("finding {}", outbox.display()))?;
    let url = url::Url::from_directory_path(&outbox)
        .map_err(|()| anyhow::anyhow!("{} cannot be written as a URL", outbox.display()))?;
    let mut settings: Vec<_> = [
        ("ACCOUNT__OUTBOX__URL", format!("{}?format=eml", url.as_str().replacen("file", "folder", 1))),
        ("ACCOUNT__OUTBOX__CHANNEL", "email".to_owned()),
        ("ACCOUNT__OUTBOX__FROM", "Postbook demo <postbook@example.org>".to_owned()),
        ("ACCOUNT__OUTBOX__REFUSE", "[\"carla@example.org\"]".to_owned()),
        ("REMOTE__ALLOW", format!("[\"{}\"]", reports.address)),
    ]
    .map(|(key, value)| (format!("POSTBOOK__{key}"), value))
    .into();
    // Any free port, so that the demo also runs beside something else.
    let listen = std::env::var("POSTBOOK__HTTP__LISTEN").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    settings.push(("POSTBOOK__HTTP__LISTEN".to_owned(), listen));
    Ok(Config::from_layers(None, &settings.into_iter().collect())?)
}

/// The sample files of the workflow.
fn samples() -> Result<Files> {
    let folder = workflow::embedded().into_iter().find(|folder| folder.name == "batch-documents");
    Ok(folder.context("the workflow batch-documents is missing")?.samples)
}

/// Writes the sample users, documents and batches. The user's reports come from the demo's own server.
async fn set_up(app: &App, samples: &Files, reports: &str) -> Result<()> {
    let mut wishes = Vec::new();
    for (path, bytes) in samples.entries().iter().filter(|(path, _)| path.ends_with(".toml")) {
        let table = toml::from_str(&String::from_utf8_lossy(bytes)).with_context(|| format!("reading {path}"))?;
        let bytes = |name: &str| {
            let name = name.trim_start_matches("../");
            let bytes = samples.get(&format!("demo/{name}"));
            Ok(bytes.with_context(|| format!("the sample {name} is missing"))?.to_vec())
        };
        wishes.extend(setup::wishes(path, None, table, &bytes)?);
    }
    for wish in wishes.iter_mut().filter(|wish| wish.kind == setup::Kind::User) {
        wish.value["attributes"]["reports"] = reports.into();
    }
    wishes.sort_by_key(|wish| wish.kind);
    let author = Author { name: "demo".to_owned(), at: app.engine.clock.now() };
    let accounts = app::accounts(&app.engine);
    setup::plan(&app.shelf, &accounts, wishes).await?.carry_out(&app.shelf, &author).await?;
    Ok(())
}

/// The node; with doors unless the demo ends after its run.
async fn run_node(app: &App, once: bool, stop: CancellationToken) -> Result<()> {
    let roles = Roles { doors: !once, triggers: !once, queues: Queue::ALL.to_vec() };
    let issued = if once { None } else { Some(demo_token(app).await?) };
    app.run(roles, stop, |address| {
        if let (Some(address), Some(token)) = (address, issued) {
            print::line(format_args!("  the API is open at {address}/api/docs; ^C stops it; token: {token}"))?;
        }
        Ok(())
    })
    .await
}

async fn demo_token(app: &App) -> Result<String> {
    let now = app.engine.clock.now();
    let db = &app.database.pool;
    if let Some(issued) = account::first_admin(db, now).await? {
        return Ok(issued.token);
    }
    let author = Author { name: "demo".to_owned(), at: now };
    Ok(account::issue(db, &author, ("admin", "demo", Some(Role::Admin))).await?.token)
}

/// Runs the batch, and shows its book and its files. True when it came out as meant.
async fn show(app: &App, place: &Place, outbox: &Path) -> Result<bool> {
    let run = start(app).await?;
    print::line(format_args!("  run {run} of {BATCH}:"))?;
    let ended = watch(&app.database.pool, run).await?;
    book_table(&all(&app.database.pool, run, Purpose::Document).await?)?;
    let file = place.data.join(format!("run-{run}.zip"));
    let bytes = write(app, run, &file).await?;
    print::line(format_args!("  all files with their manifest: {} ({bytes} bytes)", file.display()))?;
    print::line(format_args!("  mails: {}/*.eml", outbox.display()))?;
    let good = ended.state == RunState::Partial && ended.counts == MEANT;
    if good {
        print::line("  Carla's mailbox was refused on purpose; everything else was delivered.")?;
    } else {
        print::line("  The run should have delivered 6 and failed 3 of 9 transmissions, and did not.")?;
    }
    Ok(good)
}

async fn start(app: &App) -> Result<RunId> {
    let key = format!("demand {:016x}", rand::random::<u64>());
    let cause = Cause { kind: CauseKind::Demand, key, by: Some("demo".to_owned()) };
    let start = Start { batch: BATCH.to_owned(), cause, date: None, params: Default::default(), hold: false };
    Ok(run::start(&app.engine, start).await?.run)
}
