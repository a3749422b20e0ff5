//! One rendering process, as the server sees it.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
};

use anyhow::{Context, Result};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::frame::{self, Answer, Frame, Request};
use crate::document::Files;

/// How much of what a dead process said is read.
const LAST_WORDS: u64 = 4096;

/// A running process with its pipes. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Death {
    pub(super) status: ExitStatus,
    pub(super) last_words: String,
}

impl Process {
    /// Starts one. Its environment is empty, so that no secret can end up in a document, and one thread is enough:
    /// there are as many processes as cores.
    pub(super) fn start(program: &Path, memory: u64) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["render-child", "--memory", &memory.to_string()])
            .env_clear()
            .envs([("RAYON_NUM_THREADS", "1"), ("MALLOC_ARENA_MAX", "2")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting a rendering process of {}", program.display()))?;
        let input = child.stdin.take().context("a rendering process without input")?;
        let output = child.stdout.take().context("a rendering process without output")?;
        Ok(Self { child, input, output })
    }

    /// Whether it is still there; an idle one may have been killed by the machine.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks once, and gives it the workflow's files first if it lacks them.
    pub(super) async fn ask(
        &mut self,
        request: &Request,
        body: &[u8],
        files: Option<&Files>,
    ) -> io::Result<Frame<Answer>> {
        let answer = self.exchange(request, body).await?;
        let (Answer::Missing, Some(files)) = (&answer.head, files) else {
            return Ok(answer);
        };
        let sizes = files.entries().iter().map(|(path, bytes)| (path.clone(), bytes.len())).collect();
        let bytes: Vec<&[u8]> = files.entries().values().map(|bytes| &bytes[..]).collect();
        let load = Request::Load { digest: files.digest().to_owned(), files: sizes };
        let loaded = self.exchange(&load, &bytes.concat()).await?;
        if loaded.head == Answer::Loaded { self.exchange(request, body).await } else { Ok(loaded) }
    }

    async fn exchange(&mut self, request: &Request, body: &[u8]) -> io::Result<Frame<Answer>> {
        frame::send(&mut self.input, request, body).await?;
        frame::receive(&mut self.output).await
    }

    /// Waits for the end of a process whose pipes broke.
    pub(super) async fn death(mut self) -> Result<Death> {
        drop((self.input, self.output));
        let status = self.child.wait().await.context("waiting for a rendering process")?;
        let mut last_words = Vec::new();
        if let Some(errors) = self.child.stderr.take() {
            errors
                .take(LAST_WORDS)
                .read_to_end(&mut last_words)
                .await
                .context("reading what a rendering process said")?;
        }
        Ok(Death { status, last_words: String::from_utf8_lossy(&last_words).into_owned() })
    }
}

impl Death {
    /// Whether it asked for more memory than it may have, which the Rust runtime says before it ends the process.
    pub(super) fn is_by_memory(&self) -> bool {
        self.last_words.contains("memory allocation of")
    }

    /// Whether somebody else killed it: then it was not the document's fault.
    pub(super) fn is_from_outside(&self) -> bool {
        self.status.signal() == Some(9)
    }
}
