//! One open connection: commands with their answers, each within its time and each in the transcript.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::AsyncSmtpConnection,
    commands::{Ehlo, Quit, Rset},
    extension::{ClientId, Extension},
    response::Response,
};
use tokio::time::timeout;

use crate::channel::{Outcome, transcript::Transcript};

use super::{
    classify::Stage,
    reply::{Reply, Trouble},
};

/// How long a server may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For any one answer.
    pub answer: Duration,
    /// For reading a message and answering it.
    pub message: Duration,
}

/// A server that waits for a message.
pub(super) struct Connection {
    line: AsyncSmtpConnection,
    patience: Patience,
    /// The most bytes a message may have; 0 for no limit, `None` where the server does not know of sizes.
    size_limit: Option<usize>,
    /// Whether it can be told when to report what became of a message (RFC 3461).
    reports: bool,
    lost: bool,
}

impl Patience {
    /// What it means when an answer did not come in time.
    pub(super) fn lost(&self) -> Trouble {
        Trouble::Lost(format!("no answer within {} s", self.answer.as_secs_f32()))
    }
}

impl Connection {
    pub(super) fn new(line: AsyncSmtpConnection, patience: Patience) -> Self {
        Self { line, patience, size_limit: None, reports: false, lost: false }
    }

    /// The server's name for itself.
    pub(super) fn host(&self) -> &str {
        self.line.server_info().name()
    }

    pub(super) fn size_limit(&self) -> Option<usize> {
        self.size_limit
    }

    pub(super) fn reports(&self) -> bool {
        self.reports
    }

    pub(super) fn takes_utf8(&self) -> bool {
        self.line.server_info().supports_feature(Extension::SmtpUtfEight)
    }

    /// What there is to tell about it.
    pub(super) fn describe(&self) -> String {
        let security = if self.line.is_encrypted() { ", encrypted" } else { ", not encrypted" };
        match self.size_limit {
            None | Some(0) => security.to_owned(),
            Some(limit) => format!("{security}, and takes messages of up to {limit} bytes"),
        }
    }

    /// Greets once more, now in our own hands: the library keeps the limit on sizes to itself.
    pub(super) async fn hello(&mut self, hello: &ClientId, transcript: &mut Transcript) -> Result<(), Trouble> {
        let response = self.ask(Ehlo::new(hello.clone()), transcript).await?;
        self.size_limit = response.message().find_map(size_limit);
        self.reports = response.message().any(|line| line.trim().eq_ignore_ascii_case("DSN"));
        Ok(())
    }

    /// Signs in. Of what is said meanwhile only the last answer is kept.
    pub(super) async fn login(
        &mut self,
        credentials: &Credentials,
        transcript: &mut Transcript,
    ) -> Result<(), Trouble> {
        if self.line.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            return Err(Trouble::Lacks("AUTH PLAIN or AUTH LOGIN"));
        }
        transcript.sent("AUTH (not shown)");
        let work = self.line.auth(DEFAULT_MECHANISMS, credentials);
        let response = timeout(self.patience.answer, work).await.map_err(|_| self.patience.lost())??;
        transcript.heard(&Reply::from(&response));
        Ok(())
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn command(
        &mut self,
        command: impl fmt::Display,
        transcript: &mut Transcript,
    ) -> Result<Reply, Trouble> {
        self.ask(command, transcript).await.map(|response| Reply::from(&response))
    }

    /// Sends the message and waits for the answer; a failure says whether it came before or after the final dot.
    pub(super) async fn message(
        &mut self,
        bytes: &[u8],
        transcript: &mut Transcript,
    ) -> Result<Reply, (Stage, Trouble)> {
        transcript.sent(&format!("(message of {} bytes)", bytes.len()));
        // Its last line end comes with the dot.
        let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
        let all_sent = AtomicBool::new(false);
        // The library asks for the next piece only when the one before is on its way, and sends the dot when there is
        // none: from that moment on, the server may have the message.
        let pieces = std::iter::once(bytes).chain(std::iter::from_fn(|| {
            all_sent.store(true, Ordering::Relaxed);
            None
        }));
        let sent = timeout(self.patience.message, self.line.message_iter(pieces)).await;
        let answer = match sent {
            Ok(answer) => answer.map_err(Trouble::from),
            Err(_) => Err(Trouble::Lost(format!("no answer within {} s", self.patience.message.as_secs_f32()))),
        };
        self.heard(answer, transcript)
            .map(|response| Reply::from(&response))
            .map_err(|trouble| (if all_sent.load(Ordering::Relaxed) { Stage::Message } else { Stage::Data }, trouble))
    }

    /// Whether the connection can take another message after `outcome`; clears what is left of this one.
    pub(super) async fn is_ready_again(&mut self, outcome: &Outcome, transcript: &mut Transcript) -> bool {
        if self.lost || matches!(outcome, Outcome::Uncertain(_)) {
            return false;
        }
        matches!(outcome, Outcome::Delivered(_)) || self.ask(Rset, transcript).await.is_ok()
    }

    /// Leaves the server alone with what it waits for.
    pub(super) fn abandon(&mut self) {
        self.lost = true;
    }

    /// Takes leave; what the server makes of it does not matter.
    pub(super) async fn leave(&mut self) {
        let _ = timeout(self.patience.answer, self.line.command(Quit)).await;
    }

    async fn ask(&mut self, command: impl fmt::Display, transcript: &mut Transcript) -> Result<Response, Trouble> {
        transcript.sent(&command.to_string());
        let asked = timeout(self.patience.answer, self.line.command(command)).await;
        let answer = asked.map_err(|_| self.patience.lost()).and_then(|answer| answer.map_err(Trouble::from));
        self.heard(answer, transcript)
    }

    fn heard(&mut self, answer: Result<Response, Trouble>, transcript: &mut Transcript) -> Result<Response, Trouble> {
        match &answer {
            Ok(response) => transcript.heard(&Reply::from(response)),
            Err(Trouble::Said(reply)) => transcript.heard(reply),
            Err(Trouble::Lost(text) | Trouble::Distrust(text)) => transcript.note(text),
            Err(Trouble::Lacks(_)) => {}
        }
        self.lost |= answer.as_ref().is_err_and(Trouble::closes);
        answer
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("host", &self.host()).finish_non_exhaustive()
    }
}

/// The limit that a line of the answer to EHLO announces (RFC 1870).
fn size_limit(line: &str) -> Option<usize> {
    let mut words = line.split_whitespace();
    let keyword = words.next().is_some_and(|word| word.eq_ignore_ascii_case("SIZE"));
    keyword.then(|| words.next().and_then(|limit| limit.parse().ok()).unwrap_or(0))
}
