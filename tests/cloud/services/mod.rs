//! Services in the test's own process that behave as their published descriptions say: they check what a real one checks,
//! keep what they took, and fail as they are told to.
#![allow(dead_code, reason = "every test program uses its own part of this")]

pub mod sinch;
pub mod smsapi;
pub mod telnyx;
pub mod twilio;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use crate::peers::steady;

/// The secret that every account here has. The Base64 of what goes over the wire has none of its letters.
pub const SECRET: &str = "s3cret";

/// What a service does with one request.
pub trait Service: Send + Sync + 'static {
    fn answer(&self, call: &Call) -> Answer;

    /// Whether it is one that sends, and so one that faults are for.
    fn sends(&self, call: &Call) -> bool;
}

/// A request.
pub struct Call {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// What goes wrong with the next request that sends.
#[derive(Clone)]
pub enum Fault {
    /// This is answered, and nothing is done.
    Says(u16, &'static str),
    /// "Come back in so many seconds", and nothing is done.
    Busy(u64),
    /// It is done, and the connection is closed without an answer.
    Cut,
    /// Nothing is done, and the connection is closed without an answer.
    Lost,
    /// It is done, and never answered.
    Mute,
}

/// What goes wrong with the requests that send, from the next one on.
type Faults = Arc<Mutex<VecDeque<Option<Fault>>>>;

/// A service that runs until the test is over, or until it is killed.
pub struct Server<S> {
    pub service: Arc<S>,
    pub address: SocketAddr,
    faults: Faults,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl<S: Service> Server<S> {
    /// Starts it on a free port.
    pub fn start(service: S) -> Self {
        let listener = listen(steady());
        let address = listener.local_addr().unwrap();
        let server = Self { service: Arc::new(service), address, faults: Arc::default(), serving: Mutex::default() };
        server.open(listener);
        server
    }

    /// Takes it away, with all of its connections. What it took it keeps.
    pub async fn kill(&self) {
        let serving = self.serving.lock().unwrap().take().expect("a server that runs");
        serving.abort();
        assert!(serving.await.is_err_and(|error| error.is_cancelled()), "it ended by itself");
    }

    /// Starts it again, where it was.
    pub fn restart(&self) {
        self.open(listen(self.address));
    }

    fn open(&self, listener: TcpListener) {
        let (service, faults) = (self.service.clone(), self.faults.clone());
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (service, faults) = (service.clone(), faults.clone());
                let serve = service_fn(move |request| serve(service.clone(), faults.clone(), request));
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
                while connections.try_join_next().is_some() {}
            }
        });
        *self.serving.lock().unwrap() = Some(serving);
    }

    /// What is to go wrong next.
    pub fn fails_with(&self, fault: Fault) {
        self.fails_in_turn([Some(fault)]);
    }

    /// What is to go wrong with the next requests that send, one after the other.
    pub fn fails_in_turn(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.faults.lock().unwrap().extend(faults);
    }
}

fn listen(address: SocketAddr) -> TcpListener {
    let listener = std::net::TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    TcpListener::from_std(listener).unwrap()
}

async fn serve<S: Service>(service: Arc<S>, faults: Faults, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.map_err(io::Error::other)?;
    let query = fields(head.uri.query().unwrap_or_default().as_bytes());
    let path = head.uri.path().to_owned();
    let call = Call { method: head.method, path, query, headers: head.headers, body };
    let fault = if service.sends(&call) { faults.lock().unwrap().pop_front().flatten() } else { None };
    let closed = || Err(io::Error::other("closed without an answer, as asked"));
    match fault {
        Some(Fault::Says(status, body)) => Ok(response(&Answer { status, body: body.to_owned() }, None)),
        Some(Fault::Busy(after)) => Ok(response(&Answer { status: 429, body: "{}".to_owned() }, Some(after))),
        Some(Fault::Lost) => closed(),
        Some(Fault::Cut) => {
            service.answer(&call);
            closed()
        }
        Some(Fault::Mute) => {
            service.answer(&call);
            std::future::pending().await
        }
        None => Ok(response(&service.answer(&call), None)),
    }
}

fn response(answer: &Answer, after: Option<u64>) -> Response<Body> {
    let mut response = Response::builder().status(answer.status).header("content-type", "application/json");
    if let Some(after) = after {
        response = response.header("retry-after", after);
    }
    response.body(Body::from(answer.body.clone())).unwrap()
}

/// An answer in JSON.
pub fn json(status: u16, body: &serde_json::Value) -> Answer {
    Answer { status, body: body.to_string() }
}

/// The fields of a form or a query.
pub fn fields(text: &[u8]) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let text = std::str::from_utf8(text).unwrap();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, it)| (decode(name), decode(it))).collect()
}

/// The value of the field `name`.
pub fn field(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone())
}

impl Call {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Whether `text` is a number as E.164 writes it.
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|it| (7..=15).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit()))
}
