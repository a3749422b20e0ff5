//! The control connection: commands with their answers, each within its time and each in the transcript.
//!
//! hfaxd speaks bytes, and what people read is drawn with a Latin-1 font: letters beyond that go as question marks.

use std::{net::IpAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::channel::transcript::Transcript;

use super::reply::{LONGEST, Reply, Trouble};

/// How long a fax server may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For any one answer.
    pub answer: Duration,
    /// For taking or giving a file.
    pub file: Duration,
}

/// An open connection to a fax server.
#[derive(Debug)]
pub(super) struct Control {
    line: BufReader<TcpStream>,
    pub peer: IpAddr,
    pub patience: Patience,
    pub transcript: Transcript,
}

impl Control {
    /// Waits for the server to say that it is ready.
    pub(super) async fn greet(
        stream: TcpStream,
        patience: Patience,
        transcript: Transcript,
    ) -> Result<Self, (Trouble, Transcript)> {
        let peer = match stream.set_nodelay(true).and_then(|()| stream.peer_addr()) {
            Ok(peer) => peer.ip(),
            Err(error) => return Err((error.into(), transcript)),
        };
        let mut control = Self { line: BufReader::new(stream), peer, patience, transcript };
        match control.answer().await {
            Ok(_) => Ok(control),
            Err(trouble) => Err((trouble, control.transcript)),
        }
    }

    /// Sends a command and waits for its answer; one of 400 and above is trouble.
    pub(super) async fn command(&mut self, command: &str) -> Result<Reply, Trouble> {
        self.transcript.sent(command);
        self.send(command).await?;
        self.answer().await
    }

    /// The same with a command that nobody may read.
    pub(super) async fn hidden(&mut self, verb: &str, secret: &str) -> Result<Reply, Trouble> {
        self.transcript.sent(&format!("{verb} (not shown)"));
        self.send(&format!("{verb} {secret}")).await?;
        self.answer().await
    }

    /// Waits for an answer.
    pub(super) async fn answer(&mut self) -> Result<Reply, Trouble> {
        let patience = self.patience.answer;
        let reply = match timeout(patience, self.read()).await {
            Ok(reply) => reply?,
            Err(_) => return Err(Trouble::Lost(format!("no answer within {} s", patience.as_secs_f32()))),
        };
        self.transcript.heard(&reply);
        if reply.code < 400 { Ok(reply) } else { Err(Trouble::Said(reply)) }
    }

    /// Takes leave; what the server makes of it does not matter.
    pub(super) async fn leave(mut self) -> Transcript {
        if self.send("QUIT").await.is_ok() {
            let _ = timeout(self.patience.answer, self.read()).await;
        }
        self.transcript
    }

    async fn send(&mut self, command: &str) -> Result<(), Trouble> {
        let mut bytes: Vec<u8> = command.chars().map(latin1).collect();
        bytes.extend_from_slice(b"\r\n");
        let sent = timeout(self.patience.answer, self.line.write_all(&bytes)).await;
        sent.map_err(|_| Trouble::Lost("the command could not be sent in time".to_owned()))?.map_err(Trouble::from)
    }

    async fn read(&mut self) -> Result<Reply, Trouble> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        loop {
            let mut line = Vec::new();
            let left = (LONGEST - bytes) as u64;
            bytes += (&mut self.line).take(left).read_until(b'\n', &mut line).await?;
            if !line.ends_with(b"\n") {
                let text = if bytes < LONGEST { "the connection was closed" } else { "an answer without an end" };
                return Err(Trouble::Lost(text.to_owned()));
            }
            let line: String = line.iter().map(|&byte| char::from(byte)).collect();
            let line = line.trim_end().replace(char::is_control, " ");
            // What comes before the first line of an answer is none.
            let last = Reply::ends_with(&line);
            lines.push(line);
            if last {
                return Reply::of(&lines).ok_or_else(|| Trouble::Lost("what came was no answer".to_owned()));
            }
        }
    }
}

fn latin1(letter: char) -> u8 {
    u8::try_from(letter).ok().filter(|byte| !byte.is_ascii_control()).unwrap_or(b'?')
}
