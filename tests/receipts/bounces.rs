//! Mails that come back, from a pipe and through a real mail server into a real mailbox.

use std::time::{Duration, Instant};

use postbook::run::{
    RunState, TransmissionState,
    receipt::{self, Taken},
};
use sqlx::PgPool;

use crate::{
    peers::{Dovecot, Postfix},
    site::Site,
};

fn bounce(key: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example\r\nTo: reports@test.local\r\nMessage-ID: <dsn-{status}@mx.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; ann@test.local\r\nAction: failed\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; 550 {status} as asked\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{key}@test.local>\r\n\r\n--b--\r\n"
    )
}

#[sqlx::test]
async fn a_mail_that_comes_back_by_the_pipe_fails_and_its_address_is_suppressed(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    let mail = bounce(&site.key(run).await, "5.1.1");
    for _ in 0..2 {
        assert_eq!(receipt::take(&site.app.engine, mail.as_bytes()).await.unwrap(), Taken::Report);
    }
    site.app.drain().await;

    let one = site.transmission(run).await;
    assert_eq!((one.state, one.receipts.len()), (TransmissionState::Failed, 1));
    assert_eq!(one.reason.as_ref().unwrap()["code"], "bounce-5.1.1");
    let who: (String, String, String) =
        sqlx::query_as("select contact, created_by, reason from suppression").fetch_one(&site.app.db).await.unwrap();
    assert_eq!((who.0.as_str(), who.1.as_str()), ("ann@test.local", "bounce"));
    assert!(who.2.starts_with("bounced: 5.1.1"));

    let again = site.app.run("morning").await;
    assert_eq!(site.app.transmissions(again).await[0].state, TransmissionState::Skipped);
    let evidence = site.app.evidence(&one).await.remove("evidence.json").unwrap();
    let evidence = String::from_utf8(evidence).unwrap().replace("\\r\\n", "\n");
    assert!(evidence.contains("Reporting-MTA: dns; mx.example"), "the word as it came is in the evidence");
}

#[sqlx::test]
async fn what_is_full_or_refused_by_policy_is_not_suppressed(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    for (status, scope) in [("5.2.2", "contact"), ("5.7.1", "account"), ("4.4.7", "attempt")] {
        let run = site.app.run("morning").await;
        receipt::take(&site.app.engine, bounce(&site.key(run).await, status).as_bytes()).await.unwrap();
        let one = site.transmission(run).await;
        assert_eq!((one.state, &one.reason.unwrap()["scope"]), (TransmissionState::Failed, &scope.into()), "{status}");
    }
    assert_eq!(site.app.count("select count(*) from suppression").await, 0);
    assert_eq!(site.app.count("select count(*) from account").await, 0, "one recipient's server is not the account's");
}

#[sqlx::test]
async fn a_bounce_that_somebody_made_up_is_kept_nowhere(db: PgPool) {
    let site = Site::start(db, |_| ()).await;
    let run = site.app.run("morning").await;
    let key = site.key(run).await;
    let guessed = format!("{}-0", key.rsplit_once('-').unwrap().0);
    for mail in [bounce(&guessed, "5.1.1"), bounce("x", "5.1.1")] {
        assert_eq!(receipt::take(&site.app.engine, mail.as_bytes()).await.unwrap(), Taken::Strange);
    }
    let answer =
        format!("From: ann@test.local\r\nSubject: out of office\r\nIn-Reply-To: <{key}@test.local>\r\n\r\nback soon");
    assert_eq!(receipt::take(&site.app.engine, answer.as_bytes()).await.unwrap(), Taken::Other);

    assert_eq!(site.transmission(run).await.state, TransmissionState::Accepted);
    assert_eq!(site.app.count("select count(*) from receipt").await, 0);
}

#[sqlx::test]
async fn a_bounce_through_a_real_mail_server_turns_accepted_into_failed_and_suppresses_the_address(db: PgPool) {
    let mut mail = Postfix::running().plain();
    mail.bounces = Some(Dovecot::running().mailbox());
    mail.ca = Some(Dovecot::running().authority());
    mail.return_path = Some("returned+*@test.local".to_owned());
    let site = Site::start_by(db, mail).await;
    let (kept, gone) = (site.app.run("morning").await, site.app.run("gone").await);
    assert_eq!(site.app.seen(gone).await.state, RunState::Succeeded, "it was taken");

    let begun = Instant::now();
    while site.transmission(gone).await.state == TransmissionState::Accepted {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come back");
        site.app.engine.clock.advance(Duration::from_secs(61));
        let (one, two) = (site.app.engine.clone(), site.app.another());
        let (first, second) = tokio::join!(receipt::read_mailboxes(&one), receipt::read_mailboxes(&two));
        assert!(first.unwrap() == 0 || second.unwrap() == 0, "one node reads it at a time");
    }
    site.app.drain().await;

    let one = site.transmission(gone).await;
    assert_eq!((one.state, one.receipts.len()), (TransmissionState::Failed, 1));
    assert_eq!(one.reason.as_ref().unwrap()["code"], "bounce-5.1.1");
    assert_eq!(site.transmission(kept).await.state, TransmissionState::Accepted, "no other is touched");
    assert_eq!(site.app.seen(gone).await.state, RunState::Failed);
    assert_eq!(site.app.notices(gone).await.len(), 1);
    assert_eq!(site.app.count("select count(*) from suppression where contact = 'gone@test.local'").await, 1);
    let said = &site.app.attempts(one.id).await[0].transcript;
    assert!(said.contains("ENVID=") && said.contains("NOTIFY=FAILURE,DELAY"), "{said}");

    site.app.engine.clock.advance(Duration::from_secs(61));
    assert_eq!(receipt::read_mailboxes(&site.app.engine).await.unwrap(), 0, "nothing is read twice");
}

#[sqlx::test]
async fn a_mailbox_that_cannot_be_read_holds_nothing_up_and_its_password_stays_secret(db: PgPool) {
    let site = Site::start(db, |mail| mail.bounces = Some("imap://ann:hunter2@localhost:1/".to_owned())).await;
    let run = site.app.run("morning").await;
    assert_eq!(receipt::read_mailboxes(&site.app.engine).await.unwrap(), 0);
    let fault: String = sqlx::query_scalar("select fault from bounce_mailbox").fetch_one(&site.app.db).await.unwrap();
    assert!(fault.contains("connecting") && !fault.contains("hunter2"), "{fault}");
    assert_eq!(site.transmission(run).await.state, TransmissionState::Accepted);
}
