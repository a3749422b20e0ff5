//! Later word from the far side: what it changes, and what it must not change, in whatever order and however often it
//! comes. Mails go to real servers; words come as callbacks do, and as mails that came back.

mod harness;
mod peers;

#[path = "receipts/accounts.rs"]
mod accounts;
#[path = "receipts/bounces.rs"]
mod bounces;
#[path = "receipts/site.rs"]
mod site;
#[path = "receipts/turned.rs"]
mod turned;

use std::time::Duration;

use postbook::{
    channel::{About, Proof, Settle, Standing, Word, account::AccountConfig},
    reason::{Reason, Scope},
    run::{
        RunState, TransmissionState,
        receipt::{self, Source},
    },
};
use sqlx::PgPool;

use site::Site;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the workflow has a mail sent.
const TRIES: i32 = 12;

fn delivered() -> Standing {
    Standing::Delivered(Proof { by: "the far side".to_owned(), text: "handed over".to_owned() })
}

fn failed() -> Standing {
    Standing::Failed(Reason::new(Scope::Contact, "far-404", "nobody there"))
}

fn deferred() -> Standing {
    Standing::Deferred { reason: Reason::new(Scope::Attempt, "far-busy", "busy"), after: None }
}

#[sqlx::test]
async fn what_is_accepted_ends_its_run_and_is_delivered_when_nothing_came_back_in_time(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;

    let seen = site.app.seen(run).await;
    assert_eq!((seen.state, seen.counts.accepted), (RunState::Succeeded, 1));
    let one = site.transmission(run).await;
    assert!(one.word_by.is_some() && one.proof.is_some());

    site.later(2 * DAY + MINUTE).await;

    let one = site.transmission(run).await;
    assert_eq!(one.state, TransmissionState::Delivered);
    assert!(one.proof.unwrap()["text"].as_str().unwrap().contains("did not come back within 2 days"));
    let seen = site.app.seen(run).await;
    assert_eq!((seen.state, seen.counts.delivered), (RunState::Succeeded, 1));
    assert_eq!(site.app.count("select count(*) from awaited").await, 0);
    assert_eq!(site.app.notices(run).await.len(), 0, "nobody is told of what went well");
}

#[sqlx::test]
async fn a_word_that_comes_more_than_once_changes_something_once(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    for _ in 0..3 {
        site.say(run, failed(), 1).await;
    }

    let one = site.transmission(run).await;
    assert_eq!((one.state, one.receipts.len()), (TransmissionState::Failed, 1));
    assert_eq!(one.receipts[0].effect.as_deref(), Some("accepted to failed"));
    assert_eq!(site.app.notices(run).await.len(), 1, "the monitor is told, once, although the run had ended");
    let seen = site.app.seen(run).await;
    assert_eq!((seen.state, seen.counts.failed), (RunState::Failed, 1));
}

#[sqlx::test]
async fn in_whatever_order_words_come_the_youngest_counts(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let underway = || Standing::Underway("on its way".to_owned());
    for (words, expected) in [
        (vec![(underway(), 1), (delivered(), 2), (failed(), 3)], TransmissionState::Failed),
        (vec![(failed(), 3), (delivered(), 2), (underway(), 1)], TransmissionState::Failed),
        (vec![(delivered(), 2), (failed(), 3), (underway(), 4)], TransmissionState::Failed),
        (vec![(failed(), 1), (delivered(), 2)], TransmissionState::Delivered),
        (vec![(delivered(), 2), (failed(), 1)], TransmissionState::Delivered),
        (vec![(delivered(), 2), (deferred(), 3)], TransmissionState::Delivered),
    ] {
        let run = site.app.run("morning").await;
        for (standing, second) in words.clone() {
            site.say(run, standing, second).await;
        }
        let one = site.transmission(run).await;
        assert_eq!((one.state, one.attempts), (expected, 1), "{words:?}");
        assert_eq!(one.receipts.len(), words.len(), "every word is kept");
    }
}

