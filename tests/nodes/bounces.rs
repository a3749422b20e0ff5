//! Mails that came back, handed over as a mail server does it.

use std::{fs, process::Output};

use crate::site::Site;

const ANSWER: &str = "From: ann@example.org\r\nSubject: out of office\r\n\r\nback on monday";

async fn hand_over(site: &Site, mail: &str) -> Output {
    let file = site.path("mail.eml");
    fs::write(&file, mail).unwrap();
    site.run_on(&["bounce"], &file).await
}

#[tokio::test]
async fn a_mail_is_taken_from_a_pipe_and_what_is_no_report_changes_nothing() {
    let site = Site::new("").await;
    let output = hand_over(&site, ANSWER).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "it is no report of a mail that came back\n");
    assert_eq!(site.count("select count(*) from receipt").await, 0);
}

#[tokio::test]
async fn without_the_book_the_mail_server_is_told_to_bring_it_again() {
    let site = Site::on("postgres://nobody@127.0.0.1:1/nothing", "");
    assert_eq!(hand_over(&site, ANSWER).await.status.code(), Some(75));
}
