//! Documents: where the bytes come from.
//!
//! A definition says what a document is; `render` turns it into bytes with the parameters of one run and, for a
//! personal document, one recipient. What goes wrong is a [`Failure`], a value that is recorded, not an error.

pub mod archive;
mod date;
pub mod fax;
pub mod name;
mod object;
pub mod param;
pub mod pdf;
pub mod plain;
mod remote;
pub mod renderer;
pub mod store;
pub mod table;
pub mod template;
pub mod text;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::workflow::Files;
pub use store::Store;
pub use text::{Expressions, TextError};

pub use crate::source::Failure;
use crate::{
    reason::{Reason, Scope},
    secret::Credential,
    source::http,
};
use renderer::Renderer;

/// What rendering needs.
#[derive(Debug)]
pub struct Toolbox {
    pub renderer: Renderer,
    pub http: http::Client,
    pub store: Store,
    pub expressions: Expressions,
    /// The credentials that remote documents name.
    pub secrets: BTreeMap<String, Credential>,
}

/// Turns `document` into bytes, with the files of its workflow and what `context` says. What the document or its
/// server is to blame for is a [`Failure`]; an error is ours. It may take `limit`, not counting the wait for a free renderer.
pub async fn render(
    toolbox: &Toolbox,
    document: &Document,
    files: &Files,
    context: &Context,
    limit: Duration,
) -> Result<Result<Rendered, Failure>> {
    match &document.source {
        Source::Stored { file, media_type, digest } => stored(toolbox, file, media_type, digest).await.map(Ok),
        Source::Template { template } => {
            let rendered = toolbox.renderer.render(template, files, context, limit).await?;
            Ok(rendered.map(|(bytes, pages)| Rendered {
                file: name::file_name(&document.title, PDF),
                media_type: PDF.to_owned(),
                bytes,
                pages: Some(pages),
                digest: None,
            }))
        }
        Source::Object { media_type } => object::render(toolbox, media_type.as_deref(), context).await,
        Source::Remote(source) => {
            let rendering = remote::render(toolbox, document, source, context);
            tokio::time::timeout(limit, rendering).await.unwrap_or_else(|_| Ok(Err(overdue(limit))))
        }
    }
}

fn overdue(limit: Duration) -> Failure {
    let text = format!("it was not there after {} s, the time limit of this step", limit.as_secs());
    Failure { reason: Reason::new(Scope::Attempt, "timeout", text), again: true, after: None }
}

const PDF: &str = "application/pdf";

/// Stored bytes go out as they are, also when their pages cannot be counted.
async fn stored(toolbox: &Toolbox, file: &str, media_type: &str, digest: &str) -> Result<Rendered> {
    let bytes = toolbox.store.get(digest).await?;
    let pages = if name::essence(media_type) == PDF { toolbox.renderer.count_pages(&bytes).await?.ok() } else { None };
    let file = name::file_name(file, media_type);
    Ok(Rendered { file, media_type: media_type.to_owned(), bytes, pages, digest: Some(digest.to_owned()) })
}

/// A failure that lies in the document, so that trying again does not help.
fn broken(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Document, code, text), again: false, after: None }
}

/// A document of the catalogue, or one held by a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The key in paths and commands.
    pub name: String,
    pub title: String,
    /// Whether it is rendered anew for each recipient, who is then visible to its template and expressions.
    #[serde(default)]
    pub personal: bool,
    /// What it can be asked with.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    #[serde(flatten)]
    pub source: Source,
}

/// Where the bytes come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Source {
    /// Bytes in the store, sent as they are.
    Stored { file: String, media_type: String, digest: String },
    /// A Typst file of the workflow, rendered to PDF.
    Template { template: String },
    /// A report server, asked over HTTP.
    Remote(Remote),
    /// The file that fired the run, sent as it is.
    Object {
        /// What it is; its name says so when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
    },
}

/// A request to a report server. `url`, the values of `headers` and `query`, `body` and `file`
/// are expressions; what stands in the URL is percent-encoded unless it is marked `| safe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remote {
    pub url: String,
    #[serde(default = "get")]
    pub method: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The name of a stored credential (`[secret.NAME]` in the configuration).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What the answer has to be; anything else is a failure.
    pub media_type: String,
    /// The name of the file in the book, an expression; the document's title when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How long the server may take, in seconds.
    #[serde(default = "remote_timeout")]
    pub timeout: u64,
    /// How many bytes it may answer with.
    #[serde(default = "remote_limit")]
    pub limit: u64,
}

fn get() -> String {
    "GET".to_owned()
}

fn remote_timeout() -> u64 {
    60
}

fn remote_limit() -> u64 {
    50 * 1024 * 1024
}

/// A declared parameter of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Param {
    #[serde(rename = "type")]
    pub kind: ParamKind,
    #[serde(default)]
    pub required: bool,
    /// A value or an expression, used when the batch gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values allowed, when there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
}

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParamKind {
    Text,
    Integer,
    Number,
    Boolean,
    /// A calendar date, `2026-04-01`.
    Date,
}

/// What expressions and templates see:
///
/// ```json
/// { "business_date": "2026-04-01", "zone": "Europe/Amsterdam",
///   "run": { "id": 7, "batch": "morning-checklists", "title": "Morning checklists", "cause": "demand" },
///   "user": { "name": "site-a", "title": "Site A", "company": "Acme" },
///   "document": { "name": "open-orders", "title": "Open orders" },
///   "params": { "since": "2026-03-01" },
///   "event": { "type": "campaign.ended", "key": "17", "data": {} },
///   "file": { "name": "orders.csv", "size": 42, "digest": "b5bb9d...", "place": "folder:/srv/in" },
///   "recipient": { "name": "Ann Baker", "email": "ann@example.org", "params": { "yard": 7 } } }
/// ```
///
/// `recipient` is there for personal documents and for messages only, `event` and `file` when such a thing fired the run.
pub type Context = Value;

/// The bytes of one artifact.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// A safe file name with its extension.
    pub file: String,
    pub media_type: String,
    pub bytes: Bytes,
    /// Pages, where the format has them.
    pub pages: Option<i32>,
    /// The digest of bytes that are in the store already.
    pub digest: Option<String>,
}
