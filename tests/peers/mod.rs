//! The real servers that tests talk to, as the scripts beside this file left them running.
#![allow(dead_code, reason = "every test program uses its own part of this")]

pub mod s3;

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use mail_parser::MessageParser;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postbook::{channel::account::AccountConfig, source::place};
use tempfile::TempDir;

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

    /// The test's own.
    pub fn of(own: &Own) -> Self {
        Self { env: own.env() }
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

    /// All mails in the inbox.
    pub fn kept(&self) -> Vec<Kept> {
        let mails = fs::read_dir(self.inbox()).into_iter().flatten().map(|it| fs::read(it.unwrap().path()).unwrap());
        mails.map(|mail| Kept::read(&mail)).collect()
    }

    /// Whether everything it took is in the inbox.
    pub fn is_idle(&self) -> bool {
        let queue = Path::new(&self.env["SMTP_MAILDIR"]).join("../../queue");
        ["maildrop", "incoming", "active", "deferred"].iter().all(|it| !has_mails(&queue.join(it)))
    }

    /// Where the mails arrive.
    pub fn inbox(&self) -> PathBuf {
        Path::new(&self.env["SMTP_MAILDIR"]).join("new")
    }

    fn login(&self, password: &str) -> String {
        login(&self.env["SMTP_USER"], password)
    }
}

/// A mail in the inbox of the Postfix.
pub struct Kept {
    pub message_id: String,
    pub to: String,
    /// The number of the message in the server's queue, which was given once.
    pub queued_as: String,
}

impl Kept {
    fn read(mail: &[u8]) -> Self {
        let message = MessageParser::default().parse(mail).unwrap();
        let to = message.header("Delivered-To").and_then(|it| it.as_text()).expect("whom it is for");
        let queued_as = message.received().and_then(|it| it.id()).expect("its number");
        let message_id = message.message_id().expect("a Message-ID");
        Self { message_id: message_id.to_owned(), to: to.to_owned(), queued_as: queued_as.to_owned() }
    }
}

/// Dovecot over mailboxes of the Postfix.
pub struct Dovecot {
    env: BTreeMap<String, String>,
}

impl Dovecot {
    /// The one that runs.
    pub fn running() -> Self {
        Self { env: env("imap") }
    }

    /// The mailbox in which mails to `returned...@test.local` arrive, with its password.
    pub fn mailbox(&self) -> String {
        let password = utf8_percent_encode(&self.env["IMAP_PASSWORD"], NON_ALPHANUMERIC);
        format!("imaps://returned:{password}@localhost:{}/INBOX", self.env["IMAP_PORT"])
    }

