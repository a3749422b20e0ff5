//! Rules that count instants: every hour that passes, not every hour that clocks show.

use std::{cmp::Reverse, collections::BinaryHeap};

use chrono::{DateTime, Duration, NaiveTime, Utc};
use chrono_tz::Tz;

use super::{
    Minute, Schedule,
    dates::{Dated, anchor},
    landing,
};

/// Further than any zone is from UTC.
const AWAY: Duration = Duration::days(1);

/// Every instant after `after` at which clocks show one of the times of these dates.
///
/// Where clocks are put back, the order of local times is not that of instants: one waits here until no date that is still
/// to come can have an earlier one.
pub(super) fn on_clocks<'a>(
    zone: Tz,
    after: DateTime<Utc>,
    dates: impl Iterator<Item = Dated<'a>> + Send,
) -> impl Iterator<Item = DateTime<Utc>> + Send {
    let mut dates = dates.peekable();
    let mut waiting = BinaryHeap::new();
    let instants = std::iter::from_fn(move || {
        while let Some(next) = dates.peek() {
            let earliest = next.date.and_time(NaiveTime::MIN).and_utc() - AWAY;
            if waiting.peek().is_some_and(|Reverse(at)| *at < earliest) {
                break;
            }
            let locals = next.times.iter().map(|time| next.date.and_time(time.0));
            waiting.extend(locals.flat_map(|local| landing::every(zone, local)).map(Reverse));
            dates.next();
        }
        waiting.pop().map(|Reverse(at)| at)
    });
    instants.filter(move |at| *at > after)
}

/// Every so many hours from the beginning of the first day, whatever clocks show.
pub(super) fn elapsed(
    schedule: &Schedule,
    (every, at): (u32, Minute),
    after: DateTime<Utc>,
) -> impl Iterator<Item = DateTime<Utc>> + Send + use<> {
    let begin = landing::land(schedule.zone, anchor(schedule).and_time(NaiveTime::MIN)).at;
    let begin = begin + Duration::minutes(i64::from(at.0));
    let step = Duration::hours(i64::from(every));
    let passed = (after - begin).num_seconds().div_euclid(step.num_seconds()) + 1;
    let first = begin.checked_add_signed(Duration::seconds(passed * step.num_seconds()));
    std::iter::successors(first, move |at| at.checked_add_signed(step))
}
