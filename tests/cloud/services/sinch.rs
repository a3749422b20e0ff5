//! Sinch, as its description of the Fax API, version 3, has it.

use std::sync::Mutex;

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use postbook::{channel::account::AccountConfig, clock::Clock};
use serde_json::{Value, json as value};

use super::{Answer, Call, SECRET, Server, Service, field, is_e164, json};

/// The key that is configured here, its project, its number, and one that no exchange has.
pub const KEY: &str = "access";
pub const PROJECT: &str = "YOUR-project-1";
pub const FROM: &str = "+13125550100";
pub const NOBODY: &str = "+13125550199";

/// What is asked of it, and what became of it.
#[derive(Clone)]
pub struct Fax {
    pub id: String,
    pub asked: Value,
    pub status: String,
    pub error: Option<(&'static str, i64)>,
    pub created_at: DateTime<Utc>,
}

#[derive(Default)]
pub struct Sinch {
    pub faxes: Mutex<Vec<Fax>>,
    /// Whether a fax is answered as a list of one.
    pub lists: bool,
    /// By which it says when it took what.
    pub clock: Clock,
}

impl Sinch {
    pub fn start() -> Server<Self> {
        Server::start(Self::default())
    }

    fn send(&self, call: &Call) -> Answer {
        let Ok(body) = serde_json::from_slice::<Value>(&call.body) else { return fault("body") };
        let to = body["to"].as_str().unwrap_or_default();
        if !is_e164(to) || to == NOBODY {
            return fault("to");
        }
        let file = &body["files"][0];
        let known = ["DOCX", "PDF", "TIF", "JPG", "TXT", "HTML", "PNG"];
        if !known.contains(&file["fileType"].as_str().unwrap_or_default())
            || BASE64_STANDARD.decode(file["file"].as_str().unwrap_or("?")).is_err()
        {
            return fault("files[0]");
        }
        if body["headerText"].as_str().is_some_and(|it| it.chars().count() > 50) {
            return fault("headerText");
        }
        if !body["maxRetries"].is_null() && !body["maxRetries"].as_i64().is_some_and(|it| (0..=5).contains(&it)) {
            return fault("maxRetries");
        }
        let labels = body["labels"].as_object();
        if labels.is_some_and(|it| it.values().any(|value| !value.is_string())) {
            return fault("labels");
        }
        let mut faxes = self.faxes.lock().unwrap();
        let id = format!("01HDFHACK1YN7CCDYRA6ZRMA{:02}", faxes.len());
        let fax = Fax { id, asked: body, status: "QUEUED".to_owned(), error: None, created_at: self.clock.now() };
        faxes.push(fax.clone());
        let one = described(&fax);
        json(200, &if self.lists { value!([one]) } else { one })
    }

    fn list(&self, call: &Call) -> Answer {
        let to = field(&call.query, "to");
        let since = field(&call.query, "createTime>").map(|it| it.parse::<DateTime<Utc>>().unwrap());
        let faxes = self.faxes.lock().unwrap();
        let found = faxes.iter().filter(|it| to.as_ref().is_none_or(|to| it.asked["to"] == **to));
        let found = found.filter(|it| since.is_none_or(|since| it.created_at >= since));
        json(200, &value!({ "faxes": found.map(described).collect::<Vec<_>>(), "pageNumber": 1, "totalPages": 1 }))
    }
}

impl Service for Sinch {
    fn answer(&self, call: &Call) -> Answer {
        let login = BASE64_STANDARD.encode(format!("{KEY}:{SECRET}"));
        if call.header("authorization") != format!("Basic {login}") {
            return json(
                401,
                &value!({ "error": { "code": 401, "message": "Unauthorized", "status": "UNAUTHENTICATED" } }),
            );
        }
        let root = format!("/v3/projects/{PROJECT}/faxes");
        match (&call.method, call.path.strip_prefix(&root)) {
            (&Method::POST, Some("")) => self.send(call),
            (&Method::GET, Some("")) => self.list(call),
            (&Method::GET, Some(rest)) => {
                let faxes = self.faxes.lock().unwrap();
                let fax = faxes.iter().find(|it| rest.strip_prefix('/') == Some(&it.id));
                fax.map_or_else(missing, |fax| json(200, &described(fax)))
            }
            _ => missing(),
        }
    }

    fn sends(&self, call: &Call) -> bool {
        call.method == Method::POST
    }
}

impl Server<Sinch> {
    /// An account here, with this secret.
    pub fn account(&self, secret: &str) -> AccountConfig {
        let mut config = AccountConfig::new(format!("sinch://{KEY}:{secret}@{}/{PROJECT}?tls=none", self.address));
        config.from = Some(FROM.to_owned());
        config.fax.header = Some("Example Builders".to_owned());
        config.callback = Some("https://postbook.test/callbacks/fax".to_owned());
        config
    }
}

/// The fax as it is described, in answers and in callbacks.
pub fn described(fax: &Fax) -> Value {
    let mut described = value!({
        "id": fax.id, "direction": "OUTBOUND", "to": fax.asked["to"], "from": fax.asked["from"], "status": fax.status,
        "numberOfPages": 1, "labels": fax.asked["labels"], "maxRetries": fax.asked["maxRetries"], "retryCount": 0,
        "createTime": fax.created_at, "headerText": fax.asked["headerText"],
    });
    if fax.status == "COMPLETED" {
        described["pagesSentSuccessfully"] = 1.into();
    }
    if let Some((kind, number)) = fax.error {
        described["errorType"] = kind.into();
        described["errorCode"] = number.into();
        described["errorMessage"] = "as told".into();
    }
    described
}

fn missing() -> Answer {
    json(404, &value!({ "error": { "code": 404, "message": "not found", "status": "NOT_FOUND" } }))
}

fn fault(field: &str) -> Answer {
    let violations = value!([{ "field": field, "description": "as its description says" }]);
    let error = value!({ "code": 400, "message": "invalid", "status": "INVALID_ARGUMENT",
        "details": [{ "type": "BadRequest", "fieldViolations": violations }] });
    json(400, &value!({ "error": error }))
}
