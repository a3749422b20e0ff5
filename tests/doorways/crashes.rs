//! A node that goes away between any two steps of a file: what another one makes of what is left.

use std::{fs, time::Duration};

use postbook::{
    run::{self, Cause, CauseKind, Start},
    trigger::file,
};
use sqlx::PgPool;

use crate::inbox::{Inbox, claim};

/// A claimed file that nobody works on.
async fn claimed(db: PgPool) -> Inbox {
    let inbox = Inbox::start(db).await;
    inbox.put("orders.csv", "a");
    inbox.round().await;
    claim(&inbox).await;
    inbox
}

/// The state of the only file, set back as a crash leaves it.
async fn set_back(inbox: &Inbox, change: &'static str) {
    sqlx::query(change).execute(&inbox.app.db).await.unwrap();
    // The lease of whoever is gone has to run out.
    inbox.app.engine.clock.advance(Duration::from_secs(61));
}

async fn one_run_archived(inbox: &Inbox) {
    assert_eq!(inbox.runs().await, 1);
    assert_eq!(inbox.app.mails_to("ann@example.org").len(), 1);
    assert_eq!(inbox.paths(), ["archive/orders.csv"]);
    assert_eq!(inbox.app.count("select count(*) from file where state = 'archived'").await, 1);
}

#[sqlx::test]
async fn after_the_claim(db: PgPool) {
    let inbox = claimed(db).await;
    set_back(&inbox, "update file set lease = lease + 1, lease_until = due_at + interval '60 s'").await;
    inbox.settle().await;
    one_run_archived(&inbox).await;
}

#[sqlx::test]
async fn after_the_move_when_another_file_of_the_name_has_come(db: PgPool) {
    let inbox = claimed(db).await;
    fs::create_dir(inbox.folder().join(".postbook")).unwrap();
    fs::rename(inbox.folder().join("orders.csv"), inbox.folder().join(".postbook/1")).unwrap();
    inbox.put("orders.csv", "another");

    inbox.settle().await;

    assert_eq!(inbox.runs().await, 2);
    let mut sent: Vec<_> = inbox.app.mails().iter().map(|mail| mail.attachments[0].1.clone()).collect();
    sent.sort();
    assert_eq!(sent, [b"a".to_vec(), b"another".to_vec()]);
    assert_eq!(inbox.paths(), ["archive/orders (run 2, file 2).csv", "archive/orders.csv"]);
}

#[sqlx::test]
async fn after_its_bytes_were_kept(db: PgPool) {
    let inbox = claimed(db).await;
    file::round(&inbox.app.engine, &inbox.watch).await.unwrap();
    set_back(
        &inbox,
        "update file set state = 'claimed', digest = null, blob = null, cause_key = null, run = null, due_at = claimed_at",
    )
    .await;
    inbox.settle().await;
    one_run_archived(&inbox).await;
}

#[sqlx::test]
async fn after_the_run_was_started(db: PgPool) {
    let inbox = claimed(db).await;
    file::round(&inbox.app.engine, &inbox.watch).await.unwrap();
    let key: String = sqlx::query_scalar("select cause_key from file").fetch_one(&inbox.app.db).await.unwrap();
    set_back(&inbox, "update file set state = 'taken', run = null, due_at = claimed_at").await;
    let cause = Cause { kind: CauseKind::File, key, by: None };
    let start = Start { batch: "orders-in".to_owned(), cause, date: None, params: Default::default(), hold: false };
    assert!(!run::start(&inbox.app.engine, start).await.unwrap().fresh);

    inbox.settle().await;
    one_run_archived(&inbox).await;
}

#[sqlx::test]
async fn after_it_was_put_away(db: PgPool) {
    let inbox = claimed(db).await;
    inbox.settle().await;
    set_back(&inbox, "update file set state = 'closing', ended_at = null, due_at = claimed_at").await;
    inbox.settle().await;
    one_run_archived(&inbox).await;
}

#[sqlx::test]
async fn between_the_two_halves_of_a_move(db: PgPool) {
    let inbox = claimed(db).await;
    fs::create_dir(inbox.folder().join(".postbook")).unwrap();
    fs::hard_link(inbox.folder().join("orders.csv"), inbox.folder().join(".postbook/1")).unwrap();
    inbox.settle().await;
    one_run_archived(&inbox).await;
}

#[sqlx::test]
async fn before_the_reason_was_written(db: PgPool) {
    let inbox = claimed(db).await;
    let place = format!("folder = \"{}\"", inbox.folder().display());
    inbox.subscribe_as("orders-in", &place, "refused@example.org").await;
    inbox.settle().await;
    fs::remove_file(inbox.folder().join("error/orders.csv.reason.txt")).unwrap();
    fs::rename(inbox.folder().join("error/orders.csv"), inbox.folder().join(".postbook/1")).unwrap();
    set_back(&inbox, "update file set state = 'closing', ended_at = null, due_at = claimed_at").await;
    inbox.settle().await;
    assert_eq!(inbox.paths(), ["error/orders.csv", "error/orders.csv.reason.txt"]);
    assert_eq!(inbox.runs().await, 1);
}
