//! Where the catalogue is kept, and what saving something in it can come to.

use sqlx::PgPool;

use crate::document::Store;

/// Where the catalogue is kept.
#[derive(Debug, Clone)]
pub struct Shelf {
    pub db: PgPool,
    pub store: Store,
}

/// What saving came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Created,
    Changed,
    /// It was the same already; there is no new revision.
    Unchanged,
}

/// What may be there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing of this name.
    Absent,
    /// Anything; it is replaced.
    Any,
}

/// Why something could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("there is a {what} `{name}` already; change it, or write another name")]
    Exists { what: &'static str, name: String },
    #[error("the {what} `{name}` was deleted meanwhile; add it again, or leave it out")]
    Gone { what: &'static str, name: String },
    #[error("there are no bytes with the digest {0}; send them as `content`")]
    NoBytes(String),
    #[error(
        "the workflow `{workflow}` allows no more batches with a trigger by {kind} here; {} has it: change that one, or \
         take the trigger out of one of them",
        .others.join(", ")
    )]
    TooMany { kind: &'static str, workflow: String, others: Vec<String> },
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}
