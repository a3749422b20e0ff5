//! Rules that count instants: every hour that passes, not every hour that clocks show.

use std::collections::VecDeque;

use chrono::{DateTime, Days, Duration, NaiveTime, Utc};
use chrono_tz::Tz;

use super::{
    Minute, Schedule,
    dates::{Dated, anchor},
    landing,
};

/// Every instant after `after` at which clocks show one of the times of these dates, which begin two days before.
///
/// It goes by days of UTC, whose instants are put in order: where clocks are put back, the order of local times is not
/// that of instants.
pub(super) fn on_clocks<'a>(
    zone: Tz,
    after: DateTime<Utc>,
    dates: impl Iterator<Item = Dated<'a>> + Send,
) -> impl Iterator<Item = DateTime<Utc>> + Send {
    let mut dates = dates.peekable();
    let mut near: VecDeque<Dated<'a>> = VecDeque::new();
    let midnight = after.date_naive().and_time(NaiveTime::MIN).and_utc();
    let mut next_day = Some(midnight);
    let days = std::iter::from_fn(move || {
        // Without a date that is left, there is nothing more to look for.
        if near.is_empty() && dates.peek().is_none() {
            return None;
        }
        let day = next_day?;
        next_day = day.checked_add_days(Days::new(1));
        let end = next_day?;
        // Zones are at most a day from UTC.
        while let Some(dated) = dates.next_if(|dated| dated.date <= end.date_naive() + Days::new(1)) {
            near.push_back(dated);
        }
        near.retain(|dated| dated.date + Days::new(2) > day.date_naive());
        let locals = near.iter().flat_map(|dated| dated.times.iter().map(|time| dated.date.and_time(time.0)));
        let mut found: Vec<_> = locals.flat_map(|local| landing::every(zone, local)).collect();
        found.retain(|at| (day..end).contains(at));
        found.sort();
        Some(found)
    });
    days.flatten().filter(move |at| *at > after)
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
