//! Commands that have nothing to show, and that nobody reads.

use serde_json::{Value, json};

use crate::site::Site;

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
