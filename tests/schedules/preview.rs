//! `postbook schedule preview`, as a process, without any database.

use std::process::{Command, Output};

use serde_json::Value;

fn preview(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nl.toml"), "holiday = [{ name = 'Paasmaandag', on = 'easter + 1' }]").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_postbook"));
    command.args(["schedule", "preview"]).args(args).current_dir(folder.path());
    let output = command.output().unwrap();
    assert!(!folder.path().join(".postbook").exists(), "it wants a database");
    output
}

fn json(args: &[&str]) -> Value {
    let output = preview(&[args, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_preview_shows_local_time_utc_offset_and_notes() {
    let args = ["daily at 02:30", "--zone", "Europe/Amsterdam", "--from", "2026-03-28", "--count", "2"];
    let seen = json(&args);
    assert_eq!(seen["items"][0]["local"], "2026-03-28T02:30");
    assert_eq!(seen["items"][0]["utc"], "2026-03-28T01:30:00Z");
    assert_eq!(seen["items"][0]["offset"], "+01:00");
    assert_eq!(seen["items"][0]["notes"], serde_json::json!([]));
    assert_eq!(seen["items"][1]["local"], "2026-03-29T03:00");
    assert_eq!(seen["items"][1]["key"], "2026-03-29T03:00");
    assert_eq!(seen["items"][1]["notes"][0]["code"], "dst-gap");

    let output = preview(&args);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Sun 2026-03-29 03:00") && text.contains("2026-03-29 01:00Z"), "{text}");
    assert!(text.contains("2026-03-29 02:30 does not come in Europe/Amsterdam"), "{text}");
    assert!(text.contains("A time that clocks skip is the first one after it"), "{text}");
}

#[test]
fn the_zone_may_stand_behind_the_rule_and_rules_may_be_cron_or_rrule() {
    let words =
        json(&["the 2nd Tuesday of every month at 06:00, Europe/Amsterdam", "--from", "2026-01-01", "--count", "2"]);
    assert_eq!(words["items"][1]["local"], "2026-02-10T06:00");
    let cron = json(&["--cron", "0 6 * * 1-5", "--zone", "UTC", "--from", "2026-01-03", "--count", "1"]);
    assert_eq!(cron["items"][0]["local"], "2026-01-05T06:00");
    let rrule =
        json(&["--rrule", "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6", "--zone", "UTC", "--from", "2026-01-01", "--count", "1"]);
    assert_eq!(rrule["items"][0]["local"], "2026-01-30T06:00");
    let every = json(&["every 3 days at 06:00", "--zone", "UTC", "--from", "2026-01-02", "--count", "2"]);
    assert_eq!(every["items"][1]["local"], "2026-01-05T06:00");
}

#[test]
fn holidays_come_from_a_file() {
    let args = ["monthly on day 6 at 06:00", "--zone", "Europe/Amsterdam", "--from", "2026-04-01", "--count", "1"];
    let seen = json(&[&args[..], &["--calendar", "nl.toml", "--roll", "following"]].concat());
    assert_eq!(seen["items"][0]["local"], "2026-04-07T06:00");
    assert_eq!(seen["items"][0]["notes"][0]["text"], "moved from 2026-04-06 (Paasmaandag)");
}

#[test]
fn what_a_holiday_leaves_out_is_told() {
    let args = ["daily at 06:00", "--zone", "Europe/Amsterdam", "--from", "2026-04-03", "--count", "2"];
    let seen = json(&[&args[..], &["--calendar", "nl.toml", "--roll", "skip"]].concat());
    assert_eq!(seen["items"][1]["local"], "2026-04-07T06:00");
    let texts: Vec<_> = seen["left_out"].as_array().unwrap().iter().map(|it| it["notes"][0]["text"].clone()).collect();
    assert_eq!(texts.len(), 3);
    assert_eq!(texts[2], "left out, because 2026-04-06 is free (Paasmaandag)");
}

#[test]
fn what_is_not_understood_ends_with_2_and_says_what_to_write() {
    for args in [&["fortnightly", "--zone", "UTC"][..], &["daily at 06:00"], &["daily at 06:00", "--zone", "Mars"], &[]]
    {
        let output = preview(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    let told = String::from_utf8(preview(&["fortnightly", "--zone", "UTC"]).stderr).unwrap();
    assert!(told.contains("`fortnightly` is not understood; write `daily at 06:00`"), "{told}");
}
