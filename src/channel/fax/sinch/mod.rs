//! Fax by Sinch, API version 3 (developers.sinch.com, Fax API, "Faxes", "Notifications", "Error Messages").
//!
//! The key is a label of the fax; what became of a request that was never answered is found by it in the list of faxes to
//! that number. Sinch would try three times by itself: told not to, because trying again is ours. The legal header line
//! is always said, because Sinch's own is a dash.
//!
//! Sinch does not sign what it says. Its callback is believed so far only as its address is ours, and then for no more
//! than that there is something to ask about: what became of the fax is read from the API.

mod cause;
mod fax;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::{BoxFuture, FutureExt};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use crate::{
    channel::{
        About, Answer, Asked, Callback, File, Form, Heard, Outcome, Parcel, Permit, Receipts, Report, Resolution,
        Settle, Silence, Standing, Turn, Unheard, Word,
        config::{AccountConfig, AccountFault},
        driver::{Driver, not_mine},
        mark,
        service::{CLOCKS, Reply, Service, ended, segment},
        token,
    },
    contact::{Contact, number::Number},
    reason::{Reason, Scope},
};

use self::fax::{Fax, Faxes, One};

/// How long a fax may take from being accepted to its end.
const WITHIN: Duration = Duration::from_secs(2 * 60 * 60);
/// How often it is asked: Sinch speaks up only at the end, and is asked what it means then.
const POLL: Duration = Duration::from_secs(30);
/// The longest header line that Sinch prints, in letters.
const HEADER: usize = 50;
/// The labels that hold the key and the attempt.
const LABEL: &str = "postbook";
const ATTEMPT: &str = "attempt";

/// A project of a Sinch account.
#[derive(Debug)]
pub(in crate::channel) struct Sinch {
    service: Service,
    /// `/v3/projects/PROJECT/faxes`.
    path: String,
    from: Number,
    header: String,
    callback: Option<String>,
}

impl Sinch {
    pub(in crate::channel) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        const REMEDY: &str = "`url` lacks a part; write sinch://KEY:SECRET@fax.api.sinch.com/PROJECT";
        let service = Service::open(url, config)?;
        let project = url.path().trim_matches('/');
        if !service.login.is_complete() || project.is_empty() || project.contains('/') {
            return Err(AccountFault::Incomplete(REMEDY));
        }
        let from = super::sender(config)?;
        Ok(Self {
            path: format!("/v3/projects/{project}/faxes"),
            header: header(config, &from)?,
            callback: config.callback.clone(),
            service,
            from,
        })
    }

    async fn send(&self, parcel: &Parcel, to: &Number, permit: Permit<'_>) -> Report {
        let file = match super::one_file(parcel).and_then(|file| Ok((file, kind(file)?))) {
            Ok(file) => file,
            Err(reason) => return Report::new(Outcome::Refused(reason)),
        };
        let body = self.body(parcel, to, file);
        let request = self.service.login.basic(self.service.upload(&self.path)).json(&body);
        self.service.submit(request, permit, |reply| self.taken(reply)).await
    }

    fn body(&self, parcel: &Parcel, to: &Number, (file, kind): (&File, &str)) -> Value {
        let mut body = json!({
            "to": to.as_str(),
            "from": self.from.as_str(),
            "files": [{ "file": BASE64_STANDARD.encode(&file.bytes), "fileType": kind }],
            "headerText": self.header,
            "headerPageNumbers": true,
            "maxRetries": 0,
            "resolution": "FINE",
            "labels": { LABEL: token::of_key(&parcel.key), ATTEMPT: parcel.attempt.to_string() },
        });
        if let Some(callback) = &self.callback {
            body["callbackUrl"] =
                mark::address(callback, &self.service.login.secret, (&parcel.key, parcel.attempt)).into();
            body["callbackUrlContentType"] = "application/json".into();
        }
        body
    }

    fn taken(&self, reply: &Reply) -> Report {
        if !reply.is_yes() {
            let (host, words) = (&self.service.host, self.service.words(&reply.text()));
            return cause::refusal(host, reply, &words).unwrap_or_else(|| ended(host, reply, &words));
        }
        match reply.json::<One>() {
            Some(One(fax)) => {
                let text = format!("{} took it as fax {} ({})", self.service.host, fax.id, fax.status);
                self.service.accepted(fax.id, text)
            }
            None => Report::new(Outcome::Uncertain(self.service.not_understood("sinch-words", reply))),
        }
    }

    async fn question(&self, asked: &Asked) -> Result<Answer, Reason> {
        let mut transcript = String::new();
        let found = match &asked.reference {
            Some(id) => {
                let request = self.get(&format!("{}/{}", self.path, segment(id)));
                Some(self.service.look::<One>(request, &mut transcript).await?.0)
            }
            None => self.find(asked, &mut transcript).await?,
        };
        let standing = found.as_ref().map_or(Standing::Unknown, |fax| fax.standing(&self.service.host));
        Ok(Answer { standing, transcript, reference: found.map(|fax| fax.id) })
    }

    /// The fax of the attempt `asked`, if there is one since it began.
    async fn find(&self, asked: &Asked, transcript: &mut String) -> Result<Option<Fax>, Reason> {
        let since = asked.began_at - CLOCKS;
        let query = [
            ("to", asked.contact.as_str()),
            ("direction", "OUTBOUND"),
            ("createTime>", &since.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("pageSize", "1000"),
        ];
        let Faxes { faxes } = self.service.look(self.get(&self.path).query(&query), transcript).await?;
        let (key, attempt) = (token::of_key(&asked.key), asked.attempt.to_string());
        let ours = |fax: &Fax| fax.labels.get(LABEL) == Some(&key) && fax.labels.get(ATTEMPT) == Some(&attempt);
        Ok(faxes.into_iter().filter(ours).max_by_key(|fax| fax.create_time))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.service.login.basic(self.service.request(Method::GET, path))
    }
}

