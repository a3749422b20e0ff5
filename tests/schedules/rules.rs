//! Rules in words: read, printed, and on which days they fall.

use postbook::schedule::Rule;

use super::{keys, schedule};

/// As it is written, and as it is printed.
const WORDS: [(&str, &str); 34] = [
    ("on demand", "on demand"),
    ("daily at 6:00", "daily at 06:00"),
    ("Every day at 06:00 and 18:00", "daily at 06:00, 18:00"),
    ("daily at 18:00, 06:00, 18:00", "daily at 06:00, 18:00"),
    ("daily at noon", "daily at 12:00"),
    ("end of day", "daily at 23:59"),
    ("end of day at 22:00", "daily at 22:00"),
    ("daily at end of day", "daily at 23:59"),
    ("end of month", "monthly on the last day at 23:59"),
    ("weekdays at 06:00", "weekdays at 06:00"),
    ("every weekday at 06:00", "weekdays at 06:00"),
    ("weekdays and weekends at 06:00", "weekdays and weekends at 06:00"),
    ("weekly on thursday and monday at 06:00", "weekly on monday and thursday at 06:00"),
    ("every Monday, Wednesday and Friday at 06:00", "weekly on monday, wednesday and friday at 06:00"),
    ("mondays at 06:00", "weekly on monday at 06:00"),
    ("every other week on mon at 06:00", "every 2 weeks on monday at 06:00"),
    ("monthly on day 15 at 06:00", "monthly on day 15 at 06:00"),
    ("monthly on day 1, 15 and the last day at 06:00", "monthly on day 1 and day 15 and the last day at 06:00"),
    ("monthly on the 31st at 06:00", "monthly on day 31 at 06:00"),
    ("monthly on the 2nd tuesday at 06:00", "monthly on the 2nd tuesday at 06:00"),
    ("the 2nd Tuesday of every month at 06:00", "monthly on the 2nd tuesday at 06:00"),
    ("monthly on the 1st and 3rd monday at 06:00", "monthly on the 1st monday and the 3rd monday at 06:00"),
    ("last friday of the month at 06:00", "monthly on the last friday at 06:00"),
    ("monthly on the first business day at 06:00", "monthly on the 1st business day at 06:00"),
    ("the last business day of every month at 17:00", "monthly on the last business day at 17:00"),
    ("every 3 days at 06:00", "every 3 days at 06:00"),
    ("every 2 months on day 15 at 06:00", "every 2 months on day 15 at 06:00"),
    ("every 6 hours", "every 6 hours at :00"),
    ("hourly", "hourly at :00"),
    ("hourly at :15, :45 from 08:00 to 18:00", "hourly at :15, :45 from 08:00 to 18:00"),
    ("quarterly on day 1 at 06:00", "quarterly on day 1 at 06:00"),
    ("yearly on february 29 at 06:00", "yearly on 29 february at 06:00"),
    ("the last friday of june at 06:00", "yearly on the last friday of june at 06:00"),
    ("cron 0 6 * * MON-FRI", "cron 0 6 * * MON-FRI"),
];

#[test]
fn a_rule_is_read_as_people_write_it_and_printed_so_that_it_is_read_the_same() {
    for (written, printed) in WORDS {
        let rule: Rule = written.parse().unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(rule.to_string(), printed, "{written}");
        assert_eq!(printed.parse(), Ok(rule.clone()), "{printed}");
        let data = serde_json::to_value(&rule).unwrap();
        assert_eq!(serde_json::from_value::<Rule>(data.clone()).unwrap(), rule, "{data}");
    }
}

#[test]
fn what_is_not_understood_is_refused_with_what_to_write_instead() {
    let cases = [
        ("", "is empty; write one of: `daily at 06:00`"),
        ("fortnightly at 06:00", "`fortnightly` is not understood; write `daily at 06:00`"),
        ("daily", "ends after `daily`; write `at` and a time"),
        ("daily at 25:00", "`25:00` is no time of day; write one such as `06:00`"),
        ("weekly at 06:00", "`at` after `weekly` is not understood; write `on` and weekdays"),
        ("weekly on moonday at 06:00", "`moonday` after `weekly on` is not understood; write a weekday"),
        ("monthly on the 6th monday at 06:00", "no month has that many of a weekday"),
        ("monthly on day 32 at 06:00", "no month has that day"),
        ("every 0 days at 06:00", "write `every 1` to `every 1000`"),
        ("every 2 fortnights at 06:00", "`fortnights` after `every 2` is not understood"),
        ("daily at 06:00 sharp", "`sharp` after `daily at 06:00` is not understood"),
        ("hourly at 15", "`15` is no minute of the hour"),
        ("hourly at :15 from 18:00 to 08:00", "ends before it begins"),
        ("every 2nd tuesday at 06:00", "is not understood"),
        ("cron 0 6 * *", "a cron line has five fields, this one 4"),
        ("cron 0 6 L * *", "`L` is not understood in a cron line"),
        ("cron 0 6 30 2 *", "never comes"),
        ("cron 61 6 * * *", "is no cron line"),
    ];
    for (written, text) in cases {
        let error = written.parse::<Rule>().expect_err(written).to_string();
        assert!(error.contains(text), "{written}: {error}");
    }
}

