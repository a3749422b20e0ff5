//! The mail servers' own record: which mail they took for whom, and how often.

use std::{collections::HashMap, fs};

use crate::{
    node::until,
    peers::{Postfix, Sink},
};

/// How often a mail of a transmission came for a mailbox.
pub type Record = HashMap<(i64, String), usize>;

/// What came for mailboxes with `word` in their names, once the servers have put everything down.
pub async fn read(word: &str) -> Record {
    until("Postfix has delivered what it took", async || Postfix::running().is_idle().then_some(())).await;
    let mut record = Record::new();
    for entry in fs::read_dir(Postfix::running().inbox()).into_iter().flatten() {
        let mail = fs::read(entry.unwrap().path()).unwrap();
        let to = header(&mail, "Delivered-To").unwrap_or_default();
        if to.contains(word) {
            *record.entry((transmission(&mail), to)).or_default() += 1;
        }
    }
    let sink = Sink::running();
    for noted in sink.noted_where(|to| to.contains(word)) {
        let id = transmission(&sink.mail(&noted));
        for to in noted.to {
            *record.entry((id, to)).or_default() += 1;
        }
    }
    record
}

/// The transmission's number, the second part of the Message-ID.
fn transmission(mail: &[u8]) -> i64 {
    let id = header(mail, "Message-ID").expect("a Message-ID");
    id.split('-')
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{id} is no Message-ID of ours"))
}

fn header(mail: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(mail);
    let mut lines = head.lines().take_while(|line| !line.is_empty());
    lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.trim().to_owned()))
}
