//! A mail server that is killed and started again while mail, faxes by a mail gateway and links go out by it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use postbook::{
    channel::{
        Outcome, Parcel,
        account::{Account, AccountConfig},
    },
    secret::Secret,
};
use tokio::time::interval;

use crate::{
    open, parcel,
    peers::{Own, Postfix, death},
};

const MAILS: usize = 200;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends one as the engine does where uncertain mails are repeated. Gives the key, and how many attempts were in doubt.
async fn send(account: &Account, mut parcel: Parcel) -> (String, usize) {
    let (mut tries, mut doubts) = (interval(Duration::from_millis(100)), 0);
    let begun = Instant::now();
    loop {
        tries.tick().await;
        match account.transmit(&parcel).await.outcome {
            Outcome::Delivered(_) | Outcome::Accepted(_) => return (parcel.key, doubts),
            Outcome::Uncertain(_) => doubts += 1,
            Outcome::Deferred { .. } => {}
            refused => panic!("{refused:?}"),
        }
        assert!(begun.elapsed() < PATIENCE, "{} does not get through", parcel.key);
        parcel.attempt += 1;
    }
}

/// How often the server took each key. Having taken a mail once, it may put it into the inbox twice when it is killed in
/// between: that is one message of its queue.
fn taken(postfix: &Postfix) -> BTreeMap<String, usize> {
    let mut queued: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mail in postfix.kept() {
        let key = mail.message_id.split('@').next().unwrap().to_owned();
        queued.entry(key).or_default().insert(mail.queued_as);
    }
    queued.into_iter().map(|(key, ids)| (key, ids.len())).collect()
}

/// All of them through a server that goes away three times and comes back.
async fn storm(account: impl FnOnce(&Postfix) -> Account, contact: impl Fn(usize) -> String) {
    let own = Own::start("smtp");
    let postfix = Postfix::of(&own);
    let account = account(&postfix);
    let sent = Arc::new(AtomicUsize::new(0));
    let killer = death::at([20, 70, 130], sent.clone(), move || {
        own.kill();
        own.restart();
    });
    let one = |number: usize| {
        let (account, sent, parcel) = (&account, &sent, parcel(&contact(number)));
        async move {
            let ended = send(account, parcel).await;
            sent.fetch_add(1, Ordering::Relaxed);
            ended
        }
    };
    let ended: Vec<_> = stream::iter(0..MAILS).map(one).buffer_unordered(8).collect().await;
    let _server = killer.join().unwrap();

    let (mut looks, begun) = (interval(Duration::from_millis(50)), Instant::now());
    while !postfix.is_idle() {
        assert!(begun.elapsed() < PATIENCE, "the server does not deliver what it took");
        looks.tick().await;
    }
    let taken = taken(&postfix);
    assert_eq!(taken.len(), MAILS, "nothing else was sent");
    for (key, doubts) in &ended {
        let times = taken.get(key).copied().unwrap_or_default();
        assert!((1..=1 + doubts).contains(&times), "{key}: {times} times, {doubts} attempts in doubt");
    }
    let doubts: usize = ended.iter().map(|(_, doubts)| doubts).sum();
    let twice = taken.values().filter(|times| **times > 1).count();
    println!("{doubts} attempts of {MAILS} mails were in doubt, {twice} came twice");
}

/// With little patience and many connections.
fn hasty(config: AccountConfig) -> AccountConfig {
    AccountConfig { timeout: Duration::from_secs(10), connections: 8, ..config }
}

fn mailbox(number: usize) -> String {
    format!("r{number}@test.local")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_mails_none_is_lost_and_none_comes_twice_unsaid_while_the_server_is_killed() {
    storm(|postfix| open(&hasty(postfix.plain())), mailbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_faxes_by_a_mail_gateway_none_is_lost_and_none_comes_twice_unsaid_while_the_server_is_killed() {
    let gateway = |postfix: &Postfix| {
        let mut config = hasty(postfix.plain());
        config.url = config.url.replacen("smtp:", "faxmail:", 1);
        config.fax.dial = Some("fax-{digits}@test.local".to_owned());
        open(&config)
    };
    storm(gateway, |number| format!("+48225{number:06}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_links_none_is_lost_and_none_comes_twice_unsaid_while_the_server_that_mails_them_is_killed() {
    let pickup = |postfix: &Postfix| {
        let mut links = AccountConfig::new("pickup:");
        links.links = Some("https://postbook.example.org/pickup".to_owned());
        links.link_secret = Some(Secret::from("a secret of more than thirty-two letters"));
        links.mail = Some("mail".to_owned());
        Account::open_with("links", &links, Some(&open(&hasty(postfix.plain())))).unwrap()
    };
    storm(pickup, mailbox).await;
}
