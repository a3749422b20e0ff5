//! Files in a folder, from the moment they are there to the archive.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::{ffi::OsStrExt, fs::symlink},
    time::Duration,
};

use postbook::{
    catalog::batch,
    config::Config,
    run::{self, act::Again},
    trigger::{
        self,
        file::{self, FileState},
    },
};
use sqlx::PgPool;

use crate::inbox::{Inbox, STABLE, claim};

#[sqlx::test]
async fn a_file_is_one_run_sends_its_bytes_and_goes_to_the_archive(db: PgPool) {
    let inbox = Inbox::start(db).await;
    inbox.put("orders.csv", "a;b\n1;2\n");

    inbox.settle().await;

    let mail = &inbox.app.mails_to("ann@example.org")[0];
    assert_eq!(mail.subject, "orders.csv, 8 bytes");
    assert_eq!(mail.attachments, [("orders.csv".to_owned(), b"a;b\n1;2\n".to_vec())]);
    assert_eq!(inbox.paths(), ["archive/orders.csv"]);
    let file = &inbox.files().await[0];
    let run = inbox.app.seen(file.run.expect("a run")).await;
    let key = format!("file folder:{}/orders.csv {} 1", inbox.folder().display(), &file.digest.as_ref().unwrap()[..12]);
    assert_eq!((serde_json::to_value(run.cause.kind).unwrap(), run.cause.key), ("file".into(), key));
    assert_eq!((file.state, file.put_as.as_deref()), (FileState::Archived, Some("archive/orders.csv")));
}

#[sqlx::test]
async fn a_file_that_is_still_being_written_is_not_taken(db: PgPool) {
    let inbox = Inbox::start(db).await;
    for part in ["a", "ab", "abc", "abcd"] {
        inbox.put("orders.csv", part);
        inbox.round().await;
        assert_eq!(inbox.runs().await, 0, "{part}");
    }
    inbox.settle().await;
    assert_eq!(inbox.app.mails()[0].attachments[0].1, b"abcd");
}

#[sqlx::test]
async fn a_file_that_somebody_goes_on_writing_while_it_is_moved_is_waited_for(db: PgPool) {
    let inbox = Inbox::start(db).await;
    inbox.put("orders.csv", "a");
    inbox.round().await;
    let mut writer = fs::OpenOptions::new().append(true).open(inbox.folder().join("orders.csv")).unwrap();
    claim(&inbox).await;
    writer.write_all(b"b").unwrap();
    file::round(&inbox.app.engine, &inbox.watch).await.unwrap();
    assert_eq!((inbox.runs().await, inbox.paths()), (0, vec![".postbook/1".to_owned()]));
    writer.write_all(b"c").unwrap();

    inbox.settle().await;

    assert_eq!(inbox.app.mails()[0].attachments[0].1, b"abc");
    assert_eq!(inbox.runs().await, 1);
}

#[sqlx::test]
async fn how_long_a_file_has_been_as_it_is_outlives_a_restart(db: PgPool) {
    let inbox = Inbox::start(db).await;
    inbox.put("orders.csv", "a");
    inbox.round().await;
    let restarted = inbox.app.engine.clone();

    file::round(&restarted, &inbox.watch).await.unwrap();

    assert_eq!(inbox.runs().await, 1);
}

#[sqlx::test]
async fn partial_names_links_folders_and_other_patterns_stay_where_they_are(db: PgPool) {
    let inbox = Inbox::start(db).await;
    let secret = inbox.app.folder.path().join("secret.csv");
    fs::write(&secret, "secret").unwrap();
    let left = [".hidden.csv", "a.csv.filepart", "a.csv.part", "a.csv~", "b.tmp", "notes.txt"];
    left.iter().for_each(|name| inbox.put(name, "x"));
    symlink(&secret, inbox.folder().join("link.csv")).unwrap();
    fs::create_dir(inbox.folder().join("folder.csv")).unwrap();

    for _ in 0..4 {
        inbox.round().await;
    }

    let mut there = left.map(str::to_owned).to_vec();
    there.push("link.csv".to_owned());
    there.sort();
    assert_eq!(inbox.paths(), there);
    assert_eq!(inbox.files().await, []);
}

