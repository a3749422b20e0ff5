//! A worker node of a stand, as a process of its own.

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A running node. Dropping it kills it; what it was doing is no longer of interest then.
pub(super) struct Node(Child);

impl Node {
    /// Starts the program with `work`, and waits until it says that it does.
    pub(super) async fn start(mut program: Command) -> Result<Self> {
        let mut child = program.arg("work").stdout(std::process::Stdio::piped()).spawn().context("starting a node")?;
        let mut said = BufReader::new(child.stdout.take().context("a node without a voice")?).lines();
        while let Some(line) = said.next_line().await.context("listening to a node")? {
            if line.starts_with("postbook works as ") {
                return Ok(Self(child));
            }
        }
        bail!("a node ended before it worked")
    }

    /// The number of its process.
    pub(super) fn process(&self) -> Result<String> {
        self.0.id().map(|id| id.to_string()).context("a node has ended")
    }

    /// Kills it, and waits until it is gone.
    pub(super) async fn end(mut self) -> Result<()> {
        self.0.kill().await.context("ending a node")
    }
}
