//! What every channel promises, held against each of them: folders, an outbox of mails, a real Postfix, and a mail
//! server that misbehaves on demand.

mod peers;

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mail_parser::{MessageParser, MimeHeaders};
use postbook::{
    channel::{
        File, Message, Outcome, Parcel, Report,
        account::{Account, AccountConfig},
    },
    reason::Scope,
};
use sha2::{Digest, Sha256};

use peers::{Postfix, Sink};

/// A way out that is tested, with what it takes to look at the far side.
struct Way {
    name: &'static str,
    account: Account,
    far: Far,
    /// A contact of this test's own.
    good: String,
    /// One that the far side does not know.
    bad: String,
    /// One that the far side cannot serve just now.
    deferred: Deferred,
}

enum Far {
    Folder(tempfile::TempDir),
    Outbox(tempfile::TempDir),
    Postfix(Postfix),
    Sink(Sink),
}

enum Deferred {
    Contact(String),
    /// Nothing can be served: this account's far side is not there.
    Account(Box<Account>),
}

/// One delivery as the far side has it: an identity that a repeat shares, and its files.
#[derive(Debug, PartialEq, Eq)]
struct Arrived {
    identity: String,
    files: Vec<(String, String)>,
}

impl Way {
    /// All of them, each with a contact that no other test uses.
    fn all() -> Vec<Self> {
        vec![Self::folder(), Self::outbox(), Self::postfix(), Self::sink()]
    }

    fn folder() -> Self {
        let root = tempfile::tempdir().unwrap();
        let missing = open(&AccountConfig::new(url_of(&root.path().join("missing"), "")));
        Self {
            name: "folder",
            account: open(&AccountConfig::new(url_of(root.path(), ""))),
            good: "site-a/inbox".to_owned(),
            bad: "../../etc".to_owned(),
            deferred: Deferred::Account(Box::new(missing)),
            far: Far::Folder(root),
        }
    }

    fn outbox() -> Self {
        let root = tempfile::tempdir().unwrap();
        let outbox = |path: &Path| {
            let mut config = peers::account(url_of(path, "?format=eml"));
            config.channel = Some("email".to_owned());
            config.refuse = vec!["refused@*".to_owned()];
            open(&config)
        };
        Self {
            name: "outbox",
            account: outbox(root.path()),
            good: "ann@test.local".to_owned(),
            bad: "refused@test.local".to_owned(),
            deferred: Deferred::Account(Box::new(outbox(&root.path().join("missing")))),
            far: Far::Outbox(root),
        }
    }

    fn postfix() -> Self {
        let postfix = Postfix::running();
        Self {
            name: "postfix",
            account: open(&postfix.submission()),
            good: format!("{}@test.local", unique()),
            bad: "nouser@test.local".to_owned(),
            deferred: Deferred::Contact("full@test.local".to_owned()),
            far: Far::Postfix(postfix),
        }
    }

    fn sink() -> Self {
        let sink = Sink::running();
        Self {
            name: "sink",
            account: open(&sink.plain()),
            good: format!("{}@test.local", unique()),
            bad: "code-550-5.1.1@test.local".to_owned(),
            deferred: Deferred::Contact("code-452-4.2.2@test.local".to_owned()),
            far: Far::Sink(sink),
        }
    }

    fn parcel(&self) -> Parcel {
        Parcel { contact: self.good.clone(), ..parcel() }
    }

    /// What the far side has of this test's contact, once there is as much as `expected`.
    async fn arrived(&self, parcel: &Parcel, expected: usize) -> Vec<Arrived> {
        match &self.far {
            Far::Folder(root) => files_in(root.path()),
            Far::Outbox(root) => {
                let mails = fs::read_dir(root.path()).unwrap();
                mails.map(|it| mail(&fs::read(it.unwrap().path()).unwrap())).collect()
            }
            Far::Postfix(postfix) => {
                let id = format!("{}@test.local", parcel.key);
                postfix.mails(&id, expected).await.iter().map(|it| mail(it)).collect()
            }
            Far::Sink(sink) => sink.mails(&self.good).iter().map(|it| mail(it)).collect(),
        }
    }
}

