//! The policies that a schedule's rule may meet, as sentences: said before the awkward day comes.

use super::{MonthDay, Nth, Roll, Rule, Schedule, ShortMonth};

impl Schedule {
    /// What happens on the awkward days that this schedule can meet.
    pub fn policies(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.rule.is_on_demand() {
            return vec!["It never comes by itself.".to_owned()];
        }
        said.push(match self.rule.counts_instants() {
            true => "It counts the hours that pass: 23 on a day when clocks go forward, 25 when they go back.",
            false => "A time that clocks skip is the first one after it; one that comes twice is the first.",
        });
        let days = self.days();
        if days.iter().any(|day| matches!(day, MonthDay::Day(29..))) {
            said.push(match self.short_month {
                ShortMonth::LastDay => "In a month without that day it is the last one.",
                ShortMonth::Skip => "A month without that day is left out.",
                ShortMonth::FirstOfNext => "In a month without that day it is the first of the next one.",
            });
        }
        if days.iter().any(|day| matches!(day, MonthDay::Weekday(Nth::From(5), _))) {
            said.push("A month without a fifth one is left out.");
        }
        said.extend(self.free_days());
        said.into_iter().map(str::to_owned).collect()
    }

    fn days(&self) -> &[MonthDay] {
        match &self.rule {
            Rule::Monthly { on, .. } | Rule::Quarterly { on, .. } | Rule::Yearly { on, .. } => on,
            _ => &[],
        }
    }

    fn free_days(&self) -> Option<&'static str> {
        match self.roll {
            Roll::None => None,
            Roll::Skip => Some("Free days are left out."),
            Roll::Following => Some("From a free day it moves to the next business day."),
            Roll::Preceding => Some("From a free day it moves to the business day before."),
            Roll::ModifiedFollowing => {
                Some("From a free day it moves to the next business day of that month, or else to the one before.")
            }
        }
    }
}
