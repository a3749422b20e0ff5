//! What goes out by fax and by text message: pages, cover pages, parts, and what they come to.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use bytes::Bytes;
use postbook::{
    channel::account::AccountConfig,
    config::Retention,
    id::{RunId, TransmissionId},
    run::{
        self,
        book::Transmission,
        pages::{self, NoPage},
        purge,
    },
};
use serde_json::json;
use sqlx::PgPool;

use super::complaint;
use crate::harness::TestApp;

/// A Postbook whose faxes and text messages go into its outbox.
async fn start(db: PgPool) -> TestApp {
    TestApp::start_on(db, |accounts| {
        for channel in ["fax", "sms"] {
            let mut account = AccountConfig::new(accounts["files"].url.clone());
            account.channel = Some(channel.to_owned());
            accounts.insert(channel.to_owned(), account);
        }
    })
    .await
}

const YARD: &str = r#"{ name = "Yard office", fax = "+1 312 555 0002" }"#;

/// A batch of this name that faxes the checklist, which has one page.
fn faxed(name: &str, message: &str) -> String {
    format!(
        "[[batch]]\nname = \"{name}\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
         documents = [{{ document = \"checklist\" }}]\nrecipients = [{YARD}]\nmessage = {message}\n"
    )
}

/// The same batch without documents.
fn bare(batch: &str) -> String {
    batch.replace(r#"documents = [{ document = "checklist" }]"#, "documents = []")
}

/// Runs the batch; its only transmission.
async fn sent(app: &TestApp, batch: &str) -> Transmission {
    let run = app.run(batch).await;
    let mut transmissions = app.transmissions(run).await;
    assert_eq!(transmissions.len(), 1);
    transmissions.remove(0)
}

/// What arrived by fax, in the order of the names.
fn arrived(app: &TestApp) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(app.folder.path().join("outbox/+13125550002")).expect("a fax");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

async fn page(app: &TestApp, transmission: &Transmission, number: usize) -> Result<Bytes, NoPage> {
    pages::png(&app.engine, transmission, number).await.expect("no fault")
}

async fn count(app: &TestApp, transmission: &Transmission) -> usize {
    match page(app, transmission, 1000).await {
        Err(NoPage::Beyond(pages)) => pages,
        other => panic!("a thousand pages: {other:?}"),
    }
}

#[sqlx::test]
async fn a_fax_is_one_file_of_pages_and_the_evidence_holds_them(db: PgPool) {
    let app = start(db).await;
    app.apply(&faxed("faxed", r#"{ text = "Good morning" }"#)).await;

    let transmission = sent(&app, "faxed").await;

    assert_eq!((transmission.state.name(), transmission.contact.as_str()), ("delivered", "+13125550002"));
    let arrived = arrived(&app);
    assert_eq!(arrived.len(), 1, "one file");
    assert!(arrived[0].starts_with(b"II*\0"), "a TIFF");
    assert_eq!(count(&app, &transmission).await, 2, "a cover page and the checklist");
    assert_eq!(app.evidence(&transmission).await["fax.tiff"], arrived[0]);
}

#[sqlx::test]
async fn every_attempt_sends_the_same_pages_and_what_is_alike_is_made_once(db: PgPool) {
    let app = start(db).await;
    app.apply(&faxed("faxed", r#"{ text = "Good morning", cover = false }"#)).await;
    let outbox = app.folder.path().join("outbox");
    let away = app.folder.path().join("away");
    fs::rename(&outbox, &away).expect("moved away");
    let run = app.start_run("faxed").await;
    app.drain().await;
    assert_eq!(app.transmissions(run).await[0].state.name(), "queued", "there is no folder to write to");
    fs::rename(&away, &outbox).expect("moved back");

    app.finish(run).await;
    let again = sent(&app, "faxed").await;

    assert!(app.transmissions(run).await[0].attempts > 1);
    let arrived = arrived(&app);
    assert_eq!((arrived.len(), &arrived[0]), (2, &arrived[1]));
    assert_eq!(count(&app, &again).await, 1, "no cover page");
    assert_eq!(app.count("select count(*) from rendition").await, 2);
    assert_eq!(app.count("select count(distinct digest) from rendition").await, 1);
}

#[sqlx::test]
async fn a_link_is_printed_where_it_leads_on_the_cover_page(db: PgPool) {
    let app = start(db).await;
    let html = r#"{ subject = "S", html = "<p>See <a href=\"https://example.org/orders\">your orders</a>.</p>" }"#;
    let text = r#"{ subject = "S", text = "See your orders <https://example.org/orders>." }"#;
    let other = r#"{ subject = "S", text = "See your orders." }"#;
    let mut covers = Vec::new();
    for (name, message) in [("html", html), ("text", text), ("other", other)] {
        app.apply(&faxed(name, message)).await;
        covers.push(page(&app, &sent(&app, name).await, 1).await.expect("a cover page"));
    }
    assert!(covers[0] == covers[1], "the link is written out");
    assert!(covers[0] != covers[2]);
}

#[sqlx::test]
async fn a_cover_page_is_the_workflow_s_own_or_none_or_has_to_be_there(db: PgPool) {
    let app = start(db).await;
    app.apply(&faxed("own", r#"{ cover = "templates/open-orders.typ" }"#)).await;
    let fault = complaint(&app, &faxed("none", r#"{ cover = "templates/none.typ" }"#)).await;
    assert!(fault.contains("message/cover: there is no file `templates/none.typ`"), "{fault}");
    let (batch, _) = postbook::catalog::batch::get(&app.shelf, "own", None).await.expect("read").expect("there");
    assert_eq!(json!(batch.message)["cover"], "templates/open-orders.typ", "it is given back as it was written");
}

#[sqlx::test]
async fn what_cannot_become_pages_is_refused_before_anything_is_sent(db: PgPool) {
    let app = start(db).await;
    let sheet = r#"{ name = "sheet", file = "sheet.xlsx", media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", content = "UEsDBA==" }"#;
    app.apply(&faxed("faxed", "{}").replace(r#"{ document = "checklist" }"#, sheet)).await;

    let transmission = sent(&app, "faxed").await;

    assert_eq!((transmission.state.name(), transmission.attempts), ("failed", 0));
    let reason = transmission.reason.clone().expect("a reason");
    assert_eq!((&reason["scope"], &reason["code"]), (&json!("document"), &json!("no-fax-pages")));
    let text = "sheet.xlsx: it cannot become fax pages; those that can are PDF, PNG, JPEG and TIFF";
    assert_eq!(reason["text"], text);
    let NoPage::Unfit(unfit) = page(&app, &transmission, 1).await.expect_err("no page") else { panic!("unfit") };
    assert_eq!(unfit.text, text);
}

#[sqlx::test]
async fn the_pages_go_with_the_files_of_their_run_when_they_are_too_old(db: PgPool) {
    let app = start(db).await;
    app.apply(&faxed("faxed", "{}")).await;
    let transmission = sent(&app, "faxed").await;
    let pages = "select count(*) from blob join rendition using (digest)";
    assert_eq!(app.count(pages).await, 1);
    let keep = |runs: &str| Retention {
        runs: runs.parse().expect("an age"),
        files: "90 days".parse().expect("an age"),
        logs: "90 days".parse().expect("an age"),
    };

    app.engine.clock.advance(Duration::from_secs(91 * 24 * 60 * 60));
    while purge::purge(&app.engine, &keep("400 days")).await.expect("a chunk") {}

    assert_eq!(app.count(pages).await, 0);
    assert_eq!(page(&app, &transmission, 1).await, Err(NoPage::Purged(transmission.id)));
    while purge::purge(&app.engine, &keep("90 days")).await.expect("a chunk") {}
    assert_eq!(app.count("select count(*) from rendition").await, 0);
}

#[sqlx::test]
async fn pages_can_be_seen_before_they_are_sent_and_only_of_faxes(db: PgPool) {
    let app = start(db).await;
    app.apply(
        &faxed("faxed", "{}")
            .replace(YARD, r#"{ name = "Yard office", fax = "+1 312 555 0002", email = "yard@example.org" }"#),
    )
    .await;
    let run = app.start_run("faxed").await;
    for _ in 0..2 {
        // Expands and renders, but transmits nothing yet.
        for hint in app.due().await {
            run::perform(&app.engine, hint).await.expect("a step");
        }
    }
    let transmissions = app.transmissions(run).await;
    let by = |channel: &str| transmissions.iter().find(|one| one.channel == channel).expect("there is one");
    assert_eq!(by("fax").state.name(), "queued");

    let seen = page(&app, by("fax"), 2).await.expect("the checklist");
    assert_eq!(page(&app, by("email"), 1).await, Err(NoPage::NotFax(by("email").id)));
    assert_eq!(page(&app, by("fax"), 0).await, Err(NoPage::Beyond(2)));

    app.drain().await;
    assert_eq!(page(&app, by("fax"), 2).await, Ok(seen), "it was sent as it was seen");
    let nobody = Transmission { id: TransmissionId(0), run: RunId(0), ..by("fax").clone() };
    assert_eq!(page(&app, &nobody, 1).await, Err(NoPage::NotRendered(TransmissionId(0))));
}

#[sqlx::test]
async fn a_preview_tells_pages_seconds_and_parts(db: PgPool) {
    let app = start(db).await;
    let to = r#"{ name = "Zoë", fax = "+1 312 555 0002", sms = "+48 512 345 678" }"#;
    let batch = faxed("faxed", r#"{ text = "Dzień dobry {{ recipient.name }}" }"#).replace(YARD, to);
    app.apply(&(batch.clone() + &bare(&batch.replace("faxed", "told")))).await;

    let preview = run::preview(&app.engine, "faxed", None, &Default::default()).await.expect("a preview");

    let document = &preview.documents[0];
    let alone = document.fax.expect("an estimate");
    assert_eq!((alone.pages, document.pages), (1, Some(1)));
    let by = |channel: &str| preview.transmissions.iter().find(|one| one.channel == channel).expect("there is one");
    let fax = by("fax").fax.expect("an estimate");
    assert_eq!(fax.pages, 2, "with the cover page");
    assert!(fax.seconds > alone.seconds && fax.seconds_at_9600 > fax.seconds, "{fax:?}");
    let sms = &preview.missing[0];
    assert_eq!((sms.channel.as_str(), sms.state.name()), ("sms", "skipped"), "a text message carries no document");
    let told = run::preview(&app.engine, "told", None, &Default::default()).await.expect("a preview");
    let sms = told.transmissions.iter().find(|one| one.channel == "sms").expect("there is one");
    let sms = json!(sms.sms.as_ref().expect("parts"));
    assert_eq!(sms, json!({ "encoding": "UCS-2", "parts": 1, "characters": 15, "units": 15, "forced_by": ["ń", "ë"] }));
    assert_eq!(app.count("select count(*) from transmission").await, 0);
}

#[sqlx::test]
async fn a_preview_says_of_what_cannot_be_rendered_that_it_fails_as_the_run_does(db: PgPool) {
    let app = start(db).await;
    let sheet = r#"{ name = "sheet", file = "sheet.xlsx", media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", content = "UEsDBA==" }"#;
    let site = r#"{ name = "Site", fax = "+1 312 555 0003", folder = "site" }"#;
    let gone =
        "[[document]]\nname = \"gone\"\nkind = \"remote\"\nurl = \"REPORTS/old/gone\"\nmedia_type = \"text/csv\"\n";
    let batch = faxed("faxed", "{}").replace(YARD, &format!("{YARD}, {site}"));
    let documents = format!("{{ document = \"checklist\" }}, {sheet}, {{ document = \"gone\" }}");
    app.apply(&(gone.to_owned() + &batch.replace(r#"{ document = "checklist" }"#, &documents))).await;

    let preview = run::preview(&app.engine, "faxed", None, &Default::default()).await.expect("a preview");

    let missing = preview.missing.iter().map(|one| {
        let reason = one.reason.as_ref().expect("a reason");
        (one.channel.clone(), one.contact.clone(), one.state.name(), reason.text.clone())
    });
    let run = app.run("faxed").await;
    let transmissions = app.transmissions(run).await;
    let failed = transmissions.iter().filter_map(|one| {
        let text = one.reason.as_ref()?["text"].as_str()?.to_owned();
        Some((one.channel.clone(), one.contact.clone(), one.state.name(), text))
    });
    assert_eq!(missing.collect::<BTreeSet<_>>(), failed.collect::<BTreeSet<_>>());
    assert_eq!((preview.queued, preview.failed, preview.missing.len()), (4, 5, 5));
    assert_eq!(preview.transmissions.len(), transmissions.iter().filter(|one| one.state.name() == "delivered").count());
    assert_eq!(preview.channels, [("fax".to_owned(), 2), ("folder".to_owned(), 2)].into());
}

#[sqlx::test]
async fn words_without_documents_go_by_every_channel_that_carries_words(db: PgPool) {
    let app = start(db).await;
    let to = r#"{ name = "Zoë", fax = "+1 312 555 0002", sms = "+48 512 345 678", email = "zoe@example.org", folder = "zoe" },
                { name = "Ann", sms = "+48 512 345 678" }"#;
    let batch = bare(&faxed("told", r#"{ text = "Good morning {{ recipient.name }}" }"#)).replace(YARD, to);
    app.apply(&batch).await;
    let preview = run::preview(&app.engine, "told", None, &Default::default()).await.expect("a preview");
    assert_eq!((preview.queued, preview.skipped, preview.failed), (5, 0, 0));

    let run = app.run("told").await;

    let transmissions = app.transmissions(run).await;
    assert_eq!(transmissions.len(), 5);
    for one in &transmissions {
        assert_eq!(one.state.name(), "delivered", "{one:?}");
    }
    let mails = app.mails();
    assert_eq!((mails.len(), mails[0].text.trim()), (1, "Good morning Zoë"));
    assert!(mails[0].subject.starts_with("told, "), "{}", mails[0].subject);
    assert_eq!(arrived(&app).len(), 1, "a fax with its cover page");
    let texts = fs::read_dir(app.folder.path().join("outbox/+48512345678")).expect("a folder").count();
    assert_eq!(texts, 2, "the words of each recipient are their own");

    let again = run::act::Again { render: true, despite_suppression: false, key: "k".into(), by: "ann".into() };
    let email = transmissions.iter().find(|one| one.channel == "email").expect("a mail");
    run::act::resend(&app.engine, email.id, &again).await.expect("sent again");
    app.drain().await;
    assert_eq!(app.mails().len(), 2);
}

#[sqlx::test]
async fn what_a_channel_cannot_carry_is_skipped_with_the_reason_and_the_next_one_is_chosen(db: PgPool) {
    let app = start(db).await;
    let to = r#"{ name = "Zoë", sms = "+48 512 345 678", email = "zoe@example.org" }"#;
    let policy = "policy = { send = \"first_valid\", order = [\"sms\", \"email\"] }\n";
    app.apply(&(faxed("faxed", "{}").replace(YARD, to) + policy)).await;

    let run = app.run("faxed").await;

    let transmissions = app.transmissions(run).await;
    let seen: Vec<_> = transmissions.iter().map(|one| (one.channel.as_str(), one.state.name())).collect();
    assert_eq!(sorted(seen), [("email", "delivered"), ("sms", "skipped")]);
    let sms = transmissions.iter().find(|one| one.channel == "sms").expect("the text message");
    assert_eq!(sms.reason.as_ref().expect("a reason")["code"], "words-only");
}

#[sqlx::test]
async fn a_batch_has_documents_or_words(db: PgPool) {
    let app = start(db).await;
    assert!(complaint(&app, &bare(&faxed("told", "{ text = \" \" }"))).await.contains("documents: is empty"));
    let without = bare(&faxed("told", r#"{ text = "Good morning", cover = false }"#));
    assert!(complaint(&app, &without).await.contains("message/cover"));
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}
