//! The real servers that tests talk to, as the scripts beside this file left them running.
#![allow(dead_code, reason = "every test program uses its own part of this")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postbook::{channel::account::AccountConfig, source::place};

/// How long a mail may take from "250 Ok" to the mailbox.
const DELIVERY: Duration = Duration::from_secs(30);

/// A private Postfix for `@test.local`.
pub struct Postfix {
    env: BTreeMap<String, String>,
}

impl Postfix {
    /// The one that runs.
    pub fn running() -> Self {
        Self { env: env("smtp") }
    }

    /// Without TLS and without login.
    pub fn plain(&self) -> AccountConfig {
        account(format!("smtp://localhost:{}?tls=none", self.env["SMTP_PORT"]))
    }

    /// STARTTLS and login, both insisted on by the server.
    pub fn submission(&self) -> AccountConfig {
        let port = &self.env["SMTP_SUBMISSION_PORT"];
        let mut config = account(format!("smtp://{}@localhost:{port}", self.login(self.password())));
        config.ca = Some(self.authority());
        config
    }

    /// TLS from the first byte, with a password of the caller's choice.
    pub fn tls(&self, password: &str) -> AccountConfig {
        let port = &self.env["SMTP_TLS_PORT"];
        let mut config = account(format!("smtps://{}@localhost:{port}", self.login(password)));
        config.ca = Some(self.authority());
        config
    }

    pub fn password(&self) -> &str {
        &self.env["SMTP_PASSWORD"]
    }

    pub fn authority(&self) -> PathBuf {
        PathBuf::from(&self.env["SMTP_CA"])
    }

    /// All mails with this Message-ID, once there are as many as `expected`.
    pub async fn mails(&self, message_id: &str, expected: usize) -> Vec<Vec<u8>> {
        let inbox = self.inbox();
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let found = tokio::time::timeout(DELIVERY, async {
            loop {
                look.tick().await;
                let mails = mails_in(&inbox, message_id);
                if mails.len() >= expected {
                    return mails;
                }
            }
        });
        found.await.unwrap_or_else(|_| mails_in(&inbox, message_id))
    }

    /// Whether everything it took is in the inbox.
    pub fn is_idle(&self) -> bool {
        let queue = Path::new(&self.env["SMTP_MAILDIR"]).join("../../queue");
        ["maildrop", "incoming", "active", "deferred"].iter().all(|it| !has_files(&queue.join(it)))
    }

    /// Where the mails arrive.
    pub fn inbox(&self) -> PathBuf {
        Path::new(&self.env["SMTP_MAILDIR"]).join("new")
    }

    fn login(&self, password: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        format!("{}:{}", encode(&self.env["SMTP_USER"]), encode(password))
    }
}

/// The mail server that misbehaves as the mailbox asks it to.
pub struct Sink {
    env: BTreeMap<String, String>,
}

/// What the sink noted about one message.
#[derive(serde::Deserialize)]
pub struct Noted {
    pub number: u64,
    /// The connection it came over.
    pub session: u64,
    pub to: Vec<String>,
}

impl Sink {
    /// The one that runs.
    pub fn running() -> Self {
        Self { env: env("smtp_sink") }
    }

    pub fn plain(&self) -> AccountConfig {
        account(format!("smtp://localhost:{}?tls=none", self.env["SINK_PORT"]))
    }

    /// What was noted about messages to `mailbox`.
    pub fn noted(&self, mailbox: &str) -> Vec<Noted> {
        self.noted_where(|to| to == mailbox)
    }

    /// What was noted about messages to mailboxes that `wanted` picks.
    pub fn noted_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<Noted> {
        let log = fs::read_to_string(self.folder().join("log.jsonl")).unwrap_or_default();
        // The last line may be one that is being written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let all = whole.lines().map(|line| serde_json::from_str::<Noted>(line).unwrap());
        all.filter(|it| it.to.iter().any(|to| wanted(to))).collect()
    }

    /// The messages to `mailbox` as they arrived.
    pub fn mails(&self, mailbox: &str) -> Vec<Vec<u8>> {
        self.noted(mailbox).iter().map(|it| self.mail(it)).collect()
    }

    /// The message that a note is about, as it arrived.
    pub fn mail(&self, noted: &Noted) -> Vec<u8> {
        fs::read(self.folder().join(format!("{}.eml", noted.number))).unwrap()
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(&self.env["SINK_DIR"])
    }
}

/// OpenSSH's SFTP server, for the user `sender`.
pub struct Sshd {
    env: BTreeMap<String, String>,
}

impl Sshd {
    /// The one that runs.
    pub fn running() -> Self {
        Self { env: env("sftp") }
    }

    /// Logs in with the password.
    pub fn account(&self) -> place::AccountConfig {
        let password = utf8_percent_encode(&self.env["SFTP_PASSWORD"], NON_ALPHANUMERIC);
        let url = format!("sftp://{}:{password}@127.0.0.1:{}", self.env["SFTP_USER"], self.port());
        place::AccountConfig { url, host_key: Some(self.host_key()), key: None, ca: None }
    }

    pub fn port(&self) -> &str {
        &self.env["SFTP_PORT"]
    }

    pub fn host_key(&self) -> String {
        self.env["SFTP_HOST_KEY"].clone()
    }

    pub fn key(&self) -> PathBuf {
        PathBuf::from(&self.env["SFTP_KEY"])
    }

    /// A new folder below `/files`, which is the sender's.
    pub fn folder(&self) -> PathBuf {
        let folder = Path::new(&self.env["SFTP_FOLDER"]).join(format!("{:016x}", rand::random::<u64>()));
        fs::create_dir(&folder).unwrap();
        self.own(&folder);
        folder
    }

    /// A file as the sender puts it there.
    pub fn put(&self, path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        self.own(path);
    }

    fn own(&self, path: &Path) {
        std::os::unix::fs::chown(path, Some(61001), Some(61001)).unwrap();
    }
}

/// An account for the tests' sender.
pub fn account(url: String) -> AccountConfig {
    let mut config = AccountConfig::new(url);
    config.from = Some("Reports <reports@test.local>".to_owned());
    config
}

/// libtiff's `tiffcp`, which reads and writes TIFF files of all kinds.
pub fn tiffcp() -> PathBuf {
    PathBuf::from(&env("libtiff")["TIFFCP"])
}

fn env(peer: &str) -> BTreeMap<String, String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers");
    let peers = std::env::var_os("POSTBOOK_PEERS").map_or(beside, PathBuf::from);
    let Ok(text) = fs::read_to_string(peers.join(peer).join("env")) else {
        panic!("the peer `{peer}` does not run: run ops/test, it starts the peers (or tests/peers/{peer}/up.sh)");
    };
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether there is a file in `folder` or below. What disappears meanwhile is not there.
fn has_files(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.any(|path| if path.is_dir() { has_files(&path) } else { path.exists() })
}

fn mails_in(inbox: &Path, message_id: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(inbox) else {
        return Vec::new();
    };
    let id = format!("Message-ID: <{message_id}>");
    let mails = entries.filter_map(|entry| fs::read(entry.ok()?.path()).ok());
    mails.filter(|mail| String::from_utf8_lossy(mail).contains(&id)).collect()
}
