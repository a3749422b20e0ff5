//! Where files come in, as it is written in a batch: `folder = "/srv/in"`, `sftp = "partner:/inbox"`,
//! `s3 = "store:bucket/prefix"`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One place. Its text is its name in the book.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// An absolute path.
    Folder(String),
    Sftp(Remote),
    S3(Remote),
}

/// A place behind an account: a folder of an SFTP server, or a bucket with the beginning of its keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Remote {
    pub account: String,
    pub path: String,
}

impl TryFrom<String> for Remote {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (account, path) = text.split_once(':').unwrap_or_default();
        if account.is_empty() || !is_plain(path) {
            return Err("write an account and a path, such as `partner:/inbox`".to_owned());
        }
        Ok(Self { account: account.to_owned(), path: path.trim_end_matches('/').to_owned() })
    }
}

impl From<Remote> for String {
    fn from(remote: Remote) -> Self {
        remote.to_string()
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.account, self.path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "folder:{path}"),
            Self::Sftp(remote) => write!(f, "sftp:{remote}"),
            Self::S3(remote) => write!(f, "s3:{remote}"),
        }
    }
}

impl Address {
    /// The folder `path`, which has to be absolute and lead nowhere else.
    ///
    /// # Errors
    /// What to write instead.
    pub fn folder(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') || !is_plain(path) {
            return Err("write an absolute path without `..`, such as `/srv/in`".to_owned());
        }
        let trimmed = path.trim_end_matches('/');
        Ok(Self::Folder(if trimmed.is_empty() { "/" } else { trimmed }.to_owned()))
    }

    /// A folder of an SFTP server, `partner:/inbox`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn sftp(text: &str) -> Result<Self, String> {
        Remote::try_from(text.to_owned()).map(Self::Sftp)
    }

    /// A bucket and the beginning of its keys, `store:bucket/prefix`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn s3(text: &str) -> Result<Self, String> {
        let wanted = "write an account, a bucket and a prefix, such as `store:bucket/inbox`";
        let remote = Remote::try_from(text.to_owned()).map_err(|_| wanted.to_owned())?;
        if remote.path.is_empty() || remote.path.starts_with('/') {
            return Err(wanted.to_owned());
        }
        Ok(Self::S3(remote))
    }
}

/// Whether every part of `path` names something below the one before.
pub fn is_plain(path: &str) -> bool {
    let is_step = |part: &str| part != "." && part != ".." && !part.contains('\\') && !part.contains(char::is_control);
    path.len() <= 1000 && path.split('/').all(is_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_by_what_was_written() {
        assert_eq!(Address::folder("/srv/in/").unwrap().to_string(), "folder:/srv/in");
        assert_eq!(Address::sftp("partner:/inbox").unwrap().to_string(), "sftp:partner:/inbox");
        assert_eq!(Address::sftp("partner:").unwrap().to_string(), "sftp:partner:");
        assert_eq!(Address::s3("store:bucket/in/").unwrap().to_string(), "s3:store:bucket/in");
        let stored = serde_json::to_value(Address::sftp("partner:/inbox").unwrap()).unwrap();
        assert_eq!(stored, serde_json::json!({ "sftp": "partner:/inbox" }));
    }

    #[test]
    fn what_leads_elsewhere_is_no_place() {
        for path in ["srv/in", "/srv/../etc", "/srv/./in", "/srv/a\nb", "", "/a\\..\\b"] {
            assert!(Address::folder(path).is_err(), "{path:?}");
        }
        assert!(Address::sftp("/inbox").is_err());
        assert!(Address::sftp("partner:/a/../b").is_err());
        assert!(Address::s3("store:").is_err());
    }
}
