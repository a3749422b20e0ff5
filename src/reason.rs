//! Why something did not happen, in one shape from the wire to the book.

use serde::{Deserialize, Serialize};

/// Why something was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reason {
    pub scope: Scope,
    /// Short and stable, for programs: `smtp-550-5.1.1`, `http-500`, `no-contact`.
    pub code: String,
    /// For people: what happened, in the far side's words where it had any.
    pub text: String,
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// This try; another may do better.
    Attempt,
    /// This address.
    Contact,
    /// These bytes: too big, broken, not to be had.
    Document,
    /// Our account with the far side: login, credit, policy.
    Account,
}

impl Reason {
    /// A reason of `scope` with a stable `code` and a `text` for people.
    pub fn new(scope: Scope, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { scope, code: code.into(), text: text.into() }
    }
}
