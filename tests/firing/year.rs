//! What the preview says is what fires, also on the days on which clocks change.

use std::time::Duration;

use postbook::trigger::schedule::DueState;
use sqlx::PgPool;

use crate::site::Site;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Fires a year of `schedule`, and compares it with what was said before.
async fn year(db: PgPool, schedule: &str, step: Duration) {
    let site = Site::open(db, "2035-01-01T00:00:30Z").await;
    site.batch("morning", &schedule.replace('}', ", missed = \"run_all\" }")).await;
    let planned = site.dues("morning", "2035-01-01", "2035-12-31").await;
    assert!(planned.iter().all(|due| due.state == DueState::Planned));
    site.look().await;
    let end = crate::site::instant("2036-01-02T00:00:00Z");
    while site.app.engine.clock.now() < end {
        let now = site.app.engine.clock.now();
        site.go(now + step);
        site.look().await;
    }
    let fired = site.dues("morning", "2035-01-01", "2035-12-31").await;
    assert!(fired.iter().all(|due| due.state == DueState::Ran));
    let shown = |dues: &[postbook::trigger::schedule::Due]| {
        dues.iter()
            .map(|due| format!("{} {} {} {:?}", due.key, due.local, due.business_date, due.notes))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&fired), shown(&planned), "{schedule}");
    assert!(planned.len() > 10, "{} of {schedule}", planned.len());
}

#[sqlx::test]
async fn a_year_of_nights_in_which_clocks_change_fires_as_the_preview_says(db: PgPool) {
    year(db, "{ rule = \"daily at 02:30\", zone = \"Europe/Amsterdam\" }", DAY).await;
}

#[sqlx::test]
async fn a_year_of_month_ends_fires_as_the_preview_says(db: PgPool) {
    year(db, "{ rule = \"monthly on day 31 at 23:30\", zone = \"America/New_York\" }", DAY).await;
}

#[sqlx::test]
async fn a_year_of_weekdays_with_jitter_fires_as_the_preview_says(db: PgPool) {
    year(db, "{ rule = \"weekdays at 06:00, 18:00\", zone = \"Australia/Lord_Howe\", jitter = \"20m\" }", DAY * 3)
        .await;
}

#[sqlx::test]
async fn a_year_of_hours_fires_as_the_preview_says(db: PgPool) {
    year(db, "{ rule = \"every 7 hours\", zone = \"Europe/Amsterdam\" }", DAY * 9).await;
}

#[sqlx::test]
async fn a_day_has_23_or_25_hours_when_clocks_change_and_each_fires(db: PgPool) {
    let site = Site::open(db, "2035-03-24T23:00:30Z").await;
    site.batch("morning", "{ rule = \"hourly at :15\", zone = \"Europe/Amsterdam\" }").await;
    site.look().await;
    site.work_until("2035-03-26T00:00:00Z", Duration::from_secs(15 * 60 - 20)).await;
    let of_day = |told: Vec<String>, day: &str| told.into_iter().filter(|it| it.starts_with(day)).count();
    assert_eq!(of_day(site.told("morning").await, "2035-03-25"), 23);
    site.go_to("2035-10-27T21:59:00Z");
    site.look().await;
    site.work_until("2035-10-29T00:00:00Z", Duration::from_secs(15 * 60 - 20)).await;
    let told = site.told("morning").await;
    assert!(
        told.contains(&"2035-10-28T02:15+02:00 ran".to_owned())
            && told.contains(&"2035-10-28T02:15+01:00 ran".to_owned())
    );
    assert_eq!(of_day(told, "2035-10-28"), 25);
}
