//! What happens in a run, told while it happens.

use reqwest::Method;

use crate::{
    api::{Api, batch, mailboxes, unique},
    mails::accounts,
    site::Site,
};

/// Number and word of each event of `run` after `last`, until the stream ends.
async fn events(api: &Api, run: i64, last: Option<i64>) -> Vec<(i64, String)> {
    let mut request = api.request(Method::GET, &format!("/runs/{run}/events"));
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let text = answer.text().await.unwrap();
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    let blocks = text.split("\n\n").filter(|block| block.lines().any(|line| line.starts_with("id:")));
    blocks.map(|block| (field(block, "id").unwrap().parse().unwrap(), field(block, "event").unwrap())).collect()
}

#[tokio::test]
async fn events_are_numbered_from_the_start_to_the_end_and_go_on_where_a_listener_was() {
    let site = Site::new(&accounts()).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-0.2-{}", unique()), 40))).await;

    let all = events(&api, run, None).await;

    assert!(!api.run(run).await["ended_at"].is_null(), "the stream ends with the run");
    let numbers: Vec<_> = all.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=i64::try_from(all.len()).unwrap()).collect::<Vec<_>>());
    let words: Vec<_> = all.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(&words[..2], ["started", "expanded"], "{words:?}");
    assert_eq!(words.last(), Some(&"ended"), "{words:?}");
    assert!(words.contains(&"progress"), "{words:?}");

    assert_eq!(events(&api, run, Some(2)).await, all[2..]);
    let last = all.last().unwrap().0;
    let answer = api.request(Method::GET, &format!("/runs/{run}/events")).header("Last-Event-ID", last).send().await;
    assert_eq!(answer.unwrap().status(), 204, "nothing more comes");
    node.stop().await;
}
