//! Files and lists go over a connection of their own, which the client opens (RFC 2428 EPSV, RFC 959 PASV).
//!
//! Whatever host the server names in its answer is passed over: the file goes to the machine that was spoken to.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    control::Control,
    reply::{Reply, Trouble},
};

impl Control {
    /// Gives the server a file by `command`, and waits until it has it.
    pub(super) async fn store(&mut self, command: &str, bytes: &[u8]) -> Result<Reply, Trouble> {
        let mut data = self.open_data().await?;
        self.command(command).await?;
        self.transcript.note(&format!("{} bytes", bytes.len()));
        let sent = timeout(self.patience.file, async {
            data.write_all(bytes).await?;
            data.shutdown().await
        });
        sent.await.map_err(|_| self.slow())??;
        drop(data);
        self.answer().await
    }

    /// What the server gives by `command`, up to `most` bytes; nothing when there is more.
    pub(super) async fn fetch(&mut self, command: &str, most: usize) -> Result<Option<Vec<u8>>, Trouble> {
        let mut data = self.open_data().await?;
        self.command(command).await?;
        let mut bytes = Vec::new();
        let mut limited = (&mut data).take(most as u64 + 1);
        let read = timeout(self.patience.file, limited.read_to_end(&mut bytes));
        read.await.map_err(|_| self.slow())??;
        drop(data);
        // What is cut short is complained about by the server.
        match self.answer().await {
            Err(trouble @ Trouble::Lost(_)) => return Err(trouble),
            Err(trouble) if bytes.len() <= most => return Err(trouble),
            _ => {}
        }
        Ok(Some(bytes).filter(|it| it.len() <= most))
    }

    async fn open_data(&mut self) -> Result<TcpStream, Trouble> {
        let port = match self.command("EPSV").await {
            Ok(reply) => extended_port(&reply.text),
            Err(Trouble::Said(_)) => passive_port(&self.command("PASV").await?.text),
            Err(trouble) => return Err(trouble),
        };
        let port = port.ok_or_else(|| Trouble::Lost("no port for files in the server's answer".to_owned()))?;
        let connected = timeout(self.patience.answer, TcpStream::connect((self.peer, port)));
        Ok(connected.await.map_err(|_| self.slow())??)
    }

    fn slow(&self) -> Trouble {
        Trouble::Lost("a connection for files was too slow".to_owned())
    }
}

/// `Entering Extended Passive Mode (|||47391|)`
fn extended_port(text: &str) -> Option<u16> {
    text.split_once("|||")?.1.split('|').next()?.parse().ok()
}

/// `Entering passive mode (127,0,0,1,185,31)`
fn passive_port(text: &str) -> Option<u16> {
    let numbers = text.split_once('(')?.1.split(')').next()?;
    let numbers: Vec<u8> = numbers.split(',').map(|it| it.trim().parse().ok()).collect::<Option<_>>()?;
    let [_, _, _, _, high, low] = numbers[..] else { return None };
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_for_files_is_read_from_either_answer() {
        assert_eq!(extended_port("Entering Extended Passive Mode (|||47391|)"), Some(47391));
        assert_eq!(extended_port("Entering Extended Passive Mode (|||470391|)"), None);
        assert_eq!(passive_port("Entering passive mode (127,0,0,1,185,31)"), Some(47391));
        assert_eq!(passive_port("Entering passive mode (127,0,0,1,185)"), None);
        assert_eq!(passive_port("Entering passive mode"), None);
    }
}
