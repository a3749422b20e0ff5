//! The occurrences of a schedule, one after another.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use serde::{Serialize, Serializer};

use super::{
    Calendar, Roll, Rule, Schedule,
    dates::{self, Dated},
    hourly, landing,
};

/// One time at which a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Occurrence {
    /// What makes it itself: its local date and time, with the offset where a rule counts instants. Unique in its
    /// schedule; another schedule in another zone may have the same key for another instant.
    pub key: String,
    /// What clocks in its zone show when it is due.
    #[serde(serialize_with = "to_the_minute")]
    pub local: NaiveDateTime,
    /// When it is due, without jitter.
    #[serde(rename = "utc")]
    pub at: DateTime<Utc>,
    /// The zone's distance from UTC then.
    pub offset: String,
    /// The date it is about: the day of its rule, rolled to a business day where the schedule says so.
    pub business_date: NaiveDate,
    pub notes: Vec<Note>,
}

/// Something about an occurrence that its rule alone does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub code: NoteCode,
    pub text: String,
}

/// What kinds of notes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteCode {
    /// Its local time does not come on that day.
    DstGap,
    /// Its local time comes twice on that day.
    DstFold,
    /// It was moved from a free day.
    Rolled,
    /// It is left out, because its day is free.
    LeftOut,
    /// It was moved within a month without its day.
    ShortMonth,
    /// It is several occurrences that came to land on the same instant.
    Merged,
}

fn to_the_minute<S: Serializer>(local: &NaiveDateTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&minute(*local))
}

/// `2026-04-01T06:00`. Patterns would be read anew for every one.
fn minute(local: NaiveDateTime) -> String {
    format!("{}T{:02}:{:02}", local.date(), local.hour(), local.minute())
}

/// How far ahead an occurrence is looked for. The 29th of February on one weekday comes every 28 years, or 40.
const HORIZON: Months = Months::new(12 * 100);

/// How much longer dates are looked at than `ends` says: a roll may bring one back from behind it.
const BEYOND: Days = Days::new(400);

type Occurrences<'a> = Box<dyn Iterator<Item = Occurrence> + Send + 'a>;

impl Schedule {
    /// The occurrences after `after`, strictly, in the order of their instants; no two have the same instant or key.
    /// Lazy, and the same from wherever it is begun.
    pub fn after<'a>(
        &'a self,
        calendar: &'a Calendar,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Occurrence> + Send + use<'a> {
        self.rolling(calendar, (after, self.roll))
    }

    /// What `roll = "skip"` leaves out after `after`: what would be due on free days.
    pub fn left_out<'a>(
        &'a self,
        calendar: &'a Calendar,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Occurrence> + Send + use<'a> {
        let all = (self.roll == Roll::Skip).then(|| self.rolling(calendar, (after, Roll::None)));
        let free = all.into_iter().flatten().filter(|it| !calendar.is_business_day(it.business_date));
        free.map(|mut it| {
            let text =
                format!("left out, because {} is free ({})", it.business_date, calendar.why_free(it.business_date));
            it.notes.push(Note { code: NoteCode::LeftOut, text });
            it
        })
    }

