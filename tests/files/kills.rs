//! Servers that are killed and started again while files are put on them.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use postbook::channel::{
    Outcome, Parcel,
    account::{Account, AccountConfig},
};

use crate::{
    parcels::{files_in, is_delivered, open, parcel},
    peers::{Nginx, Own, Sshd, Vsftpd, death, s3::S3},
};

const TRANSMISSIONS: usize = 200;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn content(number: usize) -> Vec<u8> {
    (0..60_000 + number).map(|at| (at * 31 + number) as u8).collect()
}

fn name(number: usize) -> String {
    format!("status-{number}.csv")
}

fn number_of(name: &str) -> Option<usize> {
    name.strip_prefix("status-")?.strip_suffix(".csv")?.parse().ok()
}

/// Looks at a folder all the time; whatever has a name there has to be whole.
struct Watcher {
    stop: Arc<AtomicBool>,
    looking: JoinHandle<usize>,
}

impl Watcher {
    fn watch(folder: PathBuf, whole: impl Fn(&str, &[u8]) -> bool + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let looking = thread::spawn(move || {
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                for (name, bytes) in files_in(&folder).iter().filter(|(name, _)| !name.starts_with('.')) {
                    assert!(whole(name, bytes), "{name} is seen with {} bytes", bytes.len());
                }
                looks += 1;
                thread::sleep(LOOK);
            }
            looks
        });
        Self { stop, looking }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.looking.join().unwrap() > 0, "nobody looked");
    }
}

/// Sends one parcel as the engine does, attempt after attempt with growing pauses. Gives the number of attempts that
/// were in doubt.
async fn send(account: &Account, parcel: Parcel) -> usize {
    let begun = Instant::now();
    let mut doubts = 0;
    for attempt in 1.. {
        let report = account.transmit(&Parcel { attempt, ..parcel.clone() }).await;
        assert!(begun.elapsed() < PATIENCE, "it never arrives: attempt {attempt}, {report:?}");
        match report.outcome {
            Outcome::Delivered(_) => break,
            Outcome::Uncertain(_) => doubts += 1,
            Outcome::Deferred { .. } => {}
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100) * 2_u32.pow((attempt as u32).min(4))).await;
    }
    doubts
}

/// All of them, while the server goes away three times and comes back.
async fn storm(config: AccountConfig, folder: &Path, kill: impl FnMut() + Send + 'static) {
    let account = Arc::new(open(&AccountConfig { timeout: Duration::from_secs(10), connections: 8, ..config }));
    let contents: Vec<_> = (0..TRANSMISSIONS).map(content).collect();
    let watcher = Watcher::watch(folder.join("in"), move |name, bytes| {
        number_of(name).is_some_and(|number| bytes == contents[number])
    });
    let sent = Arc::new(AtomicUsize::new(0));
    let killer = death::at([20, 70, 130], sent.clone(), kill);
    let one = |number: usize| {
        let (account, sent) = (account.clone(), sent.clone());
        async move {
            let doubts = send(&account, parcel("in", &name(number), content(number))).await;
            sent.fetch_add(1, Ordering::Relaxed);
            doubts
        }
    };
    let doubts: usize =
        stream::iter(0..TRANSMISSIONS).map(one).buffer_unordered(8).fold(0, async |sum, it| sum + it).await;
    let _server = killer.join().unwrap();
    watcher.end();

    let files = files_in(&folder.join("in"));
    assert_eq!(files.len(), TRANSMISSIONS, "each once: {:?}", files.keys().collect::<Vec<_>>());
    for number in 0..TRANSMISSIONS {
        assert!(files[&name(number)] == content(number), "{number}");
    }
    println!("{doubts} of {TRANSMISSIONS} were in doubt for a while");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sftp_server_that_is_killed_has_every_file_once_and_never_half() {
    let own = Own::start("sftp");
    let sshd = Sshd::of(&own);
    storm(sshd.outgoing(), &sshd.files(), move || {
        own.kill();
        own.restart();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ftp_server_that_is_killed_has_every_file_once_and_never_half() {
    let own = Own::start("ftp");
    let vsftpd = Vsftpd::of(&own);
    storm(vsftpd.account(), &vsftpd.folder(), move || {
        own.kill();
        own.restart();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_server_that_is_killed_has_every_file_once_and_never_half() {
    let own = Own::start("web");
    let nginx = Nginx::of(&own);
    storm(nginx.tls("dav"), &nginx.folder(), move || {
        own.kill();
        own.restart();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_server_that_is_killed_has_every_object_once_and_never_half() {
    let mut s3 = S3::start();
    let (config, folder) = (AccountConfig::new(s3.url("bucket")), s3.path(""));
    storm(config, &folder, move || {
        s3.kill();
        s3.restart();
    })
    .await;
}

/// Whether there is anything in `folder` that is being written: it begins to be so while this looks.
async fn is_written(folder: &Path) -> bool {
    let given = Instant::now();
    while given.elapsed() < PATIENCE {
        let parts = std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|part| part.metadata().ok());
        if parts.into_iter().any(|part| part.is_file() && part.len() > 0) {
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
        let begun = is_written(&watched).await;
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
        let begun = is_written(&parts).await;
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
