//! Ways out: each takes one parcel to one contact and says what came of it.
//!
//! A channel makes exactly one attempt: it never retries, never touches the database, and turns whatever the far side
//! says into an [`Outcome`]. All of them pass one conformance suite. Called by the step that transmits.

pub mod account;
mod check;
mod config;
mod discard;
mod driver;
mod email;
mod fax;
mod files;
mod folder;
mod inbox;
mod mark;
pub mod offer;
mod pickup;
mod service;
mod sms;
mod token;
mod transcript;
mod turn;
mod word;

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::reason::Reason;

pub use email::bounce;
pub use inbox::{Inbox, Mark, Visit};
pub use turn::Turn;
pub use word::{About, Answer, Asked, Callback, Heard, Receipts, Reply, Silence, Standing, Unheard, Word};

/// What is sent in one attempt.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The same for every attempt at one transmission, and for nothing else; far sides use it to recognise a repeat.
    pub key: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// The first attempt since the last that the far side took and did not bring to a good end: a far side that refuses
    /// repeats has to take this and those since for one, and those before for others.
    pub series: i32,
    /// When the transmission was made. It dates the message, so that every attempt sends the same bytes.
    pub created_at: DateTime<Utc>,
    /// The recipient's name, as people write it.
    pub recipient: String,
    /// The address on this channel: a mailbox, a path.
    pub contact: String,
    pub message: Message,
    pub files: Vec<File>,
}

/// The words that go with the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub subject: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// One artifact on its way out.
#[derive(Debug, Clone)]
pub struct File {
    /// A safe file name with its extension; may hold any letters.
    pub name: String,
    pub media_type: String,
    pub bytes: Bytes,
}

/// Whether the sender may still send. Asked at the last moment before the far side is given the message: a process
/// that was paused for longer than its claim holds would otherwise send what somebody else has taken up meanwhile.
pub type Permit<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The far side has it and will say later whether it arrived.
    Accepted(Proof),
    /// The far side has it, and no later word is to be had on this channel.
    Delivered(Proof),
    /// Not now. `after` is the least time to wait when the far side named one.
    Deferred { reason: Reason, after: Option<Duration> },
    /// Not ever, for this reason.
    Refused(Reason),
    /// The far side may or may not have it.
    Uncertain(Reason),
}

impl Outcome {
    /// The word for it in the book.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Delivered(_) => "delivered",
            Self::Deferred { .. } => "deferred",
            Self::Refused(_) => "refused",
            Self::Uncertain(_) => "uncertain",
        }
    }

    /// Why it did not arrive for certain, unless it did.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Accepted(_) | Self::Delivered(_) => None,
            Self::Deferred { reason, .. } | Self::Refused(reason) | Self::Uncertain(reason) => Some(reason),
        }
    }
}

/// An outcome with what was said on the wire, fit to be read by an administrator: no passwords, no bodies.
#[derive(Debug, Clone)]
pub struct Report {
    pub outcome: Outcome,
    pub transcript: String,
    /// Whether it would have come to this for anybody: it ended before the recipient mattered.
    pub for_anybody: bool,
    /// What the far side calls what it was given, when it said so: a job, a message.
    pub reference: Option<String>,
}

impl Report {
    /// Of an outcome that says it all.
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome, transcript: String::new(), for_anybody: false, reference: None }
    }
}

/// Who says that it arrived, in whose words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The host, folder or service that took it.
    pub by: String,
    /// Its own words, or what was checked.
    pub text: String,
}

/// What to do about an attempt whose outcome nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settle {
    /// Do it again; at worst it arrives twice.
    Repeat,
    /// Leave it to a person.
    Hold,
    /// Ask the far side, and do it again if it never heard of it. Where it cannot be asked, leave it to a person.
    Ask,
}

/// What a way out carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Words, with files or without.
    All,
    /// Words alone.
    Words,
    /// Files, with words or without.
    Files,
}

impl Carries {
    /// What `channel` carries, for an account that only stands in for it.
    fn rehearsed(channel: &str) -> Self {
        if channel == "sms" { Self::Words } else { Self::All }
    }
}

/// The form a way out wants files in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Bit for bit as they are.
    AsIs,
    /// All of them as one TIFF of black and white pages.
    FaxPages(Resolution),
}

impl Form {
    /// What `channel` wants, for an account that only stands in for it.
    fn rehearsed(channel: &str) -> Self {
        if channel == "fax" { Self::FaxPages(Resolution::Fine) } else { Self::AsIs }
    }
}

/// How finely a fax is scanned: 204 dots an inch across, and so many lines an inch down (ITU-T T.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// 98 lines an inch.
    Normal,
    /// 196 lines an inch.
    Fine,
}
