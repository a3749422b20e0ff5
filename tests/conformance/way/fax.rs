//! Fax: a HylaFAX that keeps what it is given, and a mail gateway behind a real Postfix. What comes over the line is
//! tested with real calls elsewhere.

use std::fs;

use futures::future::{BoxFuture, FutureExt, ready};
use mail_parser::{Address, MessageParser};
use postbook::channel::{File, Parcel, account::AccountConfig};

use super::{Arrived, Deferred, Far, Way, awkward_files, digest, email, file, open};
use crate::peers::{FaxServer, Postfix};

const SECRETS: [&str; 3] = ["s3cret", "czNjcmV0", "AHJlcG9ydHN"];

pub fn hylafax() -> Way {
    let server = FaxServer::running();
    Way {
        name: "hylafax",
        account: open(&server.desk()),
        config: Some(server.desk()),
        good: number(),
        bad: "+1 312 555".to_owned(),
        deferred: Deferred::Account(Box::new(open(&server.account("1")))),
        // The second attempt finds the job of the first.
        repeats: 1,
        secrets: SECRETS.map(str::to_owned).to_vec(),
        files: vec![
            fax("a.tif", b"II*\0one"),
            fax("Größe.tif", b"MM\0*two"),
            file("b.pdf", b"%PDF-1.7\r\n\xff.\r\n.\r\n"),
        ],
        far: Box::new(server),
    }
}

pub fn gateway() -> Way {
    let postfix = Postfix::running();
    let gateway = |config: AccountConfig| {
        let mut config = AccountConfig { url: config.url.replacen("smtp:", "faxmail:", 1), ..config };
        config.fax.dial = Some("fax-{digits}@test.local".to_owned());
        config
    };
    let config = gateway(postfix.submission());
    let nobody = AccountConfig { from: postfix.plain().from, ..AccountConfig::new("smtp://localhost:1?tls=none") };
    Way {
        name: "fax gateway",
        account: open(&config),
        config: Some(config),
        good: number(),
        bad: "n/a".to_owned(),
        deferred: Deferred::Account(Box::new(open(&gateway(nobody)))),
        repeats: 2,
        secrets: SECRETS.map(str::to_owned).to_vec(),
        files: awkward_files(),
        far: Box::new(Gateway(postfix)),
    }
}

/// A fax number that no other test uses.
fn number() -> String {
    format!("+48225{:06}", rand::random::<u32>() % 1_000_000)
}

fn fax(name: &str, bytes: &[u8]) -> File {
    File { media_type: "image/tiff".to_owned(), ..file(name, bytes) }
}

impl Far for FaxServer {
    /// The jobs that have the parcel's tag; files come in the order in which they were given.
    fn arrived<'a>(&'a self, parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        let spool = self.desk_spool();
        let jobs = fs::read_dir(spool.join("sendq")).unwrap().filter_map(|it| fs::read_to_string(it.ok()?.path()).ok());
        let ours = jobs.filter(|job| job.contains(&format!("jobtag:{}.", parcel.key)));
        let arrived = ours.map(|job| {
            let documents = job.lines().filter(|line| line.starts_with("tiff:") || line.starts_with("pdf:"));
            let documents = documents.filter_map(|line| line.rsplit(':').next());
            let bytes = documents.map(|it| fs::read(spool.join(it)).unwrap());
            let names = parcel.files.iter().map(|file| file.name.clone());
            let mut files: Vec<_> = names.zip(bytes).map(|(name, bytes)| (name, digest(&bytes))).collect();
            files.sort();
            Arrived { identity: parcel.key.clone(), files }
        });
        ready(arrived.collect()).boxed()
    }
}

/// What a gateway would fetch from its mailbox.
struct Gateway(Postfix);

impl Far for Gateway {
    fn arrived<'a>(&'a self, parcel: &'a Parcel, expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        async move {
            let mails = self.0.mails(&format!("{}@test.local", parcel.key), expected).await;
            let mailbox = format!("fax-{}@test.local", parcel.contact.trim_start_matches('+'));
            for mail in &mails {
                let message = MessageParser::default().parse(mail).unwrap();
                assert_eq!(message.to().and_then(Address::first).and_then(|it| it.address()), Some(mailbox.as_str()));
            }
            mails.iter().map(|it| email::mail(it)).collect()
        }
        .boxed()
    }
}
