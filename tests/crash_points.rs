//! A crash before and after everything an engine writes and everything it says to a mail server.
//!
//! Between an engine and its real peers stands a line that carries one exchange at a time. Each case cuts exchange
//! number n of a run, before the peer gets it or after the peer has done it, and takes the engine down with it or lets
//! it live; then another engine, with the clock past the lease, does what is left. n goes up until a run is over
//! before it is reached, so that every exchange is cut once.

#[path = "crash_points/fault.rs"]
mod fault;
mod harness;
#[path = "crash_points/mail.rs"]
mod mail;
#[path = "crash_points/postgres.rs"]
mod postgres;
#[path = "crash_points/proxy.rs"]
mod proxy;
#[path = "crash_points/site.rs"]
mod site;
#[path = "crash_points/verdict.rs"]
mod verdict;

use std::sync::Arc;

use fault::{Cut, End, Fault, Peer};
use postbook::channel::Settle;
use site::{Pace, Site};
use sqlx::PgPool;
use verdict::{Tally, judge};

/// Where faults are: at which peer, on which side of it, and what becomes of the engine.
type Place = (Peer, Cut, End);

/// Cuts each exchange at `place` in a run of its own, each after the fault `before`, and gives the sums. There are at
/// least `least`.
async fn every_point(site: &Site, place: Place, (before, least): (Option<(Place, usize)>, usize)) -> Tally {
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    for number in 1.. {
        let mut faults: Vec<_> = before.iter().map(|(place, number)| Arc::new(Fault::new(*place, *number))).collect();
        let fault = Arc::new(Fault::new(place, number));
        faults.push(fault.clone());
        let haunted = site.haunt(&faults).await;
        let (seen, complaints) = judge(site, &haunted).await;
        let what = fault.struck();
        wrong.extend(complaints.iter().map(|it| format!("{place:?} {number} (run {}, {what:?}): {it}", haunted.run)));
        tally.add(seen);
        if what.is_none() {
            break;
        }
    }
    println!("{place:?}, {:?}: {tally:?}", site.settle);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(tally.cases > least, "only {} points: the run was not covered", tally.cases - 1);
    tally
}

const REPEAT: (Settle, Pace) = (Settle::Repeat, Pace::OneByOne);
const HOLD: (Settle, Pace) = (Settle::Hold, Pace::OneByOne);

/// Cuts every exchange with the database, on both sides of it.
async fn database(db: PgPool, (settle, pace): (Settle, Pace), end: End) -> Tally {
    let site = Site::start(db, settle, pace).await;
    let mut tally = every_point(&site, (Peer::Database, Cut::Before, end), (None, 60)).await;
    tally.add(every_point(&site, (Peer::Database, Cut::After, end), (None, 25)).await);
    tally
}

/// Cuts every exchange with the mail server, on both sides of it.
async fn mail(db: PgPool, (settle, pace): (Settle, Pace), end: End) -> Tally {
    let site = Site::start(db, settle, pace).await;
    let mut tally = every_point(&site, (Peer::Mail, Cut::Before, end), (None, 14)).await;
    tally.add(every_point(&site, (Peer::Mail, Cut::After, end), (None, 14)).await);
    tally
}

#[sqlx::test]
async fn a_crash_at_any_write_loses_nothing_and_repeats_only_what_the_book_admits(db: PgPool) {
    let tally = database(db, REPEAT, End::Crash).await;
    assert_eq!(tally.uncertain, 0, "a repeat needs no person");
    assert!(tally.doubled > 0 && tally.admitted > tally.doubled, "{tally:?}");
}

#[sqlx::test]
async fn a_crash_at_any_write_sends_nothing_twice_where_the_account_holds(db: PgPool) {
    let tally = database(db, HOLD, End::Crash).await;
    assert!(tally.uncertain > 0 && tally.doubled == 0, "{tally:?}");
}

#[sqlx::test]
async fn a_connection_that_breaks_at_any_write_sends_nothing_twice(db: PgPool) {
    let tally = database(db, REPEAT, End::Break).await;
    assert_eq!(tally.doubled, 0, "an engine that lives knows what it has sent");
}

#[sqlx::test]
async fn a_connection_that_breaks_after_a_write_sends_nothing_twice_where_the_account_holds(db: PgPool) {
    let site = Site::start(db, Settle::Hold, Pace::OneByOne).await;
    let tally = every_point(&site, (Peer::Database, Cut::After, End::Break), (None, 25)).await;
    assert!(tally.uncertain > 0 && tally.doubled == 0, "{tally:?}");
}

#[sqlx::test]
async fn a_crash_at_any_word_to_the_mail_server_is_repeated_and_admitted(db: PgPool) {
    let tally = mail(db, REPEAT, End::Crash).await;
    assert!(tally.doubled > 0 && tally.admitted > tally.doubled, "{tally:?}");
}

#[sqlx::test]
async fn a_crash_at_any_word_to_the_mail_server_sends_nothing_twice_where_the_account_holds(db: PgPool) {
    let tally = mail(db, HOLD, End::Crash).await;
    assert!(tally.uncertain > 0, "{tally:?}");
}

#[sqlx::test]
async fn a_mail_server_that_goes_away_at_any_word_is_repeated_and_only_after_the_dot_in_doubt(db: PgPool) {
    let tally = mail(db, REPEAT, End::Break).await;
    assert_eq!((tally.admitted, tally.doubled), (6, 3), "three messages, the dot lost with and without its answer");
}

#[sqlx::test]
async fn a_mail_server_that_goes_away_at_any_word_sends_nothing_twice_where_the_account_holds(db: PgPool) {
    let tally = mail(db, HOLD, End::Break).await;
    assert_eq!(tally.uncertain, 6, "three messages, the dot lost with and without its answer");
}

#[sqlx::test]
async fn a_crash_in_the_middle_of_many_steps_at_once_loses_none_of_them(db: PgPool) {
    let tally = database(db, (Settle::Repeat, Pace::AtOnce), End::Crash).await;
    assert!(tally.doubled > 0, "{tally:?}");
}

#[sqlx::test]
async fn a_crash_while_a_crash_is_being_made_good_is_made_good_as_well(db: PgPool) {
    let site = Site::start(db, Settle::Repeat, Pace::OneByOne).await;
    // The first message is taken, and its sender dies before it hears of that.
    let before = Some(((Peer::Mail, Cut::After, End::Crash), MESSAGE));
    for (cut, least) in [(Cut::Before, 40), (Cut::After, 15)] {
        let tally = every_point(&site, (Peer::Database, cut, End::Crash), (before, least)).await;
        assert!(tally.doubled >= tally.cases, "the first message arrives twice in every case: {tally:?}");
    }
}

/// The first message among what is said to the mail server: two greetings, MAIL, RCPT and DATA come before.
const MESSAGE: usize = 6;
