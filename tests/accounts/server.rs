//! A mail server whose login, policy and patience are turned on and off, which the servers of the other tests cannot.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use postbook::channel::account::AccountConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The server; clones are the same one.
#[derive(Clone)]
pub struct MailServer {
    port: u16,
    told: Arc<Told>,
}

struct Told {
    refuses_logins: AtomicBool,
    /// Also relays for nobody.
    refuses_all: AtomicBool,
    holding: watch::Sender<bool>,
    /// Mailboxes whose messages it has read and not answered.
    held: Mutex<Vec<String>>,
    taken: Mutex<Vec<String>>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let told = Arc::new(Told {
            refuses_logins: AtomicBool::new(false),
            refuses_all: AtomicBool::new(false),
            holding: watch::channel(false).0,
            held: Mutex::default(),
            taken: Mutex::default(),
        });
        let server = Self { port, told: told.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, told.clone()));
            }
        });
        server
    }

    /// An account of ours there.
    pub fn account(&self) -> AccountConfig {
        let mut config = AccountConfig::new(format!("smtp://us:secret@127.0.0.1:{}?tls=none", self.port));
        config.from = Some("Postbook <postbook@example.org>".to_owned());
        config.connections = 50;
        config
    }

    pub fn refuse_logins(&self, refuse: bool) {
        self.told.refuses_logins.store(refuse, Ordering::SeqCst);
    }

    pub fn refuse_all(&self, refuse: bool) {
        self.told.refuses_all.store(refuse, Ordering::SeqCst);
    }

    /// Reads messages and leaves them without an answer, until told otherwise.
    pub fn hold(&self, hold: bool) {
        self.told.holding.send_replace(hold);
    }

    pub fn held(&self) -> Vec<String> {
        self.told.held.lock().expect("the list").clone()
    }

    /// Looks until so many messages are held.
    pub async fn until_held(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.held().len() != count {
            assert!(Instant::now() < deadline, "{:?} are held, not {count}", self.held());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Who got a message, sorted.
    pub fn taken(&self) -> Vec<String> {
        let mut taken = self.told.taken.lock().expect("the list").clone();
        taken.sort();
        taken
    }
}

async fn serve(stream: TcpStream, told: Arc<Told>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut to = String::new();
    write.write_all(b"220 mx.test ESMTP\r\n").await.ok()?;
    while let Some(line) = lines.next_line().await.ok()? {
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" => "250-mx.test\r\n250 AUTH PLAIN",
            "AUTH" if told.refuses_logins.load(Ordering::SeqCst) => "535 5.7.8 wrong password",
            "AUTH" => "235 2.7.0 welcome",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                match told.refuses_all.load(Ordering::SeqCst) || to.starts_with("policy") {
                    true => "554 5.7.1 relay access denied",
                    false => "250 2.1.5 ok",
                }
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.ok()?;
                while lines.next_line().await.ok()?? != "." {}
                told.take(&to).await;
                "250 2.0.0 taken"
            }
            _ => "250 2.0.0 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
    Some(())
}

impl Told {
    /// Takes a message, once it may be answered.
    async fn take(&self, to: &str) {
        self.held.lock().expect("the list").push(to.to_owned());
        let _ = self.holding.subscribe().wait_for(|holding| !holding).await;
        self.held.lock().expect("the list").retain(|it| it != to);
        self.taken.lock().expect("the list").push(to.to_owned());
    }
}
