//! Submissions that are cut off: the server is asked, and nothing is faxed twice.

use std::{net::SocketAddr, time::Duration};

use postbook::{
    channel::{Outcome, Parcel, Settle, Standing, account::Account},
    reason::Scope,
};
use tokio::time::interval;

use crate::{
    asked, open, pages, parcel,
    peers::FaxServer,
    server::Server,
    wire::{self, Cut},
};

const NUMBER: &str = "+13125550002";

#[tokio::test]
async fn a_wire_cut_before_the_job_is_free_is_no_doubt_and_one_after_it_is_settled_by_asking() {
    let server = FaxServer::running();
    let desk = open(&server.desk());
    let port: u16 = server.desk().url.rsplit_once(':').unwrap().1.parse().unwrap();
    let fax = pages::tiff(&pages::three()[..1]);
    for (cut, verb, outcome, known) in [
        (Cut::Before, "PASS", "deferred", false),
        (Cut::After, "STOT", "deferred", false),
        (Cut::After, "JNEW", "deferred", false),
        (Cut::Before, "JPARM DOCUMENT", "deferred", false),
        (Cut::Before, "JSUBM", "uncertain", false),
        (Cut::After, "JSUBM", "uncertain", true),
    ] {
        let wire = wire::lay(SocketAddr::from(([127, 0, 0, 1], port)), cut, verb).await;
        let parcel = parcel(NUMBER, fax.clone());

        let report = open(&server.account(&wire.port().to_string())).transmit(&parcel).await;

        assert_eq!(report.outcome.name(), outcome, "{cut:?} {verb}: {report:?}");
        let standing = desk.ask(&asked(&parcel)).await.unwrap().standing;
        assert_eq!(matches!(standing, Standing::Underway(_)), known, "{cut:?} {verb}: {standing:?}");
        assert_eq!(standing == Standing::Unknown, !known, "{cut:?} {verb}: {standing:?}");
    }
    assert_eq!(desk.settle(), Settle::Ask);
}

#[tokio::test]
async fn a_later_attempt_takes_up_the_job_that_an_earlier_one_left() {
    let desk = open(&FaxServer::running().desk());
    let parcel = parcel(NUMBER, pages::tiff(&pages::three()[..1]));
    let first = crate::send(&desk, &parcel).await;

    let again = crate::send(&desk, &Parcel { attempt: 2, ..parcel }).await;

    assert_eq!(again.reference, first.reference);
}

#[tokio::test]
async fn a_job_that_no_scheduler_takes_is_taken_back() {
    let mut server = Server::start();
    let account = open(&FaxServer::running().account(&server.port.to_string()));
    let parcel = parcel(NUMBER, pages::tiff(&pages::three()[..1]));
    server.listens().await;

    server.kill_scheduler();
    let report = account.transmit(&parcel).await;

    assert_eq!(report.outcome.name(), "deferred", "{report:?}");
    assert_eq!(report.outcome.reason().map(|it| it.scope), Some(Scope::Account), "{report:?}");
    assert!(server.tags().is_empty());
    server.revive_scheduler();
    deliver(&account, Parcel { attempt: 2, ..parcel }).await;
    assert_eq!(server.tags().len(), 1);
}

/// Tries until the server has it.
async fn deliver(account: &Account, mut parcel: Parcel) {
    let mut tries = interval(Duration::from_millis(20));
    loop {
        tries.tick().await;
        match account.transmit(&parcel).await.outcome {
            Outcome::Accepted(_) => return,
            Outcome::Deferred { .. } => parcel.attempt += 1,
            other => panic!("{other:?}"),
        }
    }
}
