//! The same wish, many times: one run.

use std::collections::HashSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;

use crate::{
    api::{batch, mailboxes},
    site::Site,
};

const NOWHERE: &str = "[account.nowhere]\nurl = \"discard:\"\nchannel = \"email\"\n";

#[tokio::test]
async fn twenty_starts_at_once_with_one_key_are_one_run() {
    let site = Site::new(NOWHERE).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    api.post("/batches", batch("morning", "nowhere", mailboxes("ann", 3))).await;

    let start = || api.request(Method::POST, "/batches/morning/runs").header("Idempotency-Key", "april").send();
    let answers = join_all((0..20).map(|_| start())).await;

    let mut runs = HashSet::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 202);
        runs.insert(answer.json::<Value>().await.unwrap()["id"].as_i64().unwrap());
    }
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(site.count("select count(*) from run").await, 1);
    api.ended(runs.into_iter().next().unwrap()).await;
    assert_eq!(site.count("select count(*) from attempt").await, 3);
    assert_eq!(site.count("select count(*) from audit where action = 'run.started'").await, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_command_with_the_key_of_an_earlier_one_finds_its_run() {
    let site = Site::new(NOWHERE).await;
    let node = site.start(&["up"]).await;
    site.api(&node).post("/batches", batch("morning", "nowhere", mailboxes("ann", 3))).await;

    let command = ["run", "morning", "--key", "april", "--wait", "--json"];
    let (first, second) = tokio::join!(site.run(&command), site.run(&command));
    let third = site.run(&command).await;

    for output in [first, second, third] {
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let run: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("no JSON: {said}"));
        assert_eq!((&run["id"], &run["state"]), (&1.into(), &"succeeded".into()));
    }
    assert_eq!(site.count("select count(*) from run").await, 1);
    assert_eq!(site.count("select count(*) from audit where action = 'run.started' and by = 'cli'").await, 1);
    node.stop().await;
}
