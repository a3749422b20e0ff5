//! What is asked of schedules.

use super::{keys, schedule};

#[test]
fn monthly_on_a_date_for_two_years_and_the_31st_is_the_last_day() {
    let monthly = schedule("monthly on day 15 at 06:00", "Europe/Amsterdam", "");
    let due = keys(&monthly, "2025-12-31T12:00:00Z", 24);
    let expected: Vec<_> =
        (0..24).map(|month| format!("{}-{:02}-15T06:00", 2026 + month / 12, month % 12 + 1)).collect();
    assert_eq!(due, expected);

    let ends = |short: &str| keys(&schedule("monthly on day 31 at 06:00", "UTC", short), "2026-01-31T12:00:00Z", 3);
    assert_eq!(ends(""), ["2026-02-28T06:00", "2026-03-31T06:00", "2026-04-30T06:00"]);
    assert_eq!(ends("short_month = \"skip\""), ["2026-03-31T06:00", "2026-05-31T06:00", "2026-07-31T06:00"]);
    assert_eq!(ends("short_month = \"first_of_next\""), ["2026-03-01T06:00", "2026-03-31T06:00", "2026-05-01T06:00"]);
}

#[test]
fn monthly_on_a_weekday_also_the_last_and_a_fifth_that_does_not_come_is_left_out() {
    let due = |rule: &str| keys(&schedule(rule, "Europe/Amsterdam", ""), "2026-01-01T00:00:00Z", 3);
    let second = ["2026-01-13T06:00", "2026-02-10T06:00", "2026-03-10T06:00"];
    assert_eq!(due("the 2nd tuesday of every month at 06:00"), second);
    let last = ["2026-01-30T06:00", "2026-02-27T06:00", "2026-03-27T06:00"];
    assert_eq!(due("monthly on the last friday at 06:00"), last);
    let fifth = ["2026-03-30T06:00", "2026-06-29T06:00", "2026-08-31T06:00"];
    assert_eq!(due("monthly on the 5th monday at 06:00"), fifth);
}

#[test]
fn weekly_on_every_wednesday_across_the_end_of_a_year() {
    let weekly = schedule("weekly on wednesday at 06:00", "Europe/Amsterdam", "");
    let expected = ["2026-12-23T06:00", "2026-12-30T06:00", "2027-01-06T06:00", "2027-01-13T06:00"];
    assert_eq!(keys(&weekly, "2026-12-17T00:00:00Z", 4), expected);
}

#[test]
fn daily_through_both_changes_of_the_clock_once_a_day() {
    let daily = schedule("daily at 02:30", "Europe/Amsterdam", "");
    let due = keys(&daily, "2025-12-31T12:00:00Z", 365);
    let dates: std::collections::BTreeSet<_> = due.iter().map(|key| &key[..10]).collect();
    assert_eq!((dates.len(), due[364].as_str()), (365, "2026-12-31T02:30"));
    let odd: Vec<_> = due.iter().filter(|key| !key.ends_with("T02:30")).collect();
    assert_eq!(odd, ["2026-03-29T03:00"]);
}

#[test]
fn on_demand_never_comes_by_itself() {
    assert!(keys(&schedule("on demand", "Europe/Amsterdam", ""), "2026-01-01T00:00:00Z", 1).is_empty());
}

/// S2.8 and S2.9.
#[test]
fn once_every_weekday_and_on_weekends_when_that_is_switched_on() {
    let due = |more: &str| keys(&schedule("weekdays at 06:00", "UTC", more), "2026-01-01T12:00:00Z", 3);
    assert_eq!(due(""), ["2026-01-02T06:00", "2026-01-05T06:00", "2026-01-06T06:00"]);
    assert_eq!(due("weekends = true"), ["2026-01-02T06:00", "2026-01-03T06:00", "2026-01-04T06:00"]);
}

/// S3.16.
#[test]
fn hourly_is_24_times_a_day_and_23_or_25_when_the_clock_changes() {
    let hourly = schedule("hourly at :15", "Europe/Amsterdam", "");
    let due = keys(&hourly, "2025-12-31T23:00:00Z", 365 * 24);
    let on = |date: &str| due.iter().filter(|key| key.starts_with(date)).count();
    assert_eq!((on("2026-01-01"), on("2026-03-29"), on("2026-10-25"), on("2026-12-31")), (24, 23, 25, 24));
}

/// S3.17.
#[test]
fn weekly_and_monthly_fall_on_the_right_dates_at_the_same_local_time_all_year() {
    let weekly = schedule("weekly on monday at 06:00", "America/New_York", "");
    assert!(keys(&weekly, "2026-01-01T00:00:00Z", 52).iter().all(|key| key.ends_with("T06:00")));
    let quarterly = schedule("quarterly on day 1 at 06:00", "America/New_York", "");
    let expected = ["2026-04-01T06:00", "2026-07-01T06:00", "2026-10-01T06:00", "2027-01-01T06:00"];
    assert_eq!(keys(&quarterly, "2026-01-02T00:00:00Z", 4), expected);
}
