//! The awkward days: clocks that change, days that are skipped, months that are short.

use std::time::{Duration, Instant};

use postbook::schedule::{Calendar, NoteCode};

use super::{instant, keys, occurrences, schedule};

/// Local times of what is due on one local date.
fn on(rule: &str, zone: &str, date: &str) -> Vec<String> {
    let schedule = schedule(rule, zone, "");
    let after = instant(&format!("{date}T00:00:00Z")) - chrono::Duration::days(2);
    let calendar = Calendar::default();
    let due = schedule.after(&calendar, after).take_while(|it| it.local.date().to_string().as_str() <= date);
    due.filter(|it| it.local.date().to_string() == date).map(|it| it.key[11..].to_owned()).collect()
}

#[test]
fn what_other_schedulers_leave_out_or_do_twice_is_due_once() {
    let cases: [(&str, &str, &str, &[&str]); 14] = [
        // Left out, because 02:30 does not come.
        ("daily at 02:30", "Europe/Amsterdam", "2026-03-29", &["03:00"]),
        ("cron 30 2 * * *", "America/New_York", "2026-03-08", &["03:00"]),
        ("rrule FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "America/New_York", "2026-03-08", &["03:00"]),
        // Twice, because 02:30 comes twice.
        ("daily at 02:30", "Europe/Amsterdam", "2026-10-25", &["02:30"]),
        ("cron 30 1 * * *", "America/New_York", "2026-11-01", &["01:30"]),
        ("cron 0,30 1-2 * * *", "Europe/London", "2026-10-25", &["01:00", "01:30", "02:00", "02:30"]),
        // A midnight that does not come, in zones that change then.
        ("daily at 00:00", "America/Sao_Paulo", "2018-11-04", &["01:00"]),
        ("daily at 00:00", "Asia/Beirut", "2022-03-27", &["01:00"]),
        ("daily at 00:30", "Africa/Cairo", "2023-04-28", &["01:00"]),
        // Half an hour, and a change at a minute past midnight.
        ("daily at 02:15", "Australia/Lord_Howe", "2026-10-04", &["02:30"]),
        ("daily at 23:30", "America/St_Johns", "2010-11-06", &["23:30"]),
        // Two hours at once, and a change at four.
        ("daily at 02:30", "Antarctica/Troll", "2023-03-26", &["03:00"]),
        ("daily at 04:30", "Asia/Baku", "2015-03-29", &["05:00"]),
        // What was skipped and what is due anyway are the same instant: one.
        ("daily at 02:15, 02:45, 03:00", "Europe/Amsterdam", "2026-03-29", &["03:00"]),
    ];
    for (rule, zone, date, expected) in cases {
        assert_eq!(on(rule, zone, date), expected, "{rule} in {zone} on {date}");
    }
}

#[test]
fn hours_are_counted_as_they_pass() {
    let cases = [
        ("hourly at :15", "Europe/Amsterdam", "2026-03-29", 23),
        ("hourly at :15", "Europe/Amsterdam", "2026-03-30", 24),
        ("hourly at :15", "Europe/Amsterdam", "2026-10-25", 25),
        ("cron 15 * * * *", "America/New_York", "2026-11-01", 25),
        ("rrule FREQ=HOURLY;BYMINUTE=15", "America/New_York", "2026-03-08", 23),
        // Half an hour is skipped and repeated there: it depends on the minute.
        ("hourly at :15", "Australia/Lord_Howe", "2026-10-04", 23),
        ("hourly at :45", "Australia/Lord_Howe", "2026-10-04", 24),
        ("hourly at :45", "Australia/Lord_Howe", "2026-04-05", 25),
        ("hourly at :00", "Asia/Kathmandu", "2026-03-29", 24),
        ("hourly at :00 from 01:00 to 03:00", "Europe/Amsterdam", "2026-10-25", 4),
    ];
    for (rule, zone, date, count) in cases {
        assert_eq!(on(rule, zone, date).len(), count, "{rule} in {zone} on {date}");
    }
    let twice = on("hourly at :15", "Europe/Amsterdam", "2026-10-25");
    assert_eq!(twice[2..4], ["02:15+02:00", "02:15+01:00"]);
}

#[test]
fn a_day_that_a_zone_skips_moves_to_the_first_instant_after_and_joins_what_is_due_then() {
    let apia = schedule("daily at 06:00", "Pacific/Apia", "");
    let due = occurrences(&apia, "2011-12-29T00:00:00Z", 3);
    let keys: Vec<_> = due.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["2011-12-29T06:00", "2011-12-31T00:00", "2011-12-31T06:00"]);
    assert_eq!(due[1].business_date.to_string(), "2011-12-30");
    assert_eq!(due[1].notes[0].code, NoteCode::DstGap);
    assert!(due[1].notes[0].text.contains("2011-12-30 06:00 does not come in Pacific/Apia"), "{:?}", due[1].notes);

    let midnight = schedule("daily at 00:00", "Pacific/Apia", "");
    let due = occurrences(&midnight, "2011-12-29T12:00:00Z", 2);
    assert_eq!((due[0].key.as_str(), due[1].key.as_str()), ("2011-12-31T00:00", "2012-01-01T00:00"));
    assert_eq!(due[0].business_date.to_string(), "2011-12-31");
    let codes: Vec<_> = due[0].notes.iter().map(|note| note.code).collect();
    assert_eq!(codes, [NoteCode::DstGap, NoteCode::Merged]);
}

