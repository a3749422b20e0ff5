//! The digest: once a day for each monitor, with everything in it once.

use postbook::{
    account,
    audit::Author,
    monitor::digest::{self, Period},
    run::{act, book::Asked, letter::Desk},
};
use serde_json::json;
use sqlx::PgPool;

use super::{ANN, CARLA, batch, mona_in, round, round_at, seen, set, sweep};
use crate::harness::{Mail, TestApp};

/// The digests that Mona got.
fn digests(app: &TestApp) -> Vec<Mail> {
    let mut mails = app.mails_to("mona@example.org");
    mails.retain(|mail| mail.subject.starts_with("Postbook, "));
    for mail in &mut mails {
        mail.text = mail.text.replace("\r\n", "\n");
    }
    mails
}

/// How many runs the digests of Mona tell of, by their numbers.
fn told(digest: &Mail, run: impl std::fmt::Display) -> bool {
    digest.text.contains(&format!("run {run},")) || digest.text.contains(&format!("run {run}:"))
}

#[sqlx::test]
async fn an_empty_day_has_a_digest_too(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "Europe/Amsterdam").await;

    round_at(&app, "2041-03-05T02:59:59Z").await;
    let before = digests(&app).len();
    round_at(&app, "2041-03-05T03:00:00Z").await;

    let digests = digests(&app);
    assert_eq!((before, digests.len()), (1, 2), "the first one was due long before");
    let today = digests.iter().find(|mail| mail.subject.contains("5 March 2041")).expect("today's");
    assert_eq!(today.subject, "Postbook, 5 March 2041: nothing was sent");
    seen::as_before("empty-day.txt", &today.text);
    leave(&app, "2041-03-05").await;
}

#[sqlx::test]
async fn a_monitor_of_today_gets_the_first_digest_tomorrow(db: PgPool) {
    let app = TestApp::start(db).await;
    set(&app, "2041-03-05T12:00:00Z");
    mona_in(&app, "UTC").await;

    round(&app).await;
    round_at(&app, "2041-03-06T03:59:00Z").await;
    assert!(digests(&app).is_empty());
    round_at(&app, "2041-03-06T04:00:00Z").await;

    assert_eq!(digests(&app).len(), 1);
}

#[sqlx::test]
async fn it_comes_at_four_by_the_clock_on_the_wall_also_when_the_clock_changes(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "Europe/Amsterdam").await;
    round_at(&app, "2041-03-30T12:00:00Z").await;
    let first = digests(&app).len();

    let mut counts = Vec::new();
    for instant in [
        "2041-03-31T01:59:59Z",
        "2041-03-31T02:00:00Z",
        "2041-03-31T03:00:00Z",
        "2041-10-27T02:00:00Z",
        "2041-10-27T02:59:59Z",
        "2041-10-27T03:00:00Z",
    ] {
        round_at(&app, instant).await;
        counts.push(digests(&app).len() - first);
    }

    assert_eq!(counts, [0, 1, 1, 2, 2, 3], "the one of October came as soon as somebody looked, then at four");
}

