//! Text messages by SMSAPI (docs.smsapi.com, "Single SMS", "Delivery confirmation", "Error codes").
//!
//! Our key goes along as `idx`, and SMSAPI is told to refuse a second message with the same one (`check_idx`). So a message
//! in doubt is simply sent again: what was taken before is not taken twice, and its refusal says that it is there. One
//! that SMSAPI took and failed to deliver is sent again under an `idx` of its own.
//!
//! SMSAPI does not sign its reports. They come to an address that bears our mark.

mod cause;
mod report;

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    channel::{
        Answer, Asked, Callback, Carries, Heard, Outcome, Parcel, Permit, Receipts, Report, Settle, Turn, Unheard,
        config::{AccountConfig, AccountFault},
        driver::{Driver, not_mine},
        mark,
        service::{Reply, Service, ended},
        token,
    },
    contact::{Contact, number::Number, sms::Parts},
    reason::{Reason, Scope},
};

use super::{Text, Wording, described, receipts};

/// Where messages are sent, and asked about.
const PATH: &str = "/sms.do";
/// How often it is asked what became of a message: seldom where it calls back.
const POLL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15 * 60));

/// An account at SMSAPI.
#[derive(Debug)]
pub(in crate::channel) struct SmsApi {
    service: Service,
    from: Option<String>,
    wording: Wording,
    callback: Option<String>,
}

/// What it answers: a list of messages, or what is wrong.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    list: Vec<Message>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: Option<Value>,
}

impl SmsApi {
    pub(in crate::channel) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let service = Service::open(url, config)?;
        if service.login.secret.expose().is_empty() {
            return Err(AccountFault::Incomplete("`url` lacks the token; write smsapi://:TOKEN@api.smsapi.com"));
        }
        let callback = config.callback.clone();
        Ok(Self { service, from: config.from.clone(), wording: Wording::of(config)?, callback })
    }

    async fn send(&self, parcel: &Parcel, to: &Number, permit: Permit<'_>) -> Report {
        let text = match self.wording.text(parcel) {
            Ok(text) => text,
            Err(reason) => return Report::new(Outcome::Refused(reason)),
        };
        let request = self.service.request(Method::POST, PATH).form(&self.form(parcel, to, &text));
        self.service.submit(self.service.login.bearer(request), permit, |reply| self.taken(reply, &text)).await
    }

    fn form(&self, parcel: &Parcel, to: &Number, text: &Text) -> Vec<(&'static str, String)> {
        let mut form = vec![
            ("to", to.digits().to_owned()),
            ("message", text.text.clone()),
            ("format", "json".to_owned()),
            ("encoding", "utf-8".to_owned()),
            ("idx", idx(&parcel.key, parcel.series)),
            ("check_idx", "1".to_owned()),
            ("max_parts", text.parts.parts.to_string()),
        ];
        form.extend(self.from.clone().map(|from| ("from", from)));
        if let Some(callback) = &self.callback {
            form.push((
                "notify_url",
                mark::address(callback, &self.service.login.secret, (&parcel.key, parcel.series)),
            ));
        }
        form
    }

    fn taken(&self, reply: &Reply, text: &Text) -> Report {
        let (host, words) = (&self.service.host, self.service.words(&reply.text()));
        if let Some(code) = error(reply) {
            return cause::refusal(host, &code, &words);
        }
        if !reply.is_yes() {
            return ended(host, reply, &words);
        }
        match reply.json::<Said>().and_then(|said| said.list.into_iter().next()) {
            Some(Message { id: Some(id), status, .. }) => {
                let text = format!("{host} took it as {id} ({status}); {}", described(&text.parts));
                self.service.accepted(id, text)
            }
            _ => Report::new(Outcome::Uncertain(self.service.not_understood("smsapi-words", reply))),
        }
    }

    async fn question(&self, asked: &Asked) -> Result<Answer, Reason> {
        let Some(id) = &asked.reference else {
            let text = "it can only be asked by its own number, which is not known; look for the text there before it is sent again";
            return Err(Reason::new(Scope::Attempt, "cannot-be-asked", text));
        };
        let mut transcript = String::new();
        let query = [("status", id.as_str()), ("format", "json")];
        let request = self.service.login.bearer(self.service.request(Method::GET, PATH)).query(&query);
        let said: Said = self.service.look(request, &mut transcript).await?;
        let unknown = || {
            let text = format!("{} does not know {id:.60}: {:.200}", self.service.host, said.message);
            Reason::new(Scope::Attempt, "smsapi-unknown", text)
        };
        let message = said.list.first().ok_or_else(unknown)?;
        let standing = report::standing(&message.status, &self.service.host).ok_or_else(unknown)?;
        Ok(Answer { standing, transcript, reference: Some(id.clone()) })
    }
}

impl Driver for SmsApi {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Number(to) => self.send(parcel, to, permit).boxed(),
            other => not_mine(other, "a number"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        let request = self.service.login.bearer(self.service.request(Method::GET, "/profile"));
        self.service.try_out(request, "lets us in").boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        self.service.turns.next().boxed()
    }

    fn parts(&self, parcel: &Parcel) -> Result<Option<Parts>, Reason> {
        Ok(Some(self.wording.text(parcel)?.parts))
    }

    fn carries(&self) -> Carries {
        Carries::Words
    }

    /// SMSAPI itself refuses to take a message twice.
    fn settle(&self) -> Settle {
        Settle::Repeat
    }

    fn receipts(&self) -> Option<Receipts> {
        Some(receipts(Some(if self.callback.is_some() { POLL.1 } else { POLL.0 })))
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Result<Answer, Reason>> {
        self.question(asked).boxed()
    }

    fn hear(&self, callback: &Callback<'_>) -> Result<Heard, Unheard> {
        if self.callback.is_none() {
            return Err(Unheard::NotExpected);
        }
        let marked = mark::read(callback.url, &self.service.login.secret)?;
        report::read(callback, marked, &self.service.host)
    }
}

/// What SMSAPI tells repeats by: the same for all attempts of which it may have taken one, another one after it took one.
fn idx(key: &str, series: i32) -> String {
    match series {
        1 => token::of_key(key),
        series => token::of_key(&format!("{key}-{series}")),
    }
}

/// The number of the error that `reply` is, however it is written: as JSON, in the message, or as `ERROR:105`.
fn error(reply: &Reply) -> Option<String> {
    let plain = |value: Value| match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text),
        _ => None,
    };
    if let Some(said) = reply.json::<Said>() {
        let of_message = |said: &Said| said.list.first().and_then(|message| message.error.clone());
        return of_message(&said).or(said.error).and_then(plain);
    }
    let code = reply.text().strip_prefix("ERROR:")?.chars().take_while(char::is_ascii_digit).collect::<String>();
    (!code.is_empty()).then_some(code)
}
