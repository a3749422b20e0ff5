//! A thousand mails through real servers.

use std::{collections::HashMap, fs};

use mail_parser::MessageParser;
use serde_json::Value;

use crate::{
    api::{batch, mailboxes, unique},
    node::until,
    peers::{Postfix, Sink},
    site::Site,
};

/// Accounts at the servers that run, with little patience.
pub fn accounts() -> String {
    format!(
        r#"
[account.postfix]
url = "{}"
from = "Reports <reports@test.local>"
connections = 8

[account.sink]
url = "{}"
from = "Reports <reports@test.local>"
greylist = "1s"
timeout = "2s"
connections = 8
"#,
        Postfix::running().plain().url,
        Sink::running().plain().url
    )
}

/// How many mails came for each mailbox that has `word` in its name, and how many Message-IDs they have in all.
fn arrived(word: &str) -> (HashMap<String, usize>, usize) {
    let (mut mailboxes, mut ids) = (HashMap::new(), HashMap::new());
    for entry in fs::read_dir(Postfix::running().inbox()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let to = mail.to().and_then(|to| to.first()?.address()).unwrap_or_default();
        if to.contains(word) {
            *mailboxes.entry(to.to_owned()).or_default() += 1;
            *ids.entry(mail.message_id().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(ids.values().all(|count: &usize| *count == 1), "a Message-ID came twice");
    (mailboxes, ids.len())
}

/// The reason's code, and whether its text has the server's `words`.
fn told(value: &Value, words: &str) -> (String, bool) {
    let reason = &value["reason"];
    (
        reason["code"].as_str().unwrap_or_default().to_owned(),
        reason["text"].as_str().unwrap_or_default().contains(words),
    )
}

#[tokio::test]
async fn a_thousand_recipients_get_one_mail_each_and_the_others_end_with_the_servers_own_words() {
    let site = Site::new(&accounts()).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();
    let (nobody, full) = (format!("nouser-{word}"), format!("full-{word}"));
    let all = mailboxes(&word, 1000).chain(mailboxes(&nobody, 30)).chain(mailboxes(&full, 20));

    let run = api.start(&batch("morning", "postfix", all)).await;
    let ended = api.ended(run).await;

    assert_eq!(ended["state"], "partial");
    assert_eq!((&ended["counts"]["delivered"], &ended["counts"]["failed"]), (&1000.into(), &50.into()));
    let inbox =
        until("the mails are in the inbox", async || Some(arrived(&word)).filter(|(_, mails)| *mails >= 1000)).await;
    assert_eq!((inbox.0.len(), inbox.1), (1000, 1000), "mailboxes and mails");
    assert_eq!(site.count("select count(*) from attempt where outcome = 'delivered'").await, 1000);

    for transmission in api.transmissions(run).await {
        let contact = transmission["contact"].as_str().unwrap();
        if contact.starts_with("nouser") {
            assert_eq!(transmission["attempts"], 1);
            assert_eq!(told(&transmission, "550 5.1.1"), ("smtp-550-5.1.1".to_owned(), true));
            let attempts = api.attempts(&transmission).await;
            assert_eq!(told(&attempts[0], "No such user here"), ("smtp-550-5.1.1".to_owned(), true));
        } else if contact.starts_with("full") {
            assert_eq!(transmission["attempts"], 4);
            let attempts = api.attempts(&transmission).await;
            assert_eq!(attempts.len(), 4);
            for attempt in attempts {
                assert_eq!(attempt["outcome"], "deferred");
                assert_eq!(told(&attempt, "Mailbox full"), ("smtp-452-4.2.2".to_owned(), true));
                assert!(attempt["transcript"].as_str().unwrap().contains("452 4.2.2"), "{attempt}");
            }
        } else {
            assert!(transmission["proof"]["text"].as_str().unwrap().starts_with("250 2.0.0 Ok: queued as"));
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn greylisted_mails_are_delivered_once_the_server_takes_them() {
    let site = Site::new(&accounts()).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();

    let run = api.start(&batch("morning", "sink", mailboxes(&format!("flaky-2-{word}"), 30))).await;
    let ended = api.ended(run).await;

    assert_eq!(ended["state"], "succeeded");
    assert_eq!(Sink::running().noted_where(|to| to.contains(&word)).len(), 30);
    for transmission in api.transmissions(run).await {
        let attempts = api.attempts(&transmission).await;
        let outcomes: Vec<_> = attempts.iter().map(|it| it["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["deferred", "deferred", "delivered"]);
        assert_eq!(told(&attempts[0], "Greylisted, try again later"), ("smtp-451-4.7.1".to_owned(), true));
        assert!(attempts[2]["proof"]["text"].as_str().unwrap().contains("kept as"), "{}", attempts[2]);
        assert_eq!(transmission["possibly_twice"], false);
    }
    node.stop().await;
}
