//! What holds for every rule, in every zone, from wherever one begins.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use postbook::schedule::{Calendar, Missed, Overlap, Roll, Rule, Schedule, ShortMonth};
use proptest::{collection::vec, option, prelude::*, sample::select};

const ZONES: [Tz; 10] = [
    Tz::Europe__Amsterdam,
    Tz::America__New_York,
    Tz::America__Sao_Paulo,
    Tz::America__St_Johns,
    Tz::Australia__Lord_Howe,
    Tz::Pacific__Apia,
    Tz::Pacific__Kiritimati,
    Tz::Antarctica__Troll,
    Tz::Africa__Casablanca,
    Tz::UTC,
];

const LINES: [&str; 10] = [
    "FREQ=DAILY;INTERVAL=3;BYHOUR=2;BYMINUTE=30",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;BYHOUR=0",
    "FREQ=WEEKLY;BYHOUR=3",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17",
    "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=31,-1;BYHOUR=6,18",
    "FREQ=MONTHLY;BYHOUR=6",
    "FREQ=YEARLY;INTERVAL=2;BYHOUR=6",
    "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO;BYHOUR=5",
    "FREQ=DAILY;COUNT=200;BYHOUR=2;BYMINUTE=30",
    "FREQ=HOURLY;BYDAY=SU;BYMINUTE=15,45",
];

fn time() -> impl Strategy<Value = String> {
    (0..24_u32, select(vec![0_u32, 15, 30, 45, 59])).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"))
}

fn times() -> impl Strategy<Value = String> {
    vec(time(), 1..4).prop_map(|times| times.join(", "))
}

fn month_day() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..32_u32).prop_map(|day| format!("day {day}")),
        Just("the last day".to_owned()),
        (
            select(vec!["1st", "2nd", "3rd", "4th", "5th", "last"]),
            select(vec!["monday", "friday", "sunday", "business day"])
        )
            .prop_map(|(nth, day)| format!("the {nth} {day}")),
    ]
}

fn words() -> impl Strategy<Value = String> {
    let days = || vec(month_day(), 1..3).prop_map(|days| days.join(" and "));
    prop_oneof![
        times().prop_map(|at| format!("daily at {at}")),
        times().prop_map(|at| format!("weekdays at {at}")),
        (2..40_u32, times()).prop_map(|(every, at)| format!("every {every} days at {at}")),
        (1..5_u32, times()).prop_map(|(every, at)| format!("every {every} weeks on tuesday and sunday at {at}")),
        (1..14_u32, days(), times()).prop_map(|(every, on, at)| format!("every {every} months on {on} at {at}")),
        (days(), times()).prop_map(|(on, at)| format!("quarterly on {on} at {at}")),
        times().prop_map(|at| format!("yearly on 29 february at {at}")),
        (0..60_u32, 0..60_u32).prop_map(|(one, two)| format!("hourly at :{one:02}, :{two:02}")),
        (0..60_u32).prop_map(|minute| format!("hourly at :{minute:02} from 00:00 to 02:59")),
        (1..100_u32, 0..60_u32).prop_map(|(every, minute)| format!("every {every} hours at :{minute:02}")),
        Just("on demand".to_owned()),
        select(vec!["cron 30 2 * * *", "cron */20 * * * sun", "cron 15 0,1,2,3 13 * fri", "cron 0 6 31 jan-aug 1-5"])
            .prop_map(str::to_owned),
        select(LINES.to_vec()).prop_map(|line| format!("rrule {line}")),
    ]
}

/// Between the years 2005 and 2036, near where clocks change more often than not.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let day = NaiveDate::from_ymd_opt(2005, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let awkward = [
        "2011-12-30T09:00:00Z",
        "2026-03-29T00:30:00Z",
        "2026-10-25T00:30:00Z",
        "2018-11-04T02:30:00Z",
        "2020-02-28T12:00:00Z",
    ];
    prop_oneof![
        (0..31 * 365 * 24 * 60_i64).prop_map(move |minutes| day + Duration::minutes(minutes)),
        (select(awkward.to_vec()), -3000..3000_i64)
            .prop_map(|(near, minutes)| near.parse::<DateTime<Utc>>().unwrap() + Duration::minutes(minutes)),
    ]
}

fn date() -> impl Strategy<Value = NaiveDate> {
    instant().prop_map(|at| at.date_naive())
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let rolls = vec![Roll::None, Roll::Skip, Roll::Following, Roll::Preceding, Roll::ModifiedFollowing];
    let short = vec![ShortMonth::LastDay, ShortMonth::Skip, ShortMonth::FirstOfNext];
    let policies = (select(rolls), select(short), any::<bool>());
    let parts = (words(), select(ZONES.to_vec()), policies, option::of(date()), option::of(1..4000_u64));
    parts.prop_map(|(words, zone, (roll, short_month, weekends), starts, length)| {
        let rule: Rule = words.parse().unwrap_or_else(|error| panic!("{words}: {error}"));
        let roll = if rule.counts_instants() && roll != Roll::None { Roll::Skip } else { roll };
        let counts = words.contains("COUNT");
        let starts = starts.or(counts.then(|| NaiveDate::from_ymd_opt(2020, 1, 1).unwrap()));
        let ends = starts.zip(length).map(|(starts, days)| starts + chrono::Days::new(days));
        Schedule { roll, short_month, weekends, starts, ends, ..Schedule::new(rule, zone) }
    })
}

