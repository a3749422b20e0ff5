//! A mail server that takes everything and notes it, and how it and its clients take turns.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::{
    fault::Peer,
    proxy::{Answer, Protocol, Request, Stream},
};
use crate::harness::Mail;

/// A mail server.
pub struct MailServer {
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Mail>>>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken = Arc::new(Mutex::new(Vec::new()));
        let noted = taken.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A client that goes away in the middle of a message has sent none.
                tokio::spawn(serve(BufReader::new(client), noted.clone()));
            }
        });
        Self { address, taken }
    }

    /// The mails it took since it was last asked.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.taken.lock().expect("the mails"))
    }
}

async fn serve(mut client: Stream, taken: Arc<Mutex<Vec<Mail>>>) -> io::Result<()> {
    client.get_ref().set_nodelay(true)?;
    client.write_all(b"220 mail.test\r\n").await?;
    let mut protocol = Smtp::default();
    while let Some(request) = protocol.request(&mut client).await? {
        let word = request.what.unwrap_or_default();
        if word == MESSAGE {
            taken.lock().expect("the mails").push(Mail::read(&request.bytes));
        }
        protocol.message_follows = word == "DATA";
        let answer: &[u8] = match word.as_str() {
            "EHLO" => b"250-mail.test\r\n250 8BITMIME\r\n",
            "DATA" => b"354 go ahead\r\n",
            "QUIT" => b"221 bye\r\n",
            _ => b"250 2.0.0 ok\r\n",
        };
        client.write_all(answer).await?;
    }
    Ok(())
}

/// What the message itself is called among the requests.
const MESSAGE: &str = "the message";

/// Commands of a line each, and messages that end with a dot.
#[derive(Default)]
pub struct Smtp {
    message_follows: bool,
}

impl Protocol for Smtp {
    const PEER: Peer = Peer::Mail;

    async fn open(&mut self, client: &mut Stream, server: &mut Stream) -> io::Result<()> {
        let greeting = self.answer(server).await?;
        client.write_all(&greeting.bytes).await
    }

    async fn request(&mut self, client: &mut Stream) -> io::Result<Option<Request>> {
        let mut bytes = Vec::new();
        loop {
            let begin = bytes.len();
            if client.read_until(b'\n', &mut bytes).await? == 0 {
                return Ok(None);
            }
            if !self.message_follows {
                let line = String::from_utf8_lossy(&bytes);
                let word = line.split_whitespace().next().unwrap_or_default().to_uppercase();
                return Ok(Some(Request { torn: 0, what: Some(word), bytes }));
            }
            if &bytes[begin..] == b".\r\n" {
                // Half of a message gets through, and no dot.
                return Ok(Some(Request { torn: begin / 2, what: Some(MESSAGE.to_owned()), bytes }));
            }
        }
    }

    async fn answer(&mut self, server: &mut Stream) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        loop {
            let begin = bytes.len();
            if server.read_until(b'\n', &mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = &bytes[begin..];
            if line.get(3) != Some(&b'-') {
                self.message_follows = line.starts_with(b"354");
                return Ok(Answer { bytes, lasting: true });
            }
        }
    }
}
