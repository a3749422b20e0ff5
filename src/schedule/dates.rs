//! On which local dates a rule falls, before holidays and zones have their say.
//!
//! Every sequence can begin anywhere: which days belong to it is computed, not counted from its start.

use std::borrow::Cow;

use chrono::{Datelike, Days, Month, Months, NaiveDate, NaiveTime, Weekday};

use super::{
    Calendar, Minute, MonthDay, Note, NoteCode, Nth, Recurrence, Rule, Schedule, ShortMonth, Time, landing, month,
};

/// A date with its times, and what there is to say about it.
#[derive(Debug, Clone)]
pub(super) struct Dated<'a> {
    pub(super) date: NaiveDate,
    pub(super) times: Cow<'a, [Time]>,
    pub(super) notes: Vec<Note>,
}

/// A sequence of dates in order.
pub(super) type Dates<'a> = Box<dyn Iterator<Item = Dated<'a>> + Send + 'a>;

/// What `every 3 days` and its like count from when a schedule does not say when it starts: a Monday, the first of its
/// year.
const ANCHOR: NaiveDate = match NaiveDate::from_ymd_opt(2024, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// The first day of a schedule that counts.
pub(super) fn anchor(schedule: &Schedule) -> NaiveDate {
    schedule.starts.unwrap_or(ANCHOR)
}

/// The dates of a rule, from `from` or a little before.
pub(super) fn dates<'a>(schedule: &'a Schedule, calendar: &'a Calendar, from: NaiveDate) -> Dates<'a> {
    let start = anchor(schedule);
    let months = move |every, month| Monthly { every, month, start, short: schedule.short_month, calendar };
    match &schedule.rule {
        Rule::Daily { every, at } => timed(at, daily(*every, start, from).map(plain)),
        Rule::Weekdays { weekends, at } => {
            let all = *weekends || schedule.weekends;
            let working = move |date: &NaiveDate| all || !matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
            timed(at, from.iter_days().filter(working).map(plain))
        }
        Rule::Weekly { every, on, at } => timed(at, weekly((*every, on), start, from).map(plain)),
        Rule::Monthly { every, on, at } => timed(at, months(i64::from(*every), None).days_from(on, from)),
        Rule::Quarterly { on, at } => timed(at, Monthly { start: ANCHOR, ..months(3, None) }.days_from(on, from)),
        Rule::Yearly { every, month, on, at } => {
            timed(at, months(12 * i64::from(*every), Some(*month)).days_from(on, from))
        }
        Rule::Hourly { at, between } => {
            let times = hours(at, *between);
            Box::new(from.iter_days().map(move |date| Dated { date, times: times.clone().into(), notes: Vec::new() }))
        }
        Rule::Cron { line } => timed(line.times(), from.iter_days().filter(|date| line.is_on(*date)).map(plain)),
        Rule::Rrule { line } => Box::new(recurring(schedule, line, from)),
        Rule::OnDemand {} | Rule::Hours { .. } => Box::new(std::iter::empty()),
    }
}

/// The dates of a recurrence rule until its own end.
fn recurring<'a>(
    schedule: &'a Schedule,
    line: &'a Recurrence,
    from: NaiveDate,
) -> impl Iterator<Item = Dated<'a>> + Send + 'a {
    let lasts = |date: NaiveDate, time: &Time| {
        let local = date.and_time(time.0);
        line.lasts(local, landing::land(schedule.zone, local).at)
    };
    let kept = move |(date, mut times): (NaiveDate, Vec<Time>)| {
        times.retain(|time| lasts(date, time));
        (!times.is_empty()).then_some(Dated { date, times: times.into(), notes: Vec::new() })
    };
    line.dates(anchor(schedule), from).map_while(kept)
}

/// A day of a rule, before it gets the rule's times.
type Day = (NaiveDate, Vec<Note>);

fn plain(date: NaiveDate) -> Day {
    (date, Vec::new())
}

fn timed<'a>(times: &'a [Time], days: impl Iterator<Item = Day> + Send + 'a) -> Dates<'a> {
    Box::new(days.map(|(date, notes)| Dated { date, times: times.into(), notes }))
}

