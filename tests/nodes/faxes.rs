//! Nodes that are killed while a fax is on its way: another one finds out what became of it.

use std::{
    fs,
    io::{Cursor, Read},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    api::{Api, unique},
    node::{until, until_within},
    pages::{self, Page},
    peers::{FaxServer, Line},
    site::Site,
    wire::{self, Cut},
};

/// How long a fax may take to its end. A node that dies with a question costs two minutes, and a call one.
const PATIENCE: Duration = Duration::from_secs(300);

/// Settings of an account that faxes over the good line, by a server at `port`, and the number there.
fn account(port: u16) -> (String, &'static str) {
    let (config, number) = FaxServer::running().line(Line::Good);
    let (before, _) = config.url.rsplit_once(':').unwrap();
    let fax = config.fax;
    let settings = format!(
        "[account.fax]\nurl = \"{before}:{port}\"\nfrom = \"{}\"\nstation = \"{}\"\nmodem = \"{}\"\n",
        config.from.unwrap(),
        fax.station.unwrap(),
        fax.modem.unwrap()
    );
    (settings, number)
}

/// Where the server itself is.
fn server() -> SocketAddr {
    let (config, _) = FaxServer::running().line(Line::Good);
    let port = config.url.rsplit_once(':').unwrap().1.parse().unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// One page to `number`, with a cover page that has words of its own.
fn batch(number: &str) -> Value {
    let bytes = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/one-page.pdf")).unwrap();
    json!({
        "name": "faxed", "title": "faxed", "workflow": "quick", "run_as": "admin", "enabled": true,
        "documents": [{ "name": "checklist", "title": "Checklist", "file": "checklist.pdf",
                        "media_type": "application/pdf", "content": BASE64_STANDARD.encode(bytes) }],
        "recipients": [{ "name": "Yard office", "fax": number }],
        "message": { "subject": "Checklist", "text": format!("Good morning {}", unique()) },
    })
}

/// The only transmission of a run, once it has this state.
async fn state(api: &Api, run: i64, state: &str) -> Value {
    until(state, async || api.transmissions(run).await.into_iter().find(|it| it["state"] == state)).await
}

/// How many faxes came since `before` whose cover page is the one that was sent.
async fn arrived(api: &Api, transmission: &Value, before: &[PathBuf]) -> usize {
    let path = format!("/transmissions/{}/evidence.zip", transmission["id"]);
    let bytes = api.download(&path).await.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut tiff = Vec::new();
    archive.by_name("fax.tiff").unwrap().read_to_end(&mut tiff).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.tiff");
    fs::write(&kept, tiff).unwrap();
    let kept = pages::read(&kept).unwrap();
    let new = FaxServer::running().received().into_iter().filter(|it| !before.contains(it));
    let cover = |fax: &Vec<Page>| fax[0].below_header() == kept[0].below_header();
    pages::received(new, &kept[1]).iter().filter(|fax| fax.len() == 2 && cover(fax)).count()
}

/// What the book says of it in the end, after the far side said its last word to `api`.
async fn assert_there_once(api: &Api, run: i64, before: &[PathBuf]) -> (Value, Vec<Value>) {
    let ended = until_within(PATIENCE, "the run ends", async || {
        Some(api.run(run).await).filter(|it| !it["ended_at"].is_null())
    })
    .await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let one = api.transmissions(run).await.remove(0);
    assert_eq!((&one["state"], &one["possibly_twice"]), (&"delivered".into(), &false.into()), "{one}");
    assert!(one["proof"]["text"].as_str().unwrap().starts_with("2 of 2 pages received"), "{one}");
    assert_eq!(arrived(api, &one, before).await, 1);
    let attempts = api.attempts(&one).await;
    (one, attempts)
}

#[tokio::test]
async fn a_node_that_is_killed_while_its_fax_is_sent_leaves_one_fax_whose_end_another_node_learns() {
    let before = FaxServer::running().received();
    let (settings, number) = account(server().port());
    let site = Site::new(&settings).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);

    let run = api.start(&batch(number)).await;
    until("it is on the line", async || {
        let all = api.transmissions(run).await;
        all.iter().any(|it| it["progress"].as_str().is_some_and(|it| it.starts_with("sending page"))).then_some(())
    })
    .await;
    node.kill();
    let node = site.start(&["up"]).await;

    let (_, attempts) = assert_there_once(&site.api(&node), run, &before).await;
    assert_eq!(attempts.len(), 1);
    node.stop().await;
}

/// Kills a node when it has come to `verb`, and gives what became of its fax.
async fn killed_at(cut: Cut, seen: &str) -> Vec<Value> {
    let before = FaxServer::running().received();
    let (wire, reached) = wire::hold(server(), cut, "JSUBM").await;
    let (settings, number) = account(wire.port());
    let site = Site::new(&settings).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);

    let run = api.start(&batch(number)).await;
    reached.await.unwrap();
    state(&api, run, "sending").await;
    node.kill();
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    state(&api, run, "uncertain").await;

    let (one, attempts) = assert_there_once(&api, run, &before).await;
    let receipts = api.get(&format!("/transmissions/{}", one["id"])).await["receipts"].clone();
    assert_eq!(receipts[0]["effect"], seen, "{receipts}");
    node.stop().await;
    attempts
}

#[tokio::test]
async fn a_fax_server_is_asked_for_the_job_that_a_killed_node_had_given_it() {
    let attempts = killed_at(Cut::After, "uncertain to accepted").await;
    assert_eq!((attempts.len(), &attempts[0]["outcome"]), (1, &"delivered".into()), "{attempts:?}");
    assert!(attempts[0]["reference"].is_string(), "{attempts:?}");
}

#[tokio::test]
async fn a_fax_that_a_killed_node_had_not_set_free_never_came_and_is_sent_by_another() {
    let attempts = killed_at(Cut::Before, "uncertain to queued").await;
    assert_eq!((attempts.len(), &attempts[1]["outcome"]), (2, &"delivered".into()), "{attempts:?}");
    assert_eq!(attempts[0]["reason"]["code"], "never-came");
}