fn open(config: &AccountConfig) -> Account {
    Account::open("tested", config).unwrap()
}

fn url_of(path: &Path, query: &str) -> String {
    format!("folder://{}{query}", path.display())
}

/// A name that was never used before, by this run of the tests or an earlier one.
fn unique() -> String {
    format!("t{:032x}", rand::random::<u128>())
}

fn parcel() -> Parcel {
    Parcel {
        key: unique(),
        attempt: 1,
        created_at: Utc::now(),
        recipient: "Ann Baker".to_owned(),
        contact: String::new(),
        message: Message {
            subject: "Größe: open orders, 日本 🎉".to_owned(),
            text: "Good morning,\n.\nyours".to_owned(),
            html: Some("<p>Grüße</p>".to_owned()),
        },
        files: vec![
            file("open orders.pdf", b"%PDF-1.7\r\n\n\r\0\xff.\r\n.\r\n"),
            file("Größe 日本 🎉.pdf", &[7; 100_000]),
            file("empty.pdf", b""),
        ],
    }
}

fn file(name: &str, bytes: &[u8]) -> File {
    File { name: name.to_owned(), media_type: "application/pdf".to_owned(), bytes: Bytes::copy_from_slice(bytes) }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digests(parcel: &Parcel) -> Vec<(String, String)> {
    let mut files: Vec<_> = parcel.files.iter().map(|it| (it.name.clone(), digest(&it.bytes))).collect();
    files.sort();
    files
}

fn mail(bytes: &[u8]) -> Arrived {
    let message = MessageParser::default().parse(bytes).unwrap();
    let files = message.attachments().map(|it| (it.attachment_name().unwrap().to_owned(), digest(it.contents())));
    let mut files: Vec<_> = files.collect();
    files.sort();
    Arrived { identity: message.message_id().unwrap().to_owned(), files }
}

/// All files below `root`, as one delivery.
fn files_in(root: &Path) -> Vec<Arrived> {
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

fn scope_of_refusal(report: &Report) -> Option<Scope> {
    match &report.outcome {
        Outcome::Refused(reason) => Some(reason.scope),
        _ => None,
    }
}

#[tokio::test]
async fn documents_arrive_byte_for_byte() {
    for way in Way::all() {
        let parcel = way.parcel();

        let report = way.account.transmit(&parcel).await;

        let Outcome::Delivered(proof) = &report.outcome else { panic!("{}: {report:?}", way.name) };
        assert!(!proof.by.is_empty() && !proof.text.is_empty(), "{}", way.name);
        let arrived = way.arrived(&parcel, 1).await;
        assert_eq!(arrived.len(), 1, "{}", way.name);
        assert_eq!(arrived[0].files, digests(&parcel), "{}", way.name);
    }
}

#[tokio::test]
async fn a_repeat_is_recognised_by_its_identity() {
    for way in Way::all() {
        let parcel = way.parcel();
        let again = Parcel { attempt: 2, ..parcel.clone() };

        for parcel in [&parcel, &again] {
            let report = way.account.transmit(parcel).await;
            assert!(matches!(report.outcome, Outcome::Delivered(_)), "{}: {report:?}", way.name);
        }

        // A folder sees one and the same file; a mail server gets the message twice, under one Message-ID.
        let expected = if matches!(way.far, Far::Folder(_) | Far::Outbox(_)) { 1 } else { 2 };
        let arrived = way.arrived(&parcel, expected).await;
        assert_eq!(arrived.len(), expected, "{}", way.name);
        assert!(arrived.iter().all(|it| *it == arrived[0]), "{}: {arrived:?}", way.name);
    }
}

#[tokio::test]
async fn a_contact_the_far_side_does_not_know_is_refused_as_such() {
    for way in Way::all() {
        let report = way.account.transmit(&Parcel { contact: way.bad.clone(), ..parcel() }).await;
        assert_eq!(scope_of_refusal(&report), Some(Scope::Contact), "{}: {report:?}", way.name);
    }
}

#[tokio::test]
async fn what_cannot_be_served_now_is_deferred_with_a_reason() {
    for way in Way::all() {
        let report = match &way.deferred {
            Deferred::Contact(contact) => way.account.transmit(&Parcel { contact: contact.clone(), ..parcel() }).await,
            Deferred::Account(account) => account.transmit(&way.parcel()).await,
        };
        let Outcome::Deferred { reason, .. } = &report.outcome else { panic!("{}: {report:?}", way.name) };
        assert!(!reason.code.is_empty() && !reason.text.is_empty(), "{}", way.name);
    }
}

#[tokio::test]
async fn a_transcript_is_kept_without_secrets_or_contents() {
    for way in Way::all() {
        let mut parcel = way.parcel();
        parcel.message.text = "nobody else may read this".to_owned();

        let report = way.account.transmit(&parcel).await;

        assert!(!report.transcript.is_empty(), "{}", way.name);
        let all = format!("{report:?} {:?}", way.account);
        // The password plainly, and both ways in which it goes over the wire.
        for secret in ["s3cret", "czNjcmV0", "AHJlcG9ydHN", "nobody else may read this"] {
            assert!(!all.contains(secret), "{}: {all}", way.name);
        }
    }
}

#[tokio::test]
async fn line_breaks_in_subjects_and_names_are_refused() {
    for way in Way::all() {
        let mut subject = way.parcel();
        subject.message.subject = "Hello\r\nBcc: eve@test.local".to_owned();
        let mut name = way.parcel();
        name.recipient = "Ann\nBcc: eve@test.local".to_owned();
        let mut contact = way.parcel();
        contact.contact = format!("{}\r\nRCPT TO:<eve@test.local>", way.good);

        for (parcel, scope) in [(subject, Scope::Document), (name, Scope::Contact), (contact, Scope::Contact)] {
            let report = way.account.transmit(&parcel).await;
            assert_eq!(scope_of_refusal(&report), Some(scope), "{}: {report:?}", way.name);
        }
    }
}

#[tokio::test]
async fn file_names_never_lead_anywhere() {
    for way in Way::all() {
        for name in ["../../etc/passwd", "/etc/passwd", "..", "", "a\r\nb.pdf", "a\0.pdf", &"n".repeat(1 << 20)] {
            let mut parcel = way.parcel();
            parcel.files = vec![file(name, b"x")];
            let report = way.account.transmit(&parcel).await;
            assert_eq!(scope_of_refusal(&report), Some(Scope::Document), "{}: {name:.20}", way.name);
        }
    }
}

#[tokio::test]
async fn a_name_of_a_megabyte_is_refused_and_an_odd_one_arrives() {
    for way in Way::all() {
        let mut parcel = way.parcel();
        parcel.recipient = "n".repeat(1 << 20);
        let report = way.account.transmit(&parcel).await;
        assert_eq!(scope_of_refusal(&report), Some(Scope::Contact), "{}", way.name);

        parcel.recipient = r#"🎉 "Ann" <eve@test.local>, Ben;"#.to_owned();
        parcel.key = "../ key\r\nof anything".to_owned();
        let report = way.account.transmit(&parcel).await;
        assert!(matches!(report.outcome, Outcome::Delivered(_)), "{}: {report:?}", way.name);
    }
}

#[tokio::test]
async fn a_probe_tells_what_it_saw() {
    for way in Way::all() {
        assert!(!way.account.probe().await.unwrap().is_empty(), "{}", way.name);
        if let Deferred::Account(account) = &way.deferred {
            assert!(account.probe().await.is_err(), "{}", way.name);
        }
    }
}

#[test]
fn a_parcel_is_dated_by_its_making() {
    let made_at: DateTime<Utc> = "2026-04-01T06:00:00Z".parse().unwrap();
    let root = tempfile::tempdir().unwrap();
    let mut config = peers::account(url_of(root.path(), "?format=eml"));
    config.channel = Some("email".to_owned());
    let parcel = Parcel { created_at: made_at, contact: "ann@test.local".to_owned(), ..parcel() };

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(open(&config).transmit(&parcel));

    let path = fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(path).unwrap();
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.date().map(|it| it.to_timestamp()), Some(made_at.timestamp()));
}