#[sqlx::test]
async fn hostile_names_are_taken_like_others_and_lead_nowhere(db: PgPool) {
    let inbox = Inbox::start(db).await;
    let long = format!("{}.csv", "x".repeat(251));
    let names = ["a\nb.csv", "-rf.csv", "$(reboot).csv", "{{ user.name }}.csv", "Größe 日本.csv", &long];
    names.iter().for_each(|name| inbox.put(name, "x"));
    fs::write(inbox.folder().join(OsStr::from_bytes(b"caf\xe9.csv")), "not UTF-8").unwrap();

    inbox.settle().await;

    let states = inbox.states().await;
    assert!(states.len() == names.len() && states.iter().all(|(_, it)| *it == FileState::Archived), "{states:?}");
    assert_eq!(inbox.runs().await, 6);
    let place = &file::places(&inbox.app.db, (None, 10)).await.unwrap()[0];
    assert_eq!(place.odd, ["caf\u{fffd}.csv"], "it stays, and is told of");
    assert_eq!(fs::read_dir(inbox.app.folder.path()).unwrap().count(), 2, "the outbox and the inbox");
}

#[sqlx::test]
async fn the_same_file_twice_is_one_run_and_another_one_of_its_name_is_not(db: PgPool) {
    let inbox = Inbox::start(db).await;
    for bytes in ["monday", "monday", "tuesday"] {
        inbox.put("orders.csv", bytes);
        inbox.settle().await;
    }
    assert_eq!(inbox.runs().await, 2);
    let files = inbox.files().await;
    let reason = files[1].reason.as_ref().expect("a reason");
    assert_eq!((reason.code.as_str(), files[1].run), ("same", None));
    assert!(reason.text.contains("no. 1, which started run"), "{}", reason.text);
    assert_eq!(
        inbox.paths(),
        ["archive/orders (file 2).csv", "archive/orders (run 2, file 3).csv", "archive/orders.csv"]
    );

    inbox.app.engine.clock.advance(Duration::from_secs(24 * 60 * 60));
    inbox.put("orders.csv", "monday");
    inbox.settle().await;
    assert_eq!(inbox.runs().await, 3, "a day later it is another file");
}

#[sqlx::test]
async fn a_file_whose_run_fails_is_rejected_with_the_reason_beside_it_and_may_be_put_in_again(db: PgPool) {
    let inbox = Inbox::start(db).await;
    let place = format!("folder = \"{}\"", inbox.folder().display());
    inbox.subscribe_as("orders-in", &place, "refused@example.org").await;
    inbox.put("orders.csv", "a");

    inbox.settle().await;

    assert_eq!(inbox.paths(), ["error/orders.csv", "error/orders.csv.reason.txt"]);
    let reason = fs::read_to_string(inbox.folder().join("error/orders.csv.reason.txt")).unwrap();
    for part in ["orders.csv was not processed.", "run 1 of orders-in came to `failed`", "550 5.1.1", "put the file"] {
        assert!(reason.contains(part), "{reason}");
    }
    inbox.subscribe(&place).await;
    fs::rename(inbox.folder().join("error/orders.csv"), inbox.folder().join("orders.csv")).unwrap();
    inbox.settle().await;
    assert_eq!(inbox.runs().await, 2);
    assert_eq!(inbox.app.mails_to("ann@example.org").len(), 1);
    assert!(inbox.paths().contains(&"archive/orders.csv".to_owned()), "{:?}", inbox.paths());
}

#[sqlx::test]
async fn a_file_that_is_too_large_is_rejected_without_a_run(db: PgPool) {
    let mut inbox = Inbox::start(db).await;
    inbox.watch.limit = 3;
    inbox.put("small.csv", "abc");
    inbox.put("large.csv", "abcd");

    inbox.settle().await;

    assert_eq!(inbox.paths(), ["archive/small.csv", "error/large.csv", "error/large.csv.reason.txt"]);
    assert_eq!(inbox.runs().await, 1);
}

