//! The API as a program uses it, and the batches it sets up.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{Method, RequestBuilder, Response};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde_json::{Value, json};

use crate::node::until;

/// A caller with an administrator's token.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    address: String,
    token: String,
}

impl Api {
    pub fn new(address: String, token: &str) -> Self {
        Self { http: client(), address, token: token.to_owned() }
    }

    /// A request below `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.address)).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Value {
        good(self.request(Method::GET, path)).await.json().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        good(self.request(Method::POST, path).json(&body)).await.json().await.unwrap()
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        good(self.request(Method::PUT, path).json(&body)).await.json().await.unwrap()
    }

    /// The answer's body as it comes.
    pub async fn download(&self, path: &str) -> Response {
        good(self.request(Method::GET, path)).await
    }

    /// Saves a batch and starts it. Gives the run.
    pub async fn start(&self, batch: &Value) -> i64 {
        self.post("/batches", batch.clone()).await;
        self.fire(batch, json!({})).await
    }

    /// Starts a batch that is saved.
    pub async fn fire(&self, batch: &Value, body: Value) -> i64 {
        let path = format!("/batches/{}/runs", batch["name"].as_str().unwrap());
        self.post(&path, body).await["id"].as_i64().unwrap()
    }

    /// Sets up a document from a template, and a user it can be rendered for.
    pub async fn set_up_orders(&self) {
        let parameter = json!({ "since": { "type": "date", "default": "2026-01-01" } });
        let orders = json!({ "name": "orders", "title": "Open orders", "kind": "template",
            "template": "templates/open-orders.typ", "params": parameter });
        self.post("/documents", orders).await;
        let attributes = json!({ "company": "Harbour Homes" });
        self.post("/users", json!({ "name": "site-a", "title": "Site A", "attributes": attributes })).await;
    }

    pub async fn run(&self, run: i64) -> Value {
        self.get(&format!("/runs/{run}")).await
    }

    pub async fn act(&self, run: i64, act: &str) -> Value {
        self.post(&format!("/runs/{run}/{act}"), json!({})).await
    }

    /// Waits for the end of a run.
    pub async fn ended(&self, run: i64) -> Value {
        until("the run ends", async || Some(self.run(run).await).filter(|it| !it["ended_at"].is_null())).await
    }

    /// All transmissions of a run.
    pub async fn transmissions(&self, run: i64) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = self.get(&format!("/runs/{run}/transmissions?limit=1000&after={after}")).await;
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return all,
            }
        }
    }

    pub async fn attempts(&self, transmission: &Value) -> Vec<Value> {
        let page = self.get(&format!("/transmissions/{}/attempts", transmission["id"])).await;
        page["items"].as_array().unwrap().clone()
    }
}

async fn good(request: RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    let (status, url) = (response.status(), response.url().clone());
    if !status.is_success() {
        panic!("{url}: {status}: {}", response.text().await.unwrap());
    }
    response
}

/// A client that speaks no TLS.
pub fn client() -> reqwest::Client {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

/// A batch of one small document to `mailboxes`, by the account `account`.
pub fn batch(name: &str, account: &str, mailboxes: impl IntoIterator<Item = String>) -> Value {
    let recipients = mailboxes.into_iter().map(|it| json!({ "name": it.split_once('@').unwrap().0, "email": it }));
    json!({
        "name": name, "title": name, "workflow": "quick", "run_as": "admin", "enabled": true,
        "documents": [stored("checklist", b"lock,gate\r\n")],
        "recipients": recipients.collect::<Vec<_>>(),
        "message": { "subject": "{{ document.title }}, {{ business_date }}", "text": "Good morning {{ recipient.name }}" },
        "accounts": { "email": account },
    })
}

/// The same batch with the document from a template instead, for the user it can be rendered for.
pub fn with_orders(mut batch: Value, params: Value) -> Value {
    batch["documents"] = json!([{ "document": "orders", "params": params }]);
    batch["run_as"] = "site-a".into();
    batch
}

/// A stored document, as batches hold it.
pub fn stored(name: &str, bytes: &[u8]) -> Value {
    let content = BASE64_STANDARD.encode(bytes);
    json!({ "name": name, "title": name, "file": format!("{name}.csv"), "media_type": "text/csv", "content": content })
}

/// `count` mailboxes whose names begin with `word`.
pub fn mailboxes(word: &str, count: usize) -> impl Iterator<Item = String> + use<> {
    let word = word.to_owned();
    (0..count).map(move |number| format!("{word}-{number}@test.local"))
}

/// A word nobody used before.
pub fn unique() -> String {
    format!("n{:016x}", rand::random::<u64>())
}
