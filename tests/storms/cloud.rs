//! Services over HTTP that fail in every way and are killed.

use std::{collections::BTreeMap, time::Duration};

use sqlx::PgPool;
use tokio::runtime::Handle;

use crate::{
    ride::{COUNT, FarSide, Storm},
    services::{Fault, SECRET, Server, Service, sinch::Sinch, smsapi::SmsApi, telnyx::Telnyx, twilio::Twilio},
    verdict::Verdict,
};

/// A service, and whom it sent at.
struct Cloud<S> {
    server: Server<S>,
    contacts: fn(&S) -> Vec<String>,
}

impl<S: Service> FarSide for Cloud<S> {
    fn kill(&mut self) {
        Handle::current().block_on(self.server.kill());
    }

    fn restart(&mut self) {
        self.server.restart();
    }

    fn arrived(&mut self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for contact in (self.contacts)(&self.server.service) {
            *counts.entry(contact).or_default() += 1;
        }
        counts
    }
}

/// What goes wrong with the requests that send, one after the other: much in single ones, and now and then something that
/// pauses the account.
fn faults() -> impl Iterator<Item = Option<Fault>> {
    (0..2 * COUNT).map(|turn| match (turn % 8, turn % 50) {
        (_, 9) => Some(Fault::Says(500, "")),
        (_, 34) => Some(Fault::Busy(1)),
        (0, _) => Some(Fault::Lost),
        (3, _) => Some(Fault::Cut),
        (6, _) => Some(Fault::Says(200, "?")),
        _ => None,
    })
}

fn mobile(number: usize) -> String {
    format!("+48601{:06}", 1000 + number)
}

fn fax(number: usize) -> String {
    format!("+1312555{:04}", 1000 + number)
}

/// What comes of a storm that `server` fails in.
async fn ride_out<S: Service>(db: PgPool, storm: Storm, server: Server<S>, contacts: fn(&S) -> Vec<String>) -> Verdict {
    server.fails_in_turn(faults());
    storm.ride_out(db, Cloud { server, contacts }).await
}

#[sqlx::test]
async fn smsapi_texts_each_once(db: PgPool) {
    let server = SmsApi::start();
    let storm = Storm::new("sms", server.account(SECRET), mobile).words();

    let verdict = ride_out(db, storm, server, |service| {
        let messages = service.messages.lock().unwrap();
        messages.iter().map(|message| format!("+{}", message.to)).collect()
    })
    .await;

    verdict.is_true_of_all_but(0);
    assert_eq!(verdict.twice, 0, "{verdict}");
}

#[sqlx::test]
async fn telnyx_faxes_each_once(db: PgPool) {
    let server = Telnyx::start();
    let storm = Storm::new("fax", server.account(SECRET), fax).by(&server.service.clock);

    let verdict = ride_out(db, storm, server, |service| {
        let faxes = service.faxes.lock().unwrap();
        faxes.iter().map(|fax| fax.to.clone()).collect()
    })
    .await;

    verdict.is_true_of_all_but(0);
    assert_eq!((verdict.twice, verdict.marked), (0, 0), "{verdict}");
}

#[sqlx::test]
async fn sinch_faxes_each_once(db: PgPool) {
    let server = Sinch::start();
    let storm = Storm::new("fax", server.account(SECRET), fax).by(&server.service.clock);

    let verdict = ride_out(db, storm, server, |service| {
        let faxes = service.faxes.lock().unwrap();
        faxes.iter().map(|fax| fax.asked["to"].as_str().unwrap().to_owned()).collect()
    })
    .await;

    verdict.is_true_of_all_but(0);
    assert_eq!((verdict.twice, verdict.marked), (0, 0), "{verdict}");
}

/// It finds messages by their number alone, so that it cannot say that the one there is ours.
#[sqlx::test]
async fn twilio_texts_none_twice_and_leaves_what_it_cannot_tell_to_a_person(db: PgPool) {
    let server = Twilio::start();
    let mut account = server.account(SECRET);
    account.ask_for = Duration::from_secs(10 * 60);
    let storm = Storm::new("sms", account, mobile).words().by(&server.service.clock);

    let verdict = ride_out(db, storm, server, |service| {
        let messages = service.messages.lock().unwrap();
        messages.iter().map(|message| message.to.clone()).collect()
    })
    .await;

    // An eighth of the requests is cut, and each death leaves some.
    verdict.is_true_of_all_but(COUNT / 3);
    assert_eq!((verdict.twice, verdict.marked), (0, 0), "{verdict}");
}
