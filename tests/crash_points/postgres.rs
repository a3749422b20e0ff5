//! How Postgres and its clients take turns: messages of the client up to a `Sync` or a plain query, messages of the
//! server up to `ReadyForQuery`, which also says whether a transaction is open.

use std::{collections::HashMap, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    fault::Peer,
    proxy::{Answer, Protocol, Request, Stream},
};

/// The statements that were prepared on a connection, by their names.
#[derive(Default)]
pub struct Postgres(HashMap<Vec<u8>, String>);

/// A message with its kind; the bytes are all of it.
struct Message {
    kind: u8,
    bytes: Vec<u8>,
}

impl Message {
    async fn read(from: &mut Stream) -> io::Result<Self> {
        let kind = from.read_u8().await?;
        let mut bytes = vec![kind];
        read_sized(from, &mut bytes).await?;
        Ok(Self { kind, bytes })
    }

    /// The texts it begins with, each ended by a zero.
    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes[5..].split(|byte| *byte == 0)
    }
}

/// Adds a length and what it announces to `bytes`.
async fn read_sized(from: &mut Stream, bytes: &mut Vec<u8>) -> io::Result<()> {
    let length = from.read_u32().await?;
    bytes.extend(length.to_be_bytes());
    let begin = bytes.len();
    bytes.resize(begin + length as usize - 4, 0);
    from.read_exact(&mut bytes[begin..]).await?;
    Ok(())
}

impl Protocol for Postgres {
    const PEER: Peer = Peer::Database;

    async fn open(&mut self, client: &mut Stream, server: &mut Stream) -> io::Result<()> {
        let mut greeting = Vec::new();
        read_sized(client, &mut greeting).await?;
        server.write_all(&greeting).await?;
        loop {
            let message = Message::read(server).await?;
            client.write_all(&message.bytes).await?;
            match message.kind {
                b'Z' => return Ok(()),
                // All but "you are in" and the last word of a longer exchange want an answer.
                b'R' if !matches!(message.bytes[8], 0 | 12) => {
                    let password = Message::read(client).await?;
                    server.write_all(&password.bytes).await?;
                }
                _ => {}
            }
        }
    }

    async fn request(&mut self, client: &mut Stream) -> io::Result<Option<Request>> {
        let (mut bytes, mut bound, mut what) = (Vec::new(), None, None);
        loop {
            let message = Message::read(client).await?;
            bytes.extend(&message.bytes);
            match message.kind {
                b'P' => self.prepare(&message),
                b'B' => bound = message.texts().nth(1).and_then(|name| self.0.get(name).cloned()),
                // What is only prepared has no effect: cutting that is cutting what comes next.
                b'E' => what = Some(bound.take().unwrap_or_default()),
                b'Q' => what = message.texts().next().map(shown),
                b'X' => return Ok(None),
                _ => {}
            }
            if matches!(message.kind, b'S' | b'Q') {
                return Ok(Some(Request { bytes, torn: 0, what }));
            }
        }
    }

    async fn answer(&mut self, server: &mut Stream) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        loop {
            let message = Message::read(server).await?;
            bytes.extend(&message.bytes);
            if message.kind == b'Z' {
                // An open transaction is undone when its connection breaks, as if it had not been asked.
                return Ok(Answer { bytes, lasting: message.bytes[5] == b'I' });
            }
        }
    }
}

impl Postgres {
    fn prepare(&mut self, message: &Message) {
        let mut texts = message.texts();
        if let (Some(name), Some(statement)) = (texts.next(), texts.next()) {
            self.0.insert(name.to_vec(), shown(statement));
        }
    }
}

/// The beginning of a statement on one line.
fn shown(statement: &[u8]) -> String {
    let words: Vec<_> = String::from_utf8_lossy(statement).split_whitespace().map(str::to_owned).collect();
    words.join(" ").chars().take(100).collect()
}
