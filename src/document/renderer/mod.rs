//! Rendering where a crash, a loop or a blow-up of memory takes down only itself.
//!
//! A few warm processes of this same program take requests over their pipes. One that dies or takes too long is
//! replaced, and its request fails with the reason; nobody else notices. A render that is given up kills its process.

mod child;
mod fax;
mod frame;
mod process;

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use tokio::{sync::Semaphore, time};

pub use child::child_main;
pub use fax::{Faxed, Originals};
use frame::{Answer, Frame, Request};
use process::{Death, Process};

use super::{Context, Failure, Files, broken};

/// Limits on rendering.
#[derive(Debug, Clone)]
pub struct RendererConfig {
    /// How many processes there are. More than cores only takes memory.
    pub children: usize,
    /// How long one document may take.
    pub timeout: Duration,
    /// How many bytes one process may use.
    pub memory: u64,
}

impl Default for RendererConfig {
    fn default() -> Self {
        let children = std::thread::available_parallelism().map_or(2, usize::from);
        Self { children, timeout: Duration::from_secs(30), memory: 512 * 1024 * 1024 }
    }
}

/// The rendering processes of this server. They start when they are first needed.
#[derive(Debug)]
pub struct Renderer {
    program: PathBuf,
    config: RendererConfig,
    seats: Semaphore,
    idle: Mutex<Vec<Process>>,
}

impl Renderer {
    /// Renders with processes of `program`, which is this one.
    pub fn new(program: PathBuf, config: RendererConfig) -> Self {
        Self { program, seats: Semaphore::new(config.children.max(1)), idle: Mutex::default(), config }
    }

    /// Renders `template` of `files` with `context` as its data: the PDF and its pages. It may take `limit` and what
    /// the settings say, whichever is less, from when a process is free.
    pub async fn render(
        &self,
        template: &str,
        files: &Files,
        context: &Context,
        limit: Duration,
    ) -> Result<Result<(Bytes, i32), Failure>> {
        let request = Request::Render {
            digest: files.digest().to_owned(),
            template: template.to_owned(),
            context: context.clone(),
        };
        Ok(match self.ask(&request, (&[], Some(files)), limit.min(self.config.timeout)).await? {
            Ok(Frame { head: Answer::Rendered { pages }, body }) => Ok((body, pages)),
            Ok(Frame { head: Answer::Refused { text }, .. }) => Err(broken("template-error", text)),
            Ok(other) => bail!("a rendering process answered {:?} to a template", other.head),
            Err(failure) => Err(failure),
        })
    }

    /// The number of pages of a PDF from elsewhere, which may be broken in any way.
    pub async fn count_pages(&self, pdf: &Bytes) -> Result<Result<i32, Failure>> {
        Ok(match self.ask(&Request::Count, (pdf, None), self.config.timeout).await? {
            Ok(Frame { head: Answer::Counted { pages }, .. }) => Ok(pages),
            Ok(Frame { head: Answer::Refused { text }, .. }) => Err(broken("pdf-unreadable", text)),
            Ok(other) => bail!("a rendering process answered {:?} to a PDF", other.head),
            Err(failure) => Err(failure),
        })
    }

    async fn ask(
        &self,
        request: &Request,
        (body, files): (&[u8], Option<&Files>),
        limit: Duration,
    ) -> Result<Result<Frame<Answer>, Failure>> {
        let _seat = self.seats.acquire().await.context("the renderer is closed")?;
        let mut process = self.take()?;
        match time::timeout(limit, process.ask(request, body, files)).await {
            Ok(Ok(answer)) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
                Ok(Ok(answer))
            }
            Ok(Err(_)) => Ok(Err(self.obituary(&process.death().await?))),
            Err(_) => {
                let limit = limit.as_secs_f64();
                Ok(Err(broken(
                    "render-timeout",
                    format!("it was not done after {limit} seconds; is there a loop that never ends?"),
                )))
            }
        }
    }

    /// A warm process, or a new one.
    fn take(&self) -> Result<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut process) = idle.pop() {
            if process.is_alive() {
                return Ok(process);
            }
        }
        Process::start(&self.program, self.config.memory)
    }

    fn obituary(&self, death: &Death) -> Failure {
        if death.is_by_memory() {
            let limit = self.config.memory / 1024 / 1024;
            return broken("render-memory", format!("it needs more memory than the {limit} MB it may have"));
        }
        let words = death.last_words.lines().find(|line| !line.trim().is_empty()).unwrap_or("without a word");
        let text = format!("the process that rendered it ended ({}): {words}", death.status);
        Failure { again: death.is_from_outside(), ..broken("render-crashed", text) }
    }
}
