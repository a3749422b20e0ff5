//! Occurrences that come due while an earlier run is under way, or after one about the same date.

use postbook::id::RunId;
use sqlx::PgPool;

use crate::site::{Site, daily};

#[sqlx::test]
async fn one_that_would_overlap_is_skipped_and_names_the_run_that_was_under_way(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(", overlap = \"skip\"")).await;
    site.look_at("2035-05-01T04:00:00Z").await;
    let first = site.rows("morning").await[0].run.expect("a run");
    site.look_at("2035-05-02T04:00:00Z").await;
    let rows = site.rows("morning").await;
    assert_eq!(rows[1].told(), "2035-05-02T06:00 skipped overlap");
    assert_eq!(rows[1].reason.as_ref().expect("a reason")["run"], first);
    site.app.finish(RunId(first)).await;
    site.look_at("2035-05-03T04:00:00Z").await;
    assert_eq!(site.told("morning").await[2], "2035-05-03T06:00 ran");
}

#[sqlx::test]
async fn those_that_would_overlap_wait_and_run_one_after_another(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(", overlap = \"queue\", missed = \"run_all\"")).await;
    site.look().await;
    site.look_at("2035-05-04T04:00:00Z").await;
    let states = async || site.rows("morning").await.into_iter().map(|row| row.state).collect::<Vec<_>>();
    assert_eq!(states().await, ["ran", "waiting", "waiting", "waiting"]);
    for ended in 0..3 {
        let run = site.rows("morning").await[ended].run.expect("a run");
        site.look().await;
        assert_eq!(site.rows("morning").await[ended + 1].state, "waiting");
        site.app.finish(RunId(run)).await;
        site.look().await;
        assert_eq!(site.rows("morning").await[ended + 1].state, "ran");
    }
    let dates: Vec<_> = site.runs("morning").await.into_iter().map(|(_, date)| date).collect();
    assert_eq!(dates, ["2035-05-01", "2035-05-02", "2035-05-03", "2035-05-04"]);
}

#[sqlx::test]
async fn what_waits_when_its_batch_is_disabled_is_skipped(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(", overlap = \"queue\"")).await;
    site.look_at("2035-05-01T04:00:00Z").await;
    site.look_at("2035-05-02T04:00:00Z").await;
    site.enable("morning", false).await;
    site.look().await;
    assert_eq!(site.told("morning").await[1], "2035-05-02T06:00 skipped batch-disabled");
}

#[sqlx::test]
async fn a_batch_that_runs_once_a_day_is_left_out_when_somebody_ran_it_before(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(", once = \"day\"")).await;
    site.look().await;
    let by_hand = site.app.start_run("morning").await;
    site.look_at("2035-05-01T04:00:00Z").await;
    let rows = site.rows("morning").await;
    assert_eq!(rows[0].told(), "2035-05-01T06:00 skipped once-a-day");
    assert_eq!(rows[0].reason.as_ref().expect("a reason")["run"], by_hand.0);
    site.look_at("2035-05-02T04:00:00Z").await;
    assert_eq!(site.told("morning").await[1], "2035-05-02T06:00 ran", "the next day is another day");
}

#[sqlx::test]
async fn a_batch_that_is_due_twice_a_day_but_runs_once_a_day_runs_for_the_first(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", "{ rule = \"daily at 06:00, 12:00\", zone = \"UTC\", once = \"day\" }").await;
    site.look_at("2035-05-01T06:00:00Z").await;
    site.look_at("2035-05-01T12:00:00Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 ran", "2035-05-01T12:00 skipped once-a-day"]);
}
