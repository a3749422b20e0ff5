//! A Postbook with a Postgres of its own, killed and started twice.

use crate::{
    api::{batch, mailboxes, unique},
    mails::accounts,
    node::until,
    peers::Sink,
    site::Site,
};

#[tokio::test]
async fn a_postbook_killed_in_the_middle_of_a_run_finishes_it_at_its_next_start() {
    let site = Site::private(&accounts());
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let word = unique();
    let run = api.start(&batch("morning", "sink", mailboxes(&format!("slow-0.2-{word}"), 100))).await;
    let taken = || Sink::running().noted_where(|to| to.contains(&word));
    until("it is in the middle of it", async || (taken().len() > 20).then_some(())).await;
    node.kill();

    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    assert!(api.run(run).await["ended_at"].is_null(), "it was killed in the middle");
    let ended = api.ended(run).await;

    assert_eq!((&ended["state"], &ended["counts"]["delivered"]), (&"succeeded".into(), &100.into()));
    let twice = api.transmissions(run).await.iter().filter(|it| it["possibly_twice"] == true).count();
    let mails = taken().len();
    assert!((100..=100 + twice).contains(&mails), "{mails} mails, {twice} possibly twice");
    node.stop().await;
    assert!(!site.data().join("postgres/postmaster.pid").exists(), "its Postgres still runs");
}

#[tokio::test]
async fn a_second_postbook_on_the_same_folder_says_so_and_ends() {
    let site = Site::private("");
    let node = site.start(&["up"]).await;

    let second = site.run(&["up"]).await;

    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(&format!("is in use by another Postbook (process {})", node.pid())), "{said}");
    site.api(&node).get("/runs").await;
    node.stop().await;
}