#[sqlx::test]
async fn late_success_after_failure_is_delivered_and_the_book_says_that_it_was_late(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    site.say(run, failed(), 1).await;
    site.say(run, delivered(), 2).await;

    let one = site.transmission(run).await;
    assert_eq!((one.state, one.possibly_twice), (TransmissionState::Delivered, false));
    assert_eq!(one.receipts[1].effect.as_deref(), Some("failed to delivered late"));
    assert_eq!(site.app.seen(run).await.state, RunState::Succeeded);
}

#[sqlx::test]
async fn what_the_far_side_puts_off_is_sent_again_and_an_old_word_overturns_nothing(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    site.say(run, deferred(), 1).await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Queued);
    assert_eq!(site.app.seen(run).await.state, RunState::Running);

    site.later(MINUTE).await;
    let one = site.transmission(run).await;
    assert_eq!((one.state, one.attempts, one.possibly_twice), (TransmissionState::Accepted, 2, false));

    // The first attempt is over, whatever is said of it; that it arrived after all only means that there are two.
    site.say(run, failed(), 2).await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Accepted);
    site.say(run, delivered(), 3).await;
    let one = site.transmission(run).await;
    assert_eq!((one.state, one.possibly_twice), (TransmissionState::Accepted, true));
}

#[sqlx::test]
async fn when_no_try_is_left_what_is_put_off_has_failed(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    for _ in 0..TRIES {
        site.say_now(run, deferred()).await;
        site.later(30 * MINUTE).await;
    }
    let one = site.transmission(run).await;
    assert_eq!((one.state, one.attempts), (TransmissionState::Failed, TRIES));
    assert!(one.reason.unwrap()["text"].as_str().unwrap().contains(&format!("given up after {TRIES} attempts")));
}

#[sqlx::test]
async fn a_word_that_comes_too_early_waits_for_its_attempt(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.start_run("morning").await;
    site.until_transmit().await;
    let key = site.key(run).await;
    site.receive(Word { about: About::Key(key), standing: delivered(), at: None, id: Some("1".to_owned()) }).await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Queued);

    site.app.drain().await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Accepted);
    receipt::pending(&site.app.engine).await.unwrap();

    assert_eq!(site.transmission(run).await.state, TransmissionState::Delivered);
}

#[sqlx::test]
async fn a_word_about_nothing_known_is_kept_for_a_while_and_changes_nothing(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    let key = site.key(run).await;
    let guessed = format!("{}0", &key[..key.len() - 1]);
    let other = if guessed == key { format!("{}1", &key[..key.len() - 1]) } else { guessed };
    for about in [About::Key(other), About::Key("../etc".to_owned()), About::Reference("job 7".to_owned())] {
        site.receive(Word { about, standing: failed(), at: None, id: None }).await;
    }
    // Another account's far side has no say in it either.
    let word = Word { about: About::Key(key), standing: failed(), at: None, id: None };
    receipt::receive(&site.app.engine, (Source::Callback, "files"), vec![word], b"").await.unwrap();
    assert_eq!(site.transmission(run).await.state, TransmissionState::Accepted);
    assert_eq!(site.app.count("select count(*) from receipt where due_at is not null").await, 4);

    site.app.engine.clock.advance(3 * DAY);
    receipt::pending(&site.app.engine).await.unwrap();
    assert_eq!(site.app.count("select count(*) from receipt where due_at is not null").await, 0);
    site.app.engine.clock.advance(40 * DAY);
    assert_eq!(receipt::forget(&site.app.engine).await.unwrap(), 4);
}