#[sqlx::test]
async fn a_day_with_all_kinds_of_trouble_reads_well(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "Europe/Amsterdam").await;
    round_at(&app, "2041-03-30T12:00:00Z").await;
    app.apply(&batch("morning", &[ANN, CARLA].join(", "))).await;
    app.apply("[[batch]]\nname = \"orders\"\ntitle = \"Open orders\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
        documents = [{ document = \"checklist\" }, { document = \"hours\" }]\n\
        recipients = [{ name = \"Ann\", email = \"ann@example.org\" }, { name = \"Yard office\", email = \"yard@example.org\" }]").await;
    sqlx::query("insert into suppression values ('email', 'yard@example.org', 'bounced', $1, 'test')")
        .bind(app.engine.clock.now())
        .execute(&app.db)
        .await
        .expect("a suppression");
    set(&app, "2041-03-30T23:59:00Z");
    let runs = [app.run("morning").await, app.run("orders").await];
    not_run(&app, "morning", "2041-03-31T01:00:00Z", "missed").await;
    not_run(&app, "orders", "2041-03-31T01:10:00Z", "skipped").await;
    sqlx::query("insert into downtime (from_at, to_at) values ('2041-03-31T00:30:00Z', '2041-03-31T01:15:00Z')")
        .execute(&app.db)
        .await
        .expect("a downtime");

    round_at(&app, "2041-03-31T02:00:00Z").await;

    let all = digests(&app);
    let digest = all.iter().find(|mail| mail.subject.contains("31 March")).expect("today's");
    assert_eq!(digest.subject, "Postbook, 31 March 2041: 1 did not start; 2 runs: 3 sent, 1 not sent, 2 skipped");
    let text = runs
        .iter()
        .zip(["A", "B"])
        .fold(digest.text.clone(), |text, (run, name)| text.replace(&format!("run {run}"), &format!("run {name}")));
    seen::as_before("trouble.txt", &seconds_hidden(&text));
    leave(&app, "2041-03-31").await;
}

/// Leaves the digest of `date` for a person to look at.
async fn leave(app: &TestApp, date: &str) {
    let (config, date) = (&app.engine.settings.monitor, date.parse().expect("a date"));
    let mut db = app.db.acquire().await.expect("a connection");
    let now = app.engine.clock.now();
    let config = postbook::config::Monitor { zone: chrono_tz::Europe::Amsterdam, ..config.clone() };
    let period = Period::of_day(&mut db, date, &config, now).await.expect("a day");
    let digest = digest::digest(&mut db, &period).await.expect("a digest");
    let params = json!({ "digest": digest });
    let desk = Desk::open(&app.engine).await.expect("a desk");
    let pdf = desk.paper(&app.engine, ("digest", date), &params).await.expect("a page");
    let message = desk.message(&app.engine, (digest.subject(), "digest"), &params).expect("words");
    seen::leave(&format!("{date}.pdf"), &pdf);
    seen::leave(&format!("{date}.html"), message.html.unwrap_or_default().as_bytes());
}

/// The clock goes on while a test runs; all runs of a test happen within the same minutes.
fn seconds_hidden(text: &str) -> String {
    let mut hidden = String::new();
    for word in text.split_inclusive(' ') {
        let is_time = word.len() == 9 && word.as_bytes()[2] == b':' && word.as_bytes()[5] == b':';
        hidden.push_str(if is_time { "HH:MM:SS " } else { word });
    }
    hidden
}

/// An occurrence without a run.
pub async fn not_run(app: &TestApp, batch: &str, due: &str, state: &str) {
    sqlx::query(
        "insert into occurrence (batch, key, schedule, local, due_at, business_date, state, reason, decided_at)
         values ($1, $2, 1, $2::timestamptz at time zone 'UTC', $2::timestamptz, $2::timestamptz::date, $3, $4, $5)",
    )
    .bind(batch)
    .bind(due)
    .bind(state)
    .bind(serde_json::json!({ "code": "not-started", "text": "the database was away" }))
    .bind(app.engine.clock.now())
    .execute(&app.db)
    .await
    .expect("an occurrence");
}

#[sqlx::test]
async fn every_run_is_told_once_also_those_at_the_boundary(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "UTC").await;
    app.apply(&batch("morning", ANN)).await;
    round_at(&app, "2041-06-01T12:00:00Z").await;
    let first = digests(&app).len();

    let mut runs = Vec::new();
    for instant in ["2041-06-02T03:00:00Z", "2041-06-02T03:59:58Z"] {
        set(&app, instant);
        runs.push(app.run("morning").await);
    }
    set(&app, "2041-06-02T04:00:00Z");
    // One that ended before four, but is committed only after the digest was written.
    let late = app.start_run("morning").await;
    let mut slow = app.db.begin().await.expect("a transaction");
    sqlx::query("update run set state = 'succeeded', ended_at = '2041-06-02T03:59:59Z', closings = 1 where id = $1")
        .bind(late.0)
        .execute(&mut *slow)
        .await
        .expect("an end");
    sweep(&app.engine).await;
    slow.commit().await.expect("committed");
    runs.push(late);
    runs.push(app.run("morning").await);
    round_at(&app, "2041-06-03T04:00:00Z").await;
    round_at(&app, "2041-06-04T04:00:00Z").await;

    let digests = digests(&app);
    assert_eq!(digests.len(), first + 3);
    let listed = sqlx::query_scalar::<_, i64>("select run from daybook where run is not null order by number");
    let listed = listed.fetch_all(&app.db).await.expect("the daybook");
    assert_eq!(listed, runs.iter().map(|run| run.0).collect::<Vec<_>>());
    let totals: Vec<_> =
        digests.iter().filter_map(|mail| Some(mail.subject.split_once("June 2041: ")?.1.to_owned())).collect();
    for summary in ["2 runs: 2 sent", "nothing was sent"] {
        assert!(totals.iter().any(|it| it == summary), "{summary}: {totals:?}");
    }
    for run in [runs[0], runs[1], runs[3]] {
        assert_eq!(digests.iter().filter(|digest| told(digest, run)).count(), 1, "run {run}");
    }
}

#[sqlx::test]
async fn a_run_that_is_opened_again_and_ends_again_is_told_again(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "UTC").await;
    app.apply(&batch("morning", CARLA)).await;
    set(&app, "2041-06-01T12:00:00Z");
    round(&app).await;
    let run = app.run("morning").await;
    round_at(&app, "2041-06-02T04:00:00Z").await;

    act::retry(&app.engine, run, "test").await.expect("tried again");
    app.drain().await;
    round_at(&app, "2041-06-03T04:00:00Z").await;
    round_at(&app, "2041-06-04T04:00:00Z").await;

    assert_eq!(digests(&app).iter().filter(|digest| told(digest, run)).count(), 2);
}

