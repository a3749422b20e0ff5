//! A wire to a fax server that ends at one command: before the server hears it, or before its answer comes back.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// Where the wire ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Before,
    After,
}

/// A command that the wire ends at: the first one that begins so.
type End = (Cut, &'static str);

/// Lays a wire to `server` for one connection, which is cut at `verb`.
#[allow(dead_code, reason = "the nodes are killed instead")]
pub async fn lay(server: SocketAddr, cut: Cut, verb: &'static str) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut client, mut server) = connect(&listener, server).await;
        // A side that hangs up ends it as well.
        let _ = carry(&mut client, &mut server, Some((cut, verb))).await;
    });
    address
}

/// Lays a wire to `server` on which the first connection says nothing more from `verb` on, for as long as its client
/// stays. Tells when it has come so far; all other connections are whole.
#[allow(dead_code, reason = "only nodes are killed while they wait")]
pub async fn hold(server: SocketAddr, cut: Cut, verb: &'static str) -> (SocketAddr, oneshot::Receiver<()>) {
    let (listener, address) = listen().await;
    let (reached, is_reached) = oneshot::channel();
    tokio::spawn(async move {
        let mut held = Some(reached);
        loop {
            let (mut client, mut server) = connect(&listener, server).await;
            let reached = held.take();
            tokio::spawn(async move {
                let end = reached.is_some().then_some((cut, verb));
                if let (Ok(()), Some(reached)) = (carry(&mut client, &mut server, end).await, reached) {
                    let _ = reached.send(());
                    let _ = client.read_to_end(&mut Vec::new()).await;
                }
            });
        }
    });
    (address, is_reached)
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

type Side = BufReader<TcpStream>;

async fn connect(listener: &TcpListener, server: SocketAddr) -> (Side, Side) {
    let (client, _) = listener.accept().await.unwrap();
    (BufReader::new(client), BufReader::new(TcpStream::connect(server).await.unwrap()))
}

/// Carries lines until `end` is reached; an error when a side hangs up before.
async fn carry(client: &mut Side, server: &mut Side, end: Option<End>) -> io::Result<()> {
    let (mut said, mut heard) = (String::new(), String::new());
    loop {
        tokio::select! {
            read = client.read_line(&mut said) => {
                let cut = end.filter(|(_, verb)| said.starts_with(verb)).map(|(cut, _)| cut);
                if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if cut == Some(Cut::Before) {
                    return Ok(());
                }
                server.write_all(said.as_bytes()).await?;
                if cut.is_some() {
                    server.read_line(&mut heard).await?;
                    return Ok(());
                }
                said.clear();
            }
            read = server.read_line(&mut heard) => {
                if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                client.write_all(heard.as_bytes()).await?;
                heard.clear();
            }
        }
    }
}
