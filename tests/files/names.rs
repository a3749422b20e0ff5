//! Names that are taken, deep folders, large objects.

use std::path::PathBuf;

use postbook::{
    channel::{
        Outcome,
        account::{Account, AccountConfig},
    },
    reason::Scope,
    source::place::Exists,
};

use crate::{
    parcels::{files_in, is_delivered, open, parcel, refusal, unique},
    peers::{Nginx, Sshd, Vsftpd, s3::S3},
};

/// A server, and where its files lie.
struct Far {
    name: &'static str,
    config: AccountConfig,
    files: PathBuf,
}

impl Far {
    fn all(s3: &S3) -> Vec<Self> {
        let (sshd, vsftpd, nginx) = (Sshd::running(), Vsftpd::running(), Nginx::running());
        vec![
            Self { name: "sftp", config: sshd.outgoing(), files: sshd.files() },
            Self { name: "ftp", config: vsftpd.plain(), files: vsftpd.folder() },
            Self { name: "ftps", config: vsftpd.implicit(), files: vsftpd.folder() },
            Self { name: "webdav", config: nginx.plain("dav", ""), files: nginx.folder() },
            Self { name: "put", config: nginx.plain("plain", "&method=put"), files: nginx.folder() },
            Self { name: "s3", config: AccountConfig::new(s3.url("bucket")), files: s3.path("") },
        ]
    }

    fn account(&self, exists: Exists) -> Account {
        open(&AccountConfig { exists, ..self.config.clone() })
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_numbered_replaced_or_refused_as_the_account_says() {
    let s3 = S3::start();
    for far in Far::all(&s3) {
        let folder = unique();
        let seen = || files_in(&far.files.join(&folder));
        let send =
            async |exists, text: &'static str| far.account(exists).transmit(&parcel(&folder, "report.csv", text)).await;
        assert!(is_delivered(&send(Exists::Suffix, "one").await), "{}", far.name);
        let again = send(Exists::Fail, "one").await;
        assert!(again.transcript.contains("is there already"), "{}: {again:?}", far.name);
        assert!(is_delivered(&send(Exists::Suffix, "other").await), "{}", far.name);
        assert_eq!(seen()["report (2).csv"], b"other", "{}", far.name);
        let refused = send(Exists::Fail, "third").await;
        assert_eq!((refusal(&refused).scope, refusal(&refused).code.as_str()), (Scope::Contact, "place-taken"));
        assert_eq!(seen()["report.csv"], b"one", "{}", far.name);

        assert!(is_delivered(&send(Exists::Overwrite, "third").await), "{}", far.name);
        assert_eq!(seen()["report.csv"], b"third", "{}", far.name);
        assert!(seen().keys().all(|name| !name.ends_with(".part")), "{}: {:?}", far.name, seen().keys());
    }
}

#[tokio::test]
async fn folders_that_are_not_there_are_made_below_the_accounts_own_and_nowhere_else() {
    let s3 = S3::start();
    for far in Far::all(&s3) {
        let folder = format!("{}/a b/größe/日本", unique());
        let report = far.account(Exists::Suffix).transmit(&parcel(&folder, "x;y %41#?.csv", "x")).await;
        assert!(is_delivered(&report), "{}: {report:?}", far.name);
        assert_eq!(files_in(&far.files.join(&folder))["x;y %41#?.csv"], b"x", "{}", far.name);

        for hostile in ["../up", "/etc", "a/../../b", "a\r\nDELE b", "c:"] {
            let report = far.account(Exists::Suffix).transmit(&parcel(hostile, "x.csv", "x")).await;
            assert_eq!(refusal(&report).scope, Scope::Contact, "{}: {hostile:?}", far.name);
        }
    }
}

#[tokio::test]
async fn a_large_object_goes_in_parts_and_is_recognised_when_it_goes_again() {
    let s3 = S3::start();
    let account = open(&AccountConfig::new(s3.url("bucket")));
    let bytes: Vec<u8> = (0..40_000_000_u32).map(|at| (at >> 7) as u8).collect();
    let parcel = parcel("in", "large.bin", bytes.clone());
    let report = account.transmit(&parcel).await;
    assert!(is_delivered(&report), "{report:?}");
    assert!(std::fs::read(s3.path("in/large.bin")).unwrap() == bytes);
    let again = account.transmit(&parcel).await;
    assert!(again.transcript.contains("is there already"), "{again:?}");
}

#[tokio::test]
async fn an_account_without_a_bucket_takes_it_from_the_contact() {
    let s3 = S3::start();
    let account = open(&AccountConfig::new(s3.url("")));
    assert!(is_delivered(&account.transmit(&parcel("bucket/in", "a.csv", "a")).await));
    assert_eq!(std::fs::read(s3.path("in/a.csv")).unwrap(), b"a");
    let report = account.transmit(&parcel(".", "a.csv", "a")).await;
    assert!(matches!(&report.outcome, Outcome::Refused(reason) if reason.code == "s3-no-bucket"), "{report:?}");
}
