//! A real Kannel that is killed while text messages go out by it.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use sqlx::PgPool;
use tempfile::TempDir;

use crate::{
    PATIENCE,
    peers::Kannel,
    ride::{COUNT, DOUBTS, FarSide, Storm},
};

/// A Kannel that may be killed.
struct Gateway {
    folder: TempDir,
    kannel: Kannel,
    contacts: Vec<String>,
}

impl Gateway {
    fn start(kannel: Kannel, contacts: Vec<String>) -> Self {
        let mut gateway = Self { folder: tempfile::tempdir().unwrap(), kannel, contacts };
        gateway.restart();
        gateway
    }

    fn port(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("port.{name}"))).unwrap().trim().to_owned()
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn call(&self, arguments: &[&str]) {
        let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/kannel/gateway.sh");
        let status = Command::new("bash").arg(script).args(arguments).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    }

    /// Waits until it has passed on what it took.
    fn drain(&self) {
        let begun = Instant::now();
        while !self.status().contains("store size 0") {
            assert!(begun.elapsed() < PATIENCE, "it does not pass on what it took: {}", self.status());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it says of itself.
    fn status(&self) -> String {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port("admin"))).unwrap();
        stream.write_all(b"GET /status.txt?password=admin HTTP/1.0\r\n\r\n").unwrap();
        let mut status = String::new();
        stream.read_to_string(&mut status).unwrap();
        status
    }
}

impl FarSide for Gateway {
    /// The program that was told goes first. The one that passes messages on follows when it has done so: killed while the
    /// centre is about to answer, it sends again what it has sent, and what it took once is there twice.
    fn kill(&mut self) {
        self.call(&["down", self.path(), "KILL", "smsbox"]);
        self.drain();
        self.call(&["down", self.path(), "KILL"]);
    }

    fn restart(&mut self) {
        self.call(&["up", self.path(), self.kannel.centre()]);
    }

    fn arrived(&mut self) -> BTreeMap<String, usize> {
        self.drain();
        let taken = |contact: &String| self.kannel.submitted(contact).iter().filter(|it| it.status == 0).count();
        let counts = self.contacts.iter().map(|contact| (contact.clone(), taken(contact)));
        counts.filter(|(_, times)| *times > 0).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.call(&["down", self.path(), "KILL"]);
    }
}

/// It can neither be asked nor told from another what is sent again.
#[sqlx::test]
async fn a_kannel_that_is_killed_sends_none_twice_and_what_was_under_way_is_left_to_a_person(db: PgPool) {
    let kannel = Kannel::running();
    // Of numbers that end so, nothing is reported.
    let first = rand::random_range(10_000..60_000);
    let contact = |number: usize| format!("+49151{:05}503", first + number);
    let gateway = Gateway::start(Kannel::running(), (0..COUNT).map(contact).collect());
    let account = kannel.account_at(&gateway.port("sendsms"));

    let verdict = Storm::new("sms", account, contact).words().ride_out(db, gateway).await;

    verdict.is_true_of_all_but(DOUBTS);
    assert_eq!((verdict.twice, verdict.marked), (0, 0), "{verdict}");
}
