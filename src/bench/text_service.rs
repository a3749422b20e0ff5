//! A service for text messages that speaks as Kannel does: takes each at once, and calls the address that came with it.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};

use crate::source::{client, tls};

/// The service. It ends with the process.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) address: SocketAddr,
    desk: Arc<Desk>,
}

struct Desk {
    client: reqwest::Client,
    unheard: AtomicUsize,
}

impl Service {
    /// Starts it on loopback.
    pub(super) async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("opening a service")?;
        let address = listener.local_addr().context("asking for the service's address")?;
        let client = client::builder(tls::client(None)?).build().context("setting up a service that calls back")?;
        let desk = Arc::new(Desk { client, unheard: AtomicUsize::default() });
        let router = Router::new().route("/cgi-bin/sendsms", get(take)).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, desk })
    }

    /// How many reports nobody took.
    pub(super) fn unheard(&self) -> usize {
        self.desk.unheard.load(Ordering::Relaxed)
    }
}

/// Takes a message, and reports that it was delivered.
async fn take(
    State(desk): State<Arc<Desk>>,
    Query(fields): Query<HashMap<String, String>>,
) -> (StatusCode, &'static str) {
    let Some(url) = fields.get("dlr-url") else { return (StatusCode::BAD_REQUEST, "no address for the report") };
    let url = url.replace("%d", "1").replace("%A", "").replace("%T", "");
    tokio::spawn(async move {
        let heard = desk.client.get(url).send().await.and_then(reqwest::Response::error_for_status);
        if heard.is_err() {
            desk.unheard.fetch_add(1, Ordering::Relaxed);
        }
    });
    (StatusCode::ACCEPTED, "0: Accepted for delivery")
}
