//! A large run is thrown away in small pieces, and nothing of it is left.

use std::time::{Duration, Instant};

use postbook::{config::Retention, queue, run::purge};
use sqlx::PgPool;

use crate::harness::TestApp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A run of 20,000 items with everything that belongs to one, ended just now.
const LARGE: &str = r#"
with revision as (
    select batch.current as id from batch where name = 'large'
), run_row as (
    insert into run (batch, revision, workflow_version, cause_kind, cause_key, business_date, run_as, attributes, params,
                     state, delivered, created_at, ended_at, log_length)
    select 'large', revision.id, workflow.current, 'demand', 'large', '2026-01-01', 'site-a', '{}', '{}', 'succeeded',
           20000, $1, $1, 2500
      from revision, workflow where workflow.name = 'quick'
    returning id
), bytes as (
    insert into blob (digest, size, bytes, created_at)
    select encode(sha256(n::text::bytea), 'hex'), length(n::text), n::text::bytea, $1 from generate_series(1, 20000) as n
    returning digest
), artifacts as (
    insert into artifact (run, file, media_type, digest, size, created_at)
    select run_row.id, 'f', 'text/csv', encode(sha256(n::text::bytea), 'hex'), 1, $1
      from run_row, generate_series(1, 20000) as n
    returning id
), items as (
    insert into item (run, key, position, name, revision, params, artifact)
    select run_row.id, artifacts.id::text, 0, 'f', (select min(id) from document_revision), '{}', artifacts.id
      from run_row, artifacts
    returning id
), transmissions as (
    insert into transmission (run, purpose, key, recipient_name, channel, contact, state, waiting, attempts, created_at,
                              changed_at)
    select run_row.id, 'document', items.id::text, 'Ann', 'email', 'ann@example.org', 'delivered', 0, 2, $1, $1
      from run_row, items
    returning id, key
), links as (
    insert into transmission_item (transmission, position, item)
    select transmissions.id, 0, transmissions.key::bigint from transmissions
), attempts as (
    insert into attempt (transmission, number, lease, worker, started_at, ended_at, outcome)
    select transmissions.id, n, 1, 'test', $1, $1, 'delivered' from transmissions, generate_series(1, 2) as n
), steps as (
    insert into step (run, name, kind, transmission, state, due_at, hinted_at, created_at, changed_at)
    select run_row.id, 'transmit', 'transmit', transmissions.id, 'done', $1, $1, $1, $1 from run_row, transmissions
)
insert into log (run, number, at, event, text, data)
select run_row.id, n, $1, 'progress', '', '{}' from run_row, generate_series(1, 2500) as n
"#;

/// How many rows the tables of runs have.
async fn rows(app: &TestApp) -> Vec<i64> {
    let counts = "select array[(select count(*) from run), (select count(*) from item), (select count(*) from artifact),
                               (select count(*) from transmission), (select count(*) from transmission_item),
                               (select count(*) from attempt), (select count(*) from step), (select count(*) from log)]";
    sqlx::query_scalar(counts).fetch_one(&app.db).await.expect("counts")
}

#[sqlx::test]
async fn a_run_of_twenty_thousand_items_goes_in_small_pieces_and_leaves_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(
        "[[batch]]\nname = \"large\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
         documents = [{ document = \"checklist\" }]\nrecipients = [{ name = \"Ann\", email = \"ann@example.org\" }]",
    )
    .await;
    let blobs = app.count("select count(*) from blob").await;
    sqlx::query(LARGE).bind(app.engine.clock.now()).execute(&app.db).await.expect("a large run");
    sqlx::query("analyze").execute(&app.db).await.expect("statistics");
    assert_eq!(rows(&app).await, [1, 20_000, 20_000, 20_000, 20_000, 40_000, 20_000, 2500]);
    app.engine.clock.advance(401 * DAY);
    let keep = Retention {
        runs: "400 days".parse().expect("an age"),
        files: "90 days".parse().expect("an age"),
        logs: "90 days".parse().expect("an age"),
    };

    let (mut before, mut slowest) = (rows(&app).await, Duration::ZERO);
    loop {
        let began = Instant::now();
        let more = purge::purge(&app.engine, &keep).await.expect("a chunk");
        slowest = slowest.max(began.elapsed());
        let after = rows(&app).await;
        let most = before.iter().zip(&after).map(|(before, after)| before - after).max();
        assert!(most <= Some(1000), "{before:?} became {after:?} at once");
        before = after;
        if !more {
            break;
        }
    }

    assert_eq!(before, [0; 8]);
    assert_eq!(app.count("select count(*) from blob").await, blobs, "its bytes are gone, and no others");
    assert!(slowest < Duration::from_secs(2), "the slowest piece took {slowest:?}");
    let told = "select count(*) from audit where action = 'run.purged' and detail ->> 'batch' = 'large'";
    assert_eq!(app.count(told).await, 1);
}

#[sqlx::test]
async fn workers_of_the_queue_go_when_they_are_silent_for_long_and_no_job_names_them(db: PgPool) {
    let app = TestApp::start(db).await;
    let now = app.engine.clock.now();
    for (name, kind, hours) in [
        ("dead", "postbook.run", 30),
        ("busy", "postbook.run", 30),
        ("alive", "postbook.run", 1),
        ("other", "mine", 30),
    ] {
        sqlx::query(
            "insert into apalis.workers (id, worker_type, storage_name, layers, last_seen) values ($1, $2, '', '', $3)",
        )
        .bind(name)
        .bind(kind)
        .bind(now - Duration::from_secs(hours * 3600))
        .execute(&app.db)
        .await
        .expect("a worker");
    }
    sqlx::query(
        "insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, lock_by)
         values ('j', 'postbook.run', '', 'Running', 1, 1, $1, 'busy')",
    )
    .bind(now)
    .execute(&app.db)
    .await
    .expect("a job");

    let gone = queue::purge_workers(&app.db, now - DAY, 100).await.expect("a purge");

    assert_eq!(gone, 1);
    let left: Vec<String> =
        sqlx::query_scalar("select id from apalis.workers order by id").fetch_all(&app.db).await.expect("workers");
    assert_eq!(left, ["alive", "busy", "other"]);
}
