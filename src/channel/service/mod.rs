//! Services that are asked over HTTP to send: what all of them share.
//!
//! One request, one answer: no redirects, no retries, no connection used twice. What matters most is *when* it fails.
//! Before the request is on its way the service has nothing, and trying again is safe; after that nobody knows. A
//! connection that was kept could be closed by the service at the very moment it is used again, and leave a message in
//! doubt for nothing, so each request gets a new one.

mod login;
mod reply;
mod trouble;

use std::time::Duration;

use chrono::TimeDelta;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, header};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::{
    channel::{
        Outcome, Permit, Proof, Report,
        config::{AccountConfig, AccountFault},
        turn::Turns,
    },
    reason::{Reason, Scope},
    source::{client, tls},
};

pub(super) use login::Login;
pub(super) use reply::Reply;
use trouble::{Trouble, too_late};
pub(super) use trouble::{answered, ended, unanswered};

/// How far our clock and a service's may differ when a message is looked for there by its time. More makes it likelier
/// that somebody else's is found among them.
pub(super) const CLOCKS: TimeDelta = TimeDelta::minutes(5);

/// The longest answer that is read, in bytes. Those expected have a few thousand; a list of a hundred faxes has more.
const LONGEST: usize = 1 << 20;

/// A service, with the account it is used by.
#[derive(Debug)]
pub(super) struct Service {
    /// Its name, for people.
    pub host: String,
    pub login: Login,
    /// How many requests may be under way.
    pub turns: Turns,
    root: String,
    client: reqwest::Client,
    patience: Patience,
}

/// How long everything about a request may take.
#[derive(Debug, Clone, Copy)]
struct Patience {
    words: Duration,
    files: Duration,
}

impl Service {
    /// The service that `url` names: by TLS, unless it says `tls=none`.
    pub(super) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let turns = Turns::of(config)?;
        let host = host(url).ok_or(AccountFault::NoHost)?;
        let scheme = if wants_tls(url)? { "https" } else { "http" };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let tls = tls::client(config.ca.as_deref()).map_err(|error| AccountFault::Certificate(format!("{error:#}")))?;
        let client = client::builder(tls)
            .pool_max_idle_per_host(0)
            // Sooner than a request as a whole, so that what ran out while connecting is known to be unsent.
            .connect_timeout(config.timeout / 2)
            .build()
            .map_err(|error| AccountFault::Certificate(error.to_string()))?;
        Ok(Self {
            root: format!("{scheme}://{host}{port}"),
            host,
            login: Login::of(url)?,
            client,
            turns,
            patience: Patience { words: config.timeout, files: config.timeout.max(config.final_timeout) },
        })
    }

    /// A request of a few words.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.root)).timeout(self.patience.words)
    }

    /// A request that carries files, which may take longer.
    pub(super) fn upload(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).timeout(self.patience.files)
    }

    /// Sends `request` and reads what is said to it. Neither its query nor its body gets into the transcript.
    pub(super) async fn exchange(&self, request: RequestBuilder, transcript: &mut String) -> Result<Reply, Trouble> {
        let request = request.build().map_err(|error| Trouble::Unsent(self.words(&trouble::chain(&error))))?;
        let line = format!("> {} {}{}\n", request.method(), self.host, request.url().path());
        transcript.push_str(&self.login.scrub(&line));
        let answered = self.fetch(request).await;
        transcript.push_str(&match &answered {
            Ok(reply) => format!("< {}, {} bytes\n", reply.status, reply.body.len()),
            Err(trouble) => format!("* {trouble}\n"),
        });
        answered
    }

    /// Asks for a message to be sent, unless `permit` is gone by now; `taken` reads what is answered to that.
    pub(super) async fn submit(
        &self,
        request: RequestBuilder,
        permit: Permit<'_>,
        taken: impl FnOnce(&Reply) -> Report,
    ) -> Report {
        if !permit() {
            return too_late();
        }
        let mut transcript = String::new();
        let report = match self.exchange(request, &mut transcript).await {
            Ok(reply) => taken(&reply),
            Err(trouble) => unanswered(&self.host, trouble),
        };
        Report { transcript, ..report }
    }

    /// The report of a message that the service took, by the name it gave it.
    pub(super) fn accepted(&self, reference: String, text: String) -> Report {
        let proof = Proof { by: self.host.clone(), text };
        Report { reference: Some(reference), ..Report::new(Outcome::Accepted(proof)) }
    }

    /// Of a yes whose words nobody knows; `code` begins with the name of the driver.
    pub(super) fn not_understood(&self, code: &str, reply: &Reply) -> Reason {
        let text = format!("{} said yes in words that are not understood: {}", self.host, self.words(&reply.text()));
        Reason::new(Scope::Attempt, code, text)
    }

    /// Asks for something that only the account's own user may see, and says what was seen.
    pub(super) async fn try_out(&self, request: RequestBuilder, seen: &str) -> Result<String, Reason> {
        self.look::<serde_json::Value>(request, &mut String::new()).await?;
        Ok(format!("{} {seen}", self.host))
    }

    /// Asks for what changes nothing there.
    pub(super) async fn look<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        transcript: &mut String,
    ) -> Result<T, Reason> {
        let reply = self.exchange(request, transcript).await.map_err(|trouble| trouble.harmless(&self.host))?;
        let words = self.words(&reply.text());
        if !reply.is_yes() {
            let text = format!("{} answered {}: {words}", self.host, reply.status);
            let scope = if matches!(reply.status, 401..=403) { Scope::Account } else { Scope::Attempt };
            return Err(Reason::new(scope, format!("http-{}", reply.status), text));
        }
        let unknown =
            || Reason::new(Scope::Attempt, "http-words", format!("{} said what is not understood: {words}", self.host));
        reply.json().ok_or_else(unknown)
    }

    async fn fetch(&self, request: reqwest::Request) -> Result<Reply, Trouble> {
        let mut response = self.client.execute(request).await.map_err(|error| self.trouble(&error))?;
        let status = response.status().as_u16();
        let after = response.headers().get(header::RETRY_AFTER).and_then(|value| reply::seconds(value.to_str().ok()?));
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= LONGEST => body.extend_from_slice(&chunk),
                Ok(Some(_)) => return Err(Trouble::Lost(format!("{} answered more than a megabyte", self.host))),
                Ok(None) => return Ok(Reply { status, after, body: body.into() }),
                Err(error) => return Err(Trouble::Lost(self.words(&trouble::chain(&error)))),
            }
        }
    }

    /// Why there was no answer.
    fn trouble(&self, error: &reqwest::Error) -> Trouble {
        let text = self.words(&trouble::chain(error));
        match () {
            () if text.contains("invalid peer certificate") => Trouble::Distrust(text),
            () if error.is_connect() || error.is_builder() => Trouble::Unsent(text),
            () => Trouble::Lost(text),
        }
    }

    /// What the service or the network said, without our secrets, however they may be written in there.
    pub(super) fn words(&self, text: &str) -> String {
        self.login.scrub(text)
    }
}

/// `text` as one part of a path, whatever it holds.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => Some(name.to_owned()),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(format!("[{address}]")),
    }
    .filter(|host| !host.is_empty())
}

fn wants_tls(url: &Url) -> Result<bool, AccountFault> {
    let mut tls = true;
    for (name, value) in url.query_pairs() {
        tls = match (&*name, &*value) {
            ("tls", "tls") => true,
            ("tls", "none") => false,
            _ => return Err(AccountFault::Parameter("write tls=none where the service speaks plain HTTP, or nothing")),
        };
    }
    Ok(tls)
}
