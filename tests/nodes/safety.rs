//! Starts that send nothing: because somebody wants that, and because the book was put back from a backup.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    api::{Api, batch, mailboxes},
    node::{Node, until},
    site::Site,
};

/// Mail goes into a folder.
const MAIL: &str = "
[account.outbox]
url = \"folder://OUTBOX?format=eml\"
channel = \"email\"
from = \"Reports <reports@test.local>\"
";

/// How many mails have left.
fn sent(site: &Site) -> usize {
    let names = fs::read_dir(site.outbox()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".eml")).count()
}

/// Waits until a run has rendered what it sends, and gives what waits to be sent.
async fn waits(api: &Api) -> Value {
    until("everything but the sending is done", async || {
        let sending = api.get("/sending").await;
        let due = api.get("/runs").await;
        let rendered =
            due["items"].as_array()?.iter().all(|run| run["state"] == "running" || !run["ended_at"].is_null());
        (rendered && !sending["waiting"].as_array()?.is_empty()).then_some(sending)
    })
    .await
}

/// Copies a folder with everything that can be told of files.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

async fn is_paused(node: &Node, site: &Site) -> bool {
    site.api(node).get("/sending").await["paused"] == true
}

#[tokio::test]
async fn a_start_with_paused_sends_nothing_on_any_node_until_it_is_released() {
    let site = Site::new(MAIL).await;
    let doors = site.start(&["serve", "--paused"]).await;
    let worker = site.start(&["work"]).await;
    let api = site.api(&doors);
    let run = api.start(&batch("morning", "outbox", mailboxes("ann", 20))).await;
    let waiting = waits(&api).await;
    assert_eq!((&waiting["why"], &waiting["waiting"][0]["run"]), (&json!("it was started with --paused"), &json!(run)));

    let told = site.run(&["sending", "--json"]).await;
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["paused"], &told["waiting"][0]["queued"]), (&json!(true), &json!(20)));
    assert_eq!(site.count("select count(*) from attempt").await, 0);
    assert_eq!(sent(&site), 0);
    assert_eq!(site.run(&["sending", "release"]).await.status.code(), Some(2), "it wants a reason");

    let released = site.run(&["sending", "release", "--reason", "all is well"]).await;
    assert!(released.status.success(), "{released:?}");
    assert_eq!(api.ended(run).await["counts"]["delivered"], 20);
    assert_eq!(sent(&site), 20);
    worker.stop().await;
    doors.stop().await;
}

#[tokio::test]
async fn a_data_folder_that_is_put_back_sends_nothing_until_somebody_has_looked() {
    let site = Site::private(MAIL);
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let morning = batch("morning", "outbox", mailboxes("ann", 10));
    api.post("/batches", morning.clone()).await;
    let run = api.fire(&morning, json!({ "hold": true })).await;
    node.stop().await;
    copy(&site.data(), &site.path("backup"));

    // Twice killed, twice started: that alone pauses nothing.
    for _ in 0..2 {
        let node = site.start(&["up"]).await;
        assert!(!is_paused(&node, &site).await);
        node.kill();
    }
    let node = site.start(&["up"]).await;
    site.api(&node).act(run, "release").await;
    assert_eq!(site.api(&node).ended(run).await["counts"]["delivered"], 10);
    node.stop().await;
    assert_eq!(sent(&site), 10);
    fs::remove_dir_all(site.outbox()).unwrap();
    fs::create_dir(site.outbox()).unwrap();
    fs::remove_dir_all(site.data()).unwrap();
    fs::rename(site.path("backup"), site.data()).unwrap();

    let node = site.start(&["up"]).await;
    assert!(node.logged().contains("SENDING IS PAUSED"), "{}", node.logged());
    let api = site.api(&node);
    api.act(run, "release").await;
    assert_eq!(waits(&api).await["by"], "postbook");
    assert_eq!(sent(&site), 0, "nothing is sent a second time");
    api.post("/sending/drop", json!({ "all": true, "reason": "it was sent before the backup was put back" })).await;
    api.post("/sending/release", json!({ "reason": "nothing else waits" })).await;
    assert_eq!(api.ended(run).await["state"], "cancelled");
    node.stop().await;
    let node = site.start(&["up"]).await;
    assert!(!is_paused(&node, &site).await, "it is found out once");
    assert_eq!(sent(&site), 0);
    node.stop().await;
}

#[tokio::test]
async fn a_dump_restored_into_another_database_sends_nothing_until_it_is_released() {
    let site = Site::new(MAIL).await;
    let node = site.start(&["up"]).await;
    node.stop().await;
    let database = site.database().name();
    let copy = format!("{database}_restored");
    site.database().pool.close().await;
    let server = sqlx::PgPool::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let create = format!("create database {copy} template {database}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&server).await.unwrap();

    let settings = fs::read_to_string(site.config()).unwrap().replace(database, &copy);
    fs::write(site.config(), settings).unwrap();
    let node = site.start(&["up"]).await;

    let sending = site.api(&node).get("/sending").await;
    assert!(sending["why"].as_str().unwrap().contains("another database or cluster"), "{sending}");
    node.stop().await;
    let drop = format!("drop database {copy} with (force)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&server).await.unwrap();
}
