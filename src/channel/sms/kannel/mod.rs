//! Text messages by Kannel's HTTP interface (Kannel user guide 1.4.5, "SMS push", "Delivery reports").
//!
//! Kannel answers when its bearerbox has stored the message. It cannot be asked what became of one: its delivery reports
//! are all there is, and its default store for those does not survive a restart. A report comes to an address that bears
//! our mark. What is in doubt waits for its report, or for a person.

mod report;

use futures::future::{BoxFuture, FutureExt};
use reqwest::Method;
use url::Url;

use crate::{
    channel::{
        Callback, Carries, Heard, Outcome, Parcel, Permit, Proof, Receipts, Report, Settle, Turn, Unheard,
        config::{AccountConfig, AccountFault},
        driver::{Driver, not_mine},
        mark,
        service::{Reply, Service, ended},
    },
    contact::{
        Contact,
        number::Number,
        sms::{Encoding, Parts},
    },
    reason::{Reason, Scope},
};

use super::{Text, Wording, described, receipts};

/// Where Kannel takes messages, unless the account says otherwise.
const PATH: &str = "/cgi-bin/sendsms";
/// All kinds of reports: delivered 1, failed 2, buffered 4, accepted 8, refused 16.
const MASK: &str = "31";

/// A user of a Kannel.
#[derive(Debug)]
pub(in crate::channel) struct Kannel {
    service: Service,
    path: String,
    from: Option<String>,
    wording: Wording,
    callback: Option<String>,
}

impl Kannel {
    pub(in crate::channel) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let service = Service::open(url, config)?;
        if !service.login.is_complete() {
            return Err(AccountFault::Incomplete(
                "`url` lacks a part; write kannel://USER:PASSWORD@HOST:13013?tls=none",
            ));
        }
        let path = if matches!(url.path(), "" | "/") { PATH } else { url.path() };
        Ok(Self {
            service,
            path: path.to_owned(),
            from: config.from.clone(),
            wording: Wording::of(config)?,
            callback: config.callback.clone(),
        })
    }

    async fn send(&self, parcel: &Parcel, to: &Number, permit: Permit<'_>) -> Report {
        let text = match self.wording.text(parcel) {
            Ok(text) => text,
            Err(reason) => return Report::new(Outcome::Refused(reason)),
        };
        let request = self.service.request(Method::GET, &self.path).query(&self.query(parcel, to, &text));
        self.service.submit(request, permit, |reply| self.taken(reply, &text)).await
    }

    fn query(&self, parcel: &Parcel, to: &Number, text: &Text) -> Vec<(&'static str, String)> {
        let login = &self.service.login;
        let coding = if text.parts.encoding == Encoding::Gsm7 { "0" } else { "2" };
        let mut query = vec![
            ("username", login.user.clone()),
            ("password", login.secret.expose().to_owned()),
            ("to", to.to_string()),
            ("text", text.text.clone()),
            ("charset", "UTF-8".to_owned()),
            ("coding", coding.to_owned()),
        ];
        query.extend(self.from.clone().map(|from| ("from", from)));
        if let Some(callback) = &self.callback {
            let address = mark::address(callback, &login.secret, (&parcel.key, parcel.attempt));
            query.push(("dlr-mask", MASK.to_owned()));
            query.push(("dlr-url", format!("{address}{}", report::FIELDS)));
        }
        query
    }

    /// Accepted means stored: its bearerbox has confirmed it ("0: Accepted for delivery", "3: Queued for later delivery").
    fn taken(&self, reply: &Reply, text: &Text) -> Report {
        let (host, words) = (&self.service.host, self.service.words(&reply.text()));
        match reply.status {
            200..300 => {
                let proof = Proof { by: host.clone(), text: format!("{words}; {}", described(&text.parts)) };
                Report::new(match self.callback {
                    Some(_) => Outcome::Accepted(proof),
                    None => Outcome::Delivered(proof),
                })
            }
            // "Temporal failure, try again later": its bearerbox did not take the message.
            503 => {
                let reason = Reason::new(Scope::Attempt, "http-503", format!("{host} answered 503: {words}"));
                Report::new(Outcome::Deferred { reason, after: reply.after })
            }
            400..500 if words.to_lowercase().contains("denied by white") => {
                let reason = Reason::new(Scope::Contact, "sms-denied", format!("{host} answered: {words}"));
                Report::new(Outcome::Refused(reason))
            }
            _ => ended(host, reply, &words),
        }
    }

    /// A message to nobody: Kannel checks who asks before it finds that out.
    async fn try_out(&self) -> Result<String, Reason> {
        let login = &self.service.login;
        let query = [("username", login.user.as_str()), ("password", login.secret.expose())];
        let request = self.service.request(Method::GET, &self.path).query(&query);
        let reply = self.service.exchange(request, &mut String::new()).await;
        let reply = reply.map_err(|trouble| trouble.harmless(&self.service.host))?;
        let words = self.service.words(&reply.text());
        match reply.status {
            400 => Ok(format!("{} lets us in", self.service.host)),
            403 if !words.contains("Authorization") => Ok(format!("{} lets us in", self.service.host)),
            status => {
                let text = format!("{} answered {status}: {words}", self.service.host);
                Err(Reason::new(Scope::Account, format!("http-{status}"), text))
            }
        }
    }
}

impl Driver for Kannel {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Number(to) => self.send(parcel, to, permit).boxed(),
            other => not_mine(other, "a number"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.try_out().boxed()
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

    fn settle(&self) -> Settle {
        Settle::Hold
    }

    fn receipts(&self) -> Option<Receipts> {
        self.callback.is_some().then(|| receipts(None))
    }

    fn hear(&self, callback: &Callback<'_>) -> Result<Heard, Unheard> {
        if self.callback.is_none() {
            return Err(Unheard::NotExpected);
        }
        let marked = mark::read(callback.url, &self.service.login.secret)?;
        report::read(callback.url, marked, &self.service.host)
    }
}