#[sqlx::test]
async fn after_two_days_without_a_node_one_digest_covers_everything(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "UTC").await;
    app.apply(&batch("morning", ANN)).await;
    round_at(&app, "2041-06-01T12:00:00Z").await;
    let first = digests(&app).len();
    let run = app.run("morning").await;

    round_at(&app, "2041-06-04T09:30:00Z").await;
    round_at(&app, "2041-06-04T10:30:00Z").await;

    let digests = digests(&app);
    assert_eq!(digests.len(), first + 1);
    let late = digests.iter().find(|digest| digest.subject.contains("4 June 2041")).expect("the late one");
    assert!(told(late, run) && late.text.contains("1 June 2041, 12:00 UTC to 4 June 2041, 09:30 UTC"), "{}", late.text);
}

#[sqlx::test]
async fn two_nodes_and_a_restart_make_one_digest(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "UTC").await;
    round_at(&app, "2041-06-01T12:00:00Z").await;
    let first = digests(&app).len();
    let nodes: Vec<_> = (0..4).map(|_| app.another()).collect();

    set(&app, "2041-06-02T04:00:00Z");
    futures::future::join_all(nodes.iter().map(sweep)).await;
    sweep(&app.another()).await;
    app.drain().await;

    assert_eq!(digests(&app).len(), first + 1);
}

#[sqlx::test]
async fn runs_on_demand_are_in_it_with_document_time_and_recipient(db: PgPool) {
    let app = TestApp::start(db).await;
    mona_in(&app, "America/New_York").await;
    app.apply(&batch("morning", ANN)).await;
    round_at(&app, "2041-06-01T12:00:00Z").await;
    app.run("morning").await;

    round_at(&app, "2041-06-02T08:00:00Z").await;

    let all = digests(&app);
    let digest = all.iter().find(|digest| digest.subject.contains("2 June")).expect("today's");
    assert!(digest.text.contains("- Checklist\n  Morning checklists, run "), "{}", digest.text);
    assert!(digest.text.contains("by demand by test"), "{}", digest.text);
    assert!(
        digest.text.contains("1 Jun 08:00:0") && digest.text.contains(" EDT  Ann <ann@example.org>"),
        "{}",
        digest.text
    );
}

#[sqlx::test]
async fn letters_are_in_no_digest_and_nobody_is_told_of_one_that_fails(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply("[[user]]\nname = \"mona\"\nmonitor = true\ncontacts = { email = \"refused@example.org\" }").await;
    round_at(&app, "2041-06-01T12:00:00Z").await;
    round_at(&app, "2041-06-02T12:00:00Z").await;

    let asked = Asked { batch: Some(".monitors".to_owned()), ..Asked::default() };
    let piece = postbook::run::book::Piece { after: None, limit: 10 };
    let letters = postbook::run::book::runs(&app.db, &asked, piece).await.expect("the book");
    let states: Vec<_> = letters.iter().map(|run| (run.cause.key.as_str(), run.state.name())).collect();
    assert_eq!(states, [("digest mona 2041-06-02", "failed"), ("digest mona 2041-06-01", "failed")]);
    assert_eq!(app.count("select count(*) from alarm").await, 0);
    assert_eq!(app.count("select count(*) from daybook").await, 0);
    let tally = postbook::run::tally::tally(&app.db, app.engine.clock.now()).await.expect("a tally");
    assert_eq!((tally.undelivered_notices, tally.unreachable_monitors), (2, 0));
}

#[sqlx::test]
async fn a_monitor_who_takes_files_gets_it_as_a_pdf(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(
        "[[user]]\nname = \"mona\"\nmonitor = true\nmonitor_channel = \"folder\"\ncontacts = { folder = \"monitors\" }",
    )
    .await;

    round_at(&app, "2041-06-01T12:00:00Z").await;

    let folder = app.folder.path().join("outbox/monitors");
    let files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(std::fs::read(&files[0]).expect("the file").starts_with(b"%PDF-"));
    let name = files[0].file_name().expect("a name").to_string_lossy().into_owned();
    assert!(name.starts_with("Daily digest") && name.ends_with(".pdf"), "{name}");
}

#[sqlx::test]
async fn a_monitor_needs_an_address_on_the_channel_and_a_zone_that_there_is(db: PgPool) {
    let app = TestApp::start(db).await;
    for (user, expected) in [
        ("monitor = true\nmonitor_channel = \"fax\"", "contacts/fax: is missing; this monitor is told by fax"),
        ("monitor = true\ncontacts = {}", "contacts/email: is missing; this monitor is told by email"),
        ("monitor_channel = \"pigeon\"", "monitor_channel: is no channel"),
        ("zone = \"Mars/Olympus\"", "zone: `Mars/Olympus` is no zone"),
    ] {
        let complaint = app.try_apply(&format!("[[user]]\nname = \"nick\"\n{user}")).await.expect_err("a complaint");
        assert!(complaint.to_string().contains(expected), "{complaint}");
    }
    let author = Author { name: "test".to_owned(), at: app.engine.clock.now() };
    assert!(account::enable(&app.db, &author, (".postbook", true)).await.is_err(), "Postbook's own user is nobody's");
}
