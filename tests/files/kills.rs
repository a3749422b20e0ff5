//! Servers that are killed while a large file is put on them.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use postbook::channel::{Outcome, Parcel, account::AccountConfig};

use crate::{
    parcels::{files_in, is_delivered, open, parcel},
    peers::{Own, Sshd, Vsftpd},
};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A large file whose server dies while it is written.
async fn cut_short(own: Own, config: AccountConfig, folder: &Path) {
    let bytes: Vec<u8> = (0..60_000_000_u32).map(|at| (at >> 8) as u8).collect();
    let account = open(&AccountConfig { timeout: Duration::from_secs(10), ..config });
    let parcel = parcel("in", "large.csv", bytes.clone());
    let begun = AtomicBool::new(false);
    let watched = folder.join("in");
    let killing = async {
        let given = Instant::now();
        while given.elapsed() < PATIENCE {
            let parts = std::fs::read_dir(&watched).into_iter().flatten().flatten();
            if parts.filter_map(|part| part.metadata().ok()).any(|part| part.len() > 0) {
                begun.store(true, Ordering::Relaxed);
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        tokio::task::block_in_place(|| own.kill());
    };
    let (report, ()) = tokio::join!(account.transmit(&parcel), killing);

    assert!(begun.load(Ordering::Relaxed), "it was being written");
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
