//! Calendars as files: set up, asked by name, and written out again.

use std::fs;

use serde_json::Value;

use crate::site::Site;

const ICS: &str = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n\
                   DTSTART;VALUE=DATE:20260427\nSUMMARY:Koningsdag\nEND:VEVENT\nEND:VCALENDAR\n";

#[tokio::test]
async fn calendars_in_files_are_applied_asked_and_exported_as_they_were() {
    let site = Site::new("").await;
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::create_dir_all(from.join("calendars")).unwrap();
    fs::write(from.join("calendars/netherlands.ics"), ICS).unwrap();
    let england = "name = \"england\"\ntitle = \"England\"\nholiday = [{ name = \"Coronation\", on = 2023-05-08 }]\n";
    fs::write(from.join("calendars/england.toml"), england).unwrap();

    let path = from.to_str().unwrap();
    for word in ["created", "unchanged"] {
        let output = site.run(&["apply", path]).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.matches(word).count(), 2, "{said}");
    }

    let asked =
        ["schedule", "preview", "monthly on day 27 at 06:00, Europe/Amsterdam", "--from", "2026-04-01", "--count", "1"];
    let output =
        site.run(&[&asked[..], &["--calendar", "netherlands", "--roll", "following", "--json"]].concat()).await;
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen["items"][0]["local"], "2026-04-28T06:00");

    assert!(site.run(&["export", to.to_str().unwrap()]).await.status.success());
    assert_eq!(fs::read_to_string(to.join("calendars/netherlands.ics")).unwrap(), ICS);
    let exported = fs::read_to_string(to.join("calendars/england.toml")).unwrap();
    assert!(exported.contains("on = \"2023-05-08\"") && exported.contains("title = \"England\""), "{exported}");
    assert!(site.run(&["apply", to.to_str().unwrap()]).await.status.success());
}