/// Weekends and a week around the turn of the year.
fn calendar() -> Calendar {
    let written = "holiday = [{ name = 'a', on = '25 december', observed = 'following' }, { name = 'b', on = 'easter + 1' }, \
                   { name = 'c', on = '31 december' }, { name = 'd', on = '1 january' }, { name = 'e', on = '2 january' }]";
    toml::from_str::<postbook::schedule::calendar::Written>(written).unwrap().read().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn occurrences_come_in_order_each_once_and_within_the_schedule(schedule in schedule(), after in instant()) {
        let calendar = calendar();
        let due: Vec<_> = schedule.after(&calendar, after).take(120).collect();
        prop_assert!(due.iter().all(|it| it.at > after));
        prop_assert!(due.windows(2).all(|two| two[0].at < two[1].at));
        let keys: BTreeSet<_> = due.iter().map(|it| &it.key).collect();
        prop_assert_eq!(keys.len(), due.len());
        for it in &due {
            prop_assert_eq!(it.at.with_timezone(&schedule.zone).naive_local(), it.local);
            prop_assert!(schedule.starts.is_none_or(|starts| it.local.date() >= starts));
            prop_assert!(schedule.ends.is_none_or(|ends| it.local.date() <= ends));
            // Only a gap can move what was rolled, to the day after.
            let moved = it.notes.iter().any(|note| format!("{:?}", note.code) == "DstGap");
            let rolls = schedule.roll != Roll::None;
            prop_assert!(!rolls || moved || calendar.is_business_day(it.local.date()), "{:?}", it);
        }
    }

    #[test]
    fn wherever_one_begins_the_rest_is_the_same(schedule in schedule(), after in instant(), steps in vec(0..5000_i64, 1..6)) {
        let calendar = calendar();
        let due: Vec<_> = schedule.after(&calendar, after).take(60).collect();
        // From one to the next, as firing goes.
        let mut at = after;
        for expected in &due {
            let next = schedule.after(&calendar, at).next();
            prop_assert_eq!(next.as_ref(), Some(expected));
            at = expected.at;
        }
        // From anywhere between.
        for minutes in steps {
            let from = after + Duration::minutes(minutes);
            let rest: Vec<_> = due.iter().filter(|it| it.at > from).take(5).cloned().collect();
            let found: Vec<_> = schedule.after(&calendar, from).take(rest.len()).collect();
            prop_assert_eq!(found, rest);
        }
    }

    #[test]
    fn what_free_days_leave_out_and_what_stays_is_what_would_be_due(schedule in schedule(), after in instant()) {
        let calendar = calendar();
        let skipping = Schedule { roll: Roll::Skip, ..schedule.clone() };
        let whole = Schedule { roll: Roll::None, ..schedule };
        let all: Vec<_> = whole.after(&calendar, after).take(60).map(|it| it.at).collect();
        let Some(last) = all.last().copied() else { return Ok(()) };
        let stays = skipping.after(&calendar, after).map(|it| it.at).take_while(|at| *at <= last);
        let left_out = skipping.left_out(&calendar, after).map(|it| it.at).take_while(|at| *at <= last);
        let together: BTreeSet<_> = stays.chain(left_out).collect();
        prop_assert_eq!(together.into_iter().collect::<Vec<_>>(), all);
        prop_assert_eq!(whole.left_out(&calendar, after).next(), None);
    }

    #[test]
    fn what_is_printed_is_read_as_the_same(words in words(), schedule in schedule()) {
        let rule: Rule = words.parse().unwrap();
        prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
        let schedule = Schedule { missed: Missed::RunIfLateLessThan(std::time::Duration::from_secs(7260)),
                                  overlap: Overlap::Queue, jitter: Some(std::time::Duration::from_secs(90)), ..schedule };
        let kept = serde_json::to_value(&schedule).unwrap();
        prop_assert_eq!(serde_json::from_value::<Schedule>(kept).unwrap(), schedule);
    }

    #[test]
    fn no_text_makes_reading_fail_in_another_way(text in "\\PC{0,60}", parts in vec(select(vec![
        "every", "monthly", "on", "the", "last", "day", "1st", "and", ",", "of", "at", "06:00", "business", "hourly", ":15", "from", "to",
        "rrule", "FREQ=DAILY;", "BYHOUR=6", "cron", "*", "0", "1-5", "easter", "é", "99999999999",
    ]), 0..12)) {
        for text in [text, parts.join(" ")] {
            if let Ok(rule) = text.parse::<Rule>() {
                let calendar = Calendar::default();
                let schedule = Schedule::new(rule, Tz::Europe__Amsterdam);
                let due = schedule.after(&calendar, "2026-01-01T00:00:00Z".parse().unwrap()).take(3).count();
                prop_assert!(due <= 3);
            }
            let _ = text.parse::<postbook::schedule::YearDay>();
        }
    }
}
