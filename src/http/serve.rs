//! Answers whoever connects, until it is told to stop.
//!
//! Whoever connects may be slow, or may want to keep the door open: a connection that does not finish asking within a
//! time is closed, also between two requests, and stopping waits only so long for answers that are on their way. A
//! connection costs little until it asks for something. Called by the node.

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::pickup::Peer;

/// How long others may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To ask: the line and the headers of a request, also of the next one on the same connection.
    pub asking: Duration,
    /// To take what is on its way when the doors close.
    pub leaving: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { asking: Duration::from_secs(30), leaving: Duration::from_secs(30) }
    }
}

/// How long to wait before accepting again when this process has no room for another connection.
const BREATH: Duration = Duration::from_millis(500);

/// Answers at `listener` by `router` until `stop`.
pub async fn serve(listener: TcpListener, router: Router, patience: Patience, stop: CancellationToken) {
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(accept(&listener)).await {
        connections.spawn(answer(accepted, router.clone(), patience.asking, stop.clone()));
    }
    drop(listener);
    connections.close();
    if time::timeout(patience.leaving, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "the doors closed before all answers were taken");
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_theirs(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted at present");
                time::sleep(BREATH).await;
            }
        }
    }
}

/// Whether whoever connected was gone before they were let in.
fn is_theirs(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn answer((stream, peer): (TcpStream, SocketAddr), router: Router, asking: Duration, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(asking);
    let router = TowerToHyperService::new(router);
    let router = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.call(request)
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), router));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection broke off");
    }
}
