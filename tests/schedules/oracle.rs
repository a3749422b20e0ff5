//! Against another implementation: `tests/oracle/generate.py` worked the table out with other code and another copy of
//! the zones' history.

use std::fs;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use postbook::schedule::Calendar;

use super::schedule;

/// One line of the table.
struct Case<'a> {
    line: &'a str,
    zone: &'a str,
    rule: &'a str,
    fields: String,
    begin: DateTime<Utc>,
    end: DateTime<Utc>,
    instants: Vec<DateTime<Utc>>,
}

fn cases(table: &str) -> Vec<Case<'_>> {
    let mut last = "";
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let cells: Vec<_> = line.split('|').collect();
            let [zone, rule, fields, window, deltas] = cells[..] else { panic!("five cells: {line}") };
            last = if zone.is_empty() { last } else { zone };
            let (first, days) = window.split_once('+').unwrap();
            let begin = first.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
            let end = begin + Duration::days(days.parse().unwrap());
            Case { line, zone: last, rule, fields: toml(fields), begin, end, instants: instants(begin, deltas) }
        })
        .collect()
}

fn toml(fields: &str) -> String {
    let fields = fields.split(';').filter(|field| !field.is_empty()).map(|field| {
        let (name, value) = field.split_once('=').unwrap();
        if value == "true" { field.to_owned() } else { format!("{name} = \"{value}\"") }
    });
    fields.collect::<Vec<_>>().join("\n")
}

fn instants(begin: DateTime<Utc>, deltas: &str) -> Vec<DateTime<Utc>> {
    let deltas = deltas.split_whitespace().flat_map(|delta| {
        let (minutes, count) = delta.split_once('*').unwrap_or((delta, "1"));
        std::iter::repeat_n(minutes.parse::<i64>().unwrap(), count.parse().unwrap())
    });
    deltas
        .scan(begin, |last, minutes| {
            *last += Duration::minutes(minutes);
            Some(*last)
        })
        .collect()
}

#[test]
fn every_rule_is_due_when_another_implementation_says_so() {
    let table = fs::read_to_string("tests/oracle/cases.txt").unwrap();
    let cases = cases(&table);
    let calendar = Calendar::default();
    let mut differences = Vec::new();
    for case in &cases {
        let schedule = schedule(case.rule, case.zone, &case.fields);
        let due = schedule.after(&calendar, case.begin).map(|it| it.at).take_while(|at| *at <= case.end);
        let due: Vec<_> = due.collect();
        if due != case.instants {
            let missing: Vec<_> = case.instants.iter().filter(|at| !due.contains(at)).take(3).collect();
            let extra: Vec<_> = due.iter().filter(|at| !case.instants.contains(at)).take(3).collect();
            let line: String = case.line.chars().take(120).collect();
            differences.push(format!("{} {line}: missing {missing:?}, not expected {extra:?}", case.zone));
        }
    }
    assert!(cases.len() >= 5000, "{}", cases.len());
    assert!(cases.iter().map(|case| case.instants.len()).sum::<usize>() > 100_000);
    let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(differences.is_empty(), "{} of {} differ:\n  {shown}", differences.len(), cases.len());
}
