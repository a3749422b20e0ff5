//! Days of one month, which is named by its first day.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use super::Nth;

/// The last day of the month.
pub(super) fn last_day(first: NaiveDate) -> Option<NaiveDate> {
    first.checked_add_months(Months::new(1))?.pred_opt()
}

/// The 2nd Tuesday, the last Friday; `None` where there is no such day.
pub(super) fn weekday(first: NaiveDate, nth: Nth, weekday: Weekday) -> Option<NaiveDate> {
    match nth {
        Nth::From(nth) => {
            let nth = u8::try_from(nth).ok()?;
            NaiveDate::from_weekday_of_month_opt(first.year(), first.month(), weekday, nth)
        }
        Nth::Last => {
            let last = last_day(first)?;
            last.checked_sub_days(Days::new(last.weekday().days_since(weekday).into()))
        }
    }
}
