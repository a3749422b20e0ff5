//! A line to a server that fails once: cut, or silent, after so many bytes in one direction.

use std::net::SocketAddr;

use postbook::channel::account::AccountConfig;
use tokio::{
    io::{AsyncReadExt, copy, copy_bidirectional, sink},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

/// What happens to the first connection.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub how: How,
    pub after: After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Cut,
    /// Open, but nothing comes through any more.
    Silent,
}

/// So many bytes in one direction.
#[derive(Debug, Clone, Copy)]
pub enum After {
    Sent(u64),
    Answered(u64),
}

/// A port that leads to a server; gone when this is dropped.
pub struct Line {
    port: u16,
    carrying: JoinHandle<()>,
}

impl Line {
    /// To the server of `config`. The first connection has the fault, the others have none.
    pub async fn to(config: &AccountConfig, fault: Fault) -> Self {
        let url: Url = config.url.parse().unwrap();
        let server = SocketAddr::from(([127, 0, 0, 1], url.port().unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let carrying = tokio::spawn(async move {
            let mut fault = Some(fault);
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, fault.take()));
            }
        });
        Self { port, carrying }
    }

    /// The same account over this line.
    pub fn account(&self, config: &AccountConfig) -> AccountConfig {
        at_port(config, self.port)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

/// The same account at another port.
pub fn at_port(config: &AccountConfig, port: u16) -> AccountConfig {
    let mut url: Url = config.url.parse().unwrap();
    url.set_port(Some(port)).unwrap();
    AccountConfig { url: url.to_string(), ..config.clone() }
}

async fn carry(mut client: TcpStream, server: SocketAddr, fault: Option<Fault>) {
    // A connection that breaks is what both ends are told.
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let Some(Fault { how, after }) = fault else {
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    };
    let (there, back) = match after {
        After::Sent(bytes) => (bytes, u64::MAX),
        After::Answered(bytes) => (u64::MAX, bytes),
    };
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let (mut there, mut back) = ((&mut from_client).take(there), from_server.take(back));
    tokio::select! {
        _ = copy(&mut there, &mut to_server) => {}
        _ = copy(&mut back, &mut to_client) => {}
    }
    if how == How::Silent {
        let _ = copy(&mut from_client, &mut sink()).await;
    }
}
