//! When schedules are due.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Place, print, schedules};
use crate::{
    catalog::calendar as calendars,
    clock::Clock,
    schedule::{Calendar, Occurrence, Schedule, Written, calendar},
};

/// Says when schedules are due, and acts on those of batches.
#[derive(Debug, Subcommand)]
pub(super) enum Commands {
    /// Shows the next occurrences of a rule, by the same code that fires them.
    Preview(Preview),
    #[command(flatten)]
    Act(schedules::Act),
}

impl Commands {
    pub(super) async fn run(self, place: &Place) -> Result<ExitCode> {
        match self {
            Self::Preview(preview) => preview.run(place).await,
            Self::Act(act) => act.run(place).await.map(|()| ExitCode::SUCCESS),
        }
    }
}

/// Shows the next occurrences of a rule.
#[derive(Debug, Args)]
pub(super) struct Preview {
    /// The rule in words, such as "monthly on the 2nd tuesday at 06:00".
    #[arg(required_unless_present_any = ["cron", "rrule"], conflicts_with_all = ["cron", "rrule"])]
    rule: Option<String>,
    /// A cron line of five fields instead.
    #[arg(long, value_name = "LINE", conflicts_with = "rrule")]
    cron: Option<String>,
    /// A recurrence rule of RFC 5545 instead.
    #[arg(long, value_name = "LINE")]
    rrule: Option<String>,
    /// The zone, such as Europe/Amsterdam.
    #[arg(long)]
    zone: Option<String>,
    /// The first local date to look at; from now on when absent.
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// How many.
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// The first date of the schedule, from which `every 3 days` counts.
    #[arg(long, value_name = "DATE")]
    starts: Option<String>,
    /// The last date of the schedule.
    #[arg(long, value_name = "DATE")]
    ends: Option<String>,
    /// Holidays: a .toml or .ics file, or the name of a calendar in the catalogue.
    #[arg(long, value_name = "FILE|NAME")]
    calendar: Option<String>,
    /// Where an occurrence on a free day goes: none, skip, following, preceding, modified_following.
    #[arg(long)]
    roll: Option<String>,
    /// Where the 31st of a shorter month goes: last_day, skip, first_of_next.
    #[arg(long)]
    short_month: Option<String>,
    /// Take `weekdays` with Saturdays and Sundays.
    #[arg(long)]
    weekends: bool,
}

impl Preview {
    async fn run(self, place: &Place) -> Result<ExitCode> {
        let mut schedule = match self.written().read() {
            Ok(schedule) => schedule,
            Err(flaws) => {
                flaws.iter().for_each(|flaw| print::note(format_args!("postbook: {}: {}", flaw.field, flaw.text)));
                return Ok(ExitCode::from(2));
            }
        };
        let today = Clock::default().now().with_timezone(&schedule.zone).date_naive();
        let from = self.from.unwrap_or(today);
        let counted = schedule.rule.needs_start() && schedule.starts.is_none();
        if counted {
            schedule.starts = Some(from);
        }
        let calendar = self.calendar(place).await?;
        let items = self.occurrences(&schedule, &calendar);
        let left_out = self.left_out(&schedule, &calendar, &items);
        if place.json {
            let rule = schedule.rule.to_string();
            let zone = schedule.zone.name();
            let policies = schedule.policies();
            print::json(
                &json!({ "rule": rule, "zone": zone, "policies": policies, "items": items, "left_out": left_out }),
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        table(&items)?;
        print::line(format_args!("{} in {}.", schedule.rule, schedule.zone))?;
        left_out.iter().flat_map(|it| &it.notes).try_for_each(|note| print::line(&note.text))?;
        schedule.policies().iter().try_for_each(print::line)?;
        if counted {
            print::line(format_args!(
                "It is counted from {from} here; a schedule counts from its `starts`, which --starts sets."
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn written(&self) -> Written {
        Written {
            rule: self.rule.clone().map(Value::String),
            cron: self.cron.clone(),
            rrule: self.rrule.clone(),
            zone: self.zone.clone(),
            starts: self.starts.clone(),
            ends: self.ends.clone(),
            roll: self.roll.clone(),
            short_month: self.short_month.clone(),
            weekends: self.weekends.then_some(true),
            ..Written::default()
        }
    }

    fn occurrences(&self, schedule: &Schedule, calendar: &Calendar) -> Vec<Occurrence> {
        schedule.after(calendar, self.begin()).filter(self.begun()).take(self.count).collect()
    }

    /// What free days leave out, as far as there are occurrences shown.
    fn left_out(&self, schedule: &Schedule, calendar: &Calendar, shown: &[Occurrence]) -> Vec<Occurrence> {
        let Some(last) = shown.last() else { return Vec::new() };
        let until = schedule.left_out(calendar, self.begin()).take_while(|it| it.at < last.at);
        until.filter(self.begun()).collect()
    }

    fn begun(&self) -> impl Fn(&Occurrence) -> bool {
        let from = self.from;
        move |it| from.is_none_or(|from| it.local.date() >= from)
    }

    fn begin(&self) -> DateTime<Utc> {
        // Where zones are far from UTC, a date begins up to a day earlier; what comes before it is left out below.
        let early =
            |date: NaiveDate| date.checked_sub_days(Days::new(2)).map(|date| date.and_time(NaiveTime::MIN).and_utc());
        self.from.map_or_else(|| Some(Clock::default().now()), early).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    async fn calendar(&self, place: &Place) -> Result<Calendar> {
        let Some(named) = &self.calendar else { return Ok(Calendar::default()) };
        let path = Path::new(named);
        if path.extension().is_some() || path.exists() {
            return read(path);
        }
        let app = place.open().await?;
        let calendar = calendars::find(&app.database.pool, Some(named)).await;
        app.database.close().await?;
        calendar
    }
}

/// A calendar in a file.
fn read(path: &Path) -> Result<Calendar> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let written = match path.extension().is_some_and(|extension| extension == "ics") {
        true => calendar::Written { ics: Some(text), ..Default::default() },
        false => toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?,
    };
    written.read().map_err(|flaws| {
        let flaws: Vec<_> = flaws.iter().map(|flaw| format!("  {}: {}", flaw.at, flaw.text)).collect();
        anyhow!("{} is no calendar:\n{}", path.display(), flaws.join("\n"))
    })
}

fn table(items: &[Occurrence]) -> Result<()> {
    let rows = items.iter().map(|it| {
        let notes: Vec<_> = it.notes.iter().map(|note| note.text.as_str()).collect();
        [
            it.local.format("%a %Y-%m-%d %H:%M").to_string(),
            it.at.format("%Y-%m-%d %H:%MZ").to_string(),
            it.offset.clone(),
            notes.join("; "),
        ]
    });
    print::table("There are no dates to show.", ["local time", "UTC", "offset", "notes"], rows)
}
