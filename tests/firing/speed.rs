//! What ten thousand schedules cost.

use std::time::{Duration, Instant};

use postbook::trigger::schedule::{self, Range};
use sqlx::PgPool;

use crate::{nodes::multiply, site::Site};

/// Milliseconds for which statements of this database were under way, as Postgres counts them.
async fn busy(db: &PgPool) -> f64 {
    // Sessions tell of what they did when they are idle, once a second at most.
    let mut before = -1.0;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let now: f64 =
            sqlx::query_scalar("select active_time from pg_stat_database where datname = current_database()")
                .fetch_one(db)
                .await
                .expect("the statistics");
        if now - before < 5.0 {
            return now;
        }
        before = now;
    }
    panic!("the database does not come to rest");
}

/// Ten thousand schedules that are due every five minutes, spread by their jitter, are 33 a second.
#[sqlx::test]
async fn firing_what_is_due_of_ten_thousand_schedules_takes_little_of_the_database(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:30Z").await;
    site.batch("morning", "{ rule = \"hourly at :00, :05, :10, :15, :20, :25, :30, :35, :40, :45, :50, :55 from 05:00 to 23:00\", zone = \"UTC\", jitter = \"5m\" }").await;
    multiply(&site, 9_999).await;
    let begun = Instant::now();
    site.look().await;
    println!("ten thousand changed batches reached their schedules in {:?}", begun.elapsed());
    assert_eq!(site.app.count("select count(*) from schedule where next_at is not null").await, 10_000);
    site.go_to("2035-05-01T05:00:00Z");
    let before = busy(&site.app.db).await;
    let clock = &site.app.engine.clock;
    let begun = site.app.count("select count(*) from run").await;
    const SECONDS: i64 = 20;
    for _ in 0..SECONDS {
        clock.advance(Duration::from_secs(1));
        site.look().await;
    }
    let spent = (busy(&site.app.db).await - before) / SECONDS as f64;
    let runs = site.app.count("select count(*) from run").await - begun;
    println!("{runs} runs in {SECONDS} s of schedules, {spent:.1} ms of the database for each second");
    assert!(runs > 20 * SECONDS, "{runs}");
    let most = if std::env::var_os("POSTBOOK_FIGURES").is_some() { 50.0 } else { 500.0 };
    assert!(spent < most, "{spent:.1} ms");
}

#[sqlx::test]
async fn a_year_ahead_is_listed_quickly(db: PgPool) {
    let site = Site::open(db, "2035-01-01T00:00:30Z").await;
    site.batch("morning", "{ rule = \"hourly at :15\", zone = \"Europe/Amsterdam\" }").await;
    site.look().await;
    let range =
        Range { from: "2035-01-01".parse().unwrap(), to: "2035-12-31".parse().unwrap(), after: None, limit: 10_000 };
    let now = site.app.engine.clock.now();
    let begun = Instant::now();
    let dues = schedule::of_batch(&site.app.db, ("morning", None), &range, now).await.expect("a list");
    println!("{} occurrences listed in {:?}", dues.len(), begun.elapsed());
    assert_eq!(dues.len(), 365 * 24 - 1, "the first quarter past is over");
}
