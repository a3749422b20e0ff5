//! Telnyx, as its OpenAPI description of `/faxes` and `/media` has it.

use std::{collections::BTreeMap, sync::Mutex};

use axum::http::{HeaderMap, HeaderValue, Method};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use postbook::{channel::account::AccountConfig, clock::Clock};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json as value};

use super::{Answer, Call, SECRET, Server, Service, field, is_e164, json};

/// The fax application that is configured here, its number, and one that no exchange has.
pub const CONNECTION: &str = "1293384261075731499";
pub const FROM: &str = "+13125550100";
pub const NOBODY: &str = "+13125550199";

/// A fax that was asked for.
#[derive(Clone)]
pub struct Fax {
    pub id: String,
    pub to: String,
    pub client_state: String,
    pub webhook_url: Option<String>,
    pub name: String,
    pub bytes: Bytes,
    pub status: String,
    pub failure_reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl Fax {
    /// The key in its state, which begins with the attempt.
    pub fn key(&self) -> String {
        let state = String::from_utf8(BASE64_STANDARD.decode(&self.client_state).unwrap()).unwrap();
        state.split_once(' ').unwrap().1.to_owned()
    }
}

pub struct Telnyx {
    pub faxes: Mutex<Vec<Fax>>,
    media: Mutex<BTreeMap<String, (String, Bytes)>>,
    key: Ed25519KeyPair,
    /// By which it says when it took what.
    pub clock: Clock,
}

impl Telnyx {
    pub fn start() -> Server<Self> {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        Server::start(Self { faxes: Mutex::default(), media: Mutex::default(), key, clock: Clock::default() })
    }

    /// The key that the portal shows.
    pub fn public_key(&self) -> String {
        BASE64_STANDARD.encode(self.key.public_key())
    }

    /// The headers of a webhook with `body`, sent at `at`.
    pub fn sign(&self, body: &[u8], at: DateTime<Utc>) -> HeaderMap {
        let time = at.timestamp().to_string();
        let signature = self.key.sign(&[time.as_bytes(), b"|", body].concat());
        let header = |text: String| HeaderValue::from_str(&text).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("telnyx-timestamp", header(time));
        headers.insert("telnyx-signature-ed25519", header(BASE64_STANDARD.encode(signature)));
        headers
    }

    fn upload(&self, call: &Call) -> Answer {
        let Some((name, bytes)) = part(call, "media") else { return fault(422, "10015", "/media") };
        let mut media = self.media.lock().unwrap();
        let id = format!("media-{}", media.len());
        media.insert(id.clone(), (name, bytes));
        json(200, &value!({ "data": { "media_name": id, "expires_at": "2030-01-01T00:00:00Z" } }))
    }

    fn send(&self, call: &Call) -> Answer {
        let Ok(body) = serde_json::from_slice::<Value>(&call.body) else { return fault(400, "10015", "") };
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        for required in ["connection_id", "from", "to"] {
            if text(required).is_none_or(|it| it.is_empty()) {
                return fault(422, "10004", &format!("/{required}"));
            }
        }
        if text("connection_id").as_deref() != Some(CONNECTION) {
            return fault(422, "10011", "/connection_id");
        }
        let to = text("to").unwrap();
        if !is_e164(&to) || to == NOBODY {
            return fault(422, "40310", "/to");
        }
        let media = text("media_name").and_then(|name| self.media.lock().unwrap().get(&name).cloned());
        let Some((name, bytes)) = media else { return fault(422, "10015", "/media_name") };
        let client_state = text("client_state").unwrap_or_default();
        if BASE64_STANDARD.decode(&client_state).is_err() {
            return fault(422, "10015", "/client_state");
        }
        let mut faxes = self.faxes.lock().unwrap();
        let fax = Fax {
            id: format!("0ccc7b54-4df3-4bca-a65a-{:012}", faxes.len()),
            to,
            client_state,
            webhook_url: text("webhook_url"),
            name,
            bytes,
            status: "queued".to_owned(),
            failure_reason: None,
            created_at: self.clock.now(),
        };
        faxes.push(fax.clone());
        json(202, &value!({ "data": described(&fax) }))
    }

