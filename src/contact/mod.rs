//! Contacts: addresses that were parsed, and the policy that picks among them.
//!
//! A contact is parsed, never matched against a pattern: what comes out of [`Contact::parse`] can be sent to, and what
//! is wrong with the rest is said in words that name the remedy. Called when a batch is saved and when a run expands.

mod country;
pub mod label;
pub mod mailbox;
pub mod number;
pub mod path;
pub mod policy;
pub mod sms;
pub mod zone;

use std::{collections::BTreeMap, fmt};

pub use country::Country;
use serde::{Deserialize, Serialize};

use crate::reason::{Reason, Scope};

use self::{
    label::{Label, LabelError},
    mailbox::{Mailbox, MailboxError},
    number::{Number, NumberError},
    path::{FolderPath, PathError},
};

/// A recipient's contacts by channel: `{ "email": "ann@example.org", "folder": "site-a" }`.
pub type Contacts = BTreeMap<String, String>;

/// Which of a recipient's contacts get a transmission.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    #[serde(default)]
    pub send: Send,
    /// Channels, most wanted first; meant for `first_valid` and `fallback`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
}

/// How contacts are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Send {
    /// Every contact there is.
    #[default]
    All,
    /// The first in order that is valid.
    FirstValid,
    /// The first in order, the next one when it fails.
    Fallback,
}

/// A contact of any channel, parsed. Its text is the canonical form that is kept in the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    Mailbox(Mailbox),
    Number(Number),
    Path(FolderPath),
    Label(Label),
}

/// Why a contact cannot be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    #[error(transparent)]
    Number(#[from] NumberError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Label(#[from] LabelError),
}

impl Contact {
    /// Parses `text` by the rules of `channel`; a number has to say its country.
    pub fn parse(channel: &str, text: &str) -> Result<Self, ContactError> {
        Self::parse_in(channel, text, None)
    }

    /// Parses `text` by the rules of `channel`; a number that does not say its country is taken to be in `country`.
    pub fn parse_in(channel: &str, text: &str, country: Option<Country>) -> Result<Self, ContactError> {
        Ok(match channel {
            "email" | "pickup" => Self::Mailbox(Mailbox::parse(text)?),
            "fax" | "sms" => Self::Number(Number::parse(text, country.map(Country::id))?),
            "folder" | "sftp" | "ftp" | "s3" | "webdav" => Self::Path(FolderPath::parse(text)?),
            _ => Self::Label(Label::parse(text)?),
        })
    }

    /// Equal for contacts that are the same place: mailboxes are compared without regard to case, because no provider
    /// tells them apart, and people write them either way.
    pub fn key(&self) -> String {
        match self {
            Self::Mailbox(mailbox) => mailbox.to_string().to_lowercase(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Path(path) => path.fmt(f),
            Self::Label(label) => label.fmt(f),
        }
    }
}

impl ContactError {
    /// The stable code of this kind of contact.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mailbox(_) => "bad-mailbox",
            Self::Number(_) => "bad-number",
            Self::Path(_) => "bad-path",
            Self::Label(_) => "bad-contact",
        }
    }
}

impl From<ContactError> for Reason {
    fn from(error: ContactError) -> Self {
        Self::new(Scope::Contact, error.code(), error.to_string())
    }
}
