//! The command line: what an administrator types.
//!
//! Commands put a node's parts together, hand on to the parts behind, and print what came of it: tables for people,
//! JSON with `--json`. They end with 0 when it worked, 1 when it did not, 2 when it was asked wrongly.

mod accounts;
mod apply;
mod bounce;
mod calendar;
mod check;
mod demo;
mod export;
mod people;
mod pickup;
mod print;
mod reports;
mod runs;
mod schedule;
mod schedules;
mod sending;
mod show;
mod up;
mod watch;

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    app::App,
    audit::Author,
    config::{Config, LogFormat},
    document::renderer,
};

/// Sends documents and keeps the book of what was sent, when, to whom, and with what proof.
#[derive(Debug, Parser)]
#[command(name = "postbook", version)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where settings and data are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Place {
    /// The settings: a file, or a folder with a `postbook.toml`. Without it, `config/postbook.toml` if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the private Postgres, used when no `database.url` is set.
    #[arg(long, global = true, value_name = "DIR", default_value = ".postbook")]
    pub(crate) data: PathBuf,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the main job: three documents to three recipients, with a private Postgres and mails in a folder.
    Demo(demo::Demo),
    /// Runs everything in one process: doors, triggers and work.
    Up(up::Up),
    /// Runs the doors and triggers, and leaves the work to other nodes.
    Serve(up::Serve),
    /// Runs a worker node.
    Work(up::Work),
    /// Brings the database up to date.
    Migrate,
    /// Checks settings, workflows, database and accounts, and tells all faults at once.
    Check,
    /// Sets up users, documents and batches from the TOML files in a folder.
    Apply(apply::Apply),
    /// Writes users, documents and batches as TOML files that `apply` takes.
    Export(export::Export),
    /// Starts a run of a batch.
    Run(runs::Run),
    /// Says what a run of a batch would do now; sends nothing.
    Preview(runs::Preview),
    /// Lists runs, the latest first.
    Runs(show::Runs),
    /// Shows a run: its transmissions and why any are missing.
    Show(show::Show),
    /// Tries again what failed in a run, and nothing else.
    Retry(runs::Act),
    /// Stops a run: what is queued is not sent any more.
    Cancel(runs::Act),
    /// Keeps the steps of a run from being begun.
    Pause(runs::Act),
    /// Lets a paused run go on.
    Resume(runs::Act),
    /// Lets a held run begin.
    Release(runs::Act),
    /// Sends transmissions again: the same bytes, or rendered again.
    Resend(runs::Resend),
    /// Settles an uncertain transmission.
    Settle(runs::Settle),
    /// Withdraws links that stand for files.
    #[command(subcommand)]
    Pickup(pickup::Pickup),
    /// Takes in a mail that came back, as a mail server hands it over: `postbook bounce < message`.
    Bounce(bounce::Bounce),
    /// Shows whether sending is paused and what waits; pauses it, lets it go, drops it.
    Sending(sending::Sending),
    /// Lists when batches fire and fired.
    Calendar(calendar::Calendar),
    /// Writes all files of a run into a ZIP.
    Zip(show::Zip),
    /// Lists accounts, and whether they are paused.
    Accounts(accounts::Accounts),
    /// Pauses and resumes an account.
    #[command(subcommand)]
    Account(accounts::Account),
    /// Shows the digest of a day, or writes it as a PDF.
    Digest(reports::Digest),
    /// Shows reports.
    #[command(subcommand)]
    Reports(reports::Reports),
    /// Adds, lists and disables users.
    #[command(subcommand)]
    User(people::User),
    /// Makes and revokes API tokens.
    #[command(subcommand)]
    Token(people::Token),
    /// Shows when schedules are due, lists, pauses and resumes them, and runs afterwards what was not run.
    #[command(subcommand)]
    Schedule(schedule::Commands),
    /// Measures steps, rendering, expanding and archives on a private Postgres.
    Bench(crate::bench::Bench),
    /// Renders documents for the process that started this one.
    #[command(hide = true)]
    RenderChild {
        /// The most memory it may use, in bytes.
        #[arg(long)]
        memory: u64,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::RenderChild { memory } = cli.command {
        return ended(renderer::child_main(memory).map(|()| ExitCode::SUCCESS));
    }
    let runtime = match tokio::runtime::Runtime::new().context("starting the runtime") {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(error)),
    };
    let code = ended(runtime.block_on(dispatch(cli)));
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    code
}

