//! What an administrator writes about an account, and what can be wrong with it.

use std::{fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{channel::Settle, contact::mailbox::MailboxError};

/// One account of the configuration. The scheme of its `url` names the driver:
///
/// - `smtp://user:password@host:587?tls=starttls|tls|none` and `smtps://user:password@host`
/// - `folder:///path?format=files|eml`
/// - `hylafax://user:password@host:4559`
/// - `faxmail://user:password@host:587?tls=starttls|tls|none`
/// - `discard:`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Where it leads. User name and password stand percent-encoded in it.
    pub url: String,
    /// The sender of e-mail: `reports@example.org` or `Reports <reports@example.org>`.
    #[serde(default)]
    pub from: Option<String>,
    /// The channel a `folder` or `discard` account stands in for, such as `email`; its own when absent.
    #[serde(default)]
    pub channel: Option<String>,
    /// What to do when nobody knows whether it arrived; what suits the driver when absent.
    #[serde(default)]
    pub settle: Option<Settle>,
    /// Where the far side may call back, when the world can reach the doors.
    #[serde(default)]
    pub callback: Option<String>,
    /// A file of root certificates (PEM) to trust besides the machine's own.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How long the far side may take for any one answer.
    #[serde(default = "minute", with = "humantime_serde")]
    pub timeout: Duration,
    /// How long a mail server may take to read a message and answer it. RFC 5321 asks for ten minutes: less means that
    /// slow servers get messages twice.
    #[serde(default = "ten_minutes", with = "humantime_serde")]
    pub final_timeout: Duration,
    /// How many connections each node may have open.
    #[serde(default = "four")]
    pub connections: usize,
    /// What may be sent at most, all nodes together.
    #[serde(default)]
    pub limits: Limits,
    /// The least time to wait when a server greylists. Less is mostly in vain.
    #[serde(default = "five_minutes", with = "humantime_serde")]
    pub greylist: Duration,
    /// For rehearsals with `folder` and `discard`: contacts to refuse, `*` standing for anything.
    #[serde(default)]
    pub refuse: Vec<String>,
    /// How it faxes.
    #[serde(default)]
    pub fax: FaxConfig,
}

/// How an account faxes. What is left out is as the driver has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaxConfig {
    /// The number of the line, shown to the machine at the other end.
    #[serde(default)]
    pub station: Option<String>,
    /// The line above each page: `{from} {station}|{date}|page {page} of {pages}`.
    #[serde(default)]
    pub header: Option<String>,
    /// `fine` or `normal`.
    #[serde(default)]
    pub resolution: Option<String>,
    /// `a4` or `letter`.
    #[serde(default)]
    pub paper: Option<String>,
    /// The modem to call with.
    #[serde(default)]
    pub modem: Option<String>,
    /// What becomes of the number: `9{number}`, `{digits}@fax.example.org`.
    #[serde(default)]
    pub dial: Option<String>,
    /// How often the fax server calls by itself.
    #[serde(default)]
    pub dials: Option<u16>,
    /// How long a fax may wait for the line.
    #[serde(default, with = "humantime_serde")]
    pub expire: Option<Duration>,
}

/// What may be sent by an account at most, all nodes together. Nothing is counted for an account without limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How many at once.
    #[serde(default)]
    pub at_once: Option<NonZeroUsize>,
    /// How many begun in any minute.
    #[serde(default)]
    pub per_minute: Option<NonZeroUsize>,
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

fn five_minutes() -> Duration {
    Duration::from_secs(5 * 60)
}

fn ten_minutes() -> Duration {
    Duration::from_secs(10 * 60)
}

fn four() -> usize {
    4
}

impl AccountConfig {
    /// An account that leads to `url`, with everything else as it is by default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            from: None,
            channel: None,
            settle: None,
            callback: None,
            ca: None,
            timeout: minute(),
            final_timeout: ten_minutes(),
            connections: four(),
            limits: Limits::default(),
            greylist: five_minutes(),
            refuse: Vec::new(),
            fax: FaxConfig::default(),
        }
    }
}

impl fmt::Debug for AccountConfig {
    /// Leaves the URL out, which holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConfig")
            .field("from", &self.from)
            .field("channel", &self.channel)
            .field("settle", &self.settle)
            .finish_non_exhaustive()
    }
}

/// An account that cannot be used as it is written. Never holds its URL, because that holds a password.
#[derive(Debug, thiserror::Error)]
#[error("account `{account}`: {fault}")]
pub struct AccountError {
    pub account: String,
    pub fault: AccountFault,
}

/// What is wrong with an account, and what to write instead.
#[derive(Debug, thiserror::Error)]
pub enum AccountFault {
    #[error("`url` is none ({0}); write one such as smtp://user:password@mail.example.org:587")]
    Url(url::ParseError),
    #[error("there is no driver `{scheme}`; the known ones are {known}")]
    UnknownDriver { scheme: String, known: String },
    #[error("`url` names no host; write one such as smtp://mail.example.org:587")]
    NoHost,
    #[error("`url` names no folder; write one such as folder:///srv/outbox")]
    NoFolder,
    // What it says is not shown: where a password holds a `?`, it is the rest of the password.
    #[error("what follows the `?` in `url` is not known; {0}")]
    Parameter(&'static str),
    #[error("user name and password in `url` are not UTF-8 once their percent signs are read")]
    Credentials,
    #[error("`from` is missing; write the sender, such as Reports <reports@example.org>")]
    NoSender,
    #[error("`from` cannot be read; write it as reports@example.org or Reports <reports@example.org>")]
    Sender,
    #[error("`from`: {0}")]
    SenderMailbox(MailboxError),
    #[error("`channel` cannot be `{channel}`; {remedy}")]
    Channel { channel: String, remedy: &'static str },
    #[error("`ca` cannot be used: {0}")]
    Certificate(String),
    #[error("`refuse` is for rehearsals with folder and discard accounts only; take it out")]
    Rehearsal,
    #[error("{0}")]
    Incomplete(&'static str),
    #[error("`connections` is 0; write how many each node may have open, such as 4")]
    NoConnections,
}
