//! Later word from the far side: what it says when it is asked, and what it says by itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};

use super::Proof;
use crate::reason::Reason;

/// What is to be heard of what an account's far side accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipts {
    /// How long after it was accepted the word may take.
    pub within: Duration,
    /// How often to ask; where nothing stands the far side speaks by itself only.
    pub poll: Option<Duration>,
    /// Whether the run stays open until the word is there.
    pub holds: bool,
    pub silence: Silence,
}

/// What it means when no word came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Silence {
    /// No news is good news.
    Delivered,
    Failed,
    /// Somebody has to find out.
    Uncertain,
}

/// The attempt that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The key of its parcel.
    pub key: String,
    /// What the far side calls it, when it said so.
    pub reference: Option<String>,
    pub attempt: i32,
    pub contact: String,
    pub began_at: DateTime<Utc>,
}

/// What the far side says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub standing: Standing,
    /// Fit to be read by an administrator, as in a report.
    pub transcript: String,
    /// What the far side calls it.
    pub reference: Option<String>,
}

/// How something stands with the far side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Not at its end, in words for people: `dialling`, `sending page 2 of 3`.
    Underway(String),
    Delivered(Proof),
    /// This try failed, another one may do better.
    Deferred {
        reason: Reason,
        after: Option<Duration>,
    },
    /// It failed for good.
    Failed(Reason),
    /// The far side never heard of it.
    Unknown,
}

/// Something the far side says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub about: About,
    pub standing: Standing,
    /// When it happened, by the far side's clock.
    pub at: Option<DateTime<Utc>>,
    /// The far side's own number of this word.
    pub id: Option<String>,
}

/// Whom a word is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The key of a parcel: the last attempt that had begun when it was said.
    Key(String),
    /// This attempt at the parcel with this key.
    Attempt(String, i32),
    /// The key of a parcel, and what the far side calls the attempt that it took.
    Named { key: String, reference: String },
    /// What the far side calls it.
    Reference(String),
}

/// A request that came to an account's door.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    pub method: &'a str,
    /// Its address, as the far side called it.
    pub url: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub now: DateTime<Utc>,
}

/// What a request said, and how it wants to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub words: Vec<Word>,
    pub reply: Reply,
}

/// The answer that shows the far side that it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub media_type: &'static str,
    pub body: String,
}

/// Why a request was not listened to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    #[error("this account expects nobody to call")]
    NotExpected,
    #[error("it is not from the far side: {0}")]
    Forged(String),
    #[error("it is too old or from the future: {0}")]
    Stale(String),
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}
