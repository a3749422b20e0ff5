//! A wire to a fax server that is cut at one command: before the server hears it, or before its answer comes back.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// When the wire is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Before,
    After,
}

/// Lays a wire to `server` for one connection, which is cut at the first command that begins with `verb`.
pub async fn lay(server: SocketAddr, cut: Cut, verb: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(server).await.unwrap();
        // A side that hangs up ends it as well.
        let _ = carry(BufReader::new(client), BufReader::new(server), cut, verb).await;
    });
    address
}

async fn carry(
    mut client: BufReader<TcpStream>,
    mut server: BufReader<TcpStream>,
    cut: Cut,
    verb: &str,
) -> std::io::Result<()> {
    let (mut said, mut heard) = (String::new(), String::new());
    loop {
        tokio::select! {
            read = client.read_line(&mut said) => {
                if read? == 0 || cut == Cut::Before && said.starts_with(verb) {
                    return Ok(());
                }
                server.write_all(said.as_bytes()).await?;
                if said.starts_with(verb) {
                    server.read_line(&mut heard).await?;
                    return Ok(());
                }
                said.clear();
            }
            read = server.read_line(&mut heard) => {
                if read? == 0 {
                    return Ok(());
                }
                client.write_all(heard.as_bytes()).await?;
                heard.clear();
            }
        }
    }
}
