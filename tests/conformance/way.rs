//! The ways out that are tested, each with what it takes to look at its far side.

#[path = "way/cloud.rs"]
mod cloud;
#[path = "way/email.rs"]
mod email;
#[path = "way/fax.rs"]
mod fax;
#[path = "way/folder.rs"]
mod folder;
#[path = "way/pickup.rs"]
mod pickup;
#[path = "way/servers.rs"]
mod servers;

use bytes::Bytes;
use chrono::Utc;
use futures::future::BoxFuture;
use postbook::channel::{
    File, Message, Parcel,
    account::{Account, AccountConfig},
};
use sha2::{Digest, Sha256};

/// A way out, with contacts that no other test uses.
pub struct Way {
    pub name: &'static str,
    pub account: Account,
    /// What opens the account, where a server is at the other end of a connection.
    pub config: Option<AccountConfig>,
    pub far: Box<dyn Far>,
    /// A contact of this test's own.
    pub good: String,
    /// One that the far side does not know.
    pub bad: String,
    /// One that the far side cannot serve just now.
    pub deferred: Deferred,
    /// How often the far side has what was sent twice under one key.
    pub repeats: usize,
    /// What may show nowhere: the password plainly, and as it goes over the wire.
    pub secrets: Vec<String>,
    /// What it carries.
    pub files: Vec<File>,
}

/// The far side, as it can be looked at.
pub trait Far: Send + Sync {
    /// What it has of a parcel, once there is as much as `expected`.
    fn arrived<'a>(&'a self, parcel: &'a Parcel, expected: usize) -> BoxFuture<'a, Vec<Arrived>>;

    /// Lets it answer the next one with so many seconds to wait, if it ever does.
    fn is_busy_for(&self, _seconds: u64) -> bool {
        false
    }
}

/// What cannot be served just now.
pub enum Deferred {
    Contact(String),
    /// Nothing can be: this account's far side is not there.
    Account(Box<Account>),
}

/// One delivery as the far side has it: an identity that a repeat shares, and its files by name and digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrived {
    pub identity: String,
    pub files: Vec<(String, String)>,
}

impl Way {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            folder::folder(),
            folder::outbox(),
            email::postfix(),
            email::sink(),
            pickup::pickup(),
            fax::hylafax(),
            fax::gateway(),
            cloud::telnyx(),
            cloud::sinch(),
            cloud::smsapi(),
            cloud::twilio(),
            cloud::kannel(),
        ];
        all.extend(servers::all());
        all
    }

    pub fn takes_files(&self) -> bool {
        !self.files.is_empty()
    }

    pub fn parcel(&self) -> Parcel {
        Parcel {
            key: unique(),
            attempt: 1,
            series: 1,
            created_at: Utc::now(),
            recipient: "Ann Baker".to_owned(),
            contact: self.good.clone(),
            message: Message {
                subject: "Größe: open orders, 日本 🎉".to_owned(),
                text: "Good morning,\n.\nyours".to_owned(),
                html: Some("<p>Grüße</p>".to_owned()),
            },
            files: self.files.clone(),
        }
    }
}

pub fn open(config: &AccountConfig) -> Account {
    Account::open("tested", config).unwrap()
}

/// A name that was never used before, by this run of the tests or an earlier one.
pub fn unique() -> String {
    format!("t{:032x}", rand::random::<u128>())
}

/// Files that are hard to carry unchanged.
pub fn awkward_files() -> Vec<File> {
    vec![
        file("open orders.pdf", b"%PDF-1.7\r\n\n\r\0\xff.\r\n.\r\n"),
        file("Größe 日本 🎉.pdf", &[7; 100_000]),
        file("empty.pdf", b""),
    ]
}

pub fn file(name: &str, bytes: &[u8]) -> File {
    File { name: name.to_owned(), media_type: "application/pdf".to_owned(), bytes: Bytes::copy_from_slice(bytes) }
}

pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a parcel, as they should arrive.
pub fn digests(parcel: &Parcel) -> Vec<(String, String)> {
    let mut files: Vec<_> = parcel.files.iter().map(|it| (it.name.clone(), digest(&it.bytes))).collect();
    files.sort();
    files
}
