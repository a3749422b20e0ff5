//! Nodes whose database, disk or time is taken away in the middle of their work.

use std::{collections::HashMap, fs, time::Duration};

use crate::{
    api::{batch, mailboxes, unique, with_orders},
    mails::accounts,
    node::until,
    peers::Sink,
    server::{Death, Server},
    site::Site,
};

/// How many mails the sink has for each mailbox with `word` in its name.
fn taken(word: &str) -> HashMap<String, usize> {
    let mut mailboxes = HashMap::new();
    for mailbox in Sink::running().noted_where(|to| to.contains(word)).into_iter().flat_map(|it| it.to) {
        *mailboxes.entry(mailbox).or_default() += 1;
    }
    mailboxes
}

/// The accounts, with one that leaves what is uncertain to a person.
fn holding() -> String {
    accounts().replace("[account.sink]", "[account.sink]\nsettle = \"hold\"")
}

#[tokio::test]
async fn a_node_whose_connections_were_all_ended_goes_on_by_itself() {
    let site = Site::new(&accounts()).await;
    let mut node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();

    for round in 0..3 {
        let end = "select pg_terminate_backend(pid) from pg_stat_activity
                    where datname = current_database() and application_name = 'postbook'";
        site.database().administer(end.to_owned()).await;
        until("the doors answer again", async || {
            api.request(reqwest::Method::GET, "/runs").send().await.ok().filter(|it| it.status().is_success())
        })
        .await;
        let run = api.start(&batch(&format!("round-{round}"), "sink", mailboxes(&word, 20))).await;
        assert_eq!(api.ended(run).await["state"], "succeeded");
    }

    assert_eq!(taken(&word).values().sum::<usize>(), 60);
    assert!(node.is_gone().is_none());
    node.stop().await;
}

#[tokio::test]
async fn a_postgres_that_is_away_in_the_middle_of_a_thousand_sends_costs_time_and_nothing_else() {
    let server = Server::start(&["max_connections=60"]).await;
    let site = Site::on(&server.url, &accounts());
    let doors = site.start(&["serve"]).await;
    let mut workers = [site.start(&["work"]).await, site.start(&["work"]).await];
    let api = site.api(&doors);
    let word = unique();
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-0.1-{word}"), 1000))).await;
    until("it is in the middle of it", async || (taken(&word).len() > 200).then_some(())).await;

    server.die(Death::Kill).await;
    // Much longer than a claim holds, and than anybody waits for a connection.
    tokio::time::sleep(Duration::from_secs(40)).await;
    server.revive().await;
    until("the run ends", async || {
        let ended = sqlx::query_scalar("select ended_at is not null from run").fetch_one(&server.pool).await;
        ended.unwrap_or(false).then_some(())
    })
    .await;

    assert_eq!(api.run(run).await["counts"]["delivered"], 1000);
    let taken = taken(&word);
    assert_eq!((taken.len(), taken.values().sum::<usize>()), (1000, 1000), "nothing is lost, nothing came twice");
    for worker in &mut workers {
        assert!(worker.is_gone().is_none(), "no process ended");
    }
    for node in workers.into_iter().chain([doors]) {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_worker_that_was_paused_for_longer_than_its_claims_hold_sends_nothing_more() {
    let site = Site::new(&holding()).await.with("engine.lease", "2s");
    let doors = site.start(&["serve"]).await;
    let mut worker = site.start(&["work"]).await;
    let api = site.api(&doors);
    let word = unique();
    // As many as it has connections: what waits for one is not claimed yet.
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-1-{word}"), 8))).await;
    until("eight are being sent", async || {
        let open = site.count("select count(*) from attempt where outcome is null").await;
        (open == 8 && taken(&word).len() == 8).then_some(())
    })
    .await;

    worker.pause();
    until("all are given up for lost", async || {
        (site.count("select count(*) from transmission where state = 'uncertain'").await == 8).then_some(())
    })
    .await;
    worker.wake();
    worker.terminate();
    assert!(worker.ended().await.success(), "{}", worker.logged());

    let taken = taken(&word);
    assert_eq!((taken.len(), taken.values().sum::<usize>()), (8, 8), "nothing more was sent");
    assert_eq!(site.count("select count(*) from attempt").await, 8);
    for transmission in api.transmissions(run).await {
        let state = transmission["state"].as_str().unwrap();
        let there = taken.contains_key(transmission["contact"].as_str().unwrap());
        assert!(["uncertain", "delivered", "queued"].contains(&state), "{transmission}");
        assert!(there || state != "delivered", "it was never sent: {transmission}");
    }
    doors.stop().await;
}

#[tokio::test]
async fn a_slow_send_is_waited_for_and_recorded_when_its_node_is_asked_to_stop() {
    let site = Site::new(&holding().replace("timeout = \"2s\"", "timeout = \"20s\"")).await;
    let doors = site.start(&["serve"]).await;
    let mut worker = site.start(&["work"]).await;
    let api = site.api(&doors);
    let word = unique();
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-4-{word}"), 1))).await;
    until("it is being sent", async || (taken(&word).len() == 1).then_some(())).await;

    worker.terminate();
    assert!(worker.ended().await.success(), "{}", worker.logged());

    assert_eq!(site.count("select count(*) from attempt where outcome = 'delivered' and number = 1").await, 1);
    let worker = site.start(&["work"]).await;
    assert_eq!(api.ended(run).await["state"], "succeeded");
    worker.stop().await;
    doors.stop().await;
}

#[tokio::test]
async fn a_send_that_outlasts_the_grace_of_its_node_is_uncertain() {
    let site = Site::new(&holding()).await.with("engine.lease", "2s").with("engine.grace", "1s");
    let doors = site.start(&["serve"]).await;
    let mut worker = site.start(&["work"]).await;
    let api = site.api(&doors);
    let word = unique();
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-30-{word}"), 1))).await;
    until("it is being sent", async || (taken(&word).len() == 1).then_some(())).await;

    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(1));
    assert!(worker.logged().contains("it is uncertain now"), "{}", worker.logged());

    let worker = site.start(&["work"]).await;
    let ended = api.ended(run).await;
    assert_eq!((&ended["state"], &ended["counts"]["uncertain"]), (&"failed".into(), &1.into()), "{ended}");
    assert_eq!(taken(&word).values().sum::<usize>(), 1);
    worker.stop().await;
    doors.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_fails_no_document() {
    let site = Site::new(&accounts()).await.with("engine.deaths", 2);
    let blobs = site.path("blobs");
    let site = site.with("blobs.url", format!("file://{}", blobs.display()));
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();
    api.set_up_orders().await;
    let morning = with_orders(batch("morning", "sink", mailboxes(&word, 3)), serde_json::json!({}));
    // Nothing can be read or written below a file.
    fs::rename(&blobs, site.path("away")).unwrap();
    fs::write(&blobs, "").unwrap();

    let run = api.start(&morning).await;
    until("it was tried more often than workers may die", async || {
        (node.logged().matches("a step met a fault").count() > 3).then_some(())
    })
    .await;
    fs::remove_file(&blobs).unwrap();
    fs::rename(site.path("away"), &blobs).unwrap();

    let ended = api.ended(run).await;
    assert_eq!(ended["state"], "succeeded", "{ended}: {:?}", api.transmissions(run).await);
    assert_eq!(taken(&word).len(), 3);
    node.stop().await;
}
