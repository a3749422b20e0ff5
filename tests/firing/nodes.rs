//! Many nodes at once, some of which die.

use std::time::Duration;

use postbook::{clock::Clock, run::Engine};
use rand::RngExt;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::site::{Site, look};

/// `count` more batches like `morning`.
pub async fn multiply(site: &Site, count: i32) {
    let statements = [
        "insert into batch (name, enabled, created_at, changed_at)
         select 'batch-' || n, true, created_at, changed_at from batch, generate_series(1, $1) as n where name = 'morning'",
        "insert into batch_revision (batch, workflow, run_as, definition, created_at, created_by)
         select 'batch-' || n, workflow, run_as, jsonb_set(definition, '{name}', to_jsonb('batch-' || n)), created_at,
                created_by
           from batch_revision, generate_series(1, $1) as n where batch = 'morning'",
        "update batch set current = batch_revision.id
           from batch_revision where batch_revision.batch = batch.name and batch.current is null and $1 > 0",
        "insert into batch_change (batch, revision, enabled, deleted, at, by)
         select name, current, true, false, changed_at, 'test' from batch where name like 'batch-%' and $1 > 0",
    ];
    for statement in statements {
        sqlx::query(statement).bind(count).execute(&site.app.db).await.expect("more batches");
    }
}

/// A node with connections of its own.
fn node(site: &Site) -> Engine {
    let mut engine = site.app.another();
    let options = (*site.app.db.connect_options()).clone();
    engine.db = PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
    engine
}

fn started(site: &Site, stop: &CancellationToken) -> JoinHandle<()> {
    let (engine, stop) = (node(site), stop.clone());
    tokio::spawn(postbook::trigger::schedule::watch(engine, Duration::from_millis(20), stop))
}

#[sqlx::test]
async fn a_thousand_schedules_due_in_the_same_second_run_once_each_on_eight_nodes_that_die_at_random(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &crate::site::daily("")).await;
    multiply(&site, 999).await;
    site.look().await;
    site.go_to("2035-05-01T04:00:00Z");
    let stop = CancellationToken::new();
    let mut nodes: Vec<_> = (0..8).map(|_| started(&site, &stop)).collect();
    let mut deaths = 0;
    let looks = async {
        let mut every = tokio::time::interval(Duration::from_millis(15));
        loop {
            every.tick().await;
            let left = site.app.count("select count(*) from schedule where next_at < '2035-05-01T12:00:00Z'").await;
            if left == 0 {
                return;
            }
            let victim = rand::rng().random_range(0..nodes.len());
            nodes[victim].abort();
            nodes[victim] = started(&site, &stop);
            deaths += 1;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), looks).await.expect("all of them fire");
    stop.cancel();
    for node in nodes {
        let _ = node.await;
    }
    println!("{deaths} nodes died");
    assert_eq!(site.app.count("select count(*) from run").await, 1000);
    assert_eq!(site.app.count("select count(distinct batch) from run").await, 1000);
    let ran = "select count(*) from occurrence join run on run.id = occurrence.run and run.batch = occurrence.batch
                where occurrence.state = 'ran' and occurrence.notes = '[]'";
    assert_eq!(site.app.count(ran).await, 1000);
    assert_eq!(site.app.count("select count(*) from step where kind = 'expand' and state = 'ready'").await, 1000);
}

#[sqlx::test]
async fn a_node_whose_clock_is_five_minutes_off_starts_nothing_early(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:58:00Z").await;
    site.batch("morning", &crate::site::daily("")).await;
    site.look().await;
    let right = site.app.engine.clock.now();
    for minutes in [5, -5] {
        let wrong = Clock::from(own_time() + chrono::TimeDelta::minutes(minutes));
        let ahead = (right - own_time()).to_std().expect("the future");
        wrong.advance(ahead);
        let node = node(&site).on(wrong);
        assert!((node.clock.now() - right).abs() > chrono::TimeDelta::minutes(4));
        look(&node).await;
        assert!((node.clock.now() - site.app.engine.clock.now()).abs() < chrono::TimeDelta::seconds(5));
        assert!(site.rows("morning").await.is_empty(), "{minutes} minutes off");
    }
}

/// The machine's own time.
fn own_time() -> chrono::DateTime<chrono::Utc> {
    Clock::default().now()
}
