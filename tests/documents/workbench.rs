//! What the tests of documents share: a toolbox with real parts, and files.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use postbook::{
    document::{
        Expressions, Files, Store, Toolbox,
        renderer::{Renderer, RendererConfig},
    },
    secret::Credential,
    source::http::{Client, RemoteConfig},
};
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgPoolOptions};

/// More than a renderer of these tests allows.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A renderer of this build, with limits that tests need not wait for.
pub fn renderer() -> Renderer {
    renderer_of(2, Duration::from_secs(3))
}

/// The same for what must not meet its time limit, on however busy a machine.
pub fn patient_renderer() -> Renderer {
    renderer_of(2, LIMIT)
}

/// The same for what would take for ever.
pub fn hasty_renderer() -> Renderer {
    renderer_of(1, Duration::from_secs(1))
}

/// One process, with time to eat its memory before its time is over.
pub fn renderer_of_one() -> Renderer {
    renderer_of(1, Duration::from_secs(15))
}

fn renderer_of(children: usize, timeout: Duration) -> Renderer {
    let config = RendererConfig { children, timeout, memory: 256 * 1024 * 1024 };
    Renderer::new(env!("CARGO_BIN_EXE_postbook").into(), config)
}

/// A toolbox whose store is `db`.
pub fn toolbox(db: PgPool, remote: &RemoteConfig, secrets: &[(&str, Credential)]) -> Toolbox {
    let secrets = secrets.iter().map(|(name, secret)| ((*name).to_owned(), secret.clone()));
    Toolbox {
        renderer: renderer(),
        http: Client::new(remote).expect("a client"),
        store: Store::in_database(db),
        expressions: Expressions::default(),
        secrets: secrets.collect(),
    }
}

/// A pool that never connects, for what does not touch the store.
pub fn no_database() -> PgPool {
    PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").expect("a lazy pool")
}

pub fn files(entries: &[(&str, &str)]) -> Files {
    let entries = entries.iter().map(|(path, text)| ((*path).to_owned(), Bytes::from((*text).to_owned())));
    Files::new(entries.collect::<BTreeMap<_, _>>())
}

pub fn context() -> Value {
    json!({
        "business_date": "2026-04-01",
        "user": { "name": "site-a", "company": "Müller & Co" },
        "document": { "name": "orders", "title": "Open orders" },
        "params": { "since": "2026-03-01" },
    })
}
