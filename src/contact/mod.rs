//! Contacts: addresses that were parsed, and the policy that picks among them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
