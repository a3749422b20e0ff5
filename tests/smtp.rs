//! E-mail against a real Postfix and against a server that misbehaves on demand: what each answer and each failure
//! comes to.

mod peers;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::Utc;
use futures::future::join_all;
use postbook::{
    channel::{
        File, Message, Outcome, Parcel,
        account::{Account, AccountConfig},
    },
    reason::Scope,
};

use peers::{Postfix, Sink};

fn open(config: &AccountConfig) -> Account {
    Account::open("mail", config).unwrap()
}

fn unique() -> String {
    format!("t{:032x}", rand::random::<u128>())
}

fn parcel(contact: &str) -> Parcel {
    Parcel {
        key: unique(),
        attempt: 1,
        series: 1,
        created_at: Utc::now(),
        recipient: "Ann Baker".to_owned(),
        contact: contact.to_owned(),
        message: Message { subject: "Open orders".to_owned(), text: "Good morning".to_owned(), html: None },
        files: vec![File {
            name: "orders.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            bytes: Bytes::from_static(b"%PDF-1.7"),
        }],
    }
}

/// The outcome in a few words: `refused contact smtp-550-5.1.1`.
fn shown(outcome: &Outcome) -> String {
    let word = match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Delivered(_) => "delivered",
        Outcome::Deferred { .. } => "deferred",
        Outcome::Refused(_) => "refused",
        Outcome::Uncertain(_) => "uncertain",
    };
    let reason = outcome.reason().map(|it| format!(" {:?} {}", it.scope, it.code).to_lowercase());
    format!("{word}{}", reason.unwrap_or_default())
}

async fn outcome(account: &Account, contact: &str) -> String {
    shown(&account.transmit(&parcel(contact)).await.outcome)
}

#[tokio::test]
async fn every_answer_of_a_real_server_is_sorted_by_how_far_it_reaches() {
    let account = open(&Postfix::running().plain());
    for (mailbox, expected) in [
        ("ann@test.local", "delivered"),
        ("nouser@test.local", "refused contact smtp-550-5.1.1"),
        ("disabled@test.local", "refused contact smtp-550-5.2.1"),
        ("full@test.local", "deferred contact smtp-452-4.2.2"),
        ("greylist@test.local", "deferred attempt smtp-451-4.7.1"),
        ("spam@test.local", "refused account smtp-554-5.7.1"),
        ("drop@test.local", "deferred attempt smtp-421-4.3.2"),
        ("ann@elsewhere.example", "refused account smtp-554-5.7.1"),
        ("ann", "refused contact bad-mailbox"),
    ] {
        assert_eq!(outcome(&account, mailbox).await, expected, "{mailbox}");
    }
}

#[tokio::test]
async fn the_servers_own_words_are_proof_and_reason() {
    let account = open(&Postfix::running().plain());

    let Outcome::Delivered(proof) = account.transmit(&parcel("ann@test.local")).await.outcome else { panic!() };
    assert_eq!(proof.by, "mx.test.local");
    assert!(proof.text.starts_with("250 2.0.0 Ok: queued as "), "{}", proof.text);

    let refused = account.transmit(&parcel("nouser@test.local")).await;
    let text = &refused.outcome.reason().unwrap().text;
    assert!(text.contains("550 5.1.1") && text.contains("No such user here"), "{text}");
    assert!(refused.transcript.contains("> RCPT TO:<nouser@test.local>\n< 550 5.1.1"), "{}", refused.transcript);
}

