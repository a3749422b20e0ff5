//! Commands that have nothing to show, that nobody reads, and that withdraw a link.

use serde_json::{Value, json};

use crate::{
    api::{batch, unique},
    node::until,
    site::Site,
};

#[tokio::test]
async fn a_list_with_nothing_in_it_says_so_in_a_sentence() {
    let site = Site::new("").await;
    for (command, sentence) in [
        ("runs", "There are no runs to show.\n"),
        ("user list", "There are no users; `postbook user add` adds one.\n"),
        ("token list", "There are no tokens; `postbook token new USER` makes one.\n"),
        ("accounts", "There are no accounts; the settings have them under [account.NAME].\n"),
        ("schedule list", "There are no schedules to show.\n"),
        ("calendar", "No batch fires or fired on these dates.\n"),
        ("reports scheduled", "No enabled batch has a schedule.\n"),
        ("sending", "Sending is not paused.\nNothing waits to be sent.\n"),
    ] {
        let output = site.run(&command.split(' ').collect::<Vec<_>>()).await;
        assert!(output.status.success(), "{command}: {output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), sentence, "{command}");
    }
    let runs: Value = serde_json::from_slice(&site.run(&["runs", "--json"]).await.stdout).unwrap();
    assert_eq!(runs, json!({ "items": [] }));
}

#[tokio::test]
async fn a_command_that_nobody_reads_does_its_work_and_ends_as_it_would() {
    let site = Site::new("").await;
    assert_eq!(site.run_unread(&["user", "add", "mona", "--role", "operator"]).await.code(), Some(0));
    assert_eq!(site.count(r#"select count(*) from "user" where name = 'mona'"#).await, 1);
    for list in [&["user", "list"][..], &["user", "list", "--json"], &["runs"], &["sending"], &["check"]] {
        assert_eq!(site.run_unread(list).await.code(), Some(0), "{list:?}");
    }
    assert_eq!(site.run_unread(&["show", "999"]).await.code(), Some(1), "there is no such run");
}

#[tokio::test]
async fn a_link_is_withdrawn_on_the_command_line_once() {
    let links = "[account.links]\nurl = \"pickup:\"\nlink_secret = \"a secret of more than thirty-two letters\"\n";
    let site = Site::new(links).await.with("http.public", "https://postbook.example.org");
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let mut plans = batch(&unique(), "links", []);
    plans["recipients"] = json!([{ "name": "Ann", "pickup": "ann@example.org" }]);
    plans["accounts"] = json!({ "pickup": "links" });
    let run = api.start(&plans).await;
    let offered = until("the link is offered", async || {
        api.transmissions(run).await.into_iter().find(|it| it["state"] == "accepted")
    })
    .await;
    let number = offered["id"].to_string();

    let revoked = site.run(&["pickup", "revoke", &number]).await;
    assert!(revoked.status.success(), "{revoked:?}");
    let told = format!("the link of transmission {number} leads nowhere now\n");
    assert_eq!(String::from_utf8(revoked.stdout).unwrap(), told);
    let link = api.get(&format!("/transmissions/{number}/pickup")).await;
    assert_eq!((&link["revoked_by"], link["revoked_at"].is_null()), (&json!("cli"), false), "{link}");
    until("the run counts it", async || (api.run(run).await["counts"]["cancelled"] == 1).then_some(())).await;
    assert_eq!(site.count("select count(*) from audit where action = 'pickup.revoked' and by = 'cli'").await, 1);

    let again = site.run(&["pickup", "revoke", &number]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("has no link that leads anywhere"));
    node.stop().await;
}
