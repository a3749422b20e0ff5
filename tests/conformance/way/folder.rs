//! Folders: plain files, and an outbox of mails.

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures::future::{BoxFuture, FutureExt, ready};
use mail_parser::MessageParser;
use postbook::channel::{Parcel, account::AccountConfig};

use super::{Arrived, Deferred, Far, Way, awkward_files, digest, email::mail, open};
use crate::peers;

struct Files(tempfile::TempDir);

struct Outbox(tempfile::TempDir);

pub fn folder() -> Way {
    let root = tempfile::tempdir().unwrap();
    let missing = open(&AccountConfig::new(url_of(&root.path().join("missing"), "")));
    Way {
        name: "folder",
        account: open(&AccountConfig::new(url_of(root.path(), ""))),
        config: None,
        good: "site-a/inbox".to_owned(),
        bad: "../../etc".to_owned(),
        deferred: Deferred::Account(Box::new(missing)),
        // One and the same file.
        repeats: 1,
        secrets: Vec::new(),
        files: awkward_files(),
        far: Box::new(Files(root)),
    }
}

pub fn outbox() -> Way {
    let root = tempfile::tempdir().unwrap();
    let missing = open(&outbox_in(&root.path().join("missing")));
    Way {
        name: "outbox",
        account: open(&outbox_in(root.path())),
        config: None,
        good: "ann@test.local".to_owned(),
        bad: "refused@test.local".to_owned(),
        deferred: Deferred::Account(Box::new(missing)),
        repeats: 1,
        secrets: Vec::new(),
        files: awkward_files(),
        far: Box::new(Outbox(root)),
    }
}

fn outbox_in(path: &Path) -> AccountConfig {
    let mut config = peers::account(url_of(path, "?format=eml"));
    config.channel = Some("email".to_owned());
    config.refuse = vec!["refused@*".to_owned()];
    config
}

fn url_of(path: &Path, query: &str) -> String {
    format!("folder://{}{query}", path.display())
}

impl Far for Files {
    fn arrived<'a>(&'a self, _parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        ready(files_in(self.0.path())).boxed()
    }
}

impl Far for Outbox {
    fn arrived<'a>(&'a self, _parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        let mails = fs::read_dir(self.0.path()).unwrap();
        ready(mails.map(|it| mail(&fs::read(it.unwrap().path()).unwrap())).collect()).boxed()
    }
}

/// All files below `root`, as one delivery.
pub fn files_in(root: &Path) -> Vec<Arrived> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
                files.push((name, digest(&fs::read(&entry).unwrap())));
            }
        }
    }
    files.sort();
    if files.is_empty() { Vec::new() } else { vec![Arrived { identity: String::new(), files }] }
}

#[test]
fn a_parcel_is_dated_by_its_making() {
    let made_at: chrono::DateTime<chrono::Utc> = "2026-04-01T06:00:00Z".parse().unwrap();
    let way = outbox();
    let root = tempfile::tempdir().unwrap();
    let parcel = Parcel { created_at: made_at, ..way.parcel() };

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(open(&outbox_in(root.path())).transmit(&parcel));

    let path = fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(path).unwrap();
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.date().map(|it| it.to_timestamp()), Some(made_at.timestamp()));
}
