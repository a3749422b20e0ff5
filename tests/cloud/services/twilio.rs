//! Twilio, as its OpenAPI description of `Messages.json` has it.

use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderValue, Method};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use postbook::{channel::account::AccountConfig, clock::Clock};
use ring::hmac;
use serde_json::{Value, json as value};

use super::{Answer, Call, SECRET, Server, Service, field, fields, is_e164, json};

/// The account here, its number, and numbers of others: one that is none, one that opted out.
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub const FROM: &str = "+13125550100";
pub const NOBODY: &str = "+13125550199";
pub const OPTED_OUT: &str = "+13125550161";

#[derive(Clone)]
pub struct Message {
    pub sid: String,
    pub to: String,
    pub body: String,
    pub callback: Option<String>,
    pub status: &'static str,
    pub error_code: Option<i64>,
    pub created_at: DateTime<Utc>,
}

#[derive(Default)]
pub struct Twilio {
    pub messages: Mutex<Vec<Message>>,
    /// By which it says when it took what.
    pub clock: Clock,
}

impl Twilio {
    pub fn start() -> Server<Self> {
        Server::start(Self::default())
    }

    /// The headers of a callback to `url` with `body`.
    pub fn sign(&self, url: &str, body: &[u8]) -> HeaderMap {
        let mut form = fields(body);
        form.sort();
        let text = form.into_iter().fold(url.to_owned(), |text, (name, value)| text + &name + &value);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
        let signature = BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let mut headers = HeaderMap::new();
        headers.insert("x-twilio-signature", HeaderValue::from_str(&signature).unwrap());
        headers
    }

    fn send(&self, call: &Call) -> Answer {
        let form = fields(&call.body);
        let get = |name: &str| field(&form, name);
        let Some(to) = get("To") else { return error(400, 21604) };
        let Some(body) = get("Body").filter(|it| !it.is_empty()) else { return error(400, 21602) };
        match to.as_str() {
            OPTED_OUT => return error(400, 21610),
            to if !is_e164(to) || to == NOBODY => return error(400, 21211),
            _ => {}
        }
        match (get("From"), get("MessagingServiceSid")) {
            (Some(from), None) if from == FROM => {}
            (None, Some(service)) if service.starts_with("MG") => {}
            (None, None) => return error(400, 21603),
            _ => return error(400, 21606),
        }
        if body.chars().count() > 1600 {
            return error(400, 21617);
        }
        let mut messages = self.messages.lock().unwrap();
        let sid = format!("SM{:032x}", messages.len() + 1);
        let (callback, created_at) = (get("StatusCallback"), self.clock.now());
        let message = Message { sid, to, body, callback, status: "queued", error_code: None, created_at };
        messages.push(message.clone());
        json(201, &described(&message))
    }
}

impl Service for Twilio {
    fn answer(&self, call: &Call) -> Answer {
        let login = BASE64_STANDARD.encode(format!("{ACCOUNT}:{SECRET}"));
        if call.header("authorization") != format!("Basic {login}") {
            return error(401, 20003);
        }
        let root = format!("/2010-04-01/Accounts/{ACCOUNT}");
        let Some(rest) = call.path.strip_prefix(&root) else { return error(404, 20404) };
        let messages = || self.messages.lock().unwrap().clone();
        match (&call.method, rest) {
            (&Method::POST, "/Messages.json") => self.send(call),
            (&Method::GET, ".json") => json(200, &value!({ "sid": ACCOUNT, "status": "active" })),
            (&Method::GET, "/Messages.json") => {
                let to = field(&call.query, "To");
                let found = messages().into_iter().filter(|it| to.as_ref().is_none_or(|to| *to == it.to));
                json(200, &value!({ "messages": found.map(|it| described(&it)).collect::<Vec<_>>() }))
            }
            (&Method::GET, rest) => {
                let sid = rest.trim_start_matches("/Messages/").trim_end_matches(".json");
                let found = messages().into_iter().find(|it| it.sid == sid);
                found.map_or_else(|| error(404, 20404), |it| json(200, &described(&it)))
            }
            _ => error(404, 20404),
        }
    }

    fn sends(&self, call: &Call) -> bool {
        call.method == Method::POST
    }
}

impl Server<Twilio> {
    /// An account here, with this secret.
    pub fn account(&self, secret: &str) -> AccountConfig {
        let mut config = AccountConfig::new(format!("twilio://{ACCOUNT}:{secret}@{}?tls=none", self.address));
        config.from = Some(FROM.to_owned());
        config.callback = Some("https://postbook.test/callbacks/sms".to_owned());
        config
    }
}

fn described(message: &Message) -> Value {
    value!({ "sid": message.sid, "account_sid": ACCOUNT, "to": message.to, "from": FROM, "body": message.body,
        "status": message.status, "direction": "outbound-api", "error_code": message.error_code,
        "error_message": null, "num_segments": "1", "date_created": message.created_at.to_rfc2822(), "date_sent": null })
}

fn error(status: u16, code: i64) -> Answer {
    json(
        status,
        &value!({ "code": code, "message": "as its description says", "status": status,
        "more_info": format!("https://www.twilio.com/docs/errors/{code}") }),
    )
}
