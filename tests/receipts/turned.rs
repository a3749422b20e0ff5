//! Words about what was turned away from, because another contact was to get it instead.

use postbook::run::book::Transmission;

use super::*;

/// What was turned away from, and what was turned to.
async fn both(site: &Site, run: postbook::id::RunId) -> [Transmission; 2] {
    site.app.transmissions(run).await.try_into().expect("two transmissions")
}

#[sqlx::test]
async fn what_arrived_after_another_contact_was_turned_to_is_delivered_and_may_be_there_twice(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("either").await;
    site.say(run, failed(), 1).await;
    let [mail, folder] = both(&site, run).await;
    assert_eq!((mail.state, folder.state), (TransmissionState::Skipped, TransmissionState::Delivered));
    assert!(!folder.possibly_twice);

    site.say(run, delivered(), 2).await;

    let [mail, folder] = both(&site, run).await;
    assert_eq!((mail.state, mail.possibly_twice), (TransmissionState::Delivered, false));
    assert_eq!((folder.state, folder.possibly_twice), (TransmissionState::Delivered, true));
    let late = site.transmission(run).await;
    assert_eq!(late.receipts[1].effect.as_deref(), Some("skipped to delivered late"));
    assert!(late.proof.is_some() && late.reason.is_none());
    let seen = site.app.seen(run).await;
    assert_eq!((seen.state, seen.counts.delivered, seen.counts.skipped), (RunState::Succeeded, 2, 0));
}

#[sqlx::test]
async fn a_contact_that_nothing_was_sent_to_yet_is_spared(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("either").await;
    site.say_now(run, failed()).await;
    let [_, folder] = both(&site, run).await;
    assert_eq!((folder.state, folder.attempts), (TransmissionState::Queued, 0));

    site.say_now(run, delivered()).await;
    site.app.drain().await;

    let [mail, folder] = both(&site, run).await;
    assert_eq!((mail.state, mail.possibly_twice), (TransmissionState::Delivered, false));
    assert_eq!((folder.state, folder.attempts), (TransmissionState::Skipped, 0));
    assert_eq!(folder.reason.unwrap()["text"], "it arrived by email after all");
    let seen = site.app.seen(run).await;
    assert_eq!((seen.state, seen.counts.delivered, seen.counts.skipped), (RunState::Succeeded, 1, 1));
}

#[sqlx::test]
async fn what_the_far_side_says_else_of_it_changes_nothing(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("either").await;
    site.say(run, failed(), 1).await;
    for standing in [failed(), deferred(), Standing::Underway("on its way".to_owned()), Standing::Unknown] {
        site.say_now(run, standing).await;
        assert_eq!(both(&site, run).await[0].state, TransmissionState::Skipped);
    }
    assert_eq!(site.app.seen(run).await.state, RunState::Succeeded);
}

#[sqlx::test]
async fn a_failed_transmission_of_which_an_earlier_attempt_arrived_has_arrived(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    site.say(run, deferred(), 1).await;
    site.later(MINUTE).await;
    let attempts = site.app.attempts(site.transmission(run).await.id).await;
    assert_eq!(attempts.len(), 2);
    site.say_now(run, failed()).await;
    assert_eq!(site.transmission(run).await.state, TransmissionState::Failed);

    site.say(run, delivered(), 2).await;

    let one = site.transmission(run).await;
    assert_eq!((one.state, one.possibly_twice), (TransmissionState::Delivered, false));
}
