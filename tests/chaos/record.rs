//! The far sides' own record: which transmission they took for whom and how often, and which files they have.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{book::Entry, node::until, outside::Outside};

/// What arrived.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// How often a transmission came for a contact.
    taken: HashMap<(i64, String), usize>,
    /// How many files of these bytes are in a folder.
    files: HashMap<(String, String), usize>,
}

/// What the far sides have, once they have put everything down.
pub async fn read(outside: &Outside) -> Record {
    let mut record = Record::default();
    let postfix = outside.postfix();
    until("Postfix has delivered what it took", async || postfix.is_idle().then_some(())).await;
    // Killed in between, it may deliver one mail twice, under the number that it has in its queue.
    let mails: HashSet<_> = postfix.kept().into_iter().map(|it| (key(&it.message_id), it.to, it.queued_as)).collect();
    for (id, to, _) in mails {
        record.take(id, dialled(&to).unwrap_or(to));
    }
    let sink = outside.sink();
    for noted in sink.noted_where(|_| true) {
        let id = key(&message_id(&sink.mail(&noted)));
        noted.to.into_iter().for_each(|to| record.take(id, to));
    }
    for fax in outside.fax.service.faxes.lock().unwrap().iter() {
        record.take(key(&fax.key()), fax.to.clone());
    }
    for (folder, file) in files(&outside.sshd().files()) {
        let digest = Sha256::digest(fs::read(&file).unwrap()).iter().map(|it| format!("{it:02x}")).collect();
        *record.files.entry((folder, digest)).or_default() += 1;
    }
    record
}

/// The files in the folders below `place`, with the names of the folders. What is not named yet is in nobody's way.
fn files(place: &Path) -> Vec<(String, PathBuf)> {
    let inside = |folder: &Path| fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect::<Vec<_>>();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let all =
        inside(place).into_iter().flat_map(|folder| inside(&folder).into_iter().map(move |it| (name(&folder), it)));
    all.filter(|(_, file)| !name(file).starts_with('.')).collect()
}

impl Record {
    fn take(&mut self, id: i64, contact: String) {
        *self.taken.entry((id, contact)).or_default() += 1;
    }

    /// How often what `entry` says came.
    pub fn times(&self, entry: &Entry) -> usize {
        let files = || self.files.get(&(entry.contact.clone(), entry.digest.clone()));
        let taken = || self.taken.get(&(entry.id, entry.contact.clone()));
        let times = if entry.channel == "sftp" { files() } else { taken() };
        times.copied().unwrap_or_default()
    }

    /// What came, and is not in the book.
    pub fn unknown(&self, book: &[Entry]) -> Vec<String> {
        let entries: HashSet<_> = book.iter().map(|it| (it.id, &it.contact)).collect();
        let files: HashSet<_> = book.iter().map(|it| (&it.contact, &it.digest)).collect();
        let taken = self.taken.iter().filter(|((id, contact), _)| !entries.contains(&(*id, contact)));
        let strange = self.files.iter().filter(|((folder, digest), _)| !files.contains(&(folder, digest)));
        let taken = taken.map(|((id, contact), times)| format!("{times} of {id} to {contact}"));
        taken.chain(strange.map(|((folder, digest), _)| format!("a file {digest} in {folder}"))).collect()
    }
}

/// The number that a mail gateway is to dial.
fn dialled(mailbox: &str) -> Option<String> {
    Some(format!("+{}", mailbox.strip_prefix("fax-")?.split('@').next()?))
}

/// The transmission's number, the second part of the key.
fn key(text: &str) -> i64 {
    let number = text.split('-').nth(1).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{text} is no key of ours"))
}

fn message_id(mail: &[u8]) -> String {
    mail_parser::MessageParser::default().parse(mail).unwrap().message_id().expect("a Message-ID").to_owned()
}
