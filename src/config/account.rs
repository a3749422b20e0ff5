//! The settings of an account. `config/default.toml` says what each of them does.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use chrono_tz::Tz;
use serde::Deserialize;

use super::Size;
use crate::secret::Secret;

/// A configured way to use a channel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its scheme names the driver.
    pub url: Secret,
    pub from: Option<String>,
    pub channel: Option<String>,
    pub settle: Option<Settle>,
    #[serde(default, with = "humantime_serde")]
    pub ask_for: Option<Duration>,
    /// Where mails come back to.
    pub bounces: Option<Secret>,
    #[serde(default, with = "humantime_serde")]
    pub bounces_within: Option<Duration>,
    pub return_path: Option<String>,
    /// The public key by which a fax service signs what it says.
    pub verify: Option<String>,
    /// How many parts a text message may have.
    pub max_parts: Option<NonZeroUsize>,
    /// Whether letters of text messages are replaced by plain ones.
    #[serde(default)]
    pub transliterate: bool,
    pub ca: Option<PathBuf>,
    /// The key of an SFTP server.
    pub host_key: Option<String>,
    /// The file of a private key for it.
    pub key: Option<PathBuf>,
    /// What is done where other bytes have a file's name.
    pub exists: Option<Exists>,
    #[serde(default, with = "humantime_serde")]
    pub timeout: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    pub final_timeout: Option<Duration>,
    pub connections: Option<NonZeroUsize>,
    pub at_once: Option<NonZeroUsize>,
    pub per_minute: Option<NonZeroUsize>,
    pub contact_at_once: Option<NonZeroUsize>,
    pub contact_per_minute: Option<NonZeroUsize>,
    pub domain_at_once: Option<NonZeroUsize>,
    pub domain_per_minute: Option<NonZeroUsize>,
    pub window: Option<String>,
    pub quiet: Option<String>,
    pub zone: Option<Tz>,
    #[serde(default, with = "humantime_serde")]
    pub greylist: Option<Duration>,
    #[serde(default)]
    pub refuse: Vec<String>,
    /// The number of a fax line.
    pub station: Option<String>,
    /// The line above each page of a fax.
    pub header: Option<String>,
    pub resolution: Option<String>,
    pub paper: Option<String>,
    pub modem: Option<String>,
    /// What a number becomes on its way out.
    pub dial: Option<String>,
    pub dials: Option<u16>,
    #[serde(default, with = "humantime_serde")]
    pub expire: Option<Duration>,
    /// The most bytes of files that one message carries.
    pub attach_limit: Option<Size>,
    pub too_large: Option<TooLarge>,
    /// What links to files are made from.
    pub link_secret: Option<Secret>,
    /// How long they lead somewhere.
    #[serde(rename = "for", default, with = "humantime_serde")]
    pub lifetime: Option<Duration>,
    /// The account that mails them.
    pub mail: Option<String>,
    pub unclaimed: Option<Silence>,
    /// How long the far side's last word on what it accepted may take.
    #[serde(default, with = "humantime_serde")]
    pub word_within: Option<Duration>,
    pub without_word: Option<Silence>,
}

/// What becomes of files that are too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooLarge {
    Link,
    Refuse,
}

/// What it means that there was no word in time, or that nobody fetched files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Silence {
    Delivered,
    Failed,
    Uncertain,
}

/// What an account does where other bytes have a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exists {
    Overwrite,
    Suffix,
    Fail,
}

/// What an account does about an attempt whose outcome nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settle {
    Repeat,
    Hold,
    Ask,
}
