//! Files put in place whole or not at all, the same on every kind of server.
//!
//! What can be renamed is written aside under a hidden name, its size is checked, and then it gets its name; the rest
//! is put under its name only when it is there as a whole. The same bytes under the same name are there already, so
//! that a repeat changes nothing; other bytes are overwritten, left alone or worked around as the account says. A
//! connection that breaks while the name is given leaves in doubt whether it was. Called by the servers' `put`.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::{Failure, Moved, name::numbered, path::join};
use crate::reason::{Reason, Scope};

/// How many numbers are tried before a name is given up. Reached only where somebody never empties the folder.
const MOST_NUMBERS: usize = 1000;

/// How often somebody else may be faster before it is left for later.
const MOST_LOST: usize = 5;

/// How many attempts back a hidden file is looked for that was left when a server died. Each takes a question.
const LEFT: i32 = 10;

/// What to do when other bytes have the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exists {
    /// They are replaced.
    Overwrite,
    /// The new file gets a number: `report (2).pdf`.
    #[default]
    Suffix,
    /// The new file is refused.
    Fail,
}

/// A file to be.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Below the account's folder; empty for that folder itself.
    pub folder: &'a str,
    pub name: &'a str,
    pub bytes: &'a Bytes,
    /// Names it while it is written: the same for all attempts at one transmission, and for nothing else.
    pub mark: &'a str,
    /// From 1. Two attempts never write to the same hidden file.
    pub attempt: i32,
    pub exists: Exists,
    /// Whether it may still get its name, asked at the last moment.
    pub permit: &'a (dyn Fn() -> bool + Send + Sync),
}

/// A file that is in its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Put {
    /// Its path below the account's folder.
    pub path: String,
    /// Whether it was there already, as an earlier attempt left it.
    pub repeated: bool,
}

/// How far it came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The server was not reached, or did not let us in.
    Reaching,
    /// Nothing has the name.
    Writing,
    /// It may have the name.
    Naming,
}

/// A file that may not be in its place.
#[derive(Debug)]
pub struct Unput {
    pub failure: Failure,
    pub stage: Stage,
}

/// What a server offers for files to be put.
pub(super) trait Shelf: Sync {
    /// Connects, when nothing is connected.
    fn reach(&self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether there is a file at `path`, and whether it consists of `bytes`.
    fn compare(&self, path: &str, bytes: &Bytes) -> impl Future<Output = Result<There, Failure>> + Send;

    /// Puts the file at the path, which is free or may be overwritten.
    fn place(&self, placing: &Placing<'_>) -> impl Future<Output = Result<Moved, Unput>> + Send;
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    Same,
    Other,
}

impl There {
    /// What is there, when it is `size` bytes long and they are the same if `same` says so.
    pub(super) async fn of(
        bytes: &Bytes,
        size: Option<u64>,
        same: impl Future<Output = Result<bool, Failure>>,
    ) -> Result<Self, Failure> {
        match size {
            None => Ok(Self::Nothing),
            Some(size) if size != bytes.len() as u64 => Ok(Self::Other),
            Some(_) => Ok(if same.await? { Self::Same } else { Self::Other }),
        }
    }
}

/// One try to give a file one name.
pub(super) struct Placing<'a> {
    pub item: &'a Item<'a>,
    pub path: &'a str,
    /// How long writing may take.
    pub whole: Duration,
}

impl Placing<'_> {
    /// The hidden file beside it.
    pub(super) fn aside(&self) -> String {
        self.aside_of(self.item.attempt)
    }

    /// The hidden files of earlier attempts, which may have been left.
    pub(super) fn left(&self) -> impl Iterator<Item = String> {
        let attempt = self.item.attempt;
        (1.max(attempt - LEFT)..attempt).map(|attempt| self.aside_of(attempt))
    }

    fn aside_of(&self, attempt: i32) -> String {
        join(self.item.folder, &format!(".{}-{attempt}.part", self.item.mark))
    }

    pub(super) fn overwrites(&self) -> bool {
        self.item.exists == Exists::Overwrite
    }

    /// Asked right before it gets its name.
    pub(super) fn permitted(&self) -> Result<(), Unput> {
        if (self.item.permit)() {
            return Ok(());
        }
        let text =
            "the claim ran out before the file got its name, so it did not: this process was held up for too long";
        Err(writing(super::passing("claim-ran-out", text.to_owned())))
    }
}

/// Puts `item` on `shelf`.
pub(super) async fn put(shelf: &impl Shelf, item: &Item<'_>, whole: Duration) -> Result<Put, Unput> {
    shelf.reach().await.map_err(|failure| Unput { failure, stage: Stage::Reaching })?;
    let (mut number, mut lost) = (1, 0);
    for _ in 0..MOST_NUMBERS {
        let path = join(item.folder, &numbered(item.name, number));
        match within(whole, shelf.compare(&path, item.bytes)).await.map_err(writing)? {
            There::Same => return Ok(Put { path, repeated: true }),
            There::Other if item.exists == Exists::Suffix => {
                number += 1;
                continue;
            }
            There::Other if item.exists == Exists::Fail => return Err(writing(taken(&path))),
            There::Other | There::Nothing => {}
        }
        match shelf.place(&Placing { item, path: &path, whole }).await? {
            Moved::Done => return Ok(Put { path, repeated: false }),
            // Somebody else took the name meanwhile.
            Moved::Taken if lost < MOST_LOST => lost += 1,
            Moved::Taken => return Err(writing(contested(&path))),
            Moved::Gone => return Err(writing(vanished(&path))),
        }
    }
    Err(writing(taken(item.name)))
}

pub(super) fn writing(failure: Failure) -> Unput {
    Unput { failure, stage: Stage::Writing }
}

pub(super) fn naming(failure: Failure) -> Unput {
    Unput { failure, stage: Stage::Naming }
}

/// Gives `work` up after `limit`.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || super::passing("place-timeout", format!("it had not ended after {} s", limit.as_secs()));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

/// Why a file that was written and counted has not the size it was written with.
pub(super) fn short(path: &str, found: Option<u64>, wanted: usize) -> Failure {
    let found = found.map_or("nothing".to_owned(), |size| format!("{size} bytes"));
    super::passing("place-short", format!("{wanted} bytes were written to {path}, and {found} are there"))
}

fn taken(path: &str) -> Failure {
    let text = format!("{path} is there with other contents; take it away, or set the account's `exists`");
    Failure { reason: Reason::new(Scope::Contact, "place-taken", text), again: false, after: None }
}

fn contested(path: &str) -> Failure {
    super::passing("place-contested", format!("whenever {path} was free, somebody else had it a moment later"))
}

fn vanished(path: &str) -> Failure {
    super::passing("place-vanished", format!("what was written for {path} was gone before it got its name"))
}
