//! Files that come in while nodes watch together, and while they are killed.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::json;

use crate::{api::Api, node::until, site::Site};

/// Sends what comes in to a folder, so that it can be counted.
const OUT: &str = r#"
[account.out]
url = "folder://OUTBOX"

[files]
roots = ["OUTBOX"]
look = "200ms"
"#;

/// A place below the outbox, and a batch that copies what comes in there.
async fn watched(site: &Site, api: &Api) -> PathBuf {
    let folder = site.outbox().join("in");
    fs::create_dir(&folder).unwrap();
    let document = json!({ "name": "incoming", "title": "Incoming file", "kind": "object" });
    api.post("/documents", document).await;
    let batch = json!({
        "name": "orders-in", "workflow": "quick", "run_as": "admin", "documents": [{ "document": "incoming" }],
        "recipients": [{ "name": "Store", "folder": "out" }],
        "file": [{ "folder": folder, "match": "*.csv", "stable": "500ms" }],
    });
    api.post("/batches", batch).await;
    folder
}

fn names(folder: PathBuf) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Puts files there the way senders should: under another name, then renamed.
fn put(folder: &std::path::Path, range: std::ops::Range<usize>) {
    for number in range {
        fs::write(folder.join("x.part"), format!("file {number}")).unwrap();
        fs::rename(folder.join("x.part"), folder.join(format!("{number:04}.csv"))).unwrap();
    }
}

async fn archived(site: &Site, expected: i64) {
    for part in 1..=4 {
        until("the next quarter of the files is archived", async || {
            let archived = site.count("select count(*) from file where state = 'archived'").await;
            (archived * 4 >= expected * part).then_some(())
        })
        .await;
    }
}

fn each_arrived_once(site: &Site, expected: usize) {
    let wanted: BTreeSet<_> = (0..expected).map(|number| format!("{number:04}.csv")).collect();
    assert_eq!(names(site.outbox().join("in/archive")), wanted);
    assert_eq!(names(site.outbox().join("out")), wanted);
    assert_eq!(names(site.outbox().join("in/.postbook")), BTreeSet::new());
    let text = fs::read_to_string(site.outbox().join("out/0042.csv")).unwrap();
    assert_eq!(text, "file 42");
}

#[tokio::test]
async fn a_thousand_files_at_once_are_a_thousand_runs_by_two_nodes() {
    let site = Site::new(OUT).await;
    let first = site.start(&["up"]).await;
    let second = site.start(&["up"]).await;
    let folder = watched(&site, &site.api(&first)).await;

    put(&folder, 0..1000);
    archived(&site, 1000).await;

    assert_eq!(site.count("select count(*) from run").await, 1000);
    assert_eq!(site.count("select count(*) from file").await, 1000);
    assert_eq!(site.count("select count(*) from attempt").await, 1000);
    each_arrived_once(&site, 1000);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn nodes_that_are_killed_again_and_again_lose_no_file_and_take_none_twice() {
    let site = Site::new(OUT).await.with("engine.lease", "2s");
    let doors = site.start(&["serve"]).await;
    let folder = watched(&site, &site.api(&doors)).await;
    doors.stop().await;

    for round in 0..6 {
        let node = site.start(&["up"]).await;
        put(&folder, round * 50..(round + 1) * 50);
        let begun = i64::try_from(round).unwrap() * 40 + 5;
        until("the node is in the middle of it", async || {
            (site.count("select count(*) from file where state <> 'claimed'").await >= begun).then_some(())
        })
        .await;
        node.kill();
    }
    let node = site.start(&["up"]).await;
    archived(&site, 300).await;

    assert_eq!(site.count("select count(*) from run").await, 300);
    assert_eq!(site.count("select count(*) from file").await, 300);
    each_arrived_once(&site, 300);
    node.stop().await;
}
