//! From a local time to the instant it stands for, also where a zone skips or repeats it.

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::{Note, NoteCode};

/// Where a local time came to land.
pub(super) struct Landing {
    pub(super) at: DateTime<Utc>,
    pub(super) note: Option<Note>,
}

/// The instant of `local`: its first one where it comes twice, the first instant after it where it does not come.
pub(super) fn land(zone: Tz, local: NaiveDateTime) -> Landing {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => Landing { at: at.to_utc(), note: None },
        LocalResult::Ambiguous(first, _) => {
            let text = format!(
                "{} comes twice in {zone}, because clocks are put back; it is the first one",
                local.time().format("%H:%M")
            );
            Landing { at: first.to_utc(), note: Some(Note { code: NoteCode::DstFold, text }) }
        }
        LocalResult::None => {
            let at = after_gap(zone, local);
            let text = format!(
                "{} does not come in {zone}; it is {}, the first time after",
                local.format("%Y-%m-%d %H:%M"),
                local_at(zone, at).format("%Y-%m-%d %H:%M")
            );
            Landing { at, note: Some(Note { code: NoteCode::DstGap, text }) }
        }
    }
}

/// What clocks in `zone` show at this instant.
pub(super) fn local_at(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// Every instant at which clocks show `local`.
pub(super) fn every(zone: Tz, local: NaiveDateTime) -> impl Iterator<Item = DateTime<Utc>> {
    let (first, second) = match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => (Some(at), None),
        LocalResult::Ambiguous(first, second) => (Some(first), Some(second)),
        LocalResult::None => (None, None),
    };
    first.into_iter().chain(second).map(|at| at.to_utc())
}

/// What clocks in `zone` show at this instant, and their distance from UTC: `+02:00`.
pub(super) fn shown(zone: Tz, at: DateTime<Utc>) -> (NaiveDateTime, String) {
    let there = at.with_timezone(&zone);
    (there.naive_local(), there.offset().fix().to_string())
}

/// Further than any zone is from UTC, and far enough to reach across a day that a zone leaves out.
const REACH: Duration = Duration::hours(40);

/// The instant at which clocks jump over `local`: before it they show less, from it on more.
fn after_gap(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let (mut before, mut from) = ((local - REACH).and_utc(), (local + REACH).and_utc());
    while from - before > Duration::seconds(1) {
        let middle = before + Duration::seconds((from - before).num_seconds() / 2);
        if local_at(zone, middle) > local { from = middle } else { before = middle }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed(zone: &str, local: &str) -> (String, Option<NoteCode>) {
        let landing = land(zone.parse().unwrap(), local.parse().unwrap());
        (landing.at.format("%Y-%m-%dT%H:%MZ").to_string(), landing.note.map(|note| note.code))
    }

    #[test]
    fn a_time_that_a_zone_skips_is_the_first_instant_after_and_one_that_comes_twice_the_first() {
        let cases = [
            ("Europe/Amsterdam", "2026-03-29T02:30:00", "2026-03-29T01:00Z", Some(NoteCode::DstGap)),
            ("Europe/Amsterdam", "2026-10-25T02:30:00", "2026-10-25T00:30Z", Some(NoteCode::DstFold)),
            ("Australia/Lord_Howe", "2026-10-04T02:10:00", "2026-10-03T15:30Z", Some(NoteCode::DstGap)),
            ("America/Sao_Paulo", "2018-11-04T00:00:00", "2018-11-04T03:00Z", Some(NoteCode::DstGap)),
            ("Pacific/Apia", "2011-12-30T06:00:00", "2011-12-30T10:00Z", Some(NoteCode::DstGap)),
            ("Asia/Kathmandu", "2026-03-29T02:30:00", "2026-03-28T20:45Z", None),
        ];
        for (zone, local, at, note) in cases {
            assert_eq!(landed(zone, local), (at.to_owned(), note), "{zone} {local}");
        }
    }
}
