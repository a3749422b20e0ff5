//! What an administrator writes about an account, and what can be wrong with it.

use std::{fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{
    channel::{Settle, Silence},
    contact::mailbox::MailboxError,
    schedule::Flaw,
    secret::Secret,
    source::place::Exists,
};

/// One account of the configuration. The scheme of its `url` names the driver:
///
/// - `smtp://user:password@host:587?tls=starttls|tls|none` and `smtps://user:password@host`
/// - `telnyx://CONNECTION:KEY@api.telnyx.com` and `sinch://KEY:SECRET@fax.api.sinch.com/PROJECT`
/// - `smsapi://:TOKEN@api.smsapi.com`, `twilio://ACCOUNT:TOKEN@api.twilio.com` and `kannel://user:password@host:13013`
/// - `folder:///path?format=files|eml`
/// - `hylafax://user:password@host:4559`
/// - `faxmail://user:password@host:587?tls=starttls|tls|none`
/// - `sftp://user:password@host:22/folder` with `host_key`, `ftp://user:password@host:21/folder?tls=starttls|tls|none`,
///   `ftps://`, `webdav://user:password@host/folder?tls=none&method=put` and
///   `s3://key:secret@host/bucket/folder?region=eu-central-1&tls=none&style=host`
/// - `discard:`
/// - `pickup:`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Where it leads. User name and password stand percent-encoded in it.
    pub url: String,
    /// The sender of e-mail: `reports@example.org` or `Reports <reports@example.org>`; of faxes, their number; of text
    /// messages, a number or a name.
    #[serde(default)]
    pub from: Option<String>,
    /// The channel a `folder` or `discard` account stands in for, such as `email`; its own when absent.
    #[serde(default)]
    pub channel: Option<String>,
    /// What to do when nobody knows whether it arrived; what suits the driver when absent.
    #[serde(default)]
    pub settle: Option<Settle>,
    /// How long the far side is asked about an attempt in doubt before it is left to a person.
    #[serde(default = "hour", with = "humantime_serde")]
    pub ask_for: Duration,
    /// Where mails come back to: `imaps://user:password@host/INBOX`, or `pipe:` when they are handed to
    /// `postbook bounce`. Without it, what a mail server takes counts as delivered.
    #[serde(default)]
    pub bounces: Option<String>,
    /// How long a mail may take to come back. After that it counts as delivered.
    #[serde(default = "two_days", with = "humantime_serde")]
    pub bounces_within: Duration,
    /// The address that mails come back to, where it is not the sender's: `bounces@example.org`, or with the key of each
    /// transmission in it, `bounces+*@example.org`.
    #[serde(default)]
    pub return_path: Option<String>,
    /// Where the far side may call back, when the world can reach the doors.
    #[serde(default)]
    pub callback: Option<String>,
    /// The public key by which Telnyx signs what it says.
    #[serde(default)]
    pub verify: Option<String>,
    /// How many parts a text message may have.
    #[serde(default = "six")]
    pub max_parts: usize,
    /// Whether letters of text messages that would double their price are replaced by plain ones.
    #[serde(default)]
    pub transliterate: bool,
    /// A file of root certificates (PEM) to trust besides the machine's own.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How long the far side may take for any one answer.
    #[serde(default = "minute", with = "humantime_serde")]
    pub timeout: Duration,
    /// The key of an SFTP server, as `ssh-keyscan` prints it, or its fingerprint.
    #[serde(default)]
    pub host_key: Option<String>,
    /// The file of a private key for it.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// What servers with files do where other bytes have a file's name.
    #[serde(default)]
    pub exists: Exists,
    /// How long a mail server may take to read a message and answer it, or a server with files to take one file. RFC 5321 asks for ten minutes: less means that
    /// slow servers get messages twice.
    #[serde(default = "ten_minutes", with = "humantime_serde")]
    pub final_timeout: Duration,
    /// How many connections each node may have open.
    #[serde(default = "four")]
    pub connections: usize,
    /// What may be sent at most, all nodes together.
    #[serde(default)]
    pub limits: Limits,
    /// What one contact, and one domain, may be sent at most, by all accounts and nodes together.
    #[serde(default)]
    pub each: Each,
    /// When it sends.
    #[serde(default)]
    pub window: Option<String>,
    /// When it does not, by the clocks of the recipient.
    #[serde(default)]
    pub quiet: Option<String>,
    /// The zone its window is in; the batch's when absent.
    #[serde(default)]
    pub zone: Option<Tz>,
    /// The least time to wait when a server greylists. Less is mostly in vain.
    #[serde(default = "five_minutes", with = "humantime_serde")]
    pub greylist: Duration,
    /// For rehearsals with `folder` and `discard`: contacts to refuse, `*` standing for anything.
    #[serde(default)]
    pub refuse: Vec<String>,
    /// How it faxes.
    #[serde(default)]
    pub fax: FaxConfig,
    /// The most bytes of files that one message carries.
    #[serde(default)]
    pub attach_limit: Option<u64>,
    /// What becomes of files that are too large, where the batch does not say.
    #[serde(default)]
    pub too_large: Option<TooLarge>,
    /// Where links to files that are fetched begin: `https://postbook.example.org/pickup`.
    #[serde(default)]
    pub links: Option<String>,
    /// What such links are made from; 32 characters or more.
    #[serde(default)]
    pub link_secret: Option<Secret>,
    /// How long they lead somewhere.
    #[serde(rename = "for", default = "fortnight", with = "humantime_serde")]
    pub lifetime: Duration,
    /// The account that mails them; without one they only stand in the book.
    #[serde(default)]
    pub mail: Option<String>,
    /// What it means when nobody fetched the files in time; without it, failure.
    #[serde(default)]
    pub unclaimed: Option<Silence>,
    /// How long the far side's last word may take; without it, what suits the driver.
    #[serde(default, with = "humantime_serde")]
    pub word_within: Option<Duration>,
    /// What it means when it has not come by then; without it, what suits the driver.
    #[serde(default)]
    pub without_word: Option<Silence>,
}

