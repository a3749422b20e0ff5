//! Calendars: holidays by rule and from iCalendar files.

use chrono::NaiveDate;
use postbook::schedule::{
    Calendar, Schedule,
    calendar::{Flaw, Written},
};

use super::{instant, schedule};

fn written(toml: &str) -> Written {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{error}"))
}

fn calendar(toml: &str) -> Calendar {
    written(toml).read().unwrap_or_else(|flaws| panic!("{flaws:?}"))
}

fn icalendar(events: &str) -> Result<Calendar, Vec<Flaw>> {
    let ics = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{events}END:VCALENDAR\r\n");
    Written { ics: Some(ics), ..Written::default() }.read()
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:1@example.org\r\nDTSTAMP:20260101T000000Z\r\n{lines}\r\nEND:VEVENT\r\n")
}

fn holidays(calendar: &Calendar, year: i32) -> Vec<(String, String)> {
    let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    let days = first.iter_days().take_while(|date| date.to_string()[..4] == year.to_string());
    days.filter_map(|date| Some((date.to_string()[5..].to_owned(), calendar.holiday(date)?.to_owned()))).collect()
}

fn keys(schedule: &Schedule, calendar: &Calendar, after: &str, count: usize) -> Vec<String> {
    schedule.after(calendar, instant(after)).take(count).map(|it| it.key).collect()
}

const ENGLAND: &str = r#"
holiday = [
  { name = "New Year's Day", on = "1 january", observed = "following" },
  { name = "Good Friday", on = "easter - 2" },
  { name = "Easter Monday", on = "easter + 1" },
  { name = "Early May", on = "1st monday of may" },
  { name = "Coronation", on = "2023-05-08" },
  { name = "Spring", on = "last monday of may" },
  { name = "Summer", on = "last monday of august" },
  { name = "Christmas Day", on = "25 december", observed = "following" },
  { name = "Boxing Day", on = "26 december", observed = "following" },
]
"#;

#[test]
fn holidays_by_rule_fall_where_a_country_has_them() {
    let england = calendar(ENGLAND);
    let dates = |year| holidays(&england, year).into_iter().map(|(date, _)| date).collect::<Vec<_>>();
    assert_eq!(dates(2026), ["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-28"]);
    assert_eq!(dates(2023), ["01-02", "04-07", "04-10", "05-01", "05-08", "05-29", "08-28", "12-25", "12-26"]);
    // Both days of Christmas on a weekend, and one of them.
    assert_eq!(dates(2021)[6..], ["12-27", "12-28"]);
    assert_eq!(dates(2022)[6..], ["12-26", "12-27"]);
    let names = holidays(&england, 2021);
    assert_eq!((names[6].1.as_str(), names[7].1.as_str()), ("Christmas Day", "Boxing Day"));
}

#[test]
fn what_falls_on_a_weekend_is_observed_as_its_rule_says() {
    let on = |observed: &str| {
        let rule = "{ name = \"x\", on = \"4 july\", observed = \"OBSERVED\", from = 2020, until = 2026 }";
        let calendar = calendar(&format!("holiday = [{}]", rule.replace("OBSERVED", observed)));
        let date = |year| holidays(&calendar, year).first().map(|(date, _)| date.clone()).unwrap_or_default();
        (date(2020), date(2021), date(2027))
    };
    // The 4th of July is a Saturday in 2020 and a Sunday in 2021 and 2027.
    let two = |saturday: &str, sunday: &str| (saturday.to_owned(), sunday.to_owned(), String::new());
    assert_eq!(on("nearest"), two("07-03", "07-05"));
    assert_eq!(on("monday"), two("07-06", "07-05"));
    assert_eq!(on("monday_if_sunday"), two("07-04", "07-05"));
    assert_eq!(on("following"), two("07-06", "07-05"));
}

