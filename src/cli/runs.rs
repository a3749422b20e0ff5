//! Commands that start runs and act on them.

use std::{collections::HashSet, process::ExitCode};

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use clap::Args;
use serde_json::{Map, Value, json};

use super::{BY, Place, print, watch};
use crate::{
    app::App,
    contact::sms::Encoding,
    id::{RunId, TransmissionId},
    monitor::words::counted,
    run::{
        self, Cause, CauseKind, RunState, Start,
        act::{self, Again, Settlement},
    },
};

/// Starts a run.
#[derive(Debug, Args)]
pub(super) struct Run {
    batch: String,
    /// A parameter for this run only, for the documents that declare it.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, Value)>,
    /// The date the run is about; today otherwise.
    #[arg(long)]
    date: Option<NaiveDate>,
    /// Wait for the end; the command fails when not everything was sent.
    #[arg(long)]
    wait: bool,
    /// Hold it until it is released.
    #[arg(long)]
    hold: bool,
    /// Starting twice with the same key starts one run.
    #[arg(long)]
    key: Option<String>,
}

impl Run {
    pub(super) async fn run(self, place: &Place) -> Result<ExitCode> {
        let app = place.open().await?;
        let key = self.key.unwrap_or_else(fresh_key);
        let start = Start {
            batch: self.batch,
            cause: Cause { kind: CauseKind::Demand, key: format!("demand {key}"), by: Some(BY.to_owned()) },
            date: self.date,
            params: self.params.into_iter().collect(),
            hold: self.hold,
        };
        let started = run::start(&app.engine, start).await?;
        let mut code = ExitCode::SUCCESS;
        if self.wait {
            let ended = watch::watch(&app.database.pool, started.run).await?;
            if !matches!(ended.state, RunState::Succeeded) {
                code = ExitCode::FAILURE;
            }
        }
        told(&app, place, started.run).await?;
        app.database.close().await?;
        Ok(code)
    }
}

/// A key nobody has used.
fn fresh_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Reads `name=value`; a value that is JSON counts as such, anything else as text.
fn param(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, for example --param month=4")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
}

async fn told(app: &App, place: &Place, run: RunId) -> Result<()> {
    let run = run::book::run(&app.database.pool, run, None).await?.with_context(|| format!("there is no run {run}"))?;
    if place.json {
        return print::json(&run);
    }
    let counts = run.counts;
    print::line(format_args!(
        "run {} of {}: {} ({} sent, {} failed, {} skipped, {} on their way)",
        run.id,
        run.batch,
        print::word(&run.state),
        counts.delivered + counts.accepted,
        counts.failed,
        counts.skipped,
        counts.open()
    ))
}

/// Says what a run would do.
#[derive(Debug, Args)]
pub(super) struct Preview {
    batch: String,
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, Value)>,
    #[arg(long)]
    date: Option<NaiveDate>,
}

impl Preview {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let params: Map<String, Value> = self.params.into_iter().collect();
        let preview = run::preview(&app.engine, &self.batch, self.date, &params).await?;
        if place.json {
            print::json(&preview)?;
        } else {
            shown(&preview)?;
        }
        app.database.close().await
    }
}

fn shown(preview: &run::Preview) -> Result<()> {
    print::line(format_args!(
        "{} for {}, as {}. {}",
        preview.batch, preview.business_date, preview.run_as, preview.policy
    ))?;
    print::line(format_args!(
        "{}: {} would be sent, {} skipped, {} would fail.",
        counted(preview.recipients, "recipient"),
        counted(preview.queued, "transmission"),
        preview.skipped,
        preview.failed
    ))?;
    for wait in &preview.waits {
        print::line(format_args!("{} of these wait: {}.", wait.transmissions, wait.reason.text))?;
    }
    if !preview.reasons.is_empty() {
        let reasons: Vec<_> = preview.reasons.iter().map(|(code, count)| format!("{count} {code}")).collect();
        print::line(format_args!("Skipped or failing: {}.", reasons.join(", ")))?;
    }
    for fault in &preview.faults {
        print::line(format_args!("In the way: {fault}"))?;
    }
    print::table(
        "It has no documents.",
        ["document", "file", "pages", "bytes", "fault"],
        preview.documents.iter().map(|document| {
            [
                document.name.clone(),
                document.file.clone().unwrap_or_default(),
                document.pages.map(|pages| pages.to_string()).unwrap_or_default(),
                document.size.map(|size| size.to_string()).unwrap_or_default(),
                document.reason.as_ref().or(document.not_faxed.as_ref()).map(|it| it.text.clone()).unwrap_or_default(),
            ]
        }),
    )?;
    print::table(
        "Nobody would get anything.",
        ["recipient", "channel", "contact", "documents", "comes to", "state", "why"],
        preview.transmissions.iter().chain(&preview.missing).map(|it| {
            [
                it.recipient.clone(),
                it.channel.clone(),
                it.contact.clone(),
                it.documents.join(", "),
                comes_to(it),
                print::word(&it.state),
                it.reason.as_ref().map(|reason| reason.text.clone()).unwrap_or_default(),
            ]
        }),
    )
}