    pub fn authority(&self) -> PathBuf {
        PathBuf::from(&self.env["IMAP_CA"])
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

    /// The test's own.
    pub fn of(own: &Own) -> Self {
        Self { env: own.env() }
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

    /// The test's own.
    pub fn of(own: &Own) -> Self {
        Self { env: own.env() }
    }

    /// Logs in with the password.
    pub fn account(&self) -> place::AccountConfig {
        let password = utf8_percent_encode(&self.env["SFTP_PASSWORD"], NON_ALPHANUMERIC);
        let url = format!("sftp://{}:{password}@127.0.0.1:{}", self.env["SFTP_USER"], self.port());
        place::AccountConfig { url, host_key: Some(self.host_key()), key: None, ca: None }
    }

    /// The same, as a way out to `/files`.
    pub fn outgoing(&self) -> AccountConfig {
        let place = self.account();
        AccountConfig { host_key: place.host_key, ..account(format!("{}/files", place.url)) }
    }

    /// Where `/files` is.
    pub fn files(&self) -> PathBuf {
        PathBuf::from(&self.env["SFTP_FOLDER"])
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

/// HylaFAX, with a line to each kind of far end.
pub struct FaxServer {
    env: BTreeMap<String, String>,
}

/// A line of the fax server, by what is at its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A machine that receives.
    Good,
    /// The same, on a line that can be cut.
    Cuttable,
    /// Nobody who lifts.
    Silent,
    /// Somebody on the telephone.
    Engaged,
    /// Somebody who lifts.
    Lifted,
}

impl FaxServer {
    /// The one that runs.
    pub fn running() -> Self {
        Self { env: env("fax") }
    }

    /// Faxes over a line, and the number there.
    pub fn line(&self, line: Line) -> (AccountConfig, &'static str) {
        let (modem, number) = match line {
            Line::Good => ("FAX_GOOD", "+13125550002"),
            Line::Cuttable => ("FAX_CUTTABLE", "+13125550003"),
            Line::Silent => ("FAX_SILENT", "+13125550004"),
            Line::Engaged => ("FAX_ENGAGED", "+13125550005"),
            Line::Lifted => ("FAX_LIFTED", "+13125550006"),
        };
        let mut config = self.account(&self.env["FAX_PORT"]);
        config.fax.modem = Some(self.env[modem].clone());
        (config, number)
    }

    /// A server without modems, which keeps what it is given.
    pub fn desk(&self) -> AccountConfig {
        self.account(&self.env["FAX_DESK_PORT"])
    }

    /// Where the desk keeps its jobs and their files.
    pub fn desk_spool(&self) -> PathBuf {
        PathBuf::from(&self.env["FAX_DESK"])
    }

    /// What the machines have received so far.
    pub fn received(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.env["FAX_RECEIVED"]).unwrap().map(|it| it.unwrap().path());
        files.filter(|it| it.extension().is_some_and(|it| it == "tif")).collect()
    }

    /// What the server wrote down of a job, waiting or done.
    pub fn job(&self, number: &str) -> String {
        let spool = Path::new(&self.env["FAX_SPOOL"]);
        let paths = ["sendq", "doneq"].map(|queue| spool.join(queue).join(format!("q{number}")));
        paths.iter().find_map(|path| fs::read_to_string(path).ok()).expect("the server knows the job")
    }

    /// Cuts the line that can be cut, until what this gives is dropped.
    pub fn cut(&self) -> Cut {
        let cut = PathBuf::from(&self.env["FAX_CUT"]);
        fs::write(&cut, "").unwrap();
        Cut(cut)
    }

    /// An account on a HylaFAX on this port.
    pub fn account(&self, port: &str) -> AccountConfig {
        let password = utf8_percent_encode(&self.env["FAX_PASSWORD"], NON_ALPHANUMERIC);
        let url = format!("hylafax://{}:{password}@{}:{port}", self.env["FAX_USER"], self.env["FAX_HOST"]);
        let mut config = AccountConfig::new(url);
        config.from = Some("Example Ltd".to_owned());
        config.fax.station = Some("+1 312 555 0001".to_owned());
        config
    }
}

/// The servers of vsftpd, for the user `sender`.
pub struct Vsftpd {
    env: BTreeMap<String, String>,
}

impl Vsftpd {
    /// The ones that run.
    pub fn running() -> Self {
        Self { env: env("ftp") }
    }

    /// The test's own.
    pub fn of(own: &Own) -> Self {
        Self { env: own.env() }
    }

    /// TLS from `AUTH` on.
    pub fn account(&self) -> AccountConfig {
        self.to("ftp", "FTP_PORT", "")
    }

    /// TLS from the first byte.
    pub fn implicit(&self) -> AccountConfig {
        self.to("ftps", "FTP_TLS_PORT", "")
    }

    /// No TLS.
    pub fn plain(&self) -> AccountConfig {
        self.to("ftp", "FTP_PORT", "?tls=none")
    }

    /// Where `/files` is.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from(&self.env["FTP_FOLDER"])
    }

    fn to(&self, scheme: &str, port: &str, query: &str) -> AccountConfig {
        let login = login(&self.env["FTP_USER"], &self.env["FTP_PASSWORD"]);
        let mut config = account(format!("{scheme}://{login}@localhost:{}/files{query}", self.env[port]));
        config.ca = Some(PathBuf::from(&self.env["FTP_CA"]));
        config
    }
}

/// A line that is cut.
pub struct Cut(PathBuf);

impl Drop for Cut {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A Kannel with a message centre behind it.
pub struct Kannel {
    env: BTreeMap<String, String>,
}

/// One part of a message, as the centre was given it.
#[derive(Debug, serde::Deserialize)]
pub struct Submitted {
    pub to: String,
    pub text: String,
    /// 0 for GSM-7, 8 for UCS-2.
    pub coding: u8,
    /// 0 when it was taken.
    pub status: u32,
}

impl Kannel {
    /// The one that runs.
    pub fn running() -> Self {
        Self { env: env("kannel") }
    }

    pub fn account(&self) -> AccountConfig {
        self.account_at(&self.env["KANNEL_PORT"])
    }

    /// An account at another Kannel, with the same users.
    pub fn account_at(&self, port: &str) -> AccountConfig {
        let (user, password) = (&self.env["KANNEL_USER"], &self.env["KANNEL_PASSWORD"]);
        AccountConfig::new(format!("kannel://{user}:{password}@127.0.0.1:{port}?tls=none"))
    }

    /// The port of the message centre.
    pub fn centre(&self) -> &str {
        &self.env["KANNEL_CENTRE_PORT"]
    }

    /// A mobile number of its own, whose last digits say what becomes of messages to it.
    pub fn number(end: &str) -> String {
        format!("+49151{:05}{end}", 10_000 + rand::random::<u32>() % 60_000)
    }

    /// What the centre took for `number`, once there is as much as `expected`.
    pub async fn taken(&self, number: &str, expected: usize) -> Vec<Submitted> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let taken = || -> Vec<_> { self.submitted(number).into_iter().filter(|it| it.status == 0).collect() };
        let found = tokio::time::timeout(DELIVERY, async {
            loop {
                look.tick().await;
                let taken = taken();
                if taken.len() >= expected {
                    return taken;
                }
            }
        });
        found.await.unwrap_or_else(|_| taken())
    }

