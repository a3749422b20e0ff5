//! An S3 server that checks signatures, in a thread of the test's own process.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc,
    thread::{self, JoinHandle},
};

use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot};

/// A server with one bucket, which is gone with the test.
pub struct S3 {
    root: TempDir,
    address: SocketAddr,
    running: Option<Running>,
}

/// A server in its thread; it ends, with all its connections, when `stop` is dropped.
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl S3 {
    pub fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("bucket")).unwrap();
        let (address, running) = serve(root.path(), super::steady());
        Self { root, address, running: Some(running) }
    }

    /// `s3://...`, with this path.
    pub fn url(&self, path: &str) -> String {
        format!("s3://AKEXAMPLE:sec%2Fret+@{}/{path}?tls=none", self.address)
    }

    /// Where the bucket's objects lie.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.path().join("bucket").join(below)
    }

    /// Cuts all connections, and listens no more. Nothing is written any more afterwards: the next server clears away
    /// what this one had half written.
    pub fn kill(&mut self) {
        let Running { stop, thread } = self.running.take().unwrap();
        drop(stop);
        thread.join().unwrap();
    }

    /// Listens again at the same address.
    pub fn restart(&mut self) {
        self.running = Some(serve(self.root.path(), self.address).1);
    }
}

/// Serves until it is told to stop.
fn serve(root: &Path, address: SocketAddr) -> (SocketAddr, Running) {
    let root = root.to_owned();
    let (ready, bound) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                () = accept(&root, address, ready) => {}
            }
        });
    });
    (bound.recv().unwrap(), Running { stop, thread })
}

async fn accept(root: &Path, address: SocketAddr, ready: mpsc::Sender<SocketAddr>) {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single("AKEXAMPLE", "sec/ret+"));
    let service = service.build();
    let listener = loop {
        // The address is free once the connections of the server before are gone.
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    ready.send(listener.local_addr().unwrap()).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let http = hyper::server::conn::http1::Builder::new();
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service.clone()));
    }
}