/// The local times of a day at which clocks show one of these minutes.
fn hours(at: &[Minute], between: Option<(Time, Time)>) -> Vec<Time> {
    let all = (0..24).flat_map(|hour| at.iter().filter_map(move |at| NaiveTime::from_hms_opt(hour, at.0, 0)));
    all.map(Time).filter(|time| between.is_none_or(|(from, to)| (from..=to).contains(time))).collect()
}

fn daily(every: u32, start: NaiveDate, from: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let every = i64::from(every);
    let ahead = (start - from).num_days().rem_euclid(every);
    let first = from.checked_add_days(Days::new(ahead.unsigned_abs()));
    let next = move |date: &NaiveDate| date.checked_add_days(Days::new(every.unsigned_abs()));
    std::iter::successors(first, next)
}

/// Weeks begin on Monday.
fn weekly((every, on): (u32, &[Weekday]), start: NaiveDate, from: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let monday = move |date: NaiveDate| date.week(Weekday::Mon).first_day();
    daily(7 * every, monday(start), monday(from) - Days::new(7 * u64::from(every) - 7)).flat_map(move |week| {
        on.iter().filter_map(move |day| week.checked_add_days(Days::new(u64::from(day.num_days_from_monday()))))
    })
}

/// Which months, and how their days are told.
struct Monthly<'a> {
    every: i64,
    /// The month that yearly rules mean.
    month: Option<Month>,
    start: NaiveDate,
    short: ShortMonth,
    calendar: &'a Calendar,
}

impl<'a> Monthly<'a> {
    fn days_from(self, on: &'a [MonthDay], from: NaiveDate) -> impl Iterator<Item = Day> + Send + 'a {
        let index = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
        let start = match self.month {
            Some(month) => i64::from(self.start.year()) * 12 + i64::from(month.number_from_month()) - 1,
            None => index(self.start),
        };
        // A month earlier, because the 31st may go to the first of the next one.
        let from = index(from) - 1;
        let first = from + (start - from).rem_euclid(self.every);
        let months = std::iter::successors(Some(first), move |month| Some(month + self.every)).map_while(first_of);
        months.flat_map(move |month| self.days(month, on))
    }

    /// The days of one month, in order, each once.
    fn days(&self, month: NaiveDate, on: &[MonthDay]) -> Vec<Day> {
        let mut days: Vec<_> = on.iter().filter_map(|day| self.day(month, *day)).collect();
        days.sort_by_key(|(date, _)| *date);
        days.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.append(&mut next.1);
            }
            same
        });
        days
    }

    fn day(&self, month: NaiveDate, day: MonthDay) -> Option<Day> {
        match day {
            MonthDay::Last => month::last_day(month).map(plain),
            MonthDay::Day(day) => match month.with_day(day) {
                Some(date) => Some(plain(date)),
                None => self.missing(month, day),
            },
            MonthDay::Weekday(nth, weekday) => month::weekday(month, nth, weekday).map(plain),
            MonthDay::Business(nth) => self.business_day(month, nth).map(plain),
        }
    }

    /// Where the 29th, 30th or 31st of a shorter month goes.
    fn missing(&self, month: NaiveDate, day: u32) -> Option<Day> {
        let date = match self.short {
            ShortMonth::Skip => return None,
            ShortMonth::LastDay => month::last_day(month)?,
            ShortMonth::FirstOfNext => month.checked_add_months(Months::new(1))?,
        };
        let text = format!("{} has no day {day}; it is {}", month.format("%B %Y"), date.format("%-d %B"));
        Some((date, vec![Note { code: NoteCode::ShortMonth, text }]))
    }

    fn business_day(&self, month: NaiveDate, nth: Nth) -> Option<NaiveDate> {
        let last = month::last_day(month)?;
        let mut days =
            month.iter_days().take_while(|day| *day <= last).filter(|day| self.calendar.is_business_day(*day));
        match nth {
            Nth::From(nth) => days.nth(nth.checked_sub(1)? as usize),
            Nth::Last => days.last(),
        }
    }
}

/// The first day of a month that is counted from year 0.
fn first_of(month: i64) -> Option<NaiveDate> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    NaiveDate::from_ymd_opt(year, u32::try_from(month.rem_euclid(12)).ok()? + 1, 1)
}
