//! Whole runs by real calls: what a template becomes, what arrives, and what the book says of calls that come to nothing.

use std::{collections::BTreeMap, fs, io::Cursor, path::PathBuf, time::Duration};

use bytes::Bytes;
use image::{ImageFormat, Rgb, RgbImage};
use postbook::{
    catalog,
    channel::account::AccountConfig,
    id::RunId,
    run::{
        RunState, TransmissionState, allowance,
        book::{self, Run, Transmission},
        receipt,
    },
    workflow::{self, Files, Folder},
};
use sqlx::PgPool;

use crate::{
    PATIENCE,
    harness::TestApp,
    pages::{self, Page},
    peers::{FaxServer, Line},
};

/// Three pages, of which the second has a photograph, and the last a word that no other fax has.
const FLYER: &str = r#"
#let data = json("/data.json")
#set page(paper: "a4", margin: 2.5cm)
= #data.document.title, #data.user.company
#lorem(120)
#pagebreak()
#image("photograph.jpg", width: 6cm)
Delivered on #data.business_date.
#pagebreak()
WORD
#table(columns: 3, ..range(45).map(number => [#(number * 7919)]))
"#;

/// A ball in the light before a wall, in colour and with some noise.
fn photograph() -> Vec<u8> {
    let picture = RgbImage::from_fn(800, 600, |x, y| {
        let (dx, dy) = (f64::from(x) - 400.0, f64::from(y) - 300.0);
        let noise = f64::from(x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)) % 16.0;
        let light = match (dx * dx + dy * dy).sqrt() {
            far if far > 220.0 => 200.0 - f64::from(y) / 6.0,
            near => 240.0 - near / 2.0 - (dx + dy) / 3.0,
        };
        Rgb([1.0, 0.9, 0.7].map(|colour| ((light + noise) * colour).clamp(0.0, 255.0) as u8))
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// A Postbook that faxes by this account, twice at most, and a batch `flyer` to `number`.
async fn start(db: PgPool, (config, number): (AccountConfig, &str)) -> TestApp {
    let app = TestApp::start_on(db, |accounts| _ = accounts.insert("fax".to_owned(), config)).await;
    catalog::workflow::register(&app.db, &app.shelf.store, &[faxes()], app.engine.clock.now()).await.unwrap();
    app.apply(&format!(
        r#"
        [[document]]
        name = "flyer"
        title = "What we delivered"
        kind = "template"
        template = "templates/flyer.typ"

        [[batch]]
        name = "flyer"
        workflow = "faxes"
        run_as = "site-a"
        documents = [{{ document = "flyer" }}]
        recipients = [{{ name = "Yard office", fax = "{number}" }}]
        message = {{ subject = "Deliveries", text = "Good morning {{{{ recipient.name }}}}" }}
        accounts = {{ fax = "fax" }}
        "#
    ))
    .await;
    app
}

/// The workflow that comes along, with the flyer, and with two tries a second apart.
fn faxes() -> Folder {
    let base = workflow::embedded().into_iter().find(|folder| folder.name == "batch-documents").unwrap();
    let mut files: BTreeMap<String, Bytes> = base.files.entries().clone();
    let text = String::from_utf8(files["workflow.toml"].to_vec()).unwrap();
    let text = text.replace("attempts = 12, first = \"30s\"", "attempts = 2, first = \"1s\"");
    files.insert("workflow.toml".to_owned(), text.into());
    files.insert(
        "templates/flyer.typ".to_owned(),
        FLYER.replace("WORD", &format!("{:016x}", rand::random::<u64>())).into(),
    );
    files.insert("templates/photograph.jpg".to_owned(), photograph().into());
    Folder { name: "faxes".to_owned(), files: Files::new(files), samples: base.samples }
}

/// The one transmission of `run`, with what was said of it.
async fn only(app: &TestApp, run: RunId) -> Transmission {
    let id = app.transmissions(run).await[0].id;
    book::transmission(&app.db, id).await.unwrap().unwrap()
}

/// Goes on as a node does until `look` gives something.
async fn until<T>(app: &TestApp, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(250));
    let waited = tokio::time::timeout(2 * PATIENCE, async {
        loop {
            looks.tick().await;
            app.drain().await;
            receipt::ask(&app.engine).await.unwrap();
            receipt::pending(&app.engine).await.unwrap();
            if let Some(seen) = look().await {
                return seen;
            }
        }
    });
    waited.await.expect("in time")
}

/// Goes on until the run has ended; `see` is told how far the fax has come.
async fn ended(app: &TestApp, run: RunId, mut see: impl FnMut(&str)) -> Run {
    until(app, async || {
        let seen = app.seen(run).await;
        if seen.ended_at.is_some() && book::is_quiet(&app.db, run).await.unwrap() {
            return Some(seen);
        }
        if let Some(progress) = app.transmissions(run).await.first().and_then(|it| it.progress.clone()) {
            see(&progress);
        }
        None
    })
    .await
}

/// The pages that the book keeps as evidence.
async fn kept(app: &TestApp, transmission: &Transmission) -> Vec<Page> {
    let path = app.folder.path().join("kept.tiff");
    fs::write(&path, &app.evidence(transmission).await["fax.tiff"]).unwrap();
    pages::read(&path).expect("a TIFF file")
}

/// What came since `before`, as one fax of the pages that were `kept`.
fn arrived(server: &FaxServer, before: &[PathBuf], kept: &[Page]) -> Vec<Page> {
    let new = server.received().into_iter().filter(|it| !before.contains(it));
    let mut faxes = pages::received(new, kept.last().expect("pages"));
    assert_eq!(faxes.len(), 1, "it came once");
    faxes.remove(0)
}

fn assert_alike(arrived: &[Page], kept: &[Page]) {
    assert_eq!(arrived.len(), kept.len());
    for (number, (arrived, kept)) in arrived.iter().zip(kept).enumerate() {
        assert_eq!(arrived.lines(), kept.lines(), "page {number}");
        assert!(arrived.below_header() == kept.below_header(), "page {number} differs");
    }
}

fn text(value: &Option<serde_json::Value>) -> &str {
    value.as_ref().and_then(|it| it["text"].as_str()).unwrap_or_default()
}

/// S1.2, S2.23.
#[sqlx::test]
async fn a_batch_goes_by_fax_from_template_to_paper_and_the_book_keeps_what_arrived(db: PgPool) {
    let server = FaxServer::running();
    let app = start(db, server.line(Line::Good)).await;
    let before = server.received();
    let mut words = Vec::new();
    let run = app.start_run("flyer").await;

    let seen = ended(&app, run, |it| words.push(it.to_owned())).await;

    let one = only(&app, run).await;
    assert_eq!((seen.state, one.state, one.attempts), (RunState::Succeeded, TransmissionState::Delivered, 1));
    assert_eq!(one.documents[0].pages, Some(3));
    let proof = text(&one.proof);
    assert!(proof.starts_with("4 of 4 pages received by ttyIAX"), "{proof}");
    let seconds = proof.split_once(" in ").and_then(|(_, rest)| rest.split_once(" s, session "));
    assert!(seconds.is_some_and(|(seconds, _)| seconds.parse::<u32>().is_ok_and(|it| it > 0)), "{proof}");
    assert!(words.iter().any(|it| it.starts_with("sending page")), "{words:?}");
    let kept = kept(&app, &one).await;
    let arrived = arrived(&server, &before, &kept);
    assert_alike(&arrived, &kept);
    // Who sends is the same on each page, and which page it is is not.
    let [first, others @ ..] = &arrived[..] else { panic!("pages") };
    assert!(arrived.iter().all(Page::has_header) && !kept.iter().any(Page::has_header));
    for other in others {
        let (first, other) = (first.header(), other.header());
        assert!(first[0] == other[0] && first[2] != other[2]);
    }
    let attempts = app.attempts(one.id).await;
    let job = server.job(attempts[0].reference.as_deref().expect("a job has a number"));
    assert!(job.contains("tagline:Example Ltd +1 312 555 0001|%c|page %%P of %%T"), "{job}");
    let evidence = app.evidence(&one).await;
    let record = String::from_utf8_lossy(&evidence["evidence.json"]);
    assert!(record.contains("SEND recv MCF (message confirmation)"), "{record}");
}

/// A batch whose number is called in vain ends so, twice called.
async fn fails(db: PgPool, line: Line, code: &str, words: &str) {
    let app = start(db, FaxServer::running().line(line)).await;
    let run = app.start_run("flyer").await;

    let seen = ended(&app, run, |_| ()).await;

    let one = only(&app, run).await;
    assert_eq!((seen.state, one.state, one.attempts), (RunState::Failed, TransmissionState::Failed, 2));
    let reason = one.reason.as_ref().expect("a reason");
    assert_eq!((&reason["scope"], &reason["code"]), (&"attempt".into(), &code.into()));
    let told = "given up after 2 attempts: 127.0.0.1, which calls once for each attempt, could not send it: ";
    assert!(text(&one.reason).starts_with(&format!("{told}{words}")), "{reason}");
    for attempt in app.attempts(one.id).await {
        assert_eq!(attempt.outcome.as_deref(), Some("deferred"));
        assert!(text(&attempt.reason).contains(words), "{:?}", attempt.reason);
    }
    assert_eq!(app.notices(run).await.len(), 1, "the monitor is told once");
    let effects: Vec<_> = one.receipts.iter().filter_map(|it| it.effect.as_deref()).collect();
    assert!(effects.contains(&"accepted to queued") && effects.contains(&"accepted to failed"), "{effects:?}");
    assert_eq!(app.count("select count(*) from account where paused_at is not null").await, 0);
}

#[sqlx::test]
async fn a_number_that_stays_busy_is_called_again_and_then_given_up(db: PgPool) {
    fails(db, Line::Engaged, "fax-busy", "Busy signal detected").await;
}

#[sqlx::test]
async fn a_number_where_nobody_lifts_is_called_again_and_then_given_up(db: PgPool) {
    fails(db, Line::Silent, "fax-no-answer", "No answer from remote").await;
}

#[sqlx::test]
async fn a_modem_that_is_not_there_pauses_the_account_and_the_fax_waits(db: PgPool) {
    let (mut config, number) = FaxServer::running().line(Line::Good);
    config.fax.modem = Some("ttyNONE".to_owned());
    let app = start(db, (config, number)).await;
    let run = app.run("flyer").await;

    let accounts = allowance::accounts(&app.engine).await.unwrap();
    let paused = accounts.into_iter().find(|it| it.name == "fax").unwrap();
    assert_eq!(paused.state, allowance::Standing::Paused);
    assert_eq!(paused.reason.expect("a reason")["code"], "hylafax-328");
    let one = only(&app, run).await;
    assert_eq!((one.state, one.attempts), (TransmissionState::Queued, 1));
    assert!(text(&one.reason).starts_with("the account fax is paused: 127.0.0.1"), "{:?}", one.reason);
    assert!(text(&one.reason).contains("Requested modem ttyNONE is not registered"), "{:?}", one.reason);
    assert_eq!((app.notices(run).await.len(), app.seen(run).await.state), (1, RunState::Running));
}

#[sqlx::test]
async fn a_fax_whose_line_is_cut_is_sent_again_and_arrives_whole(db: PgPool) {
    let server = FaxServer::running();
    let app = start(db, server.line(Line::Cuttable)).await;
    let before = server.received();
    let run = app.start_run("flyer").await;
    let mut line = None;

    let seen = ended(&app, run, |progress| match (&line, progress.starts_with("sending page")) {
        (None, true) => line = Some(Some(server.cut())),
        // The call is over as soon as nothing is sent any more, and the next one finds the line whole.
        (Some(Some(_)), false) => line = Some(None),
        _ => {}
    })
    .await;

    let one = only(&app, run).await;
    assert!(line.is_some(), "the call ended before it was cut");
    assert_eq!((seen.state, one.state), (RunState::Succeeded, TransmissionState::Delivered));
    let attempts = app.attempts(one.id).await;
    let [cut, whole] = &attempts[..] else { panic!("{attempts:?}") };
    assert_eq!(cut.outcome.as_deref(), Some("deferred"), "{cut:?}");
    assert_eq!(cut.reason.as_ref().expect("a reason")["scope"], "attempt");
    assert_ne!(cut.reference, whole.reference, "another job");
    assert!(text(&one.proof).starts_with("4 of 4 pages received"), "{:?}", one.proof);
    let kept = kept(&app, &one).await;
    assert_alike(&arrived(&server, &before, &kept), &kept);
    assert!(app.notices(run).await.is_empty());
}
