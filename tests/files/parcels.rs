//! What is sent, and how it is looked at.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use chrono::Utc;
use postbook::{
    channel::{
        File, Message, Outcome, Parcel, Report,
        account::{Account, AccountConfig},
    },
    reason::Reason,
};

pub fn open(config: &AccountConfig) -> Account {
    Account::open("tested", config).unwrap()
}

/// A name that was never used before.
pub fn unique() -> String {
    format!("f{:032x}", rand::random::<u128>())
}

/// One file to a folder.
pub fn parcel(folder: &str, name: &str, bytes: impl Into<Bytes>) -> Parcel {
    Parcel {
        key: unique(),
        attempt: 1,
        series: 1,
        created_at: Utc::now(),
        recipient: "Acme".to_owned(),
        contact: folder.to_owned(),
        message: Message::default(),
        files: vec![File { name: name.to_owned(), media_type: "text/csv".to_owned(), bytes: bytes.into() }],
    }
}

pub fn is_delivered(report: &Report) -> bool {
    matches!(report.outcome, Outcome::Delivered(_))
}

/// Why it was refused.
pub fn refusal(report: &Report) -> &Reason {
    let Outcome::Refused(reason) = &report.outcome else { panic!("{report:?}") };
    reason
}

/// Why it was put off.
pub fn deferral(report: &Report) -> &Reason {
    let Outcome::Deferred { reason, .. } = &report.outcome else { panic!("{report:?}") };
    reason
}

/// The files in a folder by their names; what disappears meanwhile is not there.
pub fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let files = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((entry.file_name().into_string().ok()?, fs::read(entry.path()).ok()?))
    });
    files.collect()
}
