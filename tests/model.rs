//! Claim, lease, settle and sweep as a small model, all of whose states are visited.
//!
//! Two workers and a sweeper share one step that transmits, to a far side that may get any number of copies. Workers
//! crash, or pause past their lease and wake up; hints are lost and doubled; people settle, retry and cancel; the far side
//! may be asked. The moves of the transmission are the engine's own, so the model fails when they change. Each known
//! mistake is caught.

#[path = "model/law.rs"]
mod law;
#[path = "model/play.rs"]
mod play;
#[path = "model/walk.rs"]
mod walk;
#[path = "model/world.rs"]
mod world;

use postbook::channel::Settle;
use stateright::{Checker, HasDiscoveries, Model};

use play::{Flaw, Play};

/// Visits every state and fails with the way to one that breaks a law, or when something that can happen does not.
fn holds(settle: Settle, words: usize) {
    let checker = Play { settle, flaw: None, words }.checker().threads(2).spawn_bfs().join();
    println!("{settle:?}: {} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
    assert!(checker.unique_state_count() > 5_000, "the model has become a small part of itself");
}

#[test]
fn an_account_that_repeats_loses_nothing_and_admits_what_arrives_twice() {
    holds(Settle::Repeat, 1);
}

#[test]
fn an_account_that_holds_sends_twice_only_when_a_person_says_so() {
    holds(Settle::Hold, 2);
}

#[test]
fn an_account_that_asks_sends_again_what_never_came_and_nothing_twice() {
    holds(Settle::Ask, 2);
}

#[test]
fn nothing_goes_round_in_circles() {
    for settle in [Settle::Repeat, Settle::Hold, Settle::Ask] {
        assert_eq!(walk::circle(&Play { settle, flaw: None, words: 1 }), None, "{settle:?}");
    }
}

#[test]
fn each_known_mistake_is_caught() {
    for (flaw, settle, law) in [
        (Flaw::ClaimWithoutFence, Settle::Repeat, law::ADMITTED),
        (Flaw::SilentRepeat, Settle::Repeat, law::ADMITTED),
        (Flaw::AttemptAfterSend, Settle::Repeat, law::ADMITTED),
        (Flaw::CommitWithoutLease, Settle::Repeat, law::LEGAL),
        (Flaw::LateOverAll, Settle::Repeat, law::LEGAL),
        (Flaw::ForgetfulRetry, Settle::Hold, law::ADMITTED),
        (Flaw::ForgetfulLate, Settle::Repeat, law::ADMITTED),
        (Flaw::NoReminder, Settle::Repeat, law::RESTS),
        (Flaw::AskWithoutPermit, Settle::Ask, law::ADMITTED),
    ] {
        let play = Play { settle, flaw: Some(flaw), words: 2 };
        let enough = HasDiscoveries::AllOf([law].into());
        let checker = play.checker().finish_when(enough).threads(2).spawn_bfs().join();
        assert!(checker.discovery(law).is_some(), "{flaw:?} does not break the law `{law}`");
        println!("{flaw:?} is caught after {} states", checker.unique_state_count());
    }
}