#[sqlx::test]
async fn nothing_in_the_archive_is_overwritten(db: PgPool) {
    let inbox = Inbox::start(db).await;
    fs::create_dir(inbox.folder().join("archive")).unwrap();
    inbox.put("archive/orders.csv", "somebody's");
    inbox.put("orders.csv", "new");

    inbox.settle().await;

    assert_eq!(inbox.paths(), ["archive/orders (run 1, file 1).csv", "archive/orders.csv"]);
    assert_eq!(fs::read(inbox.folder().join("archive/orders.csv")).unwrap(), b"somebody's");
}

#[sqlx::test]
async fn a_disabled_batch_takes_nothing_and_a_file_is_for_the_first_batch_it_fits(db: PgPool) {
    let inbox = Inbox::start(db).await;
    let place = |pattern: &str| format!("folder = \"{}\", match = \"{pattern}\"", inbox.folder().display());
    inbox.subscribe_as("all", &place("*"), "yard@example.org").await;
    let author = inbox.app.author();
    batch::enable(&inbox.app.db, &author, ("all", false)).await.unwrap();
    inbox.put("notes.txt", "x");
    inbox.round().await;
    inbox.round().await;
    assert_eq!(inbox.files().await, []);

    batch::enable(&inbox.app.db, &author, ("all", true)).await.unwrap();
    inbox.put("orders.csv", "x");
    inbox.settle().await;

    let batches: Vec<_> = inbox.files().await.into_iter().map(|file| (file.name, file.batch)).collect();
    assert!(batches.iter().all(|(_, batch)| batch == "all") && batches.len() == 2, "{batches:?}");
}

#[sqlx::test]
async fn a_place_that_is_away_is_told_of_and_looked_at_again(db: PgPool) {
    let inbox = Inbox::start(db).await;
    let aside = inbox.app.folder.path().join("aside");
    fs::rename(inbox.folder(), &aside).unwrap();
    inbox.round().await;
    let place = &file::places(&inbox.app.db, (None, 10)).await.unwrap()[0];
    assert_eq!(place.fault.as_ref().expect("a fault").code, "folder-missing");
    assert!(!inbox.folder().exists(), "a share that is not mounted is not made");

    fs::rename(&aside, inbox.folder()).unwrap();
    inbox.put("orders.csv", "x");
    inbox.app.engine.clock.advance(STABLE * 30);
    inbox.round().await;
    inbox.settle().await;
    assert_eq!(inbox.runs().await, 1);
    assert_eq!(file::places(&inbox.app.db, (None, 10)).await.unwrap()[0].fault, None);
}

#[sqlx::test]
async fn a_file_whose_bytes_were_thrown_away_cannot_be_rendered_again_and_says_so(db: PgPool) {
    let mut inbox = Inbox::start(db).await;
    inbox.put("orders.csv", "x");
    inbox.settle().await;
    let run = inbox.files().await[0].run.expect("a run");
    let mut keep = Config::from_layers(None, &Default::default()).unwrap().retention;
    keep.files = "1 day".parse().unwrap();
    inbox.app.engine.clock.advance(Duration::from_secs(3 * 24 * 60 * 60));
    while run::purge::purge(&inbox.app.engine, &keep).await.unwrap() {}
    while trigger::purge(&inbox.app.engine, &keep).await.unwrap() {}

    assert_eq!(inbox.app.count("select count(*) from file where blob is null and digest is not null").await, 1);
    let transmission = inbox.app.transmissions(run).await[0].id;
    inbox.app.engine = inbox.app.another();
    let again = Again { render: true, despite_suppression: false, key: "again".to_owned(), by: "test".to_owned() };
    run::act::resend(&inbox.app.engine, transmission, &again).await.unwrap();
    inbox.app.drain().await;

    let again = &inbox.app.transmissions(run).await[1];
    assert_eq!(again.reason.as_ref().expect("a reason")["code"], "file-purged");
}
