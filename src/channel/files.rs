//! Files put on a server: SFTP, FTP, S3, WebDAV.
//!
//! The contact is a folder below the account's. Doing it again is safe: the same bytes under the same name are there
//! already. Where a connection breaks while a file gets its name, the outcome is uncertain, because who reads the folder
//! may take the file away before it is put again. What was wrong before a contact mattered would have been for anybody.

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};

use crate::{
    contact::{Contact, path::FolderPath},
    reason::{Reason, Scope},
    source::place::{self, Exists, Item, Patience, Server, Stage, Unput},
};

use super::{
    Outcome, Parcel, Permit, Proof, Report,
    config::{AccountConfig, AccountFault},
    driver::{Driver, not_mine},
    folder::words,
    token,
    turn::{Turn, Turns},
};

/// The server of one account.
#[derive(Debug)]
pub(super) struct Files {
    server: Server,
    exists: Exists,
    /// How many files may be under way.
    turns: Turns,
}

impl Files {
    /// The channel that the scheme of its URL names, and the driver.
    pub(super) fn open(config: &AccountConfig) -> Result<(&'static str, Self), AccountFault> {
        let turns = Turns::of(config)?;
        let settings = place::AccountConfig {
            url: config.url.clone(),
            host_key: config.host_key.clone(),
            key: config.key.clone(),
            ca: config.ca.clone(),
        };
        let patience = Patience { answer: config.timeout, whole: config.final_timeout };
        let server = Server::open(&settings, patience).map_err(AccountFault::Files)?;
        Ok((server.channel(), Self { server, exists: config.exists, turns }))
    }

    async fn put(&self, parcel: &Parcel, folder: &FolderPath, permit: Permit<'_>) -> Report {
        let below = folder.to_string();
        let below = if below == "." { "" } else { &below };
        let mark = token::of_key(&parcel.key);
        let mut lines = vec![format!("to {}", self.server.name())];
        for (name, bytes) in contents(parcel) {
            let (attempt, exists) = (parcel.attempt, self.exists);
            let item =
                Item { folder: below, name: &name, bytes: &bytes, mark: &mark, attempt, exists, permit: &permit };
            match self.server.put(&item).await {
                Ok(put) if put.repeated => lines.push(format!("{} ({} bytes) is there already", put.path, bytes.len())),
                Ok(put) => lines.push(format!("{} ({} bytes) written aside, then named", put.path, bytes.len())),
                Err(unput) => return failed(lines, unput, (below, &name)),
            }
        }
        let proof = Proof { by: self.server.name(), text: lines[1..].join(", ") };
        Report { transcript: lines.join("\n"), ..Report::new(Outcome::Delivered(proof)) }
    }

    async fn try_out(&self) -> Result<String, Reason> {
        self.server.probe().await.map_err(|failure| failure.reason)
    }
}

impl Driver for Files {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Path(folder) => self.put(parcel, folder, permit).boxed(),
            other => not_mine(other, "a folder"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.try_out().boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        self.turns.next().boxed()
    }
}

/// What is put: the files, or the words where there are none.
fn contents(parcel: &Parcel) -> Vec<(String, Bytes)> {
    match parcel.files.is_empty() {
        true => vec![words(parcel)],
        false => parcel.files.iter().map(|file| (file.name.clone(), file.bytes.clone())).collect(),
    }
}

fn failed(mut lines: Vec<String>, Unput { failure, stage }: Unput, (below, name): (&str, &str)) -> Report {
    let mut reason = failure.reason;
    if stage != Stage::Reaching && !reason.text.contains(name) {
        let folder = if below.is_empty() { String::new() } else { format!("{below}/") };
        reason.text = format!("{folder}{name}: {}", reason.text);
    }
    // What may not be done in the account's own folder may be done for nobody.
    if below.is_empty() && reason.scope == Scope::Contact && reason.code != "place-taken" {
        reason.scope = Scope::Account;
    }
    lines.push(reason.text.clone());
    let for_anybody = stage == Stage::Reaching;
    let outcome = match (stage, failure.again) {
        (Stage::Naming, true) if reason.scope == Scope::Attempt => Outcome::Uncertain(reason),
        (_, true) => Outcome::Deferred { reason, after: failure.after },
        (_, false) => Outcome::Refused(reason),
    };
    Report { transcript: lines.join("\n"), for_anybody, ..Report::new(outcome) }
}
