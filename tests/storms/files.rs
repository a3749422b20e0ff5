//! Servers with files that are killed while files are put on them; nobody ever sees half a file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use postbook::channel::account::AccountConfig;
use sqlx::PgPool;

use crate::{
    peers::{Nginx, Own, Sshd, Vsftpd, s3::S3},
    ride::{COUNT, DOUBTS, FarSide, Storm},
    services::{Answer, Call, Server, Service, field},
};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// What can be killed, whatever it is.
trait Mortal: Send + 'static {
    fn kill(&mut self);
    fn restart(&mut self);
}

impl Mortal for Own {
    fn kill(&mut self) {
        Own::kill(self);
    }

    fn restart(&mut self) {
        Own::restart(self);
    }
}

impl Mortal for S3 {
    fn kill(&mut self) {
        S3::kill(self);
    }

    fn restart(&mut self) {
        S3::restart(self);
    }
}

/// A server, and the folder that holds one for each contact.
struct Site<M> {
    server: M,
    folder: PathBuf,
}

impl<M: Mortal> FarSide for Site<M> {
    fn kill(&mut self) {
        self.server.kill();
    }

    fn restart(&mut self) {
        self.server.restart();
    }

    /// What was left half written counts as well: nobody would take it away any more.
    fn arrived(&mut self) -> BTreeMap<String, usize> {
        let folders = fs::read_dir(self.folder.join("in")).unwrap().map(|it| it.unwrap().file_name());
        let contacts = folders.map(|name| format!("in/{}", name.to_str().unwrap()));
        contacts.map(|contact| (contact.clone(), files_of(&self.folder, &contact).len())).collect()
    }
}

/// The files of one contact; what disappears meanwhile is not there.
fn files_of(folder: &Path, contact: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder.join(contact)).into_iter().flatten().flatten();
    let files = files.map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path())));
    files.filter_map(|(name, bytes)| Some((name, bytes.ok()?))).collect()
}

/// What goes to `contact`: a file that nobody else gets.
fn status(contact: &str) -> String {
    format!("{contact}\r\n").repeat(15_000)
}

/// Where the files come from.
struct Statuses;

impl Service for Statuses {
    fn answer(&self, call: &Call) -> Answer {
        Answer { status: 200, body: status(&field(&call.query, "of").unwrap()) }
    }

    fn sends(&self, _call: &Call) -> bool {
        false
    }
}

/// Looks at the folders of all contacts all the time; whatever has a name there has to be whole.
struct Watcher {
    stop: Arc<AtomicBool>,
    looking: JoinHandle<usize>,
}

impl Watcher {
    fn watch(folder: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let looking = thread::spawn(move || {
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                (0..COUNT).map(contact).for_each(|contact| look(&folder, &contact));
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

fn look(folder: &Path, contact: &str) {
    for (name, bytes) in files_of(folder, contact).iter().filter(|(name, _)| !name.starts_with('.')) {
        assert!(*bytes == status(contact).as_bytes(), "{contact}/{name} is seen with {} bytes", bytes.len());
    }
}

fn contact(number: usize) -> String {
    format!("in/r{number}")
}

/// Each contact has its file once, and whole.
async fn each_once(db: PgPool, channel: &'static str, account: AccountConfig, site: Site<impl Mortal>) {
    let statuses = Server::start(Statuses);
    let document = format!(
        r#"
        [[document]]
        name = "own"
        title = "Status"
        kind = "remote"
        personal = true
        url = "http://{}/status"
        query = {{ of = "in/{{{{ recipient.name }}}}" }}
        media_type = "application/json"
        "#,
        statuses.address
    );
    let watcher = Watcher::watch(site.folder.clone());

    let verdict = Storm::new(channel, account, contact).carrying(document).ride_out(db, site).await;

    watcher.end();
    verdict.is_true_of_all_but(0);
    assert_eq!(verdict.twice, 0, "{verdict}");
    assert!(verdict.marked <= DOUBTS, "{verdict}");
}

#[sqlx::test]
async fn an_sftp_server_that_is_killed_has_every_file_once_and_never_half(db: PgPool) {
    let server = Own::start("sftp");
    let sshd = Sshd::of(&server);
    each_once(db, "sftp", sshd.outgoing(), Site { server, folder: sshd.files() }).await;
}

#[sqlx::test]
async fn an_ftp_server_that_is_killed_has_every_file_once_and_never_half(db: PgPool) {
    let server = Own::start("ftp");
    let vsftpd = Vsftpd::of(&server);
    each_once(db, "ftp", vsftpd.account(), Site { server, folder: vsftpd.folder() }).await;
}

#[sqlx::test]
async fn a_web_server_that_is_killed_has_every_file_once_and_never_half(db: PgPool) {
    let server = Own::start("web");
    let nginx = Nginx::of(&server);
    each_once(db, "webdav", nginx.tls("dav"), Site { server, folder: nginx.folder() }).await;
}

#[sqlx::test]
async fn an_s3_server_that_is_killed_has_every_object_once_and_never_half(db: PgPool) {
    let server = S3::start();
    let folder = server.path("");
    each_once(db, "s3", AccountConfig::new(server.url("bucket")), Site { server, folder }).await;
}