#[tokio::test]
async fn a_login_over_starttls_and_over_tls_is_made() {
    let postfix = Postfix::running();
    for config in [postfix.submission(), postfix.tls(postfix.password())] {
        let report = open(&config).transmit(&parcel("ann@test.local")).await;
        assert_eq!(shown(&report.outcome), "delivered");
        assert!(report.transcript.contains("> AUTH (not shown)\n< 235"), "{}", report.transcript);
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_certificate_of_a_stranger_are_the_accounts_trouble() {
    let postfix = Postfix::running();
    let mut stranger = postfix.submission();
    stranger.ca = None;
    for (config, expected) in [
        (postfix.tls("wrong"), "refused account smtp-535-5.7.8"),
        (stranger, "refused account smtp-certificate"),
        (peers::account(Sink::running().plain().url.replace("none", "starttls")), "refused account smtp-lacks"),
    ] {
        let account = open(&config);
        assert_eq!(outcome(&account, "ann@test.local").await, expected);
        assert_eq!(account.probe().await.unwrap_err().scope, Scope::Account);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_later() {
    for url in ["smtp://127.0.0.1:1?tls=none", "smtps://127.0.0.1:1", "smtp://nowhere.invalid:25"] {
        let account = open(&peers::account(url.to_owned()));
        assert_eq!(outcome(&account, "ann@test.local").await, "deferred attempt smtp-connect", "{url}");
    }
}

#[tokio::test]
async fn greylisting_is_waited_out_and_lets_go() {
    let mut config = Sink::running().plain();
    config.greylist = Duration::from_secs(7);
    let account = open(&config);
    let mailbox = format!("flaky-2-{}@test.local", unique());

    for _ in 0..2 {
        let outcome = account.transmit(&parcel(&mailbox)).await.outcome;
        let Outcome::Deferred { reason, after } = outcome else { panic!("{outcome:?}") };
        assert_eq!((reason.code.as_str(), after), ("smtp-451-4.7.1", Some(Duration::from_secs(7))));
    }
    assert_eq!(outcome(&account, &mailbox).await, "delivered");
}

#[tokio::test]
async fn a_connection_lost_after_the_final_dot_is_uncertain_and_never_repeated() {
    let sink = Sink::running();
    let mailbox = format!("cut-{}@test.local", unique());

    assert_eq!(outcome(&open(&sink.plain()), &mailbox).await, "uncertain attempt smtp-lost-after-message");

    assert_eq!(sink.mails(&mailbox).len(), 1);
}

#[tokio::test]
async fn a_connection_lost_before_the_final_dot_may_be_tried_again() {
    let sink = Sink::running();
    let mailbox = format!("midway-{}@test.local", unique());
    let mut parcel = parcel(&mailbox);
    // More than fits into the buffers on the way, so that the loss shows while it is sent.
    parcel.files[0].bytes = Bytes::from(vec![7; 20_000_000]);

    let outcome = open(&sink.plain()).transmit(&parcel).await.outcome;

    assert_eq!(shown(&outcome), "deferred attempt smtp-lost");
    assert!(sink.mails(&mailbox).is_empty());
}

#[tokio::test]
async fn silence_counts_as_a_loss_when_the_time_is_up() {
    let sink = Sink::running();
    let mut config = sink.plain();
    config.timeout = Duration::from_millis(300);
    config.final_timeout = Duration::from_millis(300);
    let account = open(&config);
    let begun = Instant::now();

    let (hang, mute) = (format!("hang-{}@test.local", unique()), format!("mute-{}@test.local", unique()));
    assert_eq!(outcome(&account, &hang).await, "deferred attempt smtp-lost");
    assert_eq!(outcome(&account, &mute).await, "uncertain attempt smtp-lost-after-message");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_refusal_after_the_message_is_a_refusal() {
    let account = open(&Sink::running().plain());
    assert_eq!(outcome(&account, "data-554-5.6.0@test.local").await, "refused document smtp-554-5.6.0");
    assert_eq!(outcome(&account, "data-451@test.local").await, "deferred attempt smtp-451");
}

#[tokio::test]
async fn a_message_over_the_servers_limit_is_not_sent_at_all() {
    let mut parcel = parcel("ann@test.local");
    parcel.files[0].bytes = Bytes::from(vec![7; 10_000_000]);

    let report = open(&Postfix::running().plain()).transmit(&parcel).await;

    assert_eq!(shown(&report.outcome), "refused document smtp-size");
    let text = &report.outcome.reason().unwrap().text;
    assert!(text.contains("mx.test.local takes 10240000 at most"), "{text}");
    assert!(!report.transcript.contains("MAIL FROM"), "{}", report.transcript);
}

#[tokio::test]
async fn a_mailbox_beyond_ascii_goes_to_servers_that_know_such_only() {
    let local = format!("{}-é", unique());
    assert_eq!(outcome(&open(&Postfix::running().plain()), &format!("{local}@test.local")).await, "delivered");
    assert_eq!(
        outcome(&open(&Sink::running().plain()), &format!("{local}@test.local")).await,
        "refused contact smtp-utf8"
    );
}

#[tokio::test]
async fn connections_are_used_again_even_after_a_refusal() {
    let sink = Sink::running();
    let account = open(&sink.plain());
    let mailbox = format!("{}@test.local", unique());

    for _ in 0..5 {
        assert_eq!(outcome(&account, &mailbox).await, "delivered");
        assert_eq!(outcome(&account, "code-550@test.local").await, "refused contact smtp-550");
    }

    let noted = sink.noted(&mailbox);
    assert_eq!(noted.len(), 5);
    assert!(noted.iter().all(|it| it.session == noted[0].session));
}

#[tokio::test]
async fn no_more_connections_are_opened_than_allowed() {
    let sink = Sink::running();
    let mut config = sink.plain();
    config.connections = 3;
    let account = open(&config);
    let mailbox = format!("{}@test.local", unique());

    let outcomes = join_all((0..60).map(|_| outcome(&account, &mailbox))).await;

    assert!(outcomes.iter().all(|it| it == "delivered"));
    let noted = sink.noted(&mailbox);
    let sessions: BTreeSet<_> = noted.iter().map(|it| it.session).collect();
    assert_eq!(noted.len(), 60);
    assert!(sessions.len() <= 3, "{sessions:?}");
}

#[tokio::test]
async fn a_connection_the_server_closed_meanwhile_is_replaced() {
    let sink = Sink::running();
    let account = open(&sink.plain());
    let mailbox = format!("leave-{}@test.local", unique());

    for _ in 0..3 {
        assert_eq!(outcome(&account, &mailbox).await, "delivered");
    }

    let sessions: BTreeSet<_> = sink.noted(&mailbox).iter().map(|it| it.session).collect();
    assert_eq!(sessions.len(), 3);
}
