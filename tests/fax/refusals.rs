//! What does not come as far as a call.

use std::{fs, time::Duration};

use bytes::Bytes;
use postbook::{
    channel::{File, Outcome, Standing, account::AccountConfig},
    reason::Scope,
};
use tokio::net::TcpListener;

use crate::{asked, open, pages, parcel, peers::FaxServer, send};

const NUMBER: &str = "+13125550002";

fn scope(outcome: &Outcome) -> (&'static str, Option<Scope>) {
    (outcome.name(), outcome.reason().map(|it| it.scope))
}

#[tokio::test]
async fn a_wrong_password_is_the_accounts_and_shows_nowhere() {
    let config = FaxServer::running().desk();
    let wrong = AccountConfig { url: config.url.replace("s3cret", "w0rse"), ..config };
    let account = open(&wrong);

    let report = account.transmit(&parcel(NUMBER, pages::tiff(&pages::three()[..1]))).await;

    assert_eq!(scope(&report.outcome), ("refused", Some(Scope::Account)), "{report:?}");
    assert!(report.for_anybody && account.probe().await.is_err());
    assert!(!format!("{report:?} {account:?} {wrong:?}").contains("w0rse"));
}

#[tokio::test]
async fn what_no_server_makes_pages_of_is_the_documents_fault() {
    let account = open(&FaxServer::running().desk());
    for bytes in [&b"PK\x03\x04"[..], b"", b"GIF89a"] {
        let report = account.transmit(&parcel(NUMBER, bytes.to_vec())).await;
        assert_eq!(scope(&report.outcome), ("refused", Some(Scope::Document)), "{report:?}");
    }
    let mut nothing = parcel(NUMBER, Vec::new());
    nothing.files.clear();
    let report = account.transmit(&nothing).await;
    assert_eq!(scope(&report.outcome), ("refused", Some(Scope::Document)), "{report:?}");
}

#[tokio::test]
async fn several_files_of_several_kinds_are_one_job() {
    let server = FaxServer::running();
    let account = open(&server.desk());
    let mut parcel = parcel(NUMBER, pages::tiff(&pages::three()[..1]));
    let (name, media_type) = ("b.pdf".to_owned(), "application/pdf".to_owned());
    parcel.files.push(File { name, media_type, bytes: Bytes::from_static(b"%PDF-1.4\n%\xff\n") });

    let asked = send(&account, &parcel).await;

    let job = fs::read_to_string(server.desk_spool().join("sendq").join(format!("q{}", asked.reference.unwrap())));
    let job = job.unwrap();
    assert!(job.contains("\ntiff:") && job.contains("\npdf:"), "{job}");
    assert!(job.contains("tagline:Example Ltd +1 312 555 0001|%c|page %%P of %%T"), "{job}");
    assert!(job.contains("maxdials:1\n") && job.contains("maxtries:1\n") && job.contains("desiredtl:1\n"), "{job}");
}

#[tokio::test]
async fn a_job_that_the_server_cleaned_away_is_unknown_not_failed() {
    let server = FaxServer::running();
    let account = open(&server.desk());
    let parcel = parcel(NUMBER, pages::tiff(&pages::three()[..1]));
    let asked = send(&account, &parcel).await;
    assert!(matches!(account.ask(&asked).await.unwrap().standing, Standing::Underway(_)));

    fs::remove_file(server.desk_spool().join("sendq").join(format!("q{}", asked.reference.as_ref().unwrap()))).unwrap();

    assert_eq!(account.ask(&asked).await.unwrap().standing, Standing::Unknown);
}

#[tokio::test]
async fn the_number_of_somebody_elses_job_says_nothing() {
    let account = open(&FaxServer::running().desk());
    let others = send(&account, &parcel(NUMBER, pages::tiff(&pages::three()[..1]))).await;
    let mut mine = asked(&parcel(NUMBER, Vec::new()));
    mine.reference = others.reference;

    assert_eq!(account.ask(&mine).await.unwrap().standing, Standing::Unknown);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = FaxServer::running().account(&silent.local_addr().unwrap().port().to_string());
    config.timeout = Duration::from_millis(200);
    let account = open(&config);

    let report = account.transmit(&parcel(NUMBER, pages::tiff(&pages::three()[..1]))).await;

    assert_eq!(scope(&report.outcome), ("deferred", Some(Scope::Attempt)), "{report:?}");
}

#[tokio::test]
async fn a_probe_says_what_the_modems_do() {
    let seen = open(&FaxServer::running().line(crate::peers::Line::Good).0).probe().await.unwrap();
    assert!(seen.contains("HylaFAX scheduler") && seen.contains("Modem ttyIAX"), "{seen}");
}
