//! Fax by Telnyx, API version 2 (developers.telnyx.com, "Send a fax", "View a fax", "View a list of faxes").
//!
//! The file is uploaded first and the fax then asked for by its name, because a fax whose file comes with the request can
//! carry neither our key nor our address for callbacks (`SendFaxMultipartRequest` of Telnyx's OpenAPI description). An
//! upload calls nobody and may be repeated. Telnyx calls once for each request; trying again is ours.
//!
//! The attempt stands in `client_state`. What became of a request that was never answered is found by it in the list of
//! faxes to that number.

mod cause;
mod fax;
mod webhook;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::{BoxFuture, FutureExt};
use reqwest::{
    Method,
    multipart::{Form as Multipart, Part},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use crate::{
    channel::{
        Answer, Asked, Callback, File, Form, Heard, Outcome, Parcel, Permit, Receipts, Report, Resolution, Settle,
        Silence, Standing, Turn, Unheard,
        config::{AccountConfig, AccountFault},
        driver::{Driver, not_mine},
        service::{CLOCKS, Reply, Service, ended, segment, unanswered},
    },
    contact::{Contact, number::Number},
    reason::Reason,
};

use self::{fax::Fax, webhook::Verifier};

/// How long a fax may take from being accepted to its end: Telnyx queues what its channels have no room for.
const WITHIN: Duration = Duration::from_secs(2 * 60 * 60);
/// How often it is asked when it does not call back; and when it does, in case a call went astray.
const POLL: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5 * 60));
/// How long an uploaded file is kept there, in seconds: longer than a fax may wait for a channel.
const KEPT: u32 = 24 * 60 * 60;
/// The code of an answer that is not understood.
const WORDS: &str = "telnyx-words";

/// A fax application of a Telnyx account.
#[derive(Debug)]
pub(in crate::channel) struct Telnyx {
    service: Service,
    from: Number,
    /// Where it calls back, and how it shows that it is Telnyx.
    webhook: Option<(String, Verifier)>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Media {
    media_name: String,
}

impl Telnyx {
    pub(in crate::channel) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let service = Service::open(url, config)?;
        if !service.login.is_complete() {
            return Err(AccountFault::Incomplete("`url` lacks a part; write telnyx://CONNECTION:KEY@api.telnyx.com"));
        }
        if config.fax.header.is_some() || config.fax.station.is_some() {
            let remedy = "Telnyx has no setting for a line above the pages; take `header` and `station` out, and name the sender on the cover";
            return Err(AccountFault::Incomplete(remedy));
        }
        let from = super::sender(config)?;
        let verifier = config.verify.as_deref().map(Verifier::of).transpose()?;
        Ok(Self { service, from, webhook: config.callback.clone().zip(verifier) })
    }

    async fn send(&self, parcel: &Parcel, to: &Number, permit: Permit<'_>) -> Report {
        let file = match super::one_file(parcel) {
            Ok(file) => file,
            Err(reason) => return Report::new(Outcome::Refused(reason)),
        };
        let mut transcript = String::new();
        let report = match self.upload(file, &mut transcript).await {
            Ok(media) => {
                let request = self.service.request(Method::POST, "/v2/faxes").json(&self.body(parcel, to, &media));
                self.service.submit(self.service.login.bearer(request), permit, |reply| self.taken(reply)).await
            }
            Err(report) => report,
        };
        Report { transcript: transcript + &report.transcript, ..report }
    }

    fn body(&self, parcel: &Parcel, to: &Number, media: &str) -> Value {
        let mut body = json!({
            "connection_id": self.service.login.user,
            "from": self.from.as_str(),
            "to": to.as_str(),
            "media_name": media,
            "client_state": state(&parcel.key, parcel.attempt),
        });
        if let Some((address, _)) = &self.webhook {
            body["webhook_url"] = address.as_str().into();
        }
        body
    }

    /// Puts `file` where the fax can name it. Nothing that goes wrong here has called anybody.
    async fn upload(&self, file: &File, transcript: &mut String) -> Result<String, Report> {
        let part = Part::stream(file.bytes.clone()).file_name(file.name.clone()).mime_str(&file.media_type);
        let part = part.unwrap_or_else(|_| Part::stream(file.bytes.clone()).file_name("fax"));
        let form = Multipart::new().text("ttl_secs", KEPT.to_string()).part("media", part);
        let request = self.service.login.bearer(self.service.upload("/v2/media")).multipart(form);
        match self.service.exchange(request, transcript).await {
            Ok(reply) if reply.is_yes() => match reply.json::<Data<Media>>() {
                Some(Data { data }) => Ok(data.media_name),
                None => Err(later(self.service.not_understood(WORDS, &reply))),
            },
            Ok(reply) => Err(unsent(self.refusal(&reply))),
            Err(trouble) => Err(unsent(unanswered(&self.service.host, trouble))),
        }
    }

