//! Which day's digest is due, by the clock of a zone.

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The longest time a clock was ever set forward by: a whole day.
const LONGEST_GAP: i64 = 26 * 60;

/// The latest day whose digest is due at `now`, and when it was.
pub fn due(now: DateTime<Utc>, zone: Tz, at: NaiveTime) -> (NaiveDate, DateTime<Utc>) {
    let today = now.with_timezone(&zone).date_naive();
    let candidates = [today, today - Days::new(1), today - Days::new(2)].map(|day| (day, instant(day, zone, at)));
    candidates.into_iter().find(|(_, due)| *due <= now).unwrap_or(candidates[2])
}

/// When it is `at` on `day` in `zone`: the first time when it comes twice, the first minute after when it is skipped.
pub fn instant(day: NaiveDate, zone: Tz, at: NaiveTime) -> DateTime<Utc> {
    let wanted = day.and_time(at);
    let from = (0..=LONGEST_GAP).map(|minutes| wanted + TimeDelta::minutes(minutes));
    let mut there = from.filter_map(|local| match local.and_local_timezone(zone) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
        LocalResult::None => None,
    });
    there.next().unwrap_or_else(|| wanted.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn four_is_four_by_the_clock_on_the_wall_also_when_it_changes() {
        let four = NaiveTime::from_hms_opt(4, 0, 0).unwrap();
        for (zone, day, expected) in [
            ("Europe/Amsterdam", "2026-03-28", "2026-03-28T03:00:00Z"),
            ("Europe/Amsterdam", "2026-03-29", "2026-03-29T02:00:00Z"),
            ("Europe/Amsterdam", "2026-10-25", "2026-10-25T03:00:00Z"),
            // The clock went from 04:00 to 05:00 there.
            ("Asia/Baku", "2015-03-29", "2015-03-29T00:00:00Z"),
            // This day did not exist there.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ] {
            assert_eq!(instant(day.parse().unwrap(), zone.parse().unwrap(), four), at(expected), "{zone} {day}");
        }
        let half_past_two = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
        let twice = instant("2026-10-25".parse().unwrap(), chrono_tz::Europe::Amsterdam, half_past_two);
        assert_eq!(twice, at("2026-10-25T00:30:00Z"), "the first time");
    }

    #[test]
    fn a_digest_is_due_from_its_minute_on_until_the_next_one() {
        let zone = chrono_tz::Europe::Amsterdam;
        let four = NaiveTime::from_hms_opt(4, 0, 0).unwrap();
        for (now, day) in [
            ("2026-03-29T01:59:59Z", "2026-03-28"),
            ("2026-03-29T02:00:00Z", "2026-03-29"),
            ("2026-03-30T01:59:59Z", "2026-03-29"),
        ] {
            assert_eq!(due(at(now), zone, four).0, day.parse().unwrap(), "{now}");
        }
    }
}