#[sqlx::test]
async fn a_word_about_one_attempt_is_never_taken_for_one_about_another(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    let key = site.key(run).await;
    let say = async |attempt, standing, id: &str| {
        let about = About::Attempt(key.clone(), attempt);
        site.receive(Word { about, standing, at: None, id: Some(id.to_owned()) }).await;
    };
    say(1, deferred(), "busy").await;
    site.later(10 * MINUTE).await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Accepted);

    // Late, when the second has long begun; and early, before a third has.
    say(1, failed(), "late").await;
    say(3, failed(), "early").await;
    site.app.drain().await;

    let one = site.transmission(run).await;
    assert_eq!((one.state, one.attempts), (TransmissionState::Accepted, 2));
    assert_eq!(site.app.count("select count(*) from receipt where due_at is not null").await, 1);
    say(2, delivered(), "there").await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Delivered);
}

#[sqlx::test]
async fn a_node_that_dies_between_keeping_a_word_and_applying_it_loses_nothing(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    let key = site.key(run).await;
    // Somebody holds the run, so that the word is kept and not applied when its node goes away.
    let mut holder = site.app.db.begin().await.unwrap();
    sqlx::query("select id from run for update").execute(&mut *holder).await.unwrap();
    let engine = site.app.engine.clone();
    let word = Word { about: About::Key(key), standing: failed(), at: None, id: Some("1".to_owned()) };
    let receiving =
        tokio::spawn(async move { receipt::receive(&engine, (Source::Callback, "mail"), vec![word], b"body").await });
    site.until("the word is kept", "select count(*) from receipt").await;
    receiving.abort();
    let _ = receiving.await;
    holder.rollback().await.unwrap();
    assert_eq!(site.transmission(run).await.state, TransmissionState::Accepted);

    receipt::pending(&site.app.another()).await.unwrap();
    receipt::pending(&site.app.engine).await.unwrap();
    site.app.drain().await;

    let one = site.transmission(run).await;
    assert_eq!((one.state, one.receipts.len()), (TransmissionState::Failed, 1));
}

#[sqlx::test]
async fn words_about_many_at_once_from_two_nodes_are_each_applied_once(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let runs = [site.app.run("morning").await, site.app.run("morning").await, site.app.run("morning").await];
    let (one, two) = (site.app.engine.clone(), site.app.another());
    for run in runs {
        let about = About::Key(site.key(run).await);
        let words = || vec![Word { about: about.clone(), standing: failed(), at: None, id: Some("1".to_owned()) }];
        let (first, second) = tokio::join!(
            receipt::receive(&one, (Source::Callback, "mail"), words(), b""),
            receipt::receive(&two, (Source::Callback, "mail"), words(), b""),
        );
        first.unwrap();
        second.unwrap();
    }
    site.app.drain().await;
    for run in runs {
        let seen = site.transmission(run).await;
        assert_eq!((seen.state, seen.receipts.len()), (TransmissionState::Failed, 1));
        assert_eq!(site.app.notices(run).await.len(), 1);
    }
}

#[sqlx::test]
async fn what_is_in_doubt_and_cannot_be_asked_about_holds_its_run_and_is_left_to_a_person(db: PgPool) {
    let site = Site::start(db, |mail| mail.settle = Some(Settle::Ask)).await;
    let run = site.app.run("cut").await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Uncertain);
    assert_eq!(site.app.seen(run).await.state, RunState::Running, "its run waits for an answer");

    site.app.engine.clock.advance(MINUTE);
    let (one, two) = (site.app.engine.clone(), site.app.another());
    let (first, second) = tokio::join!(receipt::ask(&one), receipt::ask(&two));
    assert_eq!(first.unwrap() + second.unwrap(), 1, "two nodes ask once");
    assert_eq!(receipt::ask(&one).await.unwrap(), 0, "and not again at once");
    assert!(site.transmission(run).await.progress.unwrap().contains("cannot be asked"));

    site.later(60 * MINUTE).await;
    let one = site.transmission(run).await;
    assert_eq!((one.state, one.attempts), (TransmissionState::Uncertain, 1));
    assert!(one.reason.unwrap()["text"].as_str().unwrap().contains("Somebody has to settle it"));
    assert_eq!(site.app.seen(run).await.state, RunState::Failed);
    assert_eq!(site.app.notices(run).await.len(), 1);
}

