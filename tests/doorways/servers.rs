//! The same on servers: OpenSSH's SFTP server, and an S3 server in this process that checks signatures.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use postbook::{
    source::place::{AccountConfig, Address, Moved, Places, PlacesConfig},
    trigger::file::{self, FileState},
};
use sqlx::PgPool;

use crate::{
    inbox::{Inbox, paths},
    peers::{Sshd, s3::S3},
};

fn config(name: &str, account: AccountConfig) -> PlacesConfig {
    PlacesConfig {
        roots: Vec::new(),
        accounts: BTreeMap::from([(name.to_owned(), account)]),
        timeout: Duration::from_secs(20),
        limit: 1 << 20,
    }
}

fn account(s3: &S3) -> AccountConfig {
    AccountConfig { url: s3.url(""), host_key: None, key: None, ca: None }
}

#[sqlx::test]
async fn files_on_an_sftp_server_are_runs_and_leave_the_inbox(db: PgPool) {
    let sshd = Sshd::running();
    let folder = sshd.folder();
    let inbox = Inbox::on(db, config("partner", sshd.account())).await;
    inbox.subscribe(&format!("sftp = \"partner:/files/{}\", match = \"*.csv\"", name_of(&folder))).await;
    sshd.put(&folder.join("orders.csv"), "a;b\n");
    sshd.put(&folder.join("late.csv.part"), "half");

    inbox.settle().await;

    assert_eq!(inbox.app.mails_to("ann@example.org")[0].attachments[0].1, b"a;b\n");
    assert_eq!(paths(&folder), ["archive/orders.csv", "late.csv.part"]);

    inbox
        .subscribe_as("orders-in", &format!("sftp = \"partner:/files/{}\"", name_of(&folder)), "refused@example.org")
        .await;
    sshd.put(&folder.join("orders.csv"), "other");
    inbox.settle().await;
    assert_eq!(
        paths(&folder),
        ["archive/orders.csv", "error/orders.csv", "error/orders.csv.reason.txt", "late.csv.part"]
    );
}

#[tokio::test]
async fn an_sftp_server_with_another_key_is_not_talked_to() {
    let sshd = Sshd::running();
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    let account = AccountConfig { host_key: Some(other.to_owned()), ..sshd.account() };
    let refused = Places::open(&config("partner", account)).unwrap().probe("partner").await.unwrap_err();
    assert_eq!(refused.reason.code, "sftp-host-key", "{}", refused.reason.text);

    let right = format!("{other}, {}", sshd.host_key());
    let account = AccountConfig { host_key: Some(right), ..sshd.account() };
    Places::open(&config("partner", account)).unwrap().probe("partner").await.unwrap();
}

#[tokio::test]
async fn an_sftp_server_lets_a_key_in_and_no_wrong_password() {
    let sshd = Sshd::running();
    let url = format!("sftp://sender@127.0.0.1:{}", sshd.port());
    let key = AccountConfig { url, key: Some(sshd.key()), ..sshd.account() };
    Places::open(&config("partner", key)).unwrap().probe("partner").await.unwrap();

    let url = format!("sftp://sender:wrong@127.0.0.1:{}", sshd.port());
    let wrong = AccountConfig { url, ..sshd.account() };
    let refused = Places::open(&config("partner", wrong)).unwrap().probe("partner").await.unwrap_err();
    assert_eq!(refused.reason.code, "sftp-login");
    assert!(!refused.reason.text.contains("wrong"), "{}", refused.reason.text);
}

#[tokio::test]
async fn a_move_on_an_sftp_server_never_overwrites_and_links_lead_nowhere() {
    let sshd = Sshd::running();
    let folder = sshd.folder();
    let places = Places::open(&config("partner", sshd.account())).unwrap();
    let place = places.at(&Address::sftp(&format!("partner:/files/{}", name_of(&folder))).unwrap()).unwrap();
    sshd.put(&folder.join("a"), "new");
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
    assert_eq!(place.list().await.unwrap().files.len(), 1);
    place.read("link", 100).await.unwrap_err();
    assert_eq!(place.rename("a", "deep/down/1").await.unwrap(), Moved::Done);
    assert_eq!(place.rename("a", "deep/down/1").await.unwrap(), Moved::Gone);
    sshd.put(&folder.join("a"), "newer");
    assert_eq!(place.rename("a", "deep/down/1").await.unwrap(), Moved::Taken);
    assert_eq!(fs::read(folder.join("deep/down/1")).unwrap(), b"new");
}

#[sqlx::test]
async fn objects_below_a_prefix_are_runs_and_leave_it(db: PgPool) {
    let s3 = S3::start();
    fs::create_dir_all(s3.path("inbox/archive")).unwrap();
    fs::write(s3.path("inbox/archive/orders.csv"), "somebody's").unwrap();
    let inbox = Inbox::on(db, config("store", account(&s3))).await;
    inbox.subscribe("s3 = \"store:bucket/inbox\", match = \"*.csv\"").await;
    fs::write(s3.path("inbox/orders.csv"), "a;b\n").unwrap();
    fs::write(s3.path("inbox/notes.txt"), "x").unwrap();

    inbox.settle().await;

    assert_eq!(inbox.app.mails_to("ann@example.org")[0].attachments[0].1, b"a;b\n");
    let names: Vec<_> = paths(&s3.path("")).into_iter().filter(|path| path.starts_with("inbox/")).collect();
    assert_eq!(names, ["inbox/archive/orders (run 1, file 1).csv", "inbox/archive/orders.csv", "inbox/notes.txt"]);
    assert_eq!(fs::read(s3.path("inbox/archive/orders.csv")).unwrap(), b"somebody's");

    inbox.subscribe_as("orders-in", "s3 = \"store:bucket/inbox\", match = \"*.csv\"", "refused@example.org").await;
    fs::write(s3.path("inbox/orders.csv"), "other").unwrap();
    inbox.settle().await;
    assert!(s3.path("inbox/error/orders.csv").exists() && s3.path("inbox/error/orders.csv.reason.txt").exists());
    assert_eq!(inbox.states().await[1].1, FileState::Rejected);
}

#[sqlx::test]
async fn an_s3_server_that_refuses_the_key_is_told_of(db: PgPool) {
    let s3 = S3::start();
    let account = AccountConfig { url: s3.url("").replace("sec%2F", "wrong"), ..account(&s3) };
    let inbox = Inbox::on(db, config("store", account)).await;
    inbox.subscribe("s3 = \"store:bucket/inbox\"").await;
    inbox.round().await;
    let place = &file::places(&inbox.app.db, (None, 10)).await.unwrap()[0];
    let fault = place.fault.as_ref().expect("a fault");
    assert_eq!(fault.code, "s3-denied", "{}", fault.text);
}

#[tokio::test]
async fn a_move_in_a_bucket_that_was_cut_short_is_completed() {
    let s3 = S3::start();
    let places = Places::open(&config("store", account(&s3))).unwrap();
    let place = places.at(&Address::s3("store:bucket/inbox").unwrap()).unwrap();
    place.write("a.csv", "same".into()).await.unwrap();
    place.write(".postbook/1", "same".into()).await.unwrap();
    assert_eq!(place.rename("a.csv", ".postbook/1").await.unwrap(), Moved::Done);
    assert_eq!(place.find("a.csv").await.unwrap(), None);
    place.write("a.csv", "other".into()).await.unwrap();
    assert_eq!(place.rename("a.csv", ".postbook/1").await.unwrap(), Moved::Taken);
    assert_eq!(place.read(".postbook/1", 100).await.unwrap(), "same");
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}
