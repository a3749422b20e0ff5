//! Text messages by Twilio, API 2010-04-01 (www.twilio.com/docs/messaging/api/message-resource).
//!
//! Twilio knows no key of ours and recognises no repeat. What became of a request that was never answered is looked for
//! among the messages to that number at that time: when there is none it is sent again, and when there is one, which may be
//! another transmission's, a person decides. Its callbacks are signed.

mod cause;
mod message;
mod signature;

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use url::Url;

use crate::{
    channel::{
        Answer, Asked, Callback, Carries, Heard, Outcome, Parcel, Permit, Receipts, Report, Settle, Standing, Turn,
        Unheard,
        config::{AccountConfig, AccountFault},
        driver::{Driver, not_mine},
        service::{CLOCKS, Reply, Service, ended, segment},
    },
    contact::{Contact, number::Number, sms::Parts},
    reason::{Reason, Scope},
};

use self::message::Message;
use super::{Text, Wording, described, receipts};

/// The longest text that Twilio takes, in letters.
const LONGEST: usize = 1600;
/// How often it is asked what became of a message: seldom where it calls back.
const POLL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15 * 60));

/// An account at Twilio.
#[derive(Debug)]
pub(in crate::channel) struct Twilio {
    service: Service,
    /// `/2010-04-01/Accounts/SID`.
    path: String,
    from: String,
    wording: Wording,
    callback: Option<String>,
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Message>,
}

impl Twilio {
    pub(in crate::channel) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let service = Service::open(url, config)?;
        if !service.login.is_complete() {
            return Err(AccountFault::Incomplete("`url` lacks a part; write twilio://ACCOUNT:TOKEN@api.twilio.com"));
        }
        let from = config.from.clone().filter(|from| !from.trim().is_empty());
        let from = from.ok_or(AccountFault::Incomplete(
            "`from` is missing; write the number or name to send from, or the messaging service, MG...",
        ))?;
        let path = format!("/2010-04-01/Accounts/{}", segment(&service.login.user));
        Ok(Self { service, path, from, wording: Wording::of(config)?, callback: config.callback.clone() })
    }

    async fn send(&self, parcel: &Parcel, to: &Number, permit: Permit<'_>) -> Report {
        let text = match self.text(parcel) {
            Ok(text) => text,
            Err(reason) => return Report::new(Outcome::Refused(reason)),
        };
        let request = self.request(Method::POST, "/Messages.json").form(&self.form(to, &text));
        self.service.submit(request, permit, |reply| self.taken(reply, &text)).await
    }

    /// The text of `parcel`, if Twilio takes it.
    fn text(&self, parcel: &Parcel) -> Result<Text, Reason> {
        let text = self.wording.text(parcel)?;
        if text.text.chars().count() > LONGEST { Err(too_long()) } else { Ok(text) }
    }

    fn form(&self, to: &Number, text: &Text) -> Vec<(&'static str, String)> {
        let sender = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let mut form = vec![("To", to.to_string()), (sender, self.from.clone()), ("Body", text.text.clone())];
        form.extend(self.callback.clone().map(|callback| ("StatusCallback", callback)));
        form
    }

    fn taken(&self, reply: &Reply, text: &Text) -> Report {
        let host = &self.service.host;
        if !reply.is_yes() {
            let words = self.service.words(&reply.text());
            return cause::refusal(host, reply, &words).unwrap_or_else(|| ended(host, reply, &words));
        }
        match reply.json::<Message>() {
            Some(Message { sid, status, .. }) => {
                let text = format!("{host} took it as {sid} ({status}); {}", described(&text.parts));
                self.service.accepted(sid, text)
            }
            None => Report::new(Outcome::Uncertain(self.service.not_understood("twilio-words", reply))),
        }
    }

    async fn question(&self, asked: &Asked) -> Result<Answer, Reason> {
        let mut transcript = String::new();
        let Some(sid) = &asked.reference else { return self.find(asked, transcript).await };
        let request = self.request(Method::GET, &format!("/Messages/{}.json", segment(sid)));
        let message: Message = self.service.look(request, &mut transcript).await?;
        let standing = message.standing(&self.service.host);
        Ok(Answer { standing, transcript, reference: Some(message.sid) })
    }

    /// Whether there is any message that may be the attempt `asked`.
    async fn find(&self, asked: &Asked, mut transcript: String) -> Result<Answer, Reason> {
        let query = [("To", asked.contact.as_str()), ("PageSize", "1000")];
        let request = self.request(Method::GET, "/Messages.json").query(&query);
        let found: Messages = self.service.look(request, &mut transcript).await?;
        let since = asked.began_at - CLOCKS;
        let candidates = found.messages.into_iter().filter(|message| message.may_be_ours(since));
        let candidates: Vec<_> = candidates.map(|message| message.sid).collect();
        if candidates.is_empty() {
            return Ok(Answer { standing: Standing::Unknown, transcript, reference: None });
        }
        let text = format!(
            "{} has {} to this number since {}, which may be this one: {:.300}",
            self.service.host,
            if candidates.len() == 1 { "a message".to_owned() } else { format!("{} messages", candidates.len()) },
            since.format("%H:%M UTC"),
            candidates.join(", ")
        );
        Err(Reason::new(Scope::Attempt, "cannot-be-told-apart", text))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.service.login.basic(self.service.request(method, &format!("{}{path}", self.path)))
    }
}

impl Driver for Twilio {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Number(to) => self.send(parcel, to, permit).boxed(),
            other => not_mine(other, "a number"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.service.try_out(self.request(Method::GET, ".json"), "knows the account").boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        self.service.turns.next().boxed()
    }

    fn parts(&self, parcel: &Parcel) -> Result<Option<Parts>, Reason> {
        Ok(Some(self.text(parcel)?.parts))
    }

    fn carries(&self) -> Carries {
        Carries::Words
    }

    fn settle(&self) -> Settle {
        Settle::Ask
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
        signature::check(callback, &self.service.login.secret)?;
        message::read(callback.body, &self.service.host)
    }
}

fn too_long() -> Reason {
    let text = format!("the text is longer than the {LONGEST} letters that Twilio takes; shorten it");
    Reason::new(Scope::Document, "sms-too-long", text)
}