#[sqlx::test]
async fn what_is_in_doubt_is_settled_by_a_far_side_that_knows(db: PgPool) {
    let site = Site::start(db, |mail| mail.settle = Some(Settle::Ask)).await;
    for (standing, expected) in [
        (delivered(), TransmissionState::Delivered),
        (failed(), TransmissionState::Failed),
        (Standing::Underway("in the queue".to_owned()), TransmissionState::Accepted),
        (Standing::Unknown, TransmissionState::Queued),
    ] {
        let run = site.app.run("cut").await;
        site.say_now(run, standing.clone()).await;
        let one = site.transmission(run).await;
        assert_eq!((one.state, one.possibly_twice), (expected, false), "{standing:?}");
    }
}

#[sqlx::test]
async fn a_word_about_what_was_cancelled_or_settled_by_a_person_is_only_kept(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.start_run("morning").await;
    site.until_transmit().await;
    let one = site.transmission(run).await;
    postbook::run::act::cancel_transmission(&site.app.engine, one.id, "test").await.unwrap();
    site.say_now(run, delivered()).await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Cancelled);
}

#[sqlx::test]
async fn what_was_said_goes_with_its_run(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    site.say(run, failed(), 1).await;
    // The notice to the monitor waits for word as well.
    site.later(3 * DAY).await;
    site.app.engine.clock.advance(800 * DAY);
    let keep = postbook::config::Config::load(None).unwrap().retention;
    while postbook::run::purge::purge(&site.app.engine, &keep).await.unwrap() {}
    assert_eq!(site.app.count("select count(*) from receipt").await, 0);
}

#[sqlx::test]
async fn what_a_lost_worker_was_sending_is_asked_about_and_its_late_outcome_still_counts(db: PgPool) {
    let outbox = tempfile::tempdir().unwrap();
    let mut mail = AccountConfig::new(format!("folder://{}?format=eml", outbox.path().display()));
    mail.channel = Some("email".to_owned());
    mail.from = Some("Postbook <postbook@example.org>".to_owned());
    mail.settle = Some(Settle::Ask);
    let site = Site::start_by(db, mail).await;
    let run = site.app.start_run("morning").await;
    site.until_transmit().await;
    // The book takes no outcome until the gate is opened, and the lease runs out meanwhile.
    sqlx::raw_sql(
        "create table gate (closed boolean); insert into gate values (true);
         create function refuse() returns trigger language plpgsql as $$
         begin if exists (select from gate) then raise exception 'away'; end if; return new; end $$;
         create trigger refuse before update of outcome on attempt for each row
            when (new.outcome = 'delivered') execute function refuse();",
    )
    .execute(&site.app.db)
    .await
    .unwrap();
    let (engine, step) = (site.app.engine.clone(), site.app.due().await[0]);
    let sending = tokio::spawn(async move { postbook::run::perform(&engine, step).await });
    site.until("it is being sent", "select count(*) from attempt").await;
    site.app.engine.clock.advance(2 * MINUTE);
    assert_eq!(postbook::run::rescue::lapsed(&site.app.engine).await.unwrap(), 1);
    assert_eq!(site.transmission(run).await.state, TransmissionState::Uncertain);
    assert_eq!(site.app.count("select count(*) from awaited where doubt and holds").await, 1);

    site.say_now(run, Standing::Unknown).await;
    let one = site.transmission(run).await;
    assert_eq!((one.state, one.possibly_twice), (TransmissionState::Queued, false), "it never came, so it goes again");

    sqlx::raw_sql("delete from gate").execute(&site.app.db).await.unwrap();
    sending.await.unwrap().unwrap();
    let one = site.transmission(run).await;
    assert_eq!((one.state, one.attempts, one.possibly_twice), (TransmissionState::Delivered, 1, false));
}
