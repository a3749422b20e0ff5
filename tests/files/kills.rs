//! Servers that are killed while a large file is put on them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use postbook::channel::{Outcome, Parcel, account::AccountConfig};

use crate::{
    parcels::{files_in, is_delivered, open, parcel},
    peers::{Own, Sshd, Vsftpd, s3::S3},
};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether there is anything in `folder` with this in its name that is being written: it begins to be so while this looks.
async fn is_written(folder: &Path, name: &str) -> bool {
    let given = Instant::now();
    while given.elapsed() < PATIENCE {
        let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut parts = found.filter(|part| part.file_name().to_string_lossy().contains(name));
        if parts.any(|part| part.metadata().is_ok_and(|part| part.is_file() && part.len() > 0)) {
            return true;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

fn large() -> Vec<u8> {
    (0..60_000_000_u32).map(|at| (at >> 8) as u8).collect()
}

/// A large file whose server dies while it is written.
async fn cut_short(own: Own, config: AccountConfig, folder: &Path) {
    let bytes = large();
    let account = open(&AccountConfig { timeout: Duration::from_secs(10), ..config });
    let parcel = parcel("in", "large.csv", bytes.clone());
    let watched = folder.join("in");
    let killing = async {
        let begun = is_written(&watched, ".part").await;
        tokio::task::block_in_place(|| own.kill());
        begun
    };
    let (report, begun) = tokio::join!(account.transmit(&parcel), killing);

    assert!(begun, "it was being written");
    assert!(matches!(report.outcome, Outcome::Deferred { .. }), "{report:?}");
    let left = files_in(&watched);
    assert!(left.keys().all(|name| name.ends_with(".part")), "{:?}", left.keys());
    own.restart();
    assert!(is_delivered(&account.transmit(&Parcel { attempt: 2, ..parcel }).await));
    let files = files_in(&watched);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["large.csv"], "what was left is taken away");
    assert!(files["large.csv"] == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_file_on_an_sftp_server_never_has_its_name() {
    let own = Own::start("sftp");
    let sshd = Sshd::of(&own);
    cut_short(own, sshd.outgoing(), &sshd.files()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_file_on_an_ftp_server_never_has_its_name() {
    let own = Own::start("ftp");
    let vsftpd = Vsftpd::of(&own);
    cut_short(own, vsftpd.plain(), &vsftpd.folder()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_file_on_an_ftps_server_never_has_its_name() {
    let own = Own::start("ftp");
    let vsftpd = Vsftpd::of(&own);
    cut_short(own, vsftpd.account(), &vsftpd.folder()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_parts_of_an_object_are_no_object() {
    let mut s3 = S3::start();
    let bytes = large();
    let config = AccountConfig::new(s3.url("bucket"));
    let account = open(&AccountConfig { timeout: Duration::from_secs(10), ..config });
    let (parcel, name) = (parcel("in", "large.bin", bytes.clone()), s3.path("in/large.bin"));
    // The server keeps parts beside its buckets.
    let parts = s3.path("..");
    let killing = async {
        let begun = is_written(&parts, "part").await;
        tokio::task::block_in_place(|| s3.kill());
        begun
    };
    let (report, begun) = tokio::join!(account.transmit(&parcel), killing);

    assert!(begun, "it was being written");
    assert!(matches!(report.outcome, Outcome::Deferred { .. }), "{report:?}");
    assert!(!name.exists());
    s3.restart();
    assert!(is_delivered(&account.transmit(&Parcel { attempt: 2, ..parcel }).await));
    assert!(std::fs::read(name).unwrap() == bytes);
}
