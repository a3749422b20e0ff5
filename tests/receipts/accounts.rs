//! Words that say that it was the account that failed.

use postbook::run::allowance::{self, Now};

use super::*;

fn closed() -> Standing {
    Standing::Failed(Reason::new(Scope::Account, "far-closed", "your account is closed"))
}

async fn mail(site: &Site) -> Now {
    let accounts = allowance::accounts(&site.app.engine).await.unwrap();
    accounts.into_iter().find(|it| it.name == "mail").unwrap()
}

/// How long the account is paused from now on, in seconds.
async fn pause(site: &Site) -> i64 {
    let left = mail(site).await.until_at.expect("an end") - site.app.engine.clock.now();
    (left.num_milliseconds() + 500) / 1000
}

#[sqlx::test]
async fn an_account_that_fails_by_later_word_is_paused_and_works_again_by_later_word(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let [first, second] = [site.app.run("morning").await, site.app.run("morning").await];

    site.say(first, closed(), 1).await;

    let paused = mail(&site).await;
    assert_eq!((paused.state, paused.paused_by), (allowance::Standing::Paused, None));
    assert_eq!((pause(&site).await, paused.reason.unwrap()["code"].as_str()), (60, Some("far-closed")));
    let one = site.transmission(first).await;
    let text = one.reason.unwrap()["text"].as_str().unwrap().to_owned();
    assert_eq!((one.state, one.attempts), (TransmissionState::Queued, 1));
    assert_eq!(text, "the account mail is paused: your account is closed");
    assert_eq!(site.app.seen(first).await.state, RunState::Running, "its run goes on");
    assert_eq!(site.app.notices(first).await.len(), 1);

    // What was under way says nothing new, and what is due meanwhile waits.
    site.say(second, closed(), 1).await;
    let third = site.app.run("morning").await;
    assert_eq!((pause(&site).await, site.app.notices(second).await.len()), (60, 0));
    assert_eq!(site.transmission(second).await.state, TransmissionState::Queued);
    assert_eq!(site.transmission(third).await.attempts, 0);

    // One goes first, and that it is accepted shows nothing.
    site.later(MINUTE + MINUTE / 20).await;
    assert_eq!(site.transmission(third).await.state, TransmissionState::Accepted);
    site.later(MINUTE).await;
    assert_eq!(mail(&site).await.state, allowance::Standing::Trying);
    for waiting in [first, second] {
        let one = site.transmission(waiting).await;
        assert_eq!((one.state, one.attempts), (TransmissionState::Queued, 1));
    }

    site.say(third, delivered(), 90).await;

    assert_eq!(mail(&site).await.state, allowance::Standing::Open);
    for waited in [first, second] {
        let one = site.transmission(waited).await;
        assert_eq!((one.state, one.attempts, one.possibly_twice), (TransmissionState::Accepted, 2, false));
    }
    assert_eq!(site.app.count("select max(tries)::bigint from step where kind = 'transmit'").await, 0);
}

#[sqlx::test]
async fn when_the_one_that_went_first_fails_by_later_word_the_pause_doubles(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    let mut pauses = Vec::new();
    for word in 1..=4 {
        site.say_now(run, closed()).await;
        pauses.push(pause(&site).await);
        site.later(site::longer(pauses[pauses.len() - 1])).await;
        assert_eq!(site.transmission(run).await.attempts, word + 1);
    }
    assert_eq!(pauses, [60, 120, 240, 480]);
    assert_eq!(site.app.notices(run).await.len(), 1, "told once");
}

#[sqlx::test]
async fn when_there_is_no_word_of_the_one_that_went_first_another_one_goes(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let [first, second] = [site.app.run("morning").await, site.app.run("morning").await];
    site.say(first, closed(), 1).await;
    site.say(second, closed(), 1).await;
    site.later(2 * MINUTE).await;
    let states = [site.transmission(first).await.state, site.transmission(second).await.state];
    assert_eq!(states.iter().filter(|it| **it == TransmissionState::Accepted).count(), 1, "{states:?}");

    site.later(11 * MINUTE).await;

    assert_eq!(site.app.count("select count(*) from transmission where state = 'accepted'").await, 2);
    assert_eq!(mail(&site).await.state, allowance::Standing::Trying);
}

#[sqlx::test]
async fn in_a_run_that_was_cancelled_the_word_pauses_the_account_and_nothing_waits_for_it(db: PgPool) {
    let site = Site::start(db, |mail| mail.settle = Some(Settle::Ask)).await;
    let run = site.app.run("cut").await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Uncertain);
    postbook::run::act::cancel(&site.app.engine, run, "test").await.unwrap();

    site.say_now(run, closed()).await;

    assert_eq!(mail(&site).await.state, allowance::Standing::Paused);
    assert_eq!(site.transmission(run).await.state, TransmissionState::Failed);
}
