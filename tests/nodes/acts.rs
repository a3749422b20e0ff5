//! Runs that people hold back, let go on, and stop.

use serde_json::json;

use crate::{
    api::{Api, batch, mailboxes, unique},
    mails::accounts,
    node::until,
    peers::Sink,
    site::Site,
};

fn taken(word: &str) -> usize {
    Sink::running().noted_where(|to| to.contains(word)).len()
}

/// Runs another batch to its end: whatever the node would do meanwhile, it has done then.
async fn meanwhile(api: &Api) {
    let word = unique();
    let run = api.start(&batch(&word, "sink", mailboxes(&word, 50))).await;
    assert_eq!(api.ended(run).await["state"], "succeeded");
}

#[tokio::test]
async fn a_paused_run_sends_nothing_until_it_is_resumed() {
    let site = Site::new(&accounts()).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-0.1-{word}"), 100))).await;
    until("it is sending", async || (taken(&word) > 10).then_some(())).await;

    api.act(run, "pause").await;
    until("what was being sent is recorded", async || {
        (site.count("select count(*) from attempt where outcome is null").await == 0).then_some(())
    })
    .await;
    let sent = taken(&word);
    meanwhile(&api).await;
    let paused = api.run(run).await;
    assert_eq!(taken(&word), sent);
    assert!(sent < 100 && !paused["paused_at"].is_null() && paused["ended_at"].is_null(), "{sent} sent: {paused}");

    api.act(run, "resume").await;
    assert_eq!(api.ended(run).await["counts"]["delivered"], 100);
    assert_eq!(taken(&word), 100);
    node.stop().await;
}

#[tokio::test]
async fn a_held_run_does_nothing_until_it_is_released() {
    let site = Site::new(&accounts()).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();
    let morning = batch("morning", "sink", mailboxes(&word, 20));
    api.post("/batches", morning.clone()).await;

    let run = api.fire(&morning, json!({ "hold": true })).await;
    meanwhile(&api).await;
    assert_eq!(api.run(run).await["state"], "held");
    assert!(api.transmissions(run).await.is_empty());
    assert_eq!(taken(&word), 0);

    api.act(run, "release").await;
    assert_eq!(api.ended(run).await["state"], "succeeded");
    assert_eq!(taken(&word), 20);
    node.stop().await;
}

#[tokio::test]
async fn a_cancelled_run_finishes_what_it_is_sending_and_never_sends_the_rest() {
    let site = Site::new(&accounts()).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-0.2-{word}"), 100))).await;
    until("it is sending", async || (taken(&word) > 10).then_some(())).await;

    api.act(run, "cancel").await;
    let ended = api.ended(run).await;
    let sent = taken(&word);
    meanwhile(&api).await;

    assert_eq!(ended["state"], "cancelled");
    assert_eq!(taken(&word), sent);
    let counts = &ended["counts"];
    assert_eq!(counts["delivered"], sent, "{counts}");
    assert_eq!(counts["delivered"].as_u64().unwrap() + counts["cancelled"].as_u64().unwrap(), 100, "{counts}");
    node.stop().await;
}

#[tokio::test]
async fn what_is_deferred_after_its_run_was_cancelled_is_not_tried_again() {
    let site = Site::new(&accounts()).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();
    // The server does not answer these, and the account waits two seconds for it.
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("hang-{word}"), 8))).await;
    until("all are being sent", async || {
        (site.count("select count(*) from attempt where outcome is null").await == 8).then_some(())
    })
    .await;

    api.act(run, "cancel").await;
    let ended = api.ended(run).await;
    meanwhile(&api).await;

    assert_eq!((&ended["state"], &ended["counts"]["cancelled"]), (&"cancelled".into(), &8.into()), "{ended}");
    assert_eq!(site.count("select count(*) from attempt where number > 1").await, 0);
    for transmission in api.transmissions(run).await {
        assert_eq!(transmission["next_at"], serde_json::Value::Null, "{transmission}");
        let attempts = api.attempts(&transmission).await;
        assert_eq!(attempts[0]["outcome"], "deferred", "{}", attempts[0]);
    }
    node.stop().await;
}
