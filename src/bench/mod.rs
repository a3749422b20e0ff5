//! Measures: how fast the main job's parts are on this machine.
//!
//! Each measure sets up a Postbook of its own, with a private Postgres as it comes (a commit is on disk when it is
//! done), takes the ways that production takes, and leaves nothing behind. Setting up is not measured and happens in
//! other processes, so that its memory is not taken for what is measured. A folder for temporary files that is kept
//! in memory makes commits cost nothing; `TMPDIR` names another one.

mod expand;
mod idle;
mod machine;
mod memory;
mod node;
mod progress;
mod render;
mod report_server;
mod setup;
mod stand;
mod steps;
mod zip;

use std::num::NonZeroU32;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::Size;
use machine::Machine;
use memory::Memory;
use stand::Stand;

/// Measures steps, rendering, expanding and archives on a private Postgres.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    measure: Measure,
}

/// Sizes are chosen so that each measure takes less than a minute.
#[derive(Debug, Subcommand)]
enum Measure {
    /// Durable steps: items that are rendered, transmitted to nowhere and recorded.
    Steps {
        #[arg(long, default_value = "10000")]
        items: NonZeroU32,
        /// Processes that share the work, this one included.
        #[arg(long, default_value = "1")]
        nodes: NonZeroU32,
    },
    /// Idling: the memory and the processor time of a node that has nothing to do.
    Idle {
        #[arg(long, default_value = "20")]
        seconds: u32,
    },
    /// Rendering: one-page PDFs from a template with a table of ten rows.
    Render {
        #[arg(long, default_value = "2000")]
        items: NonZeroU32,
    },
    /// Expanding: one document to many recipients.
    Expand {
        #[arg(long, default_value = "100000")]
        recipients: NonZeroU32,
    },
    /// Archives: the files of a run as one ZIP.
    Zip {
        #[arg(long, default_value = "10000")]
        items: NonZeroU32,
        /// The size of each file, such as 100KB.
        #[arg(long, default_value = "100KB")]
        size: Size,
    },
}

/// What a measure found out.
struct Findings {
    /// One object, its keys naming their units.
    figures: Value,
    /// The figures in words.
    sentence: String,
    /// Memory of this process while it was measured.
    memory: Memory,
}

impl Bench {
    /// Measures until `stop`, and says what came of it, as JSON when it is asked for.
    pub(crate) async fn run(self, json: bool, stop: CancellationToken) -> Result<String> {
        let measured = self.measure.on_a_stand(&stop);
        let (name, machine, findings) =
            stop.run_until_cancelled(measured).await.context("stopped before it was measured")??;
        Ok(if json {
            report(name, &machine, findings)?.to_string()
        } else {
            format!("{name}: {}; {}; {machine}", findings.sentence, findings.memory)
        })
    }
}

fn report(name: &str, machine: &Machine, findings: Findings) -> Result<Value> {
    let mut report = json!({ "bench": name });
    for part in [findings.figures, serde_json::to_value(findings.memory)?, serde_json::to_value(machine)?] {
        for (key, value) in part.as_object().into_iter().flatten() {
            report[key] = value.clone();
        }
    }
    Ok(report)
}

impl Measure {
    fn name(&self) -> &'static str {
        match self {
            Self::Steps { .. } => "steps",
            Self::Idle { .. } => "idle",
            Self::Render { .. } => "render",
            Self::Expand { .. } => "expand",
            Self::Zip { .. } => "zip",
        }
    }

    async fn on_a_stand(self, stop: &CancellationToken) -> Result<(&'static str, Machine, Findings)> {
        let reports = match &self {
            Self::Zip { size, .. } => Some(report_server::start(*size).await?),
            _ => None,
        };
        let stand = Stand::open(reports).await?;
        let machine = Machine::of(&stand.app.database.pool).await?;
        let findings = match self {
            Self::Steps { items, nodes } => steps::measure(&stand, (items, nodes), stop).await?,
            Self::Idle { seconds } => idle::measure(&stand, seconds).await?,
            Self::Render { items } => render::measure(&stand, items).await?,
            Self::Expand { recipients } => expand::measure(&stand, recipients).await?,
            Self::Zip { items, size } => zip::measure(&stand, items, size).await?,
        };
        stand.close().await?;
        Ok((self.name(), machine, findings))
    }
}

/// Three digits after the point are more than a measure is worth.
fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}