    fn taken(&self, reply: &Reply) -> Report {
        if !reply.is_yes() {
            return self.refusal(reply);
        }
        match reply.json::<Data<Fax>>() {
            Some(Data { data: fax }) => {
                let text = format!("{} took it as fax {} ({})", self.service.host, fax.id, fax.status);
                self.service.accepted(fax.id, text)
            }
            None => Report::new(Outcome::Uncertain(self.service.not_understood(WORDS, reply))),
        }
    }

    fn refusal(&self, reply: &Reply) -> Report {
        let words = self.service.words(&reply.text());
        cause::refusal(&self.service.host, reply, &words).unwrap_or_else(|| ended(&self.service.host, reply, &words))
    }

    async fn question(&self, asked: &Asked) -> Result<Answer, Reason> {
        let mut transcript = String::new();
        let found = match &asked.reference {
            Some(id) => Some(self.view(id, &mut transcript).await?),
            None => self.find(asked, &mut transcript).await?,
        };
        let standing = found.as_ref().map_or(Standing::Unknown, |fax| fax.standing(&self.service.host));
        Ok(Answer { standing, transcript, reference: found.map(|fax| fax.id) })
    }

    async fn view(&self, id: &str, transcript: &mut String) -> Result<Fax, Reason> {
        let path = format!("/v2/faxes/{}", segment(id));
        Ok(self.get::<Data<Fax>>(&path, &[], transcript).await?.data)
    }

    /// The fax of the attempt `asked`, if there is one since it began.
    async fn find(&self, asked: &Asked, transcript: &mut String) -> Result<Option<Fax>, Reason> {
        let since = since(asked.began_at);
        let query = [
            ("filter[to][eq]", asked.contact.as_str()),
            ("filter[direction][eq]", "outbound"),
            ("filter[created_at][gte]", since.as_str()),
            ("page[size]", "250"),
        ];
        let Data { data: faxes } = self.get::<Data<Vec<Fax>>>("/v2/faxes", &query, transcript).await?;
        let wanted = state(&asked.key, asked.attempt);
        Ok(faxes
            .into_iter()
            .filter(|fax| fax.client_state.as_deref() == Some(&*wanted))
            .max_by_key(|fax| fax.created_at))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        transcript: &mut String,
    ) -> Result<T, Reason> {
        let request = self.service.login.bearer(self.service.request(Method::GET, path)).query(query);
        self.service.look(request, transcript).await
    }
}

impl Driver for Telnyx {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Number(to) => self.send(parcel, to, permit).boxed(),
            other => not_mine(other, "a number"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        let path = format!("/v2/fax_applications/{}", segment(&self.service.login.user));
        let request = self.service.login.bearer(self.service.request(Method::GET, &path));
        self.service.try_out(request, "knows the fax application").boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        self.service.turns.next().boxed()
    }

    fn settle(&self) -> Settle {
        Settle::Ask
    }

    fn form(&self) -> Form {
        Form::FaxPages(Resolution::Fine)
    }

    fn receipts(&self) -> Option<Receipts> {
        let poll = if self.webhook.is_some() { POLL.1 } else { POLL.0 };
        Some(Receipts { within: WITHIN, poll: Some(poll), holds: true, silence: Silence::Uncertain })
    }

    fn is_for_anybody(&self, code: &str) -> bool {
        !cause::is_by_destination(code)
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Result<Answer, Reason>> {
        self.question(asked).boxed()
    }

    fn hear(&self, callback: &Callback<'_>) -> Result<Heard, Unheard> {
        let (_, verifier) = self.webhook.as_ref().ok_or(Unheard::NotExpected)?;
        verifier.check(callback)?;
        webhook::read(callback.body, &self.service.host)
    }
}

/// An attempt as `client_state` has to have it.
fn state(key: &str, attempt: i32) -> String {
    BASE64_STANDARD.encode(format!("{attempt} {key}"))
}

fn since(began_at: DateTime<Utc>) -> String {
    (began_at - CLOCKS).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The report of an upload that failed: what is in doubt about it is harmless.
fn unsent(report: Report) -> Report {
    match report.outcome {
        Outcome::Uncertain(reason) => later(reason),
        _ => report,
    }
}

fn later(reason: Reason) -> Report {
    let text = format!("the file could not be uploaded, nobody was called: {}", reason.text);
    Report::new(Outcome::Deferred { reason: Reason { text, ..reason }, after: None })
}
