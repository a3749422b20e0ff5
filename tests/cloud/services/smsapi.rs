//! SMSAPI, as its documentation of `sms.do` has it.

use std::sync::Mutex;

use axum::http::Method;
use postbook::{channel::account::AccountConfig, contact::sms};
use serde_json::{Value, json as value};

use super::{Answer, Call, SECRET, Server, Service, field, fields, json};

/// A sender that is registered here, and numbers without the plus sign: one on no list of ours, one that opted out.
pub const FROM: &str = "Example";
pub const NOBODY: &str = "48601000013";
pub const OPTED_OUT: &str = "48601000059";

#[derive(Clone)]
pub struct Message {
    pub id: String,
    pub to: String,
    pub text: String,
    pub idx: String,
    pub notify_url: Option<String>,
    pub status: &'static str,
}

#[derive(Default)]
pub struct SmsApi {
    pub messages: Mutex<Vec<Message>>,
}

impl SmsApi {
    pub fn start() -> Server<Self> {
        Server::start(Self::default())
    }

    fn send(&self, call: &Call) -> Answer {
        let form = fields(&call.body);
        let get = |name: &str| field(&form, name);
        let (Some(to), Some(text)) = (get("to"), get("message").filter(|it| !it.is_empty())) else { return error(11) };
        match to.as_str() {
            NOBODY => return error(13),
            OPTED_OUT => return error(59),
            to if !to.bytes().all(|it| it.is_ascii_digit()) => return error(13),
            _ => {}
        }
        if get("from").is_some_and(|from| from != FROM) {
            return error(14);
        }
        let parts = sms::count(&text).parts;
        if get("max_parts").is_some_and(|most| parts > most.parse::<usize>().unwrap()) {
            return error(12);
        }
        let idx = get("idx").unwrap_or_default();
        let mut messages = self.messages.lock().unwrap();
        if get("check_idx").as_deref() == Some("1") && messages.iter().any(|it| it.idx == idx) {
            return error(53);
        }
        let id = format!("64DB10B0B1C4B83D{:06}", messages.len());
        let message = Message { id, to, text, idx, notify_url: get("notify_url"), status: "QUEUE" };
        messages.push(message.clone());
        json(200, &value!({ "count": 1, "list": [described(&message)] }))
    }

    fn view(&self, id: &str) -> Answer {
        match self.messages.lock().unwrap().iter().find(|it| it.id == id) {
            Some(message) => json(200, &value!({ "count": 1, "list": [described(message)] })),
            None => error(301),
        }
    }
}

impl Service for SmsApi {
    fn answer(&self, call: &Call) -> Answer {
        if call.header("authorization") != format!("Bearer {SECRET}") {
            return json(401, &value!({ "message": "Authorization failed", "error": 101 }));
        }
        match (&call.method, call.path.as_str(), field(&call.query, "status")) {
            (&Method::POST, "/sms.do", _) => self.send(call),
            (&Method::GET, "/sms.do", Some(id)) => self.view(&id),
            (&Method::GET, "/profile", _) => json(200, &value!({ "name": "example", "points": 12.5 })),
            _ => json(404, &value!({ "message": "Not found" })),
        }
    }

    fn sends(&self, call: &Call) -> bool {
        call.method == Method::POST
    }
}

impl Server<SmsApi> {
    /// An account here, with this secret.
    pub fn account(&self, secret: &str) -> AccountConfig {
        let mut config = AccountConfig::new(format!("smsapi://:{secret}@{}?tls=none", self.address));
        config.from = Some(FROM.to_owned());
        config.callback = Some("https://postbook.test/callbacks/sms".to_owned());
        config
    }
}

fn described(message: &Message) -> Value {
    value!({ "id": message.id, "points": 0.16, "number": message.to, "submitted_number": message.to,
        "date_sent": 1_700_000_000, "status": message.status, "error": null, "idx": message.idx, "parts": 1 })
}

fn error(code: u16) -> Answer {
    json(200, &value!({ "invalid_numbers": [], "error": code, "message": "as its documentation says" }))
}
