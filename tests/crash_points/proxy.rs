//! A line between the engine and a real peer, which carries one exchange at a time and cuts the one it is told to.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::fault::{Cut, Fault, Peer};

/// A connection whose reads are buffered.
pub type Stream = BufReader<TcpStream>;

/// One request of the engine.
pub struct Request {
    pub bytes: Vec<u8>,
    /// How much of it gets through when it is cut before it is done.
    pub torn: usize,
    /// What it asks, for people; `None` when it asks for nothing.
    pub what: Option<String>,
}

/// An answer of the peer.
pub struct Answer {
    pub bytes: Vec<u8>,
    /// Whether what was done stays done when the connection breaks.
    pub lasting: bool,
}

/// How the two sides take turns.
pub trait Protocol: Default + Send + 'static {
    const PEER: Peer;

    /// Carries what is said before the first request.
    fn open(&mut self, client: &mut Stream, server: &mut Stream) -> impl Future<Output = io::Result<()>> + Send;

    /// Reads the next request; `None` when the engine takes leave.
    fn request(&mut self, client: &mut Stream) -> impl Future<Output = io::Result<Option<Request>>> + Send;

    /// Reads the whole answer.
    fn answer(&mut self, server: &mut Stream) -> impl Future<Output = io::Result<Answer>> + Send;
}

/// Opens a line to `peer`, and gives the address where it is taken up. It ends when `fault` says that the engine is
/// dead.
pub async fn open<P: Protocol>(peer: SocketAddr, fault: Arc<Fault>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let accepting = async {
            while let Ok((client, _)) = listener.accept().await {
                let fault = fault.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        // The death first, so that nothing is carried once it is known.
                        biased;
                        () = fault.death() => {}
                        // A connection that ends is what the engine has to cope with.
                        _ = connect::<P>(client, peer, &fault) => {}
                    }
                });
            }
        };
        tokio::select! { () = fault.death() => {}, () = accepting => {} }
    });
    address
}

async fn connect<P: Protocol>(client: TcpStream, peer: SocketAddr, fault: &Fault) -> io::Result<()> {
    if fault.strikes(P::PEER, Cut::Before, "connect") {
        return Ok(());
    }
    let server = TcpStream::connect(peer).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    carry(P::default(), (BufReader::new(client), BufReader::new(server)), fault).await
}

async fn carry<P: Protocol>(
    mut protocol: P,
    (mut client, mut server): (Stream, Stream),
    fault: &Fault,
) -> io::Result<()> {
    protocol.open(&mut client, &mut server).await?;
    while let Some(request) = protocol.request(&mut client).await? {
        let what = request.what.as_deref();
        if what.is_some_and(|what| fault.strikes(P::PEER, Cut::Before, what)) {
            return server.write_all(&request.bytes[..request.torn]).await;
        }
        server.write_all(&request.bytes).await?;
        let answer = protocol.answer(&mut server).await?;
        if what.is_some_and(|what| answer.lasting && fault.strikes(P::PEER, Cut::After, what)) {
            return Ok(());
        }
        client.write_all(&answer.bytes).await?;
    }
    Ok(())
}
