//! A Postbook whose doors are open on a port of their own, and a visitor who comes by a link.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use postbook::{
    app,
    channel::account::AccountConfig,
    http,
    id::{RunId, TransmissionId},
    run::{self, PreviewTransmission, book::Transmission, receipt},
    secret::Secret,
    setup,
};
use reqwest::{Client, Method, Response, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::TestApp;

/// What links are made from in these tests.
pub const SECRET: &str = "a secret of more than thirty-two letters";

pub struct Site {
    pub app: TestApp,
    pub url: String,
    client: Client,
    _stop: DropGuard,
}

impl Site {
    /// With a pickup account `links` that mails by `mail`, and whatever `change` makes of the accounts.
    pub async fn open(db: PgPool, change: impl FnOnce(&mut BTreeMap<String, AccountConfig>)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = TestApp::start_on(db, |accounts| {
            accounts.insert("links".to_owned(), links(&url));
            change(accounts);
        })
        .await;
        let stop = CancellationToken::new();
        let doors = http::App::new(app.engine.clone(), app::accounts(&app.engine).accounts, 1 << 20);
        let router = http::router(doors).unwrap();
        tokio::spawn(http::serve(listener, router, http::Patience::default(), stop.clone()));
        // Each step of the way is looked at, so nothing is followed.
        let client = Client::builder().tls_backend_preconfigured(tls()).redirect(redirect::Policy::none()).no_proxy();
        Self { app, url, client: client.build().unwrap(), _stop: stop.drop_guard() }
    }

    /// Runs a batch with these documents for Ann, who has these contacts.
    pub async fn send(&self, documents: &[&str], contacts: &str) -> RunId {
        self.send_with(documents, contacts, "").await
    }

    /// The same of a batch that says `more`.
    pub async fn send_with(&self, documents: &[&str], contacts: &str, more: &str) -> RunId {
        self.set_up(documents, contacts, more).await;
        self.app.run("plans").await
    }

    /// The batch without its run.
    pub async fn set_up(&self, documents: &[&str], contacts: &str, more: &str) {
        let documents: Vec<_> = documents.iter().map(|name| format!("{{ document = \"{name}\" }}")).collect();
        let documents = documents.join(", ");
        let batch = format!(
            r#"
            [[batch]]
            name = "plans"
            title = "Plans"
            workflow = "quick"
            run_as = "site-a"
            bundle = true
            documents = [{documents}]
            recipients = [{{ name = "Ann", {contacts} }}]
            message = {{ subject = "Plans for {{{{ recipient.name }}}}", text = "Good morning." }}
            {more}
            "#
        );
        self.app.apply(&batch).await;
    }

    /// Adds a stored document with these bytes.
    pub async fn store(&self, name: &str, bytes: &[u8]) {
        let text = format!(
            "[[document]]\nname = \"{name}\"\ntitle = \"{name}\"\nkind = \"stored\"\npath = \"{name}.bin\"\n\
             media_type = \"application/octet-stream\""
        );
        let (app, bytes) = (&self.app, bytes.to_vec());
        let wishes = setup::wishes("test.toml", None, toml::from_str(&text).unwrap(), &|_| Ok(bytes.clone())).unwrap();
        let plan = setup::plan(&app.shelf, &app::accounts(&app.engine), wishes).await.unwrap();
        plan.carry_out(&app.shelf, &app.author()).await.unwrap();
    }

    /// The transmission of a run that has one.
    pub async fn only(&self, run: RunId) -> Transmission {
        let mut all = self.app.transmissions(run).await;
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// What the preview says of the one transmission that the batch would have.
    pub async fn foreseen(&self) -> PreviewTransmission {
        let preview = run::preview(&self.app.engine, "plans", None, &Default::default()).await.unwrap();
        let mut all = [preview.transmissions, preview.missing].concat();
        assert_eq!((all.len(), preview.queued + preview.failed), (1, 1));
        all.remove(0)
    }

    pub async fn state(&self, run: RunId) -> &'static str {
        self.only(run).await.state.name()
    }

    /// Words of far sides about a transmission, in short.
    pub async fn words(&self, transmission: TransmissionId) -> Vec<String> {
        let receipts = receipt::receipts(&self.app.db, transmission, false).await.unwrap();
        let short = |it: receipt::Receipt| format!("{} {}", it.standing, it.effect.unwrap_or_default());
        receipts.into_iter().map(short).collect()
    }

    /// Lets a time pass, with all that then becomes due.
    pub async fn wait(&self, time: Duration) {
        self.app.engine.clock.advance(time);
        receipt::expire(&self.app.engine).await.unwrap();
        self.app.drain().await;
    }

    /// Asks as a person with a browser would.
    pub async fn visit(&self, method: Method, url: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.client.request(method, url).header("user-agent", "Browser/1.0");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub async fn get(&self, url: &str) -> Response {
        self.visit(Method::GET, url, &[]).await
    }

    /// Presses a button; gives the address that it leads to.
    pub async fn press(&self, link: &str, position: usize) -> String {
        let url = format!("{link}/files/{position}");
        let answer = self.visit(Method::POST, &url, &[("x-forwarded-for", "203.0.113.7")]).await;
        assert_eq!(answer.status(), 303);
        let there = answer.headers()["location"].to_str().unwrap();
        answer.url().join(there).unwrap().to_string()
    }
}

/// For a client that speaks no TLS here.
fn tls() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

fn links(url: &str) -> AccountConfig {
    let mut config = AccountConfig::new("pickup:");
    config.links = Some(format!("{url}/pickup"));
    config.link_secret = Some(Secret::from(SECRET));
    config.mail = Some("mail".to_owned());
    config
}

/// The link in a mail.
pub fn link_in(text: &str) -> String {
    let link = text.split_whitespace().find(|word| word.contains("/pickup/"));
    link.unwrap_or_else(|| panic!("there is no link in {text}")).to_owned()
}
