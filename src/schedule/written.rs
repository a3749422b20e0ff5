//! A schedule as it is written, and what is wrong with one that cannot be read.
//!
//! This is what is kept, so that rules come back as they were written, and one of an earlier release that cannot be read
//! any more is a fault where it is used rather than a batch that cannot be opened.

use std::{str::FromStr, time::Duration};

use chrono::NaiveDate;
use chrono_tz::Tz;
use humantime_serde::re::humantime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Roll, Rule, Schedule};

/// When a batch fires.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Schedule)]
pub struct Written {
    /// In words, such as `monthly on the 2nd tuesday at 06:00`, or as data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "weekdays at 06:00")]
    pub rule: Option<Value>,
    /// Instead of `rule`: five fields as crontab(5) has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0 6 * * 1-5")]
    pub cron: Option<String>,
    /// Instead of `rule`: a recurrence rule of RFC 5545.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "FREQ=MONTHLY;BYDAY=2TU;BYHOUR=6")]
    pub rrule: Option<String>,
    /// The zone its times are read in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, example = "Europe/Amsterdam")]
    pub zone: Option<String>,
    /// What becomes of occurrences that came due while nothing ran: `run_once` (when absent), `run_all`, `skip`, or
    /// `run_if_late_less_than 2h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "run_once")]
    pub missed: Option<String>,
    /// What becomes of one that comes due while an earlier run is under way: `allow` (when absent), `skip`, `queue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
    /// `day`: none runs for a date that another run of the batch, also one by hand, was about before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "day")]
    pub once: Option<String>,
    /// How long after its time a run may begin, at random, such as `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "10m")]
    pub jitter: Option<String>,
    /// The first local date, and what `every 3 days` counts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-01-01")]
    pub starts: Option<String>,
    /// The last local date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// The name of the calendar that knows the holidays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Where an occurrence on a free day goes: `none` (when absent), `skip`, `following`, `preceding`,
    /// `modified_following`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "following")]
    pub roll: Option<String>,
    /// Where the 31st of a shorter month goes: `last_day` (when absent), `skip`, `first_of_next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_month: Option<String>,
    /// Whether `weekdays` takes Saturdays and Sundays as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekends: Option<bool>,
    /// After how many failed runs in a row it pauses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_after: Option<u32>,
    /// How long after its time a run may be missing before monitors are told, such as `30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "30m")]
    pub grace: Option<String>,
}

/// What is wrong with one field, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    pub field: &'static str,
    pub text: String,
}

impl Written {
    /// Reads it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(&self) -> Result<Schedule, Vec<Flaw>> {
        if let Some((words, zone)) = self.zone_in_words() {
            return Self { rule: Some(words.into()), zone: Some(zone.to_owned()), ..self.clone() }.read();
        }
        let mut flaws = Flaws(Vec::new());
        let rule = self.rule(&mut flaws).unwrap_or(Rule::OnDemand {});
        let schedule = Schedule {
            zone: self.zone(&mut flaws),
            missed: flaws.parsed("missed", self.missed.as_deref()).unwrap_or_default(),
            overlap: flaws.parsed("overlap", self.overlap.as_deref()).unwrap_or_default(),
            once: flaws.parsed("once", self.once.as_deref()),
            jitter: flaws.duration("jitter", self.jitter.as_deref()),
            starts: flaws.date("starts", self.starts.as_deref()),
            ends: flaws.date("ends", self.ends.as_deref()),
            calendar: self.calendar.clone(),
            roll: flaws.parsed("roll", self.roll.as_deref()).unwrap_or_default(),
            short_month: flaws.parsed("short_month", self.short_month.as_deref()).unwrap_or_default(),
            weekends: self.weekends.unwrap_or_default(),
            pause_after: self.pause_after,
            grace: flaws.duration("grace", self.grace.as_deref()),
            rule,
        };
        flaws.between(&schedule);
        if flaws.0.is_empty() { Ok(schedule) } else { Err(flaws.0) }
    }

    /// What stands for the rule, in words, also when it cannot be read.
    pub fn words(&self) -> String {
        match (&self.rule, &self.cron, &self.rrule) {
            (Some(Value::String(words)), ..) => words.clone(),
            (Some(data), ..) => {
                serde_json::from_value(data.clone()).map_or_else(|_| data.to_string(), |rule: Rule| rule.to_string())
            }
            (None, Some(line), _) => format!("cron {line}"),
            (None, None, Some(line)) => format!("rrule {line}"),
            (None, None, None) => String::new(),
        }
    }

    /// Whether there is a rule at all.
    pub fn is_written(&self) -> bool {
        self.rule.is_some() || self.cron.is_some() || self.rrule.is_some()
    }

    fn rule(&self, flaws: &mut Flaws) -> Option<Rule> {
        let given = [self.rule.is_some(), self.cron.is_some(), self.rrule.is_some()];
        if given.into_iter().filter(|it| *it).count() > 1 {
            flaws.add("rule", "stands beside another one; write one of `rule`, `cron` and `rrule`");
        }
        let (field, rule) = match (&self.rule, &self.cron, &self.rrule) {
            (Some(Value::String(words)), ..) => {
                ("rule", words.parse().map_err(|error: super::RuleError| error.to_string()))
            }
            (Some(data), ..) => ("rule", from_data(data)),
            (None, Some(_), _) => ("cron", self.words().parse().map_err(|error: super::RuleError| error.to_string())),
            (None, None, Some(_)) => {
                ("rrule", self.words().parse().map_err(|error: super::RuleError| error.to_string()))
            }
            (None, None, None) => ("rule", Err("is missing; write a rule such as `daily at 06:00`".to_owned())),
        };
        rule.map_err(|text| flaws.add(field, text)).ok()
    }

    /// The zone that stands behind the rule, as in `daily at 06:00, Europe/Amsterdam`, where none is written beside it.
    fn zone_in_words(&self) -> Option<(&str, &str)> {
        let (words, zone) = self.rule.as_ref()?.as_str()?.rsplit_once(',')?;
        (self.zone.is_none() && zone.trim().parse::<Tz>().is_ok()).then_some((words, zone.trim()))
    }

    fn zone(&self, flaws: &mut Flaws) -> Tz {
        let Some(written) = &self.zone else {
            flaws.add("zone", "is missing; write a zone such as `Europe/Amsterdam`");
            return Tz::UTC;
        };
        written.parse().unwrap_or_else(|_| {
            flaws.add("zone", format!("`{written}` is no zone; write an IANA name such as `Europe/Amsterdam`"));
            Tz::UTC
        })
    }
}

