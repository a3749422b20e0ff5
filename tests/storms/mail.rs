//! A real Postfix that is killed while mail goes out by it.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use postbook::{channel::account::AccountConfig, secret::Secret};
use sqlx::PgPool;

use crate::{
    PATIENCE,
    peers::{Own, Postfix},
    ride::{DOUBTS, FarSide, Storm},
};

struct Mail {
    own: Own,
    postfix: Postfix,
}

impl FarSide for Mail {
    fn kill(&mut self) {
        self.own.kill();
    }

    fn restart(&mut self) {
        self.own.restart();
    }

    /// Having taken a mail once, it may put it into the inbox twice when it is killed in between: that is one message of
    /// its queue.
    fn arrived(&mut self) -> BTreeMap<String, usize> {
        let begun = Instant::now();
        while !self.postfix.is_idle() {
            assert!(begun.elapsed() < PATIENCE, "the server does not deliver what it took");
            thread::sleep(Duration::from_millis(50));
        }
        let mut queued: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for mail in self.postfix.kept() {
            let contact = mail.to.split('@').next().filter(|it| it.starts_with('+')).unwrap_or(&mail.to);
            queued.entry(contact.to_owned()).or_default().insert(mail.queued_as);
        }
        queued.into_iter().map(|(contact, ids)| (contact, ids.len())).collect()
    }
}

/// What comes of a storm that the server is killed in.
async fn ride_out(db: PgPool, storm: impl FnOnce(&Postfix) -> Storm) {
    let own = Own::start("smtp");
    let postfix = Postfix::of(&own);

    let verdict = storm(&postfix).ride_out(db, Mail { own, postfix }).await;

    verdict.is_true_of_all_but(0);
    assert!(verdict.marked <= DOUBTS, "{verdict}");
}

fn mailbox(number: usize) -> String {
    format!("r{number}@test.local")
}

#[sqlx::test]
async fn a_mail_server_that_is_killed_loses_no_mail_and_what_comes_twice_is_marked(db: PgPool) {
    ride_out(db, |postfix| Storm::new("email", postfix.plain(), mailbox)).await;
}

#[sqlx::test]
async fn a_mail_server_that_is_killed_loses_no_fax_by_a_mail_gateway_and_what_comes_twice_is_marked(db: PgPool) {
    ride_out(db, |postfix| {
        let mut gateway = postfix.plain();
        gateway.url = gateway.url.replacen("smtp:", "faxmail:", 1);
        gateway.fax.dial = Some("{number}@test.local".to_owned());
        Storm::new("fax", gateway, |number| format!("+48225{number:06}"))
    })
    .await;
}

#[sqlx::test]
async fn a_mail_server_that_is_killed_loses_no_link_and_what_comes_twice_is_marked(db: PgPool) {
    ride_out(db, |postfix| {
        let mut links = AccountConfig::new("pickup:");
        links.links = Some("https://postbook.example.org/pickup".to_owned());
        links.link_secret = Some(Secret::from("a secret of more than thirty-two letters"));
        links.mail = Some("post".to_owned());
        Storm::new("pickup", links, mailbox).with("post", postfix.plain())
    })
    .await;
}
