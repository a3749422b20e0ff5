//! Services over HTTP that fail in every way and are killed.

use std::collections::BTreeMap;

use sqlx::PgPool;
use tokio::runtime::Handle;

use crate::{
    ride::{COUNT, FarSide, Storm},
    services::{Fault, SECRET, Server, Service, smsapi::SmsApi},
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

#[sqlx::test]
async fn smsapi_texts_each_once(db: PgPool) {
    let server = SmsApi::start();
    server.fails_in_turn(faults());
    let storm = Storm::new("sms", server.account(SECRET), mobile).words();
    let contacts = |service: &SmsApi| {
        let messages = service.messages.lock().unwrap();
        messages.iter().map(|message| format!("+{}", message.to)).collect()
    };

    let verdict = storm.ride_out(db, Cloud { server, contacts }).await;

    verdict.is_true_of_all_but(0);
    assert_eq!(verdict.twice, 0, "{verdict}");
}