/// What is paid for: pages and seconds of a fax, parts of a text message and the letters that make them more; or that a
/// link goes out.
fn comes_to(transmission: &run::PreviewTransmission) -> String {
    if transmission.by_link {
        return "a link".to_owned();
    }
    if let Some(fax) = &transmission.fax {
        return format!("{}, {} s", counted(fax.pages, "page"), fax.seconds);
    }
    let Some(sms) = &transmission.sms else { return String::new() };
    let forced: String = sms.forced_by.iter().collect();
    let parts = counted(sms.parts, "part");
    match (sms.encoding, forced.as_str()) {
        (Encoding::Gsm7, _) => parts,
        (Encoding::Ucs2, forced) => format!("{parts}, UCS-2 for {forced}"),
    }
}

/// An act on a run.
#[derive(Debug, Args)]
pub(super) struct Act {
    run: RunId,
}

/// What is done to the run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    Retry,
    Cancel,
    Pause,
    Resume,
    Release,
}

impl Act {
    pub(super) async fn run(self, place: &Place, deed: Deed) -> Result<()> {
        let app = place.open().await?;
        match deed {
            Deed::Retry => drop(act::retry(&app.engine, self.run, BY).await?),
            Deed::Cancel => act::cancel(&app.engine, self.run, BY).await?,
            Deed::Pause => act::pause(&app.engine, self.run, BY).await?,
            Deed::Resume => act::resume(&app.engine, self.run, BY).await?,
            Deed::Release => act::release(&app.engine, self.run, BY).await?,
        }
        told(&app, place, self.run).await?;
        app.database.close().await
    }
}

/// Sends transmissions again.
#[derive(Debug, Args)]
pub(super) struct Resend {
    #[arg(required = true, value_name = "TRANSMISSION")]
    transmissions: Vec<TransmissionId>,
    /// Render the documents again instead of sending the same bytes.
    #[arg(long)]
    render: bool,
    /// Send also to a contact to which nothing is sent any more; the audit log keeps it.
    #[arg(long)]
    despite_suppression: bool,
}

impl Resend {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let unique: HashSet<_> = self.transmissions.iter().collect();
        if unique.len() < self.transmissions.len() {
            bail!("a transmission is named twice; name each once");
        }
        let mut sent = Vec::new();
        for transmission in self.transmissions {
            let (render, despite_suppression) = (self.render, self.despite_suppression);
            let again = Again { render, despite_suppression, key: fresh_key(), by: BY.to_owned() };
            let copy = act::resend(&app.engine, transmission, &again).await?;
            if !place.json {
                print::line(format_args!("transmission {transmission} is sent again as {copy}"))?;
            }
            sent.push(json!({ "transmission": transmission, "again": copy }));
        }
        if place.json {
            print::json(&sent)?;
        }
        app.database.close().await
    }
}

/// Settles an uncertain transmission.
#[derive(Debug, Args)]
pub(super) struct Settle {
    transmission: TransmissionId,
    settlement: Settlement,
    /// How you know, for the book.
    #[arg(long)]
    reason: String,
}

impl Settle {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        act::settle(&app.engine, self.transmission, self.settlement, (BY, &self.reason)).await?;
        let settled = run::book::transmission(&app.database.pool, self.transmission).await?;
        let settled = settled.with_context(|| format!("there is no transmission {}", self.transmission))?;
        if place.json {
            print::json(&settled)?;
        } else {
            print::line(format_args!("transmission {} is {} now", settled.id, print::word(&settled.state)))?;
        }
        app.database.close().await
    }
}