fn from_data(data: &Value) -> Result<Rule, String> {
    let rule: Rule = serde_json::from_value(data.clone()).map_err(|error| {
        format!("is not understood as data ({error}); write `{{ \"kind\": \"daily\", \"at\": [\"06:00\"] }}`")
    })?;
    rule.settled().map_err(|error| error.to_string())
}

/// Flaws that are found one after another.
struct Flaws(Vec<Flaw>);

impl Flaws {
    fn add(&mut self, field: &'static str, text: impl Into<String>) {
        self.0.push(Flaw { field, text: text.into() });
    }

    fn parsed<T: FromStr<Err: ToString>>(&mut self, field: &'static str, text: Option<&str>) -> Option<T> {
        text?.parse().map_err(|error: T::Err| self.add(field, error.to_string())).ok()
    }

    fn date(&mut self, field: &'static str, text: Option<&str>) -> Option<NaiveDate> {
        let text = text?;
        let date = text.trim().parse();
        date.map_err(|_| self.add(field, format!("`{text}` is no date; write one such as `2026-01-31`"))).ok()
    }

    fn duration(&mut self, field: &'static str, text: Option<&str>) -> Option<Duration> {
        let text = text?;
        let duration = humantime::parse_duration(text.trim());
        duration.map_err(|_| self.add(field, format!("`{text}` is no time span; write one such as `10m` or `2h`"))).ok()
    }

    /// What does not go together.
    fn between(&mut self, schedule: &Schedule) {
        if schedule.starts.zip(schedule.ends).is_some_and(|(starts, ends)| starts > ends) {
            self.add("ends", "lies before `starts`; write a later date");
        }
        let moves = !matches!(schedule.roll, Roll::None | Roll::Skip);
        if moves && schedule.rule.counts_instants() {
            self.add("roll", "does not go with an hourly rule, which can only leave free days out; write `skip`");
        }
        if matches!(&schedule.rule, Rule::Rrule { line } if line.counts()) && schedule.starts.is_none() {
            self.add("starts", "is missing, and COUNT counts from it; write a date such as `2026-01-31`");
        }
        if schedule.pause_after == Some(0) {
            self.add("pause_after", "would pause it before it ever ran; write 1 or more, or leave it out");
        }
    }
}

impl TryFrom<Written> for Schedule {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        written.read().map_err(|flaws| {
            let flaws: Vec<_> = flaws.iter().map(|flaw| format!("{}: {}", flaw.field, flaw.text)).collect();
            flaws.join("; ")
        })
    }
}

impl From<Schedule> for Written {
    fn from(schedule: Schedule) -> Self {
        let unless_default = |text: String, default: String| (text != default).then_some(text);
        let defaults = Schedule::new(Rule::OnDemand {}, Tz::UTC);
        let span = |span: Duration| humantime::format_duration(span).to_string();
        Self {
            rule: Some(Value::String(schedule.rule.to_string())),
            cron: None,
            rrule: None,
            zone: Some(schedule.zone.name().to_owned()),
            missed: unless_default(schedule.missed.to_string(), defaults.missed.to_string()),
            overlap: unless_default(schedule.overlap.to_string(), defaults.overlap.to_string()),
            once: schedule.once.map(|once| once.to_string()),
            jitter: schedule.jitter.map(span),
            starts: schedule.starts.map(|date| date.to_string()),
            ends: schedule.ends.map(|date| date.to_string()),
            calendar: schedule.calendar,
            roll: unless_default(schedule.roll.to_string(), defaults.roll.to_string()),
            short_month: unless_default(schedule.short_month.to_string(), defaults.short_month.to_string()),
            weekends: schedule.weekends.then_some(true),
            pause_after: schedule.pause_after,
            grace: schedule.grace.map(span),
        }
    }
}
