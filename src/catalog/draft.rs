//! What came out of checking: complete, and ready to be saved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Batch;
use crate::{
    contact::Contacts,
    document::{Document, Source},
};

/// A checked batch whose held documents are not stored yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// All but the documents, which get their keys when they are stored.
    pub batch: Batch,
    pub entries: Vec<DraftEntry>,
    pub recipients: Vec<Recipient>,
    pub enabled: bool,
}

/// One document of a checked batch.
#[derive(Debug, Clone)]
pub struct DraftEntry {
    pub source: DraftSource,
    pub params: BTreeMap<String, Value>,
}

/// A document of the catalogue, or bytes to be held.
#[derive(Debug, Clone)]
pub enum DraftSource {
    Document(String),
    Held(Box<DocumentDraft>),
}

/// A checked document. The digest of a stored one is known once its bytes are stored.
#[derive(Debug, Clone)]
pub struct DocumentDraft {
    pub document: Document,
    /// The bytes of a stored document, unless they are here already.
    pub content: Option<Vec<u8>>,
}

impl DocumentDraft {
    /// Tells a stored document where its bytes are.
    pub(super) fn keep(&mut self, stored: String) {
        if let Source::Stored { digest, .. } = &mut self.document.source {
            *digest = stored;
        }
    }
}

/// A person or place that gets what a batch sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    pub name: String,
    pub contacts: Contacts,
    /// Their own values for parameters of documents.
    pub params: BTreeMap<String, Value>,
}