fn ended(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        print::note(format_args!("postbook: {error:#}"));
        ExitCode::FAILURE
    })
}

async fn dispatch(cli: Cli) -> Result<ExitCode> {
    let place = cli.place;
    match cli.command {
        Command::Demo(demo) => return demo.run(&place).await,
        Command::Up(up) => up.run(&place).await?,
        Command::Serve(serve) => serve.run(&place).await?,
        Command::Work(work) => work.run(&place).await?,
        Command::Migrate => place.open().await?.database.close().await?,
        Command::Check => return check::check(&place).await,
        Command::Apply(apply) => return apply.run(&place).await,
        Command::Export(export) => export.run(&place).await?,
        Command::Run(run) => return run.run(&place).await,
        Command::Preview(preview) => preview.run(&place).await?,
        Command::Runs(runs) => runs.run(&place).await?,
        Command::Show(show) => show.run(&place).await?,
        Command::Retry(act) => act.run(&place, runs::Deed::Retry).await?,
        Command::Cancel(act) => act.run(&place, runs::Deed::Cancel).await?,
        Command::Pause(act) => act.run(&place, runs::Deed::Pause).await?,
        Command::Resume(act) => act.run(&place, runs::Deed::Resume).await?,
        Command::Release(act) => act.run(&place, runs::Deed::Release).await?,
        Command::Resend(resend) => resend.run(&place).await?,
        Command::Settle(settle) => settle.run(&place).await?,
        Command::Pickup(pickup) => pickup.run(&place).await?,
        Command::Bounce(bounce) => return Ok(bounce.run(&place).await),
        Command::Sending(sending) => sending.run(&place).await?,
        Command::Calendar(calendar) => calendar.run(&place).await?,
        Command::Zip(zip) => zip.run(&place).await?,
        Command::Accounts(accounts) => accounts.run(&place).await?,
        Command::Account(account) => account.run(&place).await?,
        Command::Digest(digest) => digest.run(&place).await?,
        Command::Reports(reports) => reports.run(&place).await?,
        Command::User(user) => user.run(&place).await?,
        Command::Token(token) => token.run(&place).await?,
        Command::Schedule(schedule) => return schedule.run(&place).await,
        Command::Bench(bench) => {
            let config = place.config()?;
            log_to_stderr(&config, "warn");
            print::line(bench.run(place.json, up::stop_on_signal(config.engine.grace)?).await?)?;
        }
        Command::RenderChild { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

impl Place {
    /// The settings; faults are told all at once.
    pub(crate) fn config(&self) -> Result<Config> {
        Ok(Config::load(self.config.as_deref())?)
    }

    /// The parts for a command that does one thing; a Postbook that is running shares its database.
    pub(crate) async fn open(&self) -> Result<App> {
        let config = self.config()?;
        log_to_stderr(&config, "warn");
        App::open(config, &self.data, true).await
    }
}

/// Whoever types at this machine, in logs.
const BY: &str = "cli";

fn author(app: &App) -> Author {
    Author { name: BY.to_owned(), at: app.engine.clock.now() }
}

/// What is logged at `level`; a level in the environment variable `RUST_LOG` wins over it. Never passwords.
pub fn logged(level: &str) -> EnvFilter {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // It writes passwords at the level `trace`.
    match "suppaftp=info".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    }
}

/// Begins to log.
pub(crate) fn log_to_stderr(config: &Config, level: &str) {
    let logger =
        fmt().with_env_filter(logged(level)).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // Where nobody reads standard error any more, nothing can be said there about it either.
    let logger = logger.log_internal_errors(false);
    // A second logger in one process is refused; the first one goes on.
    let _ = match config.log.format {
        LogFormat::Text => logger.with_target(false).try_init(),
        LogFormat::Json => logger.json().try_init(),
    };
}
