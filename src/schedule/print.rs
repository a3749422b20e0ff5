//! Rules in words: what parsing reads back as the same rule.

use std::fmt;

use super::{MonthDay, Rule, Time, words};

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDemand {} => f.write_str("on demand"),
            Self::Hourly { at, between } => {
                write!(f, "hourly at {}", joined(at))?;
                between.map_or(Ok(()), |(from, to)| write!(f, " from {from} to {to}"))
            }
            Self::Hours { every, at } => write!(f, "every {every} hours at {at}"),
            Self::Daily { every: 1, at } => write!(f, "daily at {}", joined(at)),
            Self::Daily { every, at } => write!(f, "every {every} days at {}", joined(at)),
            Self::Weekdays { weekends: false, at } => write!(f, "weekdays at {}", joined(at)),
            Self::Weekdays { weekends: true, at } => write!(f, "weekdays and weekends at {}", joined(at)),
            Self::Weekly { every, on, at } => {
                let days: Vec<_> = on.iter().map(|day| words::weekday_name(*day)).collect();
                dated(f, &period(*every, "weekly", "weeks"), (&words::list(&days), at))
            }
            Self::Monthly { every, on, at } => dated(f, &period(*every, "monthly", "months"), (&alternatives(on), at)),
            Self::Quarterly { on, at } => dated(f, "quarterly", (&alternatives(on), at)),
            Self::Yearly { every, month, on, at } => {
                let date = match &on[..] {
                    [MonthDay::Day(day)] => format!("{day} {}", words::month_name(*month)),
                    _ => format!("{} of {}", alternatives(on), words::month_name(*month)),
                };
                dated(f, &period(*every, "yearly", "years"), (&date, at))
            }
            Self::Cron { line } => write!(f, "cron {line}"),
            Self::Rrule { line } => write!(f, "rrule {line}"),
        }
    }
}

fn dated(f: &mut fmt::Formatter<'_>, period: &str, (on, at): (&str, &[Time])) -> fmt::Result {
    write!(f, "{period} on {on} at {}", joined(at))
}

fn period(every: u32, single: &str, many: &str) -> String {
    if every == 1 { single.to_owned() } else { format!("every {every} {many}") }
}

fn alternatives(on: &[MonthDay]) -> String {
    let on: Vec<_> = on.iter().map(ToString::to_string).collect();
    on.join(" and ")
}

fn joined<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}
