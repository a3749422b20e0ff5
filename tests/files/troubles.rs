//! What servers refuse, and whose affair it is.

use postbook::{channel::account::AccountConfig, reason::Scope};

use crate::{
    parcels::{deferral, files_in, is_delivered, open, parcel, refusal, unique},
    peers::{Nginx, Sshd, Vsftpd, s3::S3},
};

/// The same account with another path, or another password.
fn changed(config: AccountConfig, from: &str, to: &str) -> AccountConfig {
    let url = config.url.replacen(from, to, 1);
    assert_ne!(url, config.url);
    AccountConfig { url, ..config }
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_the_contacts_affair_or_the_accounts_own() {
    for config in [Sshd::running().outgoing(), Vsftpd::running().account()] {
        let report = open(&config).transmit(&parcel("readonly", "a.csv", "a")).await;
        assert_eq!(refusal(&report).scope, Scope::Contact, "{report:?}");
        let config = changed(config, "/files", "/files/readonly");
        let report = open(&config).transmit(&parcel(".", "a.csv", "a")).await;
        assert_eq!(refusal(&report).scope, Scope::Account, "{report:?}");
    }
}

#[tokio::test]
async fn on_a_full_disk_nothing_gets_its_name_and_it_is_tried_again() {
    let (sshd, vsftpd) = (Sshd::running(), Vsftpd::running());
    for config in [sshd.outgoing(), vsftpd.plain(), vsftpd.account()] {
        let account = open(&changed(config, "/files", "/files/small"));
        let (folder, large) = (unique(), vec![7; 2_000_000]);
        let report = account.transmit(&parcel(&folder, "large.csv", large)).await;
        let reason = deferral(&report);
        // An FTP server may reset the data's connection before its answer is read, which then nobody hears.
        let told = ["sftp-full", "ftp-full", "ftp-refused", "ftp-connection"];
        assert!(told.contains(&reason.code.as_str()), "{report:?}");
        // What was written of it was taken away, or this would find no room.
        let report = account.transmit(&parcel(&folder, "large.csv", "small")).await;
        assert!(is_delivered(&report) && report.transcript.contains("/large.csv (5 bytes)"), "{report:?}");
    }
}

#[tokio::test]
async fn a_server_with_another_key_gets_nothing_and_it_is_the_accounts_affair() {
    let sshd = Sshd::running();
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    let folder = unique();
    let account = open(&AccountConfig { host_key: Some(other.to_owned()), ..sshd.outgoing() });
    let report = account.transmit(&parcel(&folder, "a.csv", "a")).await;
    let reason = deferral(&report);
    assert_eq!((reason.scope, reason.code.as_str()), (Scope::Account, "sftp-host-key"));
    assert!(report.for_anybody);
    assert!(files_in(&sshd.files().join(folder)).is_empty());
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_gets_nothing() {
    let (vsftpd, nginx) = (Vsftpd::running(), Nginx::running());
    for config in [vsftpd.account(), vsftpd.implicit(), nginx.tls("dav")] {
        let report = open(&AccountConfig { ca: None, ..config }).transmit(&parcel(&unique(), "a.csv", "a")).await;
        assert_eq!(deferral(&report).scope, Scope::Account, "{report:?}");
        assert!(report.for_anybody);
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_the_accounts_affair_and_shows_no_password() {
    let s3 = S3::start();
    let (sshd, vsftpd, nginx) = (Sshd::running(), Vsftpd::running(), Nginx::running());
    let store = AccountConfig::new(s3.url("bucket").replace("sec%2Fret", "wr0ng"));
    let others = [sshd.outgoing(), vsftpd.account(), vsftpd.implicit(), nginx.tls("dav")];
    let others = others.map(|config| changed(config, "s3cret", "wr0ng"));
    for config in others.into_iter().chain([store]) {
        let account = open(&config);
        let report = account.transmit(&parcel(&unique(), "a.csv", "a")).await;
        assert_eq!(deferral(&report).scope, Scope::Account, "{report:?}");
        assert!(!format!("{report:?} {account:?}").contains("wr0ng"), "{report:?}");
        assert!(account.probe().await.is_err());
    }
}

#[tokio::test]
async fn what_a_web_server_says_decides_what_becomes_of_it() {
    let nginx = Nginx::running();
    let report = open(&nginx.plain("busy", "")).transmit(&parcel("in", "a.csv", "a")).await;
    assert!(format!("{report:?}").contains("after: Some(7s)"), "{report:?}");
    let report = open(&nginx.plain("small", "&method=put")).transmit(&parcel(".", &unique(), vec![1; 5000])).await;
    assert_eq!(refusal(&report).scope, Scope::Document, "{report:?}");
    let report = open(&nginx.plain("plain", "")).transmit(&parcel(".", &unique(), "a")).await;
    assert!(deferral(&report).text.contains("method=put"), "{report:?}");
}

#[tokio::test]
async fn a_permit_that_is_gone_names_nothing() {
    let s3 = S3::start();
    let (sshd, vsftpd, nginx) = (Sshd::running(), Vsftpd::running(), Nginx::running());
    let configs = [sshd.outgoing(), vsftpd.account(), nginx.tls("dav"), AccountConfig::new(s3.url("bucket"))];
    let places = [sshd.files(), vsftpd.folder(), nginx.folder(), s3.path("")];
    for (config, files) in configs.iter().zip(places) {
        let (account, folder) = (open(config), unique());
        let turn = account.turn().await;
        let report = account.transmit_if(&parcel(&folder, "a.csv", "a"), &|| false, turn).await;
        assert_eq!(deferral(&report).code, "claim-ran-out", "{report:?}");
        assert!(files_in(&files.join(folder)).is_empty());
    }
}
