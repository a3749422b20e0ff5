//! Nodes that are killed or stopped in the middle of their work.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    api::{batch, mailboxes, unique},
    mails::accounts,
    node::until,
    peers::Sink,
    site::Site,
};

/// How many mails the sink has for each mailbox with `word` in its name.
fn taken(word: &str) -> HashMap<String, usize> {
    let mut mailboxes = HashMap::new();
    for noted in Sink::running().noted_where(|to| to.contains(word)) {
        for mailbox in noted.to {
            *mailboxes.entry(mailbox).or_default() += 1;
        }
    }
    mailboxes
}

#[tokio::test]
async fn a_worker_that_is_killed_loses_nothing_and_what_may_have_come_twice_is_marked() {
    let site = Site::new(&accounts()).await;
    let doors = site.start(&["serve"]).await;
    let (first, second) =
        (site.start(&["work", "--name", "first"]).await, site.start(&["work", "--name", "second"]).await);
    let api = site.api(&doors);
    let word = unique();

    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-0.2-{word}"), 200))).await;
    until("both are in the middle of it", async || {
        let by_first = "select count(*) from attempt where worker like 'first-%' and outcome is not null";
        let by_second = "select count(*) from attempt where worker like 'second-%' and outcome is not null";
        (site.count(by_first).await > 10 && site.count(by_second).await > 10).then_some(())
    })
    .await;
    first.kill();
    let ended = api.ended(run).await;

    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["delivered"], 200);
    let taken = taken(&word);
    assert_eq!(taken.len(), 200, "every mailbox has its mail");
    let transmissions = api.transmissions(run).await;
    let mut marked = 0;
    for transmission in &transmissions {
        let mails = taken[transmission["contact"].as_str().unwrap()];
        let twice = transmission["possibly_twice"].as_bool().unwrap();
        assert!(mails == 1 || (mails == 2 && twice), "{mails} mails: {transmission}");
        marked += usize::from(twice);
    }
    assert!(marked > 0, "the killed worker was sending");
    let lost = "select count(*) from attempt where outcome = 'uncertain' and worker like 'first-%'";
    assert_eq!(site.count(lost).await, i64::try_from(marked).unwrap());
    second.stop().await;
    doors.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_finishes_what_it_is_sending_and_leaves_the_rest() {
    let site = Site::new(&accounts()).await;
    let doors = site.start(&["serve"]).await;
    let (mut first, second) =
        (site.start(&["work", "--name", "first"]).await, site.start(&["work", "--name", "second"]).await);
    let api = site.api(&doors);
    let word = unique();

    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-1-{word}"), 100))).await;
    until("the first has sends in flight", async || {
        let open = "select count(*) from attempt where worker like 'first-%' and outcome is null";
        (site.count(open).await >= 8 && !taken(&word).is_empty()).then_some(())
    })
    .await;
    first.terminate();
    let status = first.ended().await;
    let begun = site.count("select count(*) from attempt where worker like 'first-%'").await;
    let ended = api.ended(run).await;

    assert!(status.success(), "{status}: {}", first.logged());
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(site.count("select count(*) from attempt").await, 100, "one attempt each");
    assert_eq!(site.count("select count(*) from attempt where outcome = 'delivered' and number = 1").await, 100);
    assert_eq!(site.count("select count(*) from attempt where worker like 'first-%'").await, begun, "it began no more");
    assert!(begun < 60, "it began {begun} of 100 although it was to stop at once");
    let taken = taken(&word);
    assert_eq!((taken.len(), taken.values().sum::<usize>()), (100, 100));
    second.stop().await;
    doors.stop().await;
}

/// Twenty thousand recipients: one in ten has a mailbox, the others are skipped because nothing goes to faxes here.
fn multitude() -> Value {
    let mut batch = batch("morning", "nowhere", mailboxes("ann", 20_000));
    for (number, recipient) in batch["recipients"].as_array_mut().unwrap().iter_mut().enumerate() {
        if number % 10 != 0 {
            *recipient = json!({ "name": recipient["name"], "fax": format!("+131255{number:05}") });
        }
    }
    batch
}

#[tokio::test]
async fn an_expansion_that_is_killed_half_way_has_every_row_once_after_the_restart() {
    let site = Site::new("[account.nowhere]\nurl = \"discard:\"\nchannel = \"email\"\n").await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let run = api.start(&multitude()).await;
    until("it is in the middle of it", async || {
        (site.count("select count(*) from transmission").await >= 2000).then_some(())
    })
    .await;
    node.kill();
    let written = site.count("select count(*) from transmission").await;
    assert!(written < 20_000, "it was too fast to be killed half way");
    let begun = site.count("select count(*) from step where kind <> 'expand'").await;
    assert_eq!(begun, 0, "nothing begins before its end");

    let node = site.start(&["up"]).await;
    let ended = site.api(&node).ended(run).await;

    assert_eq!(ended["state"], "succeeded");
    assert_eq!((&ended["counts"]["delivered"], &ended["counts"]["skipped"]), (&2000.into(), &18_000.into()));
    for (query, rows) in [
        ("select count(*) from transmission", 20_000),
        ("select count(distinct (recipient, channel)) from transmission", 20_000),
        ("select count(*) from transmission_item", 20_000),
        ("select count(*) from item", 1),
        ("select count(*) from step where kind = 'transmit'", 2000),
        ("select count(*) from attempt", 2000),
    ] {
        assert_eq!(site.count(query).await, rows, "{query}");
    }
    node.stop().await;
}
