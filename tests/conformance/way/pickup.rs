//! Pickup: a link by mail. What a mail server takes is the words with it; the files stay.

use futures::future::{BoxFuture, FutureExt, ready};
use postbook::{
    channel::{
        Parcel,
        account::{Account, AccountConfig},
    },
    secret::Secret,
};

use super::{Arrived, Deferred, Far, Way, email::mail, unique};
use crate::peers::Sink;

const SECRET: &str = "a secret of more than thirty-two letters";

/// The sink as the far side: what arrived there brought no files.
struct Told(Sink);

pub fn pickup() -> Way {
    let sink = Sink::running();
    Way {
        name: "pickup",
        account: open(&sink),
        config: None,
        good: format!("{}@test.local", unique()),
        bad: "code-550-5.1.1@test.local".to_owned(),
        deferred: Deferred::Contact("code-452-4.2.2@test.local".to_owned()),
        repeats: 2,
        secrets: vec![SECRET.to_owned()],
        files: Vec::new(),
        far: Box::new(Told(sink)),
    }
}

fn open(sink: &Sink) -> Account {
    let mut links = AccountConfig::new("pickup:");
    links.links = Some("https://postbook.example.org/pickup".to_owned());
    links.link_secret = Some(Secret::from(SECRET));
    links.mail = Some("mail".to_owned());
    Account::open_with("tested", &links, Some(&super::open(&sink.plain()))).unwrap()
}

impl Far for Told {
    fn arrived<'a>(&'a self, parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        ready(self.0.mails(&parcel.contact).iter().map(|it| mail(it)).collect()).boxed()
    }
}
