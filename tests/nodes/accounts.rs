//! Accounts of a running node: one that is refused, and one that several nodes share.

use std::{fs, process::Output};

use serde_json::Value;

use crate::{
    api::{batch, mailboxes, unique},
    node::until,
    site::Site,
};

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The first account, as `postbook accounts` has it.
async fn account(site: &Site) -> Value {
    let listed: Value = serde_json::from_str(&said(&site.run(&["accounts", "--json"]).await)).unwrap();
    listed["items"][0].clone()
}

#[tokio::test]
async fn an_account_that_is_put_right_and_resumed_by_hand_sends_what_waited_for_it() {
    let site = Site::new("[account.out]\nurl = \"folder://OUTBOX/later\"\nchannel = \"email\"\n").await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);

    let run = api.start(&batch("morning", "out", mailboxes(&unique(), 20))).await;
    let paused = until("the account is paused", async || {
        let account = account(&site).await;
        (account["state"] == "paused").then_some(account)
    })
    .await;
    assert_eq!(paused["reason"]["code"], "folder-missing", "{paused}");
    fs::create_dir(site.outbox().join("later")).unwrap();
    let resumed = said(&site.run(&["account", "resume", "out"]).await);

    assert_eq!(resumed, "account out is open now\n");
    assert_eq!(api.ended(run).await["counts"]["delivered"], 20);
    assert_eq!(site.count("select max(tries)::bigint from step where kind = 'transmit'").await, 0);
    node.stop().await;
}

#[tokio::test]
async fn an_account_paused_on_the_command_line_is_paused_for_the_nodes_that_run() {
    let site = Site::new("[account.out]\nurl = \"discard:\"\nchannel = \"email\"\n").await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let told = said(&site.run(&["account", "pause", "out", "--reason", "the server moves"]).await);
    assert_eq!(told, "account out is paused now\n");

    let run = api.start(&batch("morning", "out", mailboxes(&unique(), 5))).await;
    until("all of it waits", async || {
        let waiting = api.transmissions(run).await;
        let waits = |it: &Value| it["reason"]["text"].as_str().is_some_and(|text| text.contains("the server moves"));
        (waiting.len() == 5 && waiting.iter().all(waits)).then_some(())
    })
    .await;
    let shown = said(&site.run(&["accounts"]).await);
    assert!(shown.contains("the server moves") && shown.contains("cli"), "{shown}");

    said(&site.run(&["account", "resume", "out"]).await);
    assert_eq!(api.ended(run).await["counts"]["delivered"], 5);
    node.stop().await;
}

#[tokio::test]
async fn two_nodes_together_send_no_more_at_once_than_the_limit_and_lose_nothing() {
    let site = Site::new("[account.out]\nurl = \"discard:\"\nchannel = \"email\"\nat_once = 3\n").await;
    let node = site.start(&["up"]).await;
    let other = site.start(&["work", "--name", "other"]).await;
    let api = site.api(&node);

    let run = api.start(&batch("morning", "out", mailboxes(&unique(), 300))).await;
    let ended = until("the run ends", async || {
        let sending = site.count("select count(*) from transmission where state = 'sending'").await;
        assert!(sending <= 3, "{sending} are being sent");
        Some(api.run(run).await).filter(|it| !it["ended_at"].is_null())
    })
    .await;

    assert_eq!(ended["counts"]["delivered"], 300);
    assert_eq!(site.count("select count(*) from attempt").await, 300);
    other.stop().await;
    node.stop().await;
}
