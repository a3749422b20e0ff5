//! Where a holiday goes when it falls on a weekend.

use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Where a holiday goes when it falls on a weekend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Observed {
    /// It stays.
    #[default]
    There,
    /// To the Monday after.
    Monday,
    /// To the Monday after a Sunday; on a Saturday it stays.
    MondayIfSunday,
    /// From Saturday to Friday, from Sunday to Monday.
    Nearest,
    /// To the next day that is neither weekend nor holiday.
    Following,
}

impl FromStr for Observed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "monday" => Ok(Self::Monday),
            "monday_if_sunday" => Ok(Self::MondayIfSunday),
            "nearest" => Ok(Self::Nearest),
            "following" => Ok(Self::Following),
            written => Err(format!(
                "`{written}` is not known; write one of `monday`, `monday_if_sunday`, `nearest`, `following`, or leave it \
                 out"
            )),
        }
    }
}

impl Observed {
    /// Where `date`, which is on a weekend, goes; `is_free` tells weekends and the holidays before this one.
    pub(super) fn moved(self, date: NaiveDate, is_free: impl Fn(NaiveDate) -> bool) -> Option<NaiveDate> {
        let to_monday = || date.checked_add_days(Days::new(Weekday::Mon.days_since(date.weekday()).into()));
        match (self, date.weekday()) {
            (Self::There, _) | (Self::MondayIfSunday, Weekday::Sat) => Some(date),
            (Self::Nearest, Weekday::Sat) => date.pred_opt(),
            (Self::Monday | Self::MondayIfSunday | Self::Nearest, _) => to_monday(),
            (Self::Following, _) => date.iter_days().take(30).find(|day| !is_free(*day)),
        }
    }
}
