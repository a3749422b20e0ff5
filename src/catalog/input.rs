//! How batches and documents are written: as JSON over the API, as TOML in files, and given back the same.
//!
//! Every field may be missing here, so that reading tells all that is wrong at once; `validate` decides what is
//! needed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Twice, audience,
    cover::Cover,
    trigger::{WrittenEvent, WrittenFile},
};
use crate::{
    channel::{Silence, account::TooLarge},
    contact::Send,
    document::Param,
    schedule,
};

/// A batch as it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Batch)]
pub struct Batch {
    /// The key in paths and commands: small letters, digits and hyphens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "morning-checklists")]
    pub name: Option<String>,
    /// What people call it; the name when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Morning checklists")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "batch-documents")]
    pub workflow: Option<String>,
    /// The user it runs as; its attributes are `user.*` in expressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "site-a")]
    pub run_as: Option<String>,
    /// Whether it may fire; true when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The zone its dates are counted in; the first schedule's, or UTC, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Amsterdam")]
    pub zone: Option<String>,
    /// One transmission per contact with all documents, instead of one per document and contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<bool>,
    /// What is sent, in this order. Without any, the `text` of the `message` goes alone.
    #[schema(value_type = Vec<Entry>)]
    pub documents: Vec<Option<Entry>>,
    /// Who gets it: `name`, contacts by channel (`email`, `folder`, ...) and `params` of their own.
    #[schema(value_type = Vec<Recipient>)]
    pub recipients: Vec<Option<Map<String, Value>>>,
    /// Recipients that a query gives when a run begins, besides those in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<audience::Written>,
    /// Where fax and mobile numbers are that do not say; as the settings say when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "PL")]
    pub country: Option<String>,
    /// What is done when recipients share a contact, and would get the same documents there; `skip` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Twice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The account to use on a channel, by channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, String>,
    /// When it sends, by the clocks of its zone; always when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "weekdays 08:00-18:00")]
    pub window: Option<String>,
    /// When it sends nothing, by the clocks of each recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "21:00-08:00")]
    pub quiet: Option<String>,
    /// What becomes of files that are too large for a mail: a `link` goes out instead, or they are refused with `refuse`.
    /// As the account says when absent; where that says nothing, a link goes out if there is a pickup account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_large: Option<TooLarge>,
    /// What it means when a far side that says what became of a fax or a text has not said it in time: `failed` turns to
    /// the next contact, `uncertain` leaves it to a person, `delivered` believes it. As the account says when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_word: Option<Silence>,
    /// How long its runs are kept; as the settings say when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schedule::Written>)]
    pub schedule: Vec<Option<schedule::Written>>,
    /// The events that fire it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<WrittenEvent>)]
    pub event: Vec<Option<WrittenEvent>>,
    /// Where files come in that fire it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<WrittenFile>)]
    pub file: Vec<Option<WrittenFile>>,
}

/// A document of the catalogue by name, or one held inside the batch: `name`, `file`, `media_type` and `content`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "opening-checklist")]
    pub document: Option<String>,
    /// Values or expressions, by the name of the document's parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A recipient as it is described. It is read field by field, because any channel may stand in it.
#[derive(Debug, Clone, ToSchema)]
pub struct Recipient {
    #[schema(example = "Ann Baker")]
    pub name: String,
    #[schema(example = "ann@example.org")]
    pub email: Option<String>,
    #[schema(example = "+48 12 123 45 67")]
    pub fax: Option<String>,
    #[schema(example = "+48 601 234 567")]
    pub sms: Option<String>,
    pub folder: Option<String>,
    /// The recipient's own values for parameters of documents.
    pub params: Option<BTreeMap<String, Value>>,
}

/// Which of a recipient's contacts get a transmission.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send: Option<Send>,
    /// Channels, most wanted first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub order: Vec<Option<String>>,
}

/// How long after its end something of a run is kept, such as `400 days` or `forever`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// The run with everything about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "400 days")]
    pub runs: Option<String>,
    /// The bytes of what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "90 days")]
    pub files: Option<String>,
    /// The lines of its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "90 days")]
    pub logs: Option<String>,
}

/// The words that go with the documents: templates that see the recipient, the run and the document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = MessageText)]
pub struct Message {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "{{ document.title }}, {{ business_date }}")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Whether a fax begins with a page that says to whom and from whom it is, how many pages it has, and this text:
    /// `true` (when absent), `false`, or a Typst file of the workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<Cover>,
}

/// A document as it is written: `kind` says which of the other fields it needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Document)]
pub struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "opening-checklist")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Rendered anew for each recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal: Option<bool>,
    /// What it can be asked with.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Param>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "application/pdf")]
    pub media_type: Option<String>,
    /// Stored: the bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Stored: the SHA-256 of bytes that are here already, instead of `content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Template: the Typst file in the workflow's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Remote: where the report is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Remote: the name of a credential in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Remote: how many seconds the server may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Remote: how many bytes it may answer with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Where a document's bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DocumentKind)]
pub enum Kind {
    Stored,
    Template,
    Remote,
    Object,
}