#[test]
fn business_days_roll_around_holidays() {
    let england = calendar(ENGLAND);
    let last = schedule("monthly on the last business day at 17:00", "Europe/London", "");
    assert_eq!(keys(&last, &england, "2026-05-01T00:00:00Z", 2), ["2026-05-29T17:00", "2026-06-30T17:00"]);
    assert_eq!(keys(&last, &england, "2026-08-01T00:00:00Z", 1), ["2026-08-28T17:00"]);
    let first = schedule("first business day of the month at 06:00", "Europe/London", "");
    assert_eq!(keys(&first, &england, "2026-01-01T00:00:00Z", 1), ["2026-01-02T06:00"]);
    let rolled = schedule("monthly on day 3 at 06:00", "Europe/London", "roll = \"following\"");
    let due: Vec<_> = rolled.after(&england, instant("2026-04-01T00:00:00Z")).take(1).collect();
    assert_eq!(
        (due[0].key.as_str(), due[0].notes[0].text.as_str()),
        ("2026-04-07T06:00", "moved from 2026-04-03 (Good Friday)")
    );
    let hourly = schedule("hourly at :00", "Europe/London", "roll = \"skip\"");
    assert_eq!(keys(&hourly, &england, "2026-04-02T22:30:00Z", 1), ["2026-04-07T00:00+01:00"]);
}

#[test]
fn a_weekend_may_be_other_days() {
    let dubai = calendar("weekend = [\"friday\", \"Saturday\"]");
    let rolled = schedule("monthly on day 1 at 06:00", "Asia/Dubai", "roll = \"following\"");
    // The 1st of May 2026 is a Friday.
    assert_eq!(keys(&rolled, &dubai, "2026-04-20T00:00:00Z", 1), ["2026-05-03T06:00"]);
}

#[test]
fn holidays_come_from_an_icalendar_file() {
    let events = [
        event("DTSTART;VALUE=DATE:20260427\r\nSUMMARY:King's\r\n  Day\\, folded"),
        event("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Christmas"),
        event("DTSTART;VALUE=DATE:20200101\r\nRRULE:FREQ=YEARLY\r\nEXDATE;VALUE=DATE:20270101\r\nSUMMARY:New Year"),
        event("DTSTART;VALUE=DATE:20201126\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;UNTIL=20261231\r\nSUMMARY:Thanks"),
        event("DTSTART:20260601T090000Z\r\nDTEND:20260601T100000Z\r\nSUMMARY:A meeting"),
        event("DTSTART;VALUE=DATE:20260602\r\nSTATUS:CANCELLED\r\nSUMMARY:Nothing"),
    ];
    let calendar = icalendar(&events.concat()).unwrap();
    let dates = |year| holidays(&calendar, year).into_iter().map(|(date, _)| date).collect::<Vec<_>>();
    assert_eq!(dates(2026), ["01-01", "04-27", "11-26", "12-24", "12-25", "12-26"]);
    assert_eq!((dates(2019), dates(2027), dates(2028)), (vec![], vec![], vec!["01-01".to_owned()]));
    assert_eq!(holidays(&calendar, 2026)[1].1, "King's Day, folded");
}

#[test]
fn what_is_wrong_with_a_calendar_is_told_with_its_place() {
    let told = written(
        "weekend = [\"sonday\"]\nics = \"no file\"\nholiday = [{ name = \"x\", on = \"christmas\" }, { on = \"1 may\", observed = \"later\" }, \
         { name = \"y\", on = \"1 may\", from = 2026, until = 2020 }]",
    );
    let flaws = told.read().unwrap_err();
    let at: Vec<_> = flaws.iter().map(|flaw| flaw.at.as_str()).collect();
    let all = ["weekend/0", "ics", "holiday/0/on", "holiday/1/name", "holiday/1/observed", "holiday/2/until"];
    assert_eq!(at, all, "{flaws:#?}");
    assert!(flaws[2].text.contains("`christmas` is not understood") && flaws[2].text.contains("`25 december`"));
    let timed = event("DTSTART:20260601T090000Z\r\nSUMMARY:A meeting");
    assert!(icalendar(&timed).unwrap_err()[0].text.contains("has no all-day event"));
    let odd = event("DTSTART;VALUE=DATE:20260601\r\nRRULE:FREQ=SECONDLY\r\nSUMMARY:Odd");
    assert!(icalendar(&odd).unwrap_err()[0].text.contains("the event `Odd`: FREQ is one of"));
    let long = event("DTSTART;VALUE=DATE:19700101\r\nDTEND;VALUE=DATE:19710101\r\nRRULE:FREQ=DAILY\r\nSUMMARY:Long");
    assert!(icalendar(&long).unwrap_err()[0].text.contains("names more than 50000 days"));
    assert!(written("weekend = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]").read().is_err());
}