#[test]
fn rules_fall_on_their_days() {
    let cases: [(&str, &str, &str, &[&str]); 17] = [
        ("daily at 06:00", "", "2026-02-27T12:00:00Z", &["2026-02-28T06:00", "2026-03-01T06:00"]),
        ("daily at 06:00, 18:00", "", "2026-02-27T12:00:00Z", &["2026-02-27T18:00", "2026-02-28T06:00"]),
        ("weekdays at 06:00", "", "2026-01-02T12:00:00Z", &["2026-01-05T06:00", "2026-01-06T06:00"]),
        ("weekdays at 06:00", "weekends = true", "2026-01-02T12:00:00Z", &["2026-01-03T06:00", "2026-01-04T06:00"]),
        ("weekly on wednesday at 06:00", "", "2026-12-25T00:00:00Z", &["2026-12-30T06:00", "2027-01-06T06:00"]),
        ("every 2 weeks on tuesday at 06:00", "starts = \"2026-01-08\"", "2020-01-01T00:00:00Z", &["2026-01-20T06:00"]),
        ("every 3 days at 06:00", "starts = \"2026-01-02\"", "2026-01-05T12:00:00Z", &["2026-01-08T06:00"]),
        ("monthly on day 31 at 06:00", "", "2026-01-31T12:00:00Z", &["2026-02-28T06:00", "2026-03-31T06:00"]),
        ("monthly on day 31 at 06:00", "short_month = \"skip\"", "2026-01-31T12:00:00Z", &["2026-03-31T06:00"]),
        (
            "monthly on day 31 at 06:00",
            "short_month = \"first_of_next\"",
            "2026-01-31T12:00:00Z",
            &["2026-03-01T06:00"],
        ),
        ("monthly on the 5th monday at 06:00", "", "2026-01-01T00:00:00Z", &["2026-03-30T06:00", "2026-06-29T06:00"]),
        (
            "monthly on the last business day at 06:00",
            "",
            "2026-01-01T00:00:00Z",
            &["2026-01-30T06:00", "2026-02-27T06:00"],
        ),
        ("quarterly on day 1 at 06:00", "", "2026-01-02T00:00:00Z", &["2026-04-01T06:00", "2026-07-01T06:00"]),
        (
            "every 5 months on day 1 at 06:00",
            "starts = \"2026-01-01\"",
            "2026-01-02T00:00:00Z",
            &["2026-06-01T06:00", "2026-11-01T06:00", "2027-04-01T06:00"],
        ),
        (
            "yearly on 29 february at 06:00",
            "",
            "2026-01-01T00:00:00Z",
            &["2026-02-28T06:00", "2027-02-28T06:00", "2028-02-29T06:00"],
        ),
        (
            "cron 0 6 13 * 5",
            "",
            "2026-02-01T00:00:00Z",
            &["2026-02-06T06:00", "2026-02-13T06:00", "2026-02-20T06:00", "2026-02-27T06:00", "2026-03-06T06:00"],
        ),
        (
            "every 7 hours at :30",
            "starts = \"2026-01-01\"",
            "2026-01-01T00:30:00Z",
            &["2026-01-01T07:30+00:00", "2026-01-01T14:30+00:00"],
        ),
    ];
    for (rule, more, after, expected) in cases {
        assert_eq!(keys(&schedule(rule, "UTC", more), after, expected.len()), expected, "{rule}");
    }
}

#[test]
fn what_is_on_demand_never_comes_by_itself() {
    assert!(keys(&schedule("on demand", "UTC", ""), "2026-01-01T00:00:00Z", 1).is_empty());
}
