//! Report servers, asked over HTTP.
//!
//! One request, one answer: no retries, no proxies, no cookies. Names are resolved here and the connection goes to
//! the address that was checked, for each redirect anew, so a name that changes its mind gains nothing. Credentials
//! go to the server they were meant for and never into a text. What goes wrong is a [`Failure`].

mod address;
mod answer;
mod redirect;
mod send;

use std::{error::Error, net::SocketAddr, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use reqwest::{Response, Url};
use rustls::ClientConfig;
use serde::Deserialize;
use tokio::{net, time};

pub use address::{Allowed, AllowedError};
use redirect::Hop;
use send::{fill, first_hop};

use super::{Failure, cause::told, client, tls};
use crate::{
    reason::{Reason, Scope},
    secret::Credential,
};

/// The section `[remote]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteConfig {
    /// Addresses inside that may be asked.
    #[serde(default)]
    pub allow: Vec<Allowed>,
}

/// What a report server is asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub body: Option<String>,
    pub secret: Option<Credential>,
    /// What the answer has to be.
    pub media_type: String,
    /// How long everything together may take.
    pub timeout: Duration,
    /// How many bytes the answer may have.
    pub limit: u64,
}

/// Asks report servers.
#[derive(Debug, Clone)]
pub struct Client {
    allow: Vec<Allowed>,
    tls: ClientConfig,
}

impl Client {
    /// Trusts the machine's certificate authorities.
    pub fn new(config: &RemoteConfig) -> Result<Self> {
        let tls = tls::client(None)?;
        Ok(Self { allow: config.allow.clone(), tls })
    }

    /// The bytes of the answer, checked for size and media type.
    pub async fn fetch(&self, request: &Request) -> Result<Bytes, Failure> {
        let timeout = || {
            failed(
                "http-timeout",
                format!("the server had not answered after {} seconds", request.timeout.as_secs_f64()),
            )
        };
        let fetched = time::timeout(request.timeout, self.follow(request)).await;
        fetched.unwrap_or_else(|_| Err(timeout())).map_err(|failure| scrubbed(failure, request))
    }

    async fn follow(&self, request: &Request) -> Result<Bytes, Failure> {
        let mut hop = first_hop(request)?;
        for _ in 0..=redirect::MOST {
            let response = self.send(request, &hop).await?;
            match redirect::next(&hop, &response)? {
                Some(next) => hop = next,
                None => return answer::read(response, request).await,
            }
        }
        Err(refused("http-redirect", format!("the server redirects more than {} times", redirect::MOST)))
    }

    async fn send(&self, request: &Request, hop: &Hop) -> Result<Response, Failure> {
        let (host, addresses) = self.resolve(&hop.url).await?;
        let client = client::builder(self.tls.clone())
            .resolve_to_addrs(&host, &addresses)
            .build()
            .map_err(|error| unsendable(&chain(error)))?;
        let builder = client.request(hop.method.clone(), hop.url.clone());
        let sent = fill(builder, request, hop)?.send().await;
        sent.map_err(|error| failed("http-connect", format!("{host} cannot be asked: {}", chain(error))))
    }

    /// The host of `url` and those of its addresses that may be asked.
    async fn resolve(&self, url: &Url) -> Result<(String, Vec<SocketAddr>), Failure> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(unsendable("the URL names no server"));
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = net::lookup_host((bare, port)).await;
        let found: Vec<SocketAddr> =
            found.map_err(|error| failed("http-connect", format!("{host} has no address: {error}")))?.collect();
        let permitted: Vec<SocketAddr> =
            found.iter().copied().filter(|found| address::is_permitted(*found, &self.allow)).collect();
        match (permitted.is_empty(), found.first().copied().map(address::unwrapped)) {
            (false, _) => Ok((host.to_owned(), permitted)),
            (true, None) => Err(failed("http-connect", format!("{host} has no address"))),
            (true, Some(inside)) => Err(refused(
                "http-address",
                format!(
                    "{host} is the private address {}; an administrator can allow it with `[remote] allow = [\"{inside}\"]`",
                    inside.ip()
                ),
            )),
        }
    }
}

/// A failure that may pass.
fn failed(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Attempt, code, text), again: true, after: None }
}

/// A failure that stays until somebody changes something.
fn refused(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Document, code, text), again: false, after: None }
}

fn unsendable(text: &str) -> Failure {
    refused("http-request", text.to_owned())
}

/// An error and its causes in one line, without the URL.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    error.source().map_or_else(|| error.to_string(), told)
}

fn scrubbed(mut failure: Failure, request: &Request) -> Failure {
    if let Some(secret) = &request.secret {
        failure.reason.text = secret.scrub(&failure.reason.text);
    }
    failure
}