impl Driver for Sinch {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Number(to) => self.send(parcel, to, permit).boxed(),
            other => not_mine(other, "a number"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.service.try_out(self.get(&self.path).query(&[("pageSize", "1")]), "lets us in").boxed()
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
        Some(Receipts { within: WITHIN, poll: Some(POLL), holds: true, silence: Silence::Uncertain })
    }

    fn is_for_anybody(&self, code: &str) -> bool {
        !cause::is_by_destination(code)
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Result<Answer, Reason>> {
        self.question(asked).boxed()
    }

    fn hear(&self, callback: &Callback<'_>) -> Result<Heard, Unheard> {
        if self.callback.is_none() {
            return Err(Unheard::NotExpected);
        }
        let marked = mark::read(callback.url, &self.service.login.secret)?;
        let event = fax::event(callback.body)?;
        let standing = Standing::Underway("the service says that it has ended, and is asked how".to_owned());
        let about = About::Attempt(marked.key, marked.attempt);
        let words = event.map(|id| Word { about, standing, at: None, id: Some(id) });
        let reply = crate::channel::Reply { media_type: "text/plain", body: String::new() };
        Ok(Heard { words: words.into_iter().collect(), reply })
    }
}

/// The line on top of every page, which the law of the United States wants to name the sender (47 CFR 68.318(d)).
fn header(config: &AccountConfig, from: &Number) -> Result<String, AccountFault> {
    let line = config.fax.header.clone().unwrap_or_else(|| from.to_string());
    if line.trim().is_empty() || line.chars().count() > HEADER || line.contains(char::is_control) {
        return Err(AccountFault::Incomplete("`header` has to be one line of 1 to 50 letters that names the sender"));
    }
    Ok(line)
}

/// What Sinch calls the form of `file`.
fn kind(file: &File) -> Result<&'static str, Reason> {
    Ok(match file.media_type.as_str() {
        "image/tiff" => "TIF",
        "application/pdf" => "PDF",
        "image/png" => "PNG",
        "image/jpeg" => "JPG",
        "text/plain" => "TXT",
        other => {
            let text = format!("`{}` is {other:.60}, which cannot be faxed", file.name);
            return Err(Reason::new(Scope::Document, "fax-bad-file", text));
        }
    })
}