    fn list(&self, call: &Call) -> Answer {
        let to = field(&call.query, "filter[to][eq]");
        let since = field(&call.query, "filter[created_at][gte]");
        let since = since.map(|it| it.parse::<DateTime<Utc>>().unwrap());
        let faxes = self.faxes.lock().unwrap();
        let found = faxes.iter().filter(|it| to.as_ref().is_none_or(|to| *to == it.to));
        let found = found.filter(|it| since.is_none_or(|since| it.created_at >= since));
        json(200, &value!({ "data": found.map(described).collect::<Vec<_>>() }))
    }

    fn view(&self, id: &str) -> Answer {
        match self.faxes.lock().unwrap().iter().find(|it| it.id == id) {
            Some(fax) => json(200, &value!({ "data": described(fax) })),
            None => fault(404, "10005", ""),
        }
    }
}

impl Service for Telnyx {
    fn answer(&self, call: &Call) -> Answer {
        if call.header("authorization") != format!("Bearer {SECRET}") {
            return fault(401, "10009", "");
        }
        match (&call.method, call.path.as_str()) {
            (&Method::POST, "/v2/media") => self.upload(call),
            (&Method::POST, "/v2/faxes") => self.send(call),
            (&Method::GET, "/v2/faxes") => self.list(call),
            (&Method::GET, path) => match (path.strip_prefix("/v2/faxes/"), path.strip_prefix("/v2/fax_applications/"))
            {
                (Some(id), _) => self.view(&super::fields(id.as_bytes())[0].0),
                (_, Some(CONNECTION)) => json(200, &value!({ "data": { "id": CONNECTION, "active": true } })),
                _ => fault(404, "10005", ""),
            },
            _ => fault(404, "10005", ""),
        }
    }

    fn sends(&self, call: &Call) -> bool {
        call.method == Method::POST && call.path == "/v2/faxes"
    }
}

impl Server<Telnyx> {
    /// An account here, with this secret.
    pub fn account(&self, secret: &str) -> AccountConfig {
        let mut config = AccountConfig::new(format!("telnyx://{CONNECTION}:{secret}@{}?tls=none", self.address));
        config.from = Some(FROM.to_owned());
        config.verify = Some(self.service.public_key());
        config.callback = Some("https://postbook.test/callbacks/fax".to_owned());
        config
    }
}

fn described(fax: &Fax) -> Value {
    value!({
        "record_type": "fax", "id": fax.id, "connection_id": CONNECTION, "direction": "outbound", "from": FROM,
        "to": fax.to, "status": fax.status, "client_state": fax.client_state, "failure_reason": fax.failure_reason,
        "webhook_url": fax.webhook_url, "created_at": fax.created_at, "updated_at": fax.created_at,
    })
}

fn fault(status: u16, code: &str, pointer: &str) -> Answer {
    let errors = value!([{ "code": code, "title": "Refused", "detail": "as its description says",
        "source": { "pointer": pointer } }]);
    json(status, &value!({ "errors": errors }))
}

/// The file called `name` of a form (RFC 7578).
fn part(call: &Call, name: &str) -> Option<(String, Bytes)> {
    let boundary = call.header("content-type").strip_prefix("multipart/form-data; boundary=")?;
    let delimiter = format!("--{}", boundary.trim_matches('"')).into_bytes();
    let at =
        |from: usize, what: &[u8]| call.body[from..].windows(what.len()).position(|it| it == what).map(|it| it + from);
    let wanted = format!("name=\"{name}\"");
    let begin = at(0, wanted.as_bytes())?;
    let head = at(begin, b"\r\n\r\n")?;
    let end = at(head, &[b"\r\n".as_slice(), &delimiter].concat())?;
    let line = String::from_utf8(call.body[begin..head].to_vec()).ok()?;
    let file = line.split("filename=\"").nth(1)?.split("\"\r\n").next()?.trim_end_matches('"').to_owned();
    Some((file, call.body.slice(head + 4..end)))
}
