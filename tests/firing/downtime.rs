//! Occurrences that came due while nobody looked.

use sqlx::PgPool;

use crate::site::{Site, daily};

/// A daily batch that was last looked at on the 1st, and then on the 15th at noon.
async fn two_weeks(db: PgPool, policy: &str) -> Site {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(policy)).await;
    site.look().await;
    site.look_at("2035-05-01T04:00:01Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 ran"]);
    site.look_at("2035-05-15T10:00:00Z").await;
    site
}

/// Each occurrence once, and each run about its own date.
async fn sound(site: &Site) {
    let rows = site.rows("morning").await;
    let keys: Vec<_> = (1..=15).map(|day| format!("2035-05-{day:02}T06:00")).collect();
    assert_eq!(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), keys, "each occurrence has a row");
    let ran: Vec<_> = rows.iter().filter(|row| row.state == "ran").collect();
    let expected: Vec<_> = ran.iter().map(|row| (format!("schedule {}", row.key), row.key[..10].to_owned())).collect();
    assert_eq!(site.runs("morning").await, expected, "each run is about its own date");
    for row in rows.iter().filter(|row| row.state != "ran") {
        let reason = row.reason.as_ref().expect("a reason");
        assert_eq!((reason["code"].as_str(), row.state.as_str()), (Some("missed"), "skipped"), "{row:?}");
    }
}

async fn ran(site: &Site) -> Vec<String> {
    let rows = site.rows("morning").await.into_iter();
    rows.filter(|row| row.state == "ran").map(|row| row.key[8..10].to_owned()).collect()
}

#[sqlx::test]
async fn after_two_weeks_of_downtime_the_latest_runs_once_and_the_others_are_skipped_by_name(db: PgPool) {
    let site = two_weeks(db, "").await;
    sound(&site).await;
    assert_eq!(ran(&site).await, ["01", "15"]);
}

#[sqlx::test]
async fn after_two_weeks_of_downtime_each_runs_about_its_own_date_where_all_are_to_run(db: PgPool) {
    let site = two_weeks(db, ", missed = \"run_all\"").await;
    sound(&site).await;
    assert_eq!(ran(&site).await.len(), 15);
}

#[sqlx::test]
async fn after_two_weeks_of_downtime_none_runs_where_they_are_to_be_skipped(db: PgPool) {
    let site = two_weeks(db, ", missed = \"skip\"").await;
    sound(&site).await;
    assert_eq!(ran(&site).await, ["01"]);
    site.look_at("2035-05-16T04:00:00Z").await;
    assert_eq!(ran_after(&site).await, "2035-05-16T06:00 ran", "what is in time runs as ever");
}

async fn ran_after(site: &Site) -> String {
    site.told("morning").await.pop().expect("a row")
}

#[sqlx::test]
async fn after_two_weeks_of_downtime_those_run_that_are_late_by_less_than_is_said(db: PgPool) {
    let site = two_weeks(db, ", missed = \"run_if_late_less_than 30h\"").await;
    sound(&site).await;
    assert_eq!(ran(&site).await, ["01", "15"], "the 14th is 30 hours late to the minute, and that is not less");
}

#[sqlx::test]
async fn a_downtime_is_written_down_once_whoever_finds_it(db: PgPool) {
    let site = two_weeks(db, "").await;
    site.look().await;
    crate::site::look(&site.app.another()).await;
    let downtimes: Vec<(String, String)> = sqlx::query_as(
        "select to_char(from_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                               to_char(to_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from downtime",
    )
    .fetch_all(&site.app.db)
    .await
    .expect("the downtimes");
    let downtime = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    // The first one is the hour that the test let pass before.
    let expected = [downtime("2035-05-01 03:00", "2035-05-01 04:00"), downtime("2035-05-01 04:00", "2035-05-15 10:00")];
    assert_eq!(downtimes, expected);
}

#[sqlx::test]
async fn what_is_late_by_less_than_a_minute_is_in_time(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(", missed = \"skip\"")).await;
    site.look().await;
    site.look_at("2035-05-01T04:00:55Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 ran"]);
    site.look_at("2035-05-02T04:01:05Z").await;
    assert_eq!(site.told("morning").await[1], "2035-05-02T06:00 skipped missed");
}

#[sqlx::test]
async fn thousands_that_were_missed_are_all_named(db: PgPool) {
    let site = Site::open(db, "2035-05-01T00:00:30Z").await;
    site.batch("morning", "{ cron = \"*/5 * * * *\", zone = \"UTC\" }").await;
    site.look().await;
    site.look_at("2035-05-08T00:02:30Z").await;
    let rows = site.rows("morning").await;
    assert_eq!(rows.len(), 7 * 24 * 12);
    assert_eq!(rows.iter().filter(|row| row.state == "ran").count(), 1);
    assert_eq!(rows.last().expect("the last").told(), "2035-05-08T00:00+00:00 ran");
}