/// What becomes of files that are too large for a mail server, a mailbox or an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TooLarge {
    /// A link goes out instead, where there is a pickup account.
    Link,
    /// The transmission fails.
    Refuse,
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

/// What may be sent at most to one contact, and to all mailboxes of one domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    #[serde(default)]
    pub contact: Limits,
    #[serde(default)]
    pub domain: Limits,
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

fn hour() -> Duration {
    Duration::from_secs(60 * 60)
}

fn two_days() -> Duration {
    Duration::from_secs(2 * 24 * 60 * 60)
}

fn fortnight() -> Duration {
    Duration::from_secs(14 * 24 * 60 * 60)
}

fn six() -> usize {
    6
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
            ask_for: hour(),
            bounces: None,
            bounces_within: two_days(),
            return_path: None,
            callback: None,
            verify: None,
            max_parts: six(),
            transliterate: false,
            ca: None,
            host_key: None,
            key: None,
            exists: Exists::default(),
            timeout: minute(),
            final_timeout: ten_minutes(),
            connections: four(),
            limits: Limits::default(),
            each: Each::default(),
            window: None,
            quiet: None,
            zone: None,
            greylist: five_minutes(),
            refuse: Vec::new(),
            fax: FaxConfig::default(),
            attach_limit: None,
            too_large: None,
            links: None,
            link_secret: None,
            lifetime: fortnight(),
            mail: None,
            unclaimed: None,
            word_within: None,
            without_word: None,
        }
    }
}

fn told(flaws: &[Flaw]) -> String {
    flaws.iter().map(|flaw| format!("`{}`: {}", flaw.field, flaw.text)).collect::<Vec<_>>().join("; ")
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
    #[error(
        "`url` is none ({0}); write one such as smtp://user:password@mail.example.org:587, with %2F for a slash and %40 \
         for an at sign in user name and password"
    )]
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
    #[error("{0}")]
    Incomplete(&'static str),
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
    #[error("{}", told(.0))]
    Hours(Vec<Flaw>),
    #[error("`bounces` {0}")]
    Bounces(String),
    #[error("`return_path` is no address; write one such as bounces@example.org or bounces+*@example.org")]
    ReturnPath,
    #[error("links to files need `public` in the section [http]: the address that recipients reach this by")]
    NoPublicAddress,
    #[error("`link_secret` is missing or shorter than 32 characters; write what `openssl rand -base64 32` prints")]
    NoLinkSecret,
    #[error("`for` is how long links lead somewhere; write a minute or more, such as 14 days")]
    Lifetime,
    #[error("`mail` names no account for e-mail; write the name of one, or leave it out")]
    NoMailAccount,
    #[error("`connections` is 0; write how many each node may have open, such as 4")]
    NoConnections,
    // Holds no password: the server's own words for what is wrong with it.
    #[error("{0}")]
    Files(String),
}