#[test]
fn rolled_dates_that_meet_are_one_and_say_so() {
    let monthly = schedule("monthly on day 1, 2 and 4 at 06:00", "UTC", "roll = \"following\"");
    let due = occurrences(&monthly, "2026-07-31T00:00:00Z", 2);
    assert_eq!((due[0].key.as_str(), due[1].key.as_str()), ("2026-08-03T06:00", "2026-08-04T06:00"));
    let texts: Vec<_> = due[0].notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(texts[0], "moved from 2026-08-01 (Saturday)");
    assert_eq!(texts[1], "moved from 2026-08-02 (Sunday)");
    assert_eq!(texts[2], "several occurrences are due on 2026-08-03; they are one");
    assert_eq!(due[0].business_date.to_string(), "2026-08-03");
}

#[test]
fn rolls_go_where_they_say() {
    let cases = [
        ("following", "2026-02-02T06:00"),
        ("preceding", "2026-01-30T06:00"),
        ("modified_following", "2026-01-30T06:00"),
        ("none", "2026-01-31T06:00"),
        ("skip", "2026-02-27T06:00"),
    ];
    for (roll, key) in cases {
        // The 31st of January 2026 is a Saturday, the 27th of February a Friday.
        let rule = if roll == "skip" { "monthly on day 27 and day 31 at 06:00" } else { "monthly on day 31 at 06:00" };
        let schedule = schedule(rule, "UTC", &format!("roll = \"{roll}\"\nshort_month = \"skip\""));
        assert_eq!(keys(&schedule, "2026-01-28T00:00:00Z", 1), [key], "{roll}");
    }
}

#[test]
fn a_schedule_begins_and_ends_on_its_dates() {
    let schedule = schedule("daily at 06:00", "Pacific/Kiritimati", "starts = \"2026-03-01\"\nends = \"2026-03-03\"");
    assert_eq!(
        keys(&schedule, "2020-01-01T00:00:00Z", 9),
        ["2026-03-01T06:00", "2026-03-02T06:00", "2026-03-03T06:00"]
    );
    assert!(keys(&schedule, "2026-03-03T00:00:00Z", 9).is_empty());
}

#[test]
fn a_last_day_that_comes_again_after_midnight_is_whole() {
    // Clocks go from 00:01 back to 23:01, so the 6th comes again after the 7th has begun.
    let schedule = schedule("hourly at :00, :30", "America/St_Johns", "ends = \"2010-11-06\"");
    let due = keys(&schedule, "2010-11-07T01:45:00Z", 9);
    assert_eq!(due, ["2010-11-06T23:30-02:30", "2010-11-06T23:30-03:30"]);
}

#[test]
fn what_never_comes_again_ends() {
    let ended = schedule("rrule FREQ=DAILY;COUNT=3;BYHOUR=6", "UTC", "starts = \"2026-01-01\"");
    assert_eq!(keys(&ended, "2025-01-01T00:00:00Z", 9).len(), 3);
    let until =
        schedule("rrule FREQ=DAILY;UNTIL=20260103T050000Z;BYHOUR=6", "Europe/Amsterdam", "starts = \"2026-01-01\"");
    assert_eq!(keys(&until, "2025-01-01T00:00:00Z", 9), ["2026-01-01T06:00", "2026-01-02T06:00", "2026-01-03T06:00"]);
    for far in ["0000-01-01T00:00:00Z", "9999-01-01T00:00:00Z"] {
        assert!(keys(&schedule("daily at 06:00", "UTC", ""), far, 1).is_empty());
    }
    let rare = schedule("yearly on 29 february at 06:00", "UTC", "short_month = \"skip\"\nroll = \"skip\"");
    assert_eq!(keys(&rare, "2024-03-01T00:00:00Z", 1), ["2028-02-29T06:00"]);
}

/// How long the quickest of five looks at a year takes; the others met something else on this machine.
fn year(rule: &str) -> Duration {
    let schedule = schedule(rule, "Europe/Amsterdam", "starts = \"1990-01-01\"");
    let calendar = Calendar::default();
    let look = || {
        let begun = Instant::now();
        let end = instant("2027-01-01T00:00:00Z");
        let count = schedule.after(&calendar, instant("2026-01-01T00:00:00Z")).take_while(|it| it.at < end).count();
        assert!(count > 0, "{rule}");
        begun.elapsed()
    };
    (0..5).map(|_| look()).min().unwrap()
}

#[test]
fn a_year_is_looked_at_in_less_than_fifty_milliseconds() {
    let rules = [
        "hourly at :15",
        "every 2 hours",
        "daily at 06:00, 12:00, 18:00",
        "every 45 days at 06:00",
        "monthly on the last business day at 06:00",
        "yearly on 29 february at 06:00",
        "cron 0 6 * * 1-5",
        "cron 15 * * * *",
        "rrule FREQ=DAILY;INTERVAL=3;BYHOUR=6",
        "rrule FREQ=HOURLY",
        "rrule FREQ=MONTHLY;BYDAY=2TU;BYHOUR=6",
    ];
    for rule in rules {
        let taken = year(rule);
        println!("{taken:9.3?} {rule}");
        assert!(taken < Duration::from_millis(50), "{rule}: {taken:?}");
    }
}