    fn rolling<'a>(
        &'a self,
        calendar: &'a Calendar,
        (after, roll): (DateTime<Utc>, Roll),
    ) -> impl Iterator<Item = Occurrence> + Send + use<'a> {
        let all = self.from(calendar, (after, roll)).unwrap_or_else(|| Box::new(std::iter::empty()));
        let (starts, ends) = (self.starts, self.ends);
        // Where clocks are put back at midnight, the last day comes again after the next one has begun.
        let over = move |it: &Occurrence| ends.is_some_and(|ends| it.local.date() > ends + Days::new(1));
        let within =
            move |date: NaiveDate| starts.is_none_or(|starts| date >= starts) && ends.is_none_or(|ends| date <= ends);
        all.take_while(move |it| !over(it)).filter(move |it| within(it.local.date()))
    }

    /// Begins shortly before the schedule starts at the earliest; `None` where no calendar reaches.
    fn from<'a>(&'a self, calendar: &'a Calendar, (after, roll): (DateTime<Utc>, Roll)) -> Option<Occurrences<'a>> {
        let start = self.starts.and_then(|date| date.checked_sub_days(Days::new(3)));
        let after = start.map_or(after, |start| after.max(start.and_time(NaiveTime::MIN).and_utc()));
        if !(1..9000).contains(&after.year()) {
            return None;
        }
        let until = after.date_naive() + HORIZON;
        let until = self.ends.and_then(|ends| ends.checked_add_days(BEYOND)).map_or(until, |ends| until.min(ends));
        // Zones are up to a day from UTC, and one has left out a day.
        let from = calendar.reaches_back(after.date_naive() - Days::new(3));
        let dates = dates::dates(self, calendar, from).take_while(move |dated| dated.date <= until);
        let dates = dates.filter_map(move |dated| rolled(calendar, (dated, roll)));
        Some(match &self.rule {
            Rule::Hours { every, at } => {
                let at = hourly::elapsed(self, (*every, *at), after).take_while(move |at| at.date_naive() <= until);
                let date = |at: &DateTime<Utc>| landing::local_at(self.zone, *at).date();
                let open = move |at: &DateTime<Utc>| roll != Roll::Skip || calendar.is_business_day(date(at));
                Box::new(at.filter(open).map(|at| self.instant(at)))
            }
            rule if rule.counts_instants() => {
                Box::new(hourly::on_clocks(self.zone, after, dates).map(|at| self.instant(at)))
            }
            _ => {
                let landed = Merging::new(dates, one_date).flat_map(move |dated| self.on(&dated));
                Box::new(Merging::new(landed, one_instant).filter(move |it| it.at > after))
            }
        })
    }

    fn instant(&self, at: DateTime<Utc>) -> Occurrence {
        let (local, offset) = landing::shown(self.zone, at);
        let key = format!("{}{offset}", minute(local));
        Occurrence { key, local, at, offset, business_date: local.date(), notes: Vec::new() }
    }

    /// The occurrences of one date.
    fn on(&self, dated: &Dated) -> Vec<Occurrence> {
        dated.times.iter().map(|time| self.occurrence(dated.date.and_time(time.0), &dated.notes)).collect()
    }

    fn occurrence(&self, wanted: NaiveDateTime, notes: &[Note]) -> Occurrence {
        let landing = landing::land(self.zone, wanted);
        let (local, offset) = landing::shown(self.zone, landing.at);
        Occurrence {
            key: minute(local),
            local,
            at: landing.at,
            offset,
            business_date: wanted.date(),
            notes: notes.iter().cloned().chain(landing.note).collect(),
        }
    }
}

/// Moves a date from a free day, as the schedule says; `None` when it is left out.
fn rolled<'a>(calendar: &Calendar, (mut dated, roll): (Dated<'a>, Roll)) -> Option<Dated<'a>> {
    if roll == Roll::None {
        return Some(dated);
    }
    let date = calendar.roll(dated.date, roll)?;
    if date != dated.date {
        let text = format!("moved from {} ({})", dated.date, calendar.why_free(dated.date));
        dated.notes.push(Note { code: NoteCode::Rolled, text });
        dated.date = date;
    }
    Some(dated)
}

/// Takes `next` into `kept` when they are the same date.
fn one_date(kept: &mut Dated, next: &Dated) -> bool {
    let same = kept.date == next.date;
    if same {
        let times: BTreeSet<_> = kept.times.iter().chain(&*next.times).copied().collect();
        kept.times = times.into_iter().collect();
        join(&mut kept.notes, (&next.notes, kept.date.to_string()));
    }
    same
}

/// Takes `next` into `kept` when they are due at the same instant. The later date is the one it is about.
fn one_instant(kept: &mut Occurrence, next: &Occurrence) -> bool {
    let same = kept.at == next.at;
    if same {
        kept.business_date = kept.business_date.max(next.business_date);
        join(&mut kept.notes, (&next.notes, kept.local.format("%Y-%m-%d %H:%M").to_string()));
    }
    same
}

/// Takes notes together, with one that says so.
fn join(kept: &mut Vec<Note>, (next, place): (&[Note], String)) {
    let text = format!("several occurrences are due on {place}; they are one");
    kept.retain(|note| note.code != NoteCode::Merged);
    kept.extend(next.iter().filter(|note| note.code != NoteCode::Merged).cloned());
    kept.push(Note { code: NoteCode::Merged, text });
}

/// Takes neighbours together, for which `joins` says so.
struct Merging<I: Iterator, F> {
    items: std::iter::Peekable<I>,
    joins: F,
}

impl<I: Iterator, F: FnMut(&mut I::Item, &I::Item) -> bool> Merging<I, F> {
    fn new(items: I, joins: F) -> Self {
        Self { items: items.peekable(), joins }
    }
}

impl<I: Iterator, F: FnMut(&mut I::Item, &I::Item) -> bool> Iterator for Merging<I, F> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let mut kept = self.items.next()?;
        let joins = &mut self.joins;
        while self.items.next_if(|next| joins(&mut kept, next)).is_some() {}
        Some(kept)
    }
}
