//! Services that fax and text over HTTP, as their descriptions have them, and a real Kannel.

use std::sync::Mutex;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use postbook::channel::{File, Parcel, account::AccountConfig};

use super::{Arrived, Deferred, Far, Way, digest, open};
use crate::{
    line::at_port,
    peers::Kannel,
    services::{
        Fault, SECRET, Server,
        sinch::{self, Sinch},
        smsapi::{self, SmsApi},
        telnyx::{self, Telnyx},
        twilio::{self, Twilio},
    },
};

pub fn telnyx() -> Way {
    let server = Telnyx::start();
    let config = server.account(SECRET);
    Way { bad: telnyx::NOBODY.to_owned(), files: pages(), ..way("telnyx", &config, "+13125550002", server) }
}

pub fn sinch() -> Way {
    let server = Sinch::start();
    let config = server.account(SECRET);
    Way { bad: sinch::NOBODY.to_owned(), files: pages(), ..way("sinch", &config, "+13125550002", server) }
}

pub fn smsapi() -> Way {
    let server = SmsApi::start();
    let config = server.account(SECRET);
    // The service refuses to take a key twice.
    Way { bad: format!("+{}", smsapi::NOBODY), repeats: 1, ..way("smsapi", &config, "+48601000001", server) }
}

pub fn twilio() -> Way {
    let server = Twilio::start();
    let config = server.account(SECRET);
    Way { bad: twilio::NOBODY.to_owned(), ..way("twilio", &config, "+13125550002", server) }
}

pub fn kannel() -> Way {
    let kannel = Kannel::running();
    let (config, good) = (kannel.account(), Kannel::number("100"));
    // Kannel itself finds out about numbers when it has long taken the message.
    Way { bad: "+49 151 1".to_owned(), ..way("kannel", &config, &good, kannel) }
}

/// A way to `far`, deferred where nobody listens.
fn way(name: &'static str, config: &AccountConfig, good: &str, far: impl Far + 'static) -> Way {
    Way {
        name,
        account: open(config),
        config: Some(config.clone()),
        good: good.to_owned(),
        bad: String::new(),
        deferred: Deferred::Account(Box::new(open(&at_port(config, 1)))),
        repeats: 2,
        secrets: vec![SECRET.to_owned(), BASE64_STANDARD.encode(SECRET), BASE64_STANDARD.encode(format!(":{SECRET}"))],
        files: Vec::new(),
        far: Box::new(far),
    }
}

/// As the engine makes them for a fax.
fn pages() -> Vec<File> {
    let bytes = Bytes::from_static(b"II*\0 pages \r\n--boundary\r\n\0\xff");
    vec![File { name: "Größe \"1\".tiff".to_owned(), media_type: "image/tiff".to_owned(), bytes }]
}

/// What `taken` has, each as one delivery.
fn arrived<T>(taken: &Mutex<Vec<T>>, seen: impl Fn(&T) -> Arrived) -> BoxFuture<'static, Vec<Arrived>> {
    ready(taken.lock().unwrap().iter().map(seen).collect()).boxed()
}

fn words(identity: &str) -> Arrived {
    Arrived { identity: identity.to_owned(), files: Vec::new() }
}

impl Far for Server<Telnyx> {
    fn arrived<'a>(&'a self, _parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        arrived(&self.service.faxes, |fax| {
            let name = fax.name.replace("\\\"", "\"");
            Arrived { identity: fax.key(), files: vec![(name, digest(&fax.bytes))] }
        })
    }

    fn is_busy_for(&self, seconds: u64) -> bool {
        self.fails_with(Fault::Busy(seconds));
        true
    }
}

impl Far for Server<Sinch> {
    /// It is told no names.
    fn arrived<'a>(&'a self, parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        arrived(&self.service.faxes, |fax| {
            let bytes = BASE64_STANDARD.decode(fax.asked["files"][0]["file"].as_str().unwrap()).unwrap();
            let identity = fax.asked["labels"]["postbook"].as_str().unwrap().to_owned();
            Arrived { identity, files: vec![(parcel.files[0].name.clone(), digest(&bytes))] }
        })
    }

    fn is_busy_for(&self, seconds: u64) -> bool {
        self.fails_with(Fault::Busy(seconds));
        true
    }
}

impl Far for Server<SmsApi> {
    fn arrived<'a>(&'a self, _parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        arrived(&self.service.messages, |message| words(&message.idx))
    }

    fn is_busy_for(&self, seconds: u64) -> bool {
        self.fails_with(Fault::Busy(seconds));
        true
    }
}

impl Far for Server<Twilio> {
    /// It knows no key of ours: the text is all there is to tell a repeat by.
    fn arrived<'a>(&'a self, _parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        arrived(&self.service.messages, |message| words(&message.body))
    }

    fn is_busy_for(&self, seconds: u64) -> bool {
        self.fails_with(Fault::Busy(seconds));
        true
    }
}

impl Far for Kannel {
    fn arrived<'a>(&'a self, parcel: &'a Parcel, expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        async move {
            let taken = self.taken(&parcel.contact, expected).await;
            taken.iter().map(|it| words(&it.text)).collect()
        }
        .boxed()
    }
}
