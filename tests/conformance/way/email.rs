//! E-mail: a real Postfix, and a mail server that misbehaves on demand.

use futures::future::{BoxFuture, FutureExt, ready};
use mail_parser::{MessageParser, MimeHeaders};
use postbook::channel::Parcel;

use super::{Arrived, Deferred, Far, Way, awkward_files, digest, open, unique};
use crate::peers::{Postfix, Sink};

/// The password plainly, and both ways in which it goes over the wire.
const SECRETS: [&str; 3] = ["s3cret", "czNjcmV0", "AHJlcG9ydHN"];

pub fn postfix() -> Way {
    let postfix = Postfix::running();
    Way {
        name: "postfix",
        account: open(&postfix.submission()),
        config: Some(postfix.submission()),
        good: format!("{}@test.local", unique()),
        bad: "nouser@test.local".to_owned(),
        deferred: Deferred::Contact("full@test.local".to_owned()),
        // A mail server gets the message twice, under one Message-ID.
        repeats: 2,
        secrets: SECRETS.map(str::to_owned).to_vec(),
        files: awkward_files(),
        far: Box::new(postfix),
    }
}

pub fn sink() -> Way {
    let sink = Sink::running();
    Way {
        name: "sink",
        account: open(&sink.plain()),
        config: Some(sink.plain()),
        good: format!("{}@test.local", unique()),
        bad: "code-550-5.1.1@test.local".to_owned(),
        deferred: Deferred::Contact("code-452-4.2.2@test.local".to_owned()),
        repeats: 2,
        secrets: SECRETS.map(str::to_owned).to_vec(),
        files: awkward_files(),
        far: Box::new(sink),
    }
}

impl Far for Postfix {
    fn arrived<'a>(&'a self, parcel: &'a Parcel, expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        async move {
            let mails = self.mails(&format!("{}@test.local", parcel.key), expected).await;
            mails.iter().map(|it| mail(it)).collect()
        }
        .boxed()
    }
}

impl Far for Sink {
    fn arrived<'a>(&'a self, parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        ready(self.mails(&parcel.contact).iter().map(|it| mail(it)).collect()).boxed()
    }
}

/// A mail as one delivery.
pub fn mail(bytes: &[u8]) -> Arrived {
    let message = MessageParser::default().parse(bytes).unwrap();
    let files = message.attachments().map(|it| (it.attachment_name().unwrap().to_owned(), digest(it.contents())));
    let mut files: Vec<_> = files.collect();
    files.sort();
    Arrived { identity: message.message_id().unwrap().to_owned(), files }
}
