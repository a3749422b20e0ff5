//! What an administrator sets up: batches and documents, kept as revisions, and the calendars that schedules name.
//!
//! What is written is read leniently ([`read()`]), checked as a whole ([`validate`]), and saved in one transaction with
//! its line in the audit log. Anything wrong comes back as a list of [`Fault`]s, each with its place and remedy.

pub mod audience;
pub mod batch;
pub mod calendar;
pub mod change;
pub mod check;
pub mod cover;
pub mod csv;
pub mod document;
mod draft;
mod fault;
pub mod input;
pub mod keep;
mod known;
mod limit;
mod name;
mod read;
pub mod recipient;
mod save;
mod shelf;
pub mod suppression;
pub mod trigger;
mod used;
pub mod validate;
mod validate_document;
mod validate_trigger;
pub mod workflow;
mod written;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use audience::Audience;
pub use cover::Cover;
pub use draft::{DocumentDraft, Draft, DraftEntry, DraftSource, Recipient};
pub use fault::{Fault, Faults, shortened};
pub use keep::Keep;
pub use known::{Known, Outside, known};
pub use read::read;
pub use save::save;
pub use shelf::{Expect, SaveError, Saved, Shelf};
pub use trigger::{EventTrigger, FileTrigger};
pub use validate_document::document as validate_document;
pub use validate_trigger::event_type;

use crate::{
    channel::{Message, Silence, account::TooLarge},
    contact::{Country, Policy},
    id::DocumentRevisionId,
    schedule,
};

/// A batch as it is stored in one revision. Its recipients stand in rows of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub name: String,
    pub title: String,
    pub workflow: String,
    /// The user it runs as; its attributes are `user.*` in expressions.
    pub run_as: String,
    /// The zone its dates are counted in.
    pub zone: Tz,
    /// One transmission per contact with all documents, instead of one per document and contact.
    pub bundle: bool,
    pub documents: Vec<Entry>,
    pub policy: Policy,
    /// Where numbers are that do not say; as the settings say when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Whether the same documents go to one contact for several recipients.
    #[serde(default)]
    pub duplicates: Twice,
    /// Recipients besides those in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    pub message: Message,
    /// The page that goes before the documents of a fax.
    #[serde(default, skip_serializing_if = "Cover::is_default")]
    pub cover: Cover,
    /// The account to use on a channel, by channel; the first configured one otherwise.
    #[serde(default)]
    pub accounts: BTreeMap<String, String>,
    /// When it sends.
    #[serde(default)]
    pub hours: schedule::Hours,
    /// What becomes of files that are too large for a mail; as the account says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_large: Option<TooLarge>,
    /// What it means when there was no word in time, where word of its arrival is to come; as the account says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_word: Option<Silence>,
    /// How long its runs are kept.
    #[serde(default)]
    pub keep: Keep,
    /// When it fires, as it was written; see [`schedule::Written::read`].
    #[serde(default)]
    pub schedule: Vec<schedule::Written>,
    /// The events that fire it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event: Vec<EventTrigger>,
    /// Where files come in that fire it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file: Vec<FileTrigger>,
}

/// What is done when two recipients of a run share a contact, and would get the same documents there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Duplicates)]
pub enum Twice {
    /// The first one gets them, the others are skipped.
    #[default]
    Skip,
    /// Each gets them.
    Send,
}

/// One document of a batch, with what it is asked with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(flatten)]
    pub source: EntrySource,
    /// Values or expressions, by the name of the document's parameter.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
}

/// A document of the catalogue by name, or one held inside the batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntrySource {
    Document(String),
    Held(DocumentRevisionId),
}