    /// Whatever the centre was given for `number`.
    pub fn submitted(&self, number: &str) -> Vec<Submitted> {
        let log = fs::read_to_string(&self.env["KANNEL_LOG"]).unwrap_or_default();
        // The last line may be one that is being written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let digits = number.trim_start_matches('+');
        let all = whole.lines().map(|line| serde_json::from_str::<Submitted>(line).unwrap());
        all.filter(|it| it.to.trim_start_matches('+') == digits).collect()
    }
}

/// nginx with WebDAV, for the user `sender`.
pub struct Nginx {
    env: BTreeMap<String, String>,
}

impl Nginx {
    /// The one that runs.
    pub fn running() -> Self {
        Self { env: env("web") }
    }

    /// The test's own.
    pub fn of(own: &Own) -> Self {
        Self { env: own.env() }
    }

    /// Over HTTPS, below `path`.
    pub fn tls(&self, path: &str) -> AccountConfig {
        let mut config = account(format!("webdav://{}@localhost:{}/{path}", self.login(), self.env["WEB_TLS_PORT"]));
        config.ca = Some(PathBuf::from(&self.env["WEB_CA"]));
        config
    }

    /// Over HTTP, below `path`, with this after the `?`.
    pub fn plain(&self, path: &str, query: &str) -> AccountConfig {
        let port = &self.env["WEB_PORT"];
        account(format!("webdav://{}@localhost:{port}/{path}?tls=none{query}", self.login()))
    }

    /// Where `/dav` and `/plain` are.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from(&self.env["WEB_FOLDER"])
    }

    fn login(&self) -> String {
        login(&self.env["WEB_USER"], &self.env["WEB_PASSWORD"])
    }
}

fn login(user: &str, password: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("{}:{}", encode(user), encode(password))
}

/// An account for the tests' sender.
pub fn account(url: String) -> AccountConfig {
    let mut config = AccountConfig::new(url);
    config.from = Some("Reports <reports@test.local>".to_owned());
    config
}

/// A server of the test's own, which it may kill.
pub struct Own {
    folder: TempDir,
    peer: &'static str,
}

impl Own {
    pub fn start(peer: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Servers work as other users.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let own = Self { folder, peer };
        own.script("up.sh");
        own
    }

    /// Takes it away, with all of its connections.
    pub fn kill(&self) {
        self.script("down.sh");
    }

    /// Starts it again, where it was.
    pub fn restart(&self) {
        self.script("up.sh");
    }

    fn env(&self) -> BTreeMap<String, String> {
        env_in(self.folder.path(), self.peer)
    }

    fn script(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(self.peer).join(name);
        let (mut command, said) = (Command::new(path), self.folder.path().join("said"));
        // What it starts outlives it, and would hold a pipe open.
        command.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap());
        let status = command.env("POSTBOOK_PEERS", self.folder.path()).status().unwrap();
        assert!(status.success(), "{}/{name}: {}", self.peer, fs::read_to_string(&said).unwrap());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A free address below those that the system gives to connections, one of which might take it while its server is away.
pub fn steady() -> SocketAddr {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], rand::random_range(10_000..32_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A program that reads the letters in a picture.
pub fn reader() -> PathBuf {
    PathBuf::from(&env("reader")["TESSERACT"])
}

/// libtiff's `tiffcp`, which reads and writes TIFF files of all kinds.
pub fn tiffcp() -> PathBuf {
    PathBuf::from(&env("libtiff")["TIFFCP"])
}

fn env(peer: &str) -> BTreeMap<String, String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers");
    env_in(&std::env::var_os("POSTBOOK_PEERS").map_or(beside, PathBuf::from), peer)
}

fn env_in(peers: &Path, peer: &str) -> BTreeMap<String, String> {
    let Ok(text) = fs::read_to_string(peers.join(peer).join("env")) else {
        panic!("the peer `{peer}` does not run: run ops/test, it starts the peers (or tests/peers/{peer}/up.sh)");
    };
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether there is a whole mail in `folder` or below, which Postfix marks as executable: others were never taken. What
/// disappears meanwhile is not there.
fn has_mails(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let whole = |path: &Path| fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o100 != 0);
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.any(|path| if path.is_dir() { has_mails(&path) } else { whole(&path) })
}

fn mails_in(inbox: &Path, message_id: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(inbox) else {
        return Vec::new();
    };
    let id = format!("Message-ID: <{message_id}>");
    let mails = entries.filter_map(|entry| fs::read(entry.ok()?.path()).ok());
    mails.filter(|mail| String::from_utf8_lossy(mail).contains(&id)).collect()
}
