//! A folder: plain files below it, or mails written as `.eml` instead of being sent.
//!
//! Doing it again is always safe: the same key gives the same names and bytes, and nothing that is there is ever
//! overwritten. What can go wrong is the disk. As the channel `email`, `fax` or `sms`, a folder is an outbox for
//! rehearsals and the demo; what it is given as `fax` is what a fax server would be.

mod name;
mod place;

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use lettre::message::Mailbox as Sender;
use url::Url;

use crate::{
    contact::Contact,
    reason::{Reason, Scope},
};

use super::{
    Carries, Form, Outcome, Parcel, Permit, Proof, Report,
    config::{AccountConfig, AccountFault},
    driver::Driver,
    email::{message, sender},
    token,
};

use self::place::{Item, Mark};

/// The folder of one account.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// The sender of the mails, when mails are what is written.
    mails_from: Option<Sender>,
    form: Form,
    carries: Carries,
}

impl Folder {
    pub(super) fn open(url: &Url, config: &AccountConfig, channel: &str) -> Result<Self, AccountFault> {
        let root = url.to_file_path().ok().filter(|it| it.is_absolute()).ok_or(AccountFault::NoFolder)?;
        let mails = wants_mails(url)?;
        if mails && channel != "email" {
            let remedy = "`format=eml` writes mails, so write `channel = \"email\"`";
            return Err(AccountFault::Channel { channel: channel.to_owned(), remedy });
        }
        let mails_from = if mails { Some(sender(config)?) } else { None };
        Ok(Self { root, mails_from, form: Form::rehearsed(channel), carries: Carries::rehearsed(channel) })
    }

    async fn put(&self, parcel: &Parcel, contact: &Contact) -> Report {
        let items = match self.items(parcel, contact) {
            Ok(items) => items,
            Err(reason) => return Report::new(Outcome::Refused(reason)),
        };
        let (root, below) = (self.root.clone(), self.below(contact));
        let mark = Mark { token: token::of_key(&parcel.key), attempt: parcel.attempt };
        let placed = tokio::task::spawn_blocking(move || place::all(&root, &below, &items, &mark)).await;
        report(&self.root, placed.unwrap_or_else(|panic| Err(io::Error::other(panic))))
    }

    /// Writes a file and takes it away again.
    async fn try_out(&self) -> Result<String, Reason> {
        let root = self.root.clone();
        let tried = tokio::task::spawn_blocking(move || place::probe(&root)).await;
        match tried.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(()) => Ok(format!("{} can be written to", self.root.display())),
            Err(error) => Err(trouble(&self.root, &error).1),
        }
    }

    /// What is to be written.
    fn items(&self, parcel: &Parcel, contact: &Contact) -> Result<Vec<Item>, Reason> {
        let (Some(from), Contact::Mailbox(to)) = (&self.mails_from, contact) else {
            if parcel.files.is_empty() {
                let (name, bytes) = words(parcel);
                return Ok(vec![Item { name, bytes }]);
            }
            let item = |file: &super::File| Item { name: file.name.clone(), bytes: file.bytes.clone() };
            return Ok(parcel.files.iter().map(item).collect());
        };
        let bytes = Bytes::from(message::build(from, to, parcel)?);
        Ok(vec![Item { name: name::of_mail(&to.to_string(), &token::of_key(&parcel.key)), bytes }])
    }

    /// Where below the root it is written.
    fn below(&self, contact: &Contact) -> PathBuf {
        match contact {
            Contact::Path(path) => path.to_path(),
            _ if self.mails_from.is_some() => PathBuf::new(),
            Contact::Mailbox(_) | Contact::Number(_) | Contact::Label(_) => {
                name::of_contact(&contact.to_string()).into()
            }
        }
    }
}

impl Driver for Folder {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, _permit: Permit<'a>) -> BoxFuture<'a, Report> {
        self.put(parcel, contact).boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.try_out().boxed()
    }

    fn carries(&self) -> Carries {
        self.carries
    }

    fn form(&self) -> Form {
        self.form
    }
}

/// What is only words, as a file: a notice that left nothing behind would count as delivered.
pub(super) fn words(parcel: &Parcel) -> (String, Bytes) {
    (name::of_words(&parcel.message.subject), Bytes::from(parcel.message.text.clone()))
}

fn wants_mails(url: &Url) -> Result<bool, AccountFault> {
    let mut mails = false;
    for (name, value) in url.query_pairs() {
        mails = match (&*name, &*value) {
            ("format", "eml") => true,
            ("format", "files") => false,
            _ => return Err(AccountFault::Parameter("write format=files or format=eml")),
        };
    }
    Ok(mails)
}

fn report(root: &Path, placed: io::Result<Vec<String>>) -> Report {
    match placed {
        Ok(lines) => {
            let proof = Proof { by: root.display().to_string(), text: lines.join(", ") };
            Report { transcript: lines.join("\n"), ..Report::new(Outcome::Delivered(proof)) }
        }
        Err(error) => {
            let (refused, reason) = trouble(root, &error);
            let transcript = reason.text.clone();
            let outcome = if refused { Outcome::Refused(reason) } else { Outcome::Deferred { reason, after: None } };
            // What may not be written may be one folder below the root; a full disk is full for all.
            Report { transcript, for_anybody: !refused, ..Report::new(outcome) }
        }
    }
}

/// What the disk's words mean, and whether it is in vain to try again.
fn trouble(root: &Path, error: &io::Error) -> (bool, Reason) {
    let (refused, scope, code) = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (true, Scope::Account, "folder-denied"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (false, Scope::Account, "folder-full"),
        io::ErrorKind::NotFound => (false, Scope::Account, "folder-missing"),
        io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => (true, Scope::Contact, "folder-no-place"),
        _ => (false, Scope::Attempt, "folder-fault"),
    };
    (refused, Reason::new(scope, code, format!("writing to {}: {error}", root.display())))
}

#[cfg(test)]
mod tests;
