//! Places with files: folders, folders of SFTP, FTP and web servers, S3 prefixes.
//!
//! All of them promise the same: names have no slash in them, nothing outside the place is touched, nothing that is
//! there is overwritten by a move, and a move that was cut short is completed when it is asked for again. What goes
//! wrong is a [`Failure`]; nothing is tried twice here. Called by the triggers that watch them; as the accounts' servers,
//! where files are put whole, by the channels.

mod account;
mod address;
mod aside;
mod folder;
mod ftp;
mod name;
mod open;
mod path;
mod pattern;
mod put;
mod s3;
mod server;
mod sftp;
mod web;

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;

pub use account::{AccountFault, Places, PlacesConfig};
pub use address::{Address, is_plain};
pub use name::{cut, numbered};
pub use open::{AccountConfig, Patience};
pub use pattern::{Pattern, PatternFault};
pub use put::{Exists, Item, Put, Stage, Unput};
pub use server::Server;

use super::Failure;
use crate::reason::{Reason, Scope};

/// A file that lies in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub size: u64,
    /// Changes with the file: when it was last written, or what the store calls its version.
    pub stamp: String,
}

/// What lies in a place.
#[derive(Debug, Default)]
pub struct Listing {
    pub files: Vec<Found>,
    /// Names that are no names here, as well as they can be shown.
    pub odd: Vec<String>,
}

/// What a move came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    Done,
    /// There is nothing to move.
    Gone,
    /// Another file has the new name.
    Taken,
}

/// A place, ready to be used. Paths are relative to it.
#[derive(Debug, Clone)]
pub struct Place {
    driver: Driver,
    timeout: Duration,
}

#[derive(Debug, Clone)]
enum Driver {
    Folder(folder::Folder),
    Sftp(sftp::Sftp),
    S3(s3::S3),
    Ftp(ftp::Ftp),
    Web(web::Web),
}

impl Place {
    /// The files right in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn list(&self) -> Result<Listing, Failure> {
        let mut listing = self
            .bounded(async {
                match &self.driver {
                    Driver::Folder(folder) => folder.list().await,
                    Driver::Sftp(sftp) => sftp.list().await,
                    Driver::S3(s3) => s3.list().await,
                    Driver::Ftp(_) | Driver::Web(_) => Err(unlisted()),
                }
            })
            .await?;
        let (files, odd) = listing.files.into_iter().partition(|file| is_name(&file.name));
        listing.files = files;
        listing.odd.extend(odd.into_iter().map(|file: Found| file.name));
        Ok(listing)
    }

    /// The file at `path`, if there is one.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn find(&self, path: &str) -> Result<Option<Found>, Failure> {
        self.bounded(async {
            match &self.driver {
                Driver::Folder(folder) => folder.find(path).await,
                Driver::Sftp(sftp) => sftp.find(path).await,
                Driver::S3(s3) => s3.find(path).await,
                Driver::Ftp(ftp) => ftp.find(path).await,
                Driver::Web(web) => web.find(path).await,
            }
        })
        .await
    }

    /// The bytes of the file at `path`, which are at most `limit`.
    ///
    /// # Errors
    /// When it cannot be read, or is larger.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Bytes, Failure> {
        let bytes = self
            .bounded(async {
                match &self.driver {
                    Driver::Folder(folder) => folder.read(path, limit).await,
                    Driver::Sftp(sftp) => sftp.read(path, limit).await,
                    Driver::S3(s3) => s3.read(path, limit).await,
                    Driver::Ftp(ftp) => ftp.read(path, limit).await,
                    Driver::Web(web) => web.read(path, limit).await,
                }
            })
            .await?;
        if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
    }

    /// Writes a file at `path`, over one that is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn write(&self, path: &str, bytes: Bytes) -> Result<(), Failure> {
        self.bounded(async {
            match &self.driver {
                Driver::Folder(folder) => folder.write(path, bytes).await,
                Driver::Sftp(sftp) => sftp.write(path, &bytes).await,
                Driver::S3(s3) => s3.write(path, bytes).await,
                Driver::Ftp(ftp) => ftp.write(path, &bytes).await,
                Driver::Web(web) => web.write(path, &bytes, false).await.map(drop),
            }
        })
        .await
    }

    /// Gives the file at `from` the path `to`, whose folders are made.
    ///
    /// # Errors
    /// When it cannot be moved; it may have been, then.
    pub async fn rename(&self, from: &str, to: &str) -> Result<Moved, Failure> {
        self.bounded(async {
            match &self.driver {
                Driver::Folder(folder) => folder.rename(from, to).await,
                Driver::Sftp(sftp) => sftp.rename(from, to).await,
                Driver::S3(s3) => s3.rename(from, to).await,
                Driver::Ftp(ftp) => ftp.rename(from, to).await,
                Driver::Web(web) => web.rename(from, to, false).await,
            }
        })
        .await
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let late = || passing("place-timeout", format!("it had not answered after {} s", self.timeout.as_secs()));
        tokio::time::timeout(self.timeout, work).await.unwrap_or_else(|_| Err(late()))
    }
}

/// Whether a server's word for a file is the name of a file in this place, and one that can be written down.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0']) && name.len() <= 255
}

fn unlisted() -> Failure {
    lasting(
        "place-unlisted",
        "FTP and web servers are not looked through; files are fetched there by their names".to_owned(),
    )
}

fn too_large(limit: u64) -> Failure {
    let text = format!("the file has more than {limit} bytes; `files.limit` in the settings says how many it may have");
    Failure { reason: Reason::new(Scope::Document, "too-large", text), again: false, after: None }
}

/// A failure that may pass.
fn passing(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Attempt, code, text), again: true, after: None }
}

/// A failure of the place or its account, until somebody changes something.
fn lasting(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Account, code, text), again: true, after: None }
}

/// A failure of what was asked for; asking again is in vain.
fn refused(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Contact, code, text), again: false, after: None }
}

/// `path` in the folder `root` of this machine.
fn below(root: &std::path::Path, path: &str) -> Option<PathBuf> {
    std::path::Path::new(path).strip_prefix(root).ok().map(|below| match below.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => below.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names() {
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "a\0", &"x".repeat(4096)] {
            assert!(!is_name(name), "{name:?}");
        }
        for name in ["a.csv", "Größe 日本.csv", "...", "a\nb", "-rf"] {
            assert!(is_name(name), "{name:?}");
        }
    }
}
