//! Submissions that are cut off: the server is asked, and nothing is faxed twice.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use postbook::{
    channel::{Outcome, Parcel, Settle, Standing, account::Account},
    reason::Scope,
};
use tokio::{sync::Semaphore, task::JoinSet, time::interval};

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

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_faxes_to_a_server_that_is_killed_again_and_again_each_is_there_once() {
    let mut server = Server::start();
    let mut config = FaxServer::running().account(&server.port.to_string());
    config.timeout = Duration::from_secs(10);
    let account = Arc::new(open(&config));
    let fax = pages::tiff(&pages::three()[..1]);
    let at_once = Arc::new(Semaphore::new(8));
    let mut sending = JoinSet::new();
    for _ in 0..200 {
        let (account, at_once, parcel) = (account.clone(), at_once.clone(), parcel(NUMBER, fax.clone()));
        sending.spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            deliver(&account, parcel).await
        });
    }
    let mut deaths = interval(Duration::from_millis(400));
    let (mut sent, mut killed, mut doubts) = (Vec::new(), 0, 0);
    while !sending.is_empty() {
        tokio::select! {
            Some(done) = sending.join_next() => {
                let (key, uncertain) = done.unwrap();
                doubts += uncertain;
                sent.push(key);
            }
            _ = deaths.tick() => {
                server.kill();
                server.revive();
                killed += 1;
            }
        }
    }

    println!("{killed} deaths, {doubts} submissions in doubt");
    assert!(killed > 3, "it was killed {killed} times only");
    let mut jobs: BTreeMap<String, usize> = BTreeMap::new();
    for tag in server.tags().iter().filter(|it| !it.is_empty()) {
        *jobs.entry(tag.split_once('.').unwrap().0.to_owned()).or_default() += 1;
    }
    assert_eq!(sent.len(), 200);
    for key in &sent {
        assert_eq!(jobs.get(key), Some(&1), "{key} is not there once");
    }
}

/// Tries until the server has it, as the engine does: what is in doubt is asked about before anything else. Gives the
/// key, and how many tries were in doubt.
async fn deliver(account: &Account, mut parcel: Parcel) -> (String, usize) {
    let mut tries = interval(Duration::from_millis(20));
    let mut doubts = 0;
    loop {
        tries.tick().await;
        match account.transmit(&parcel).await.outcome {
            Outcome::Accepted(_) => return (parcel.key, doubts),
            Outcome::Deferred { .. } => {}
            Outcome::Uncertain(_) => {
                doubts += 1;
                if is_known(account, &parcel).await {
                    return (parcel.key, doubts);
                }
            }
            other => panic!("{other:?}"),
        }
        parcel.attempt += 1;
    }
}

async fn is_known(account: &Account, parcel: &Parcel) -> bool {
    let mut looks = interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        if let Ok(answer) = account.ask(&asked(parcel)).await {
            return answer.standing != Standing::Unknown;
        }
    }
}
