//! Measures, with tiny sizes: what they say is true to what was asked, and nothing stays behind.

use std::{path::Path, process::Command};

use serde_json::Value;

/// Measures in a folder of its own, and gives the JSON that was printed.
fn measured(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_postbook"))
        .args(["bench", "--json"])
        .args(arguments)
        .env("TMPDIR", folder.path())
        .env("POSTBOOK__DATABASE__URL", "postgres://nobody@127.0.0.1:1/not-heeded")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(left(folder.path()), Vec::<String>::new(), "something stayed behind");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["bench"], arguments[0]);
    assert_eq!((&report["fsync"], &report["synchronous_commit"]), (&"on".into(), &"on".into()));
    assert!(number(&report, "cores") >= 1.0);
    assert!(number(&report, "seconds") > 0.0);
    if Path::new("/proc/self/status").exists() {
        assert!(number(&report, "peak_memory_mb") >= number(&report, "idle_memory_mb"));
    }
    report
}

fn left(folder: &Path) -> Vec<String> {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().path().display().to_string()).collect()
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("`{key}` is no number in {report}"))
}

/// Fails unless `rate` is `count` in the seconds measured, apart from rounding.
fn rates(report: &Value, rate: &str, count: f64) {
    let expected = count / number(report, "seconds");
    let off = (number(report, rate) - expected).abs() / expected;
    assert!(off < 0.05, "{rate} should be about {expected} in {report}");
}

#[test]
fn every_item_makes_two_durable_steps_of_its_own_and_shares_the_third() {
    let report = measured(&["steps", "--items", "20", "--nodes", "2"]);
    assert_eq!(report["nodes"], 2);
    assert_eq!((&report["items"], &report["steps"]), (&20.into(), &40.into()));
    assert!((1.0..=20.0).contains(&number(&report, "records")));
    rates(&report, "items_per_second", 20.0);
    rates(&report, "steps_per_second", 40.0);
}

#[test]
fn a_node_that_has_nothing_to_do_is_watched() {
    let report = measured(&["idle", "--seconds", "1"]);
    assert!(number(&report, "node_memory_mb") > 1.0);
    assert!(number(&report, "processor_percent") < 100.0);
}

#[test]
fn pdfs_are_rendered_by_processes_of_their_own() {
    let report = measured(&["render", "--items", "6"]);
    assert!(report["renderers_peak_memory_mb"].as_f64().is_some_and(|used| used > 1.0), "{report}");
    assert_eq!(report["items"], 6);
    assert!(number(&report, "processes") >= 1.0);
    assert!(number(&report, "bytes") > 6.0 * 1000.0);
    rates(&report, "items_per_second", 6.0);
}

#[test]
fn all_recipients_are_expanded() {
    let report = measured(&["expand", "--recipients", "1200"]);
    assert_eq!(report["recipients"], 1200);
    rates(&report, "recipients_per_second", 1200.0);
}

#[test]
fn recipients_from_a_query_are_previewed_and_expanded() {
    let report = measured(&["audience", "--recipients", "1200"]);
    assert_eq!(report["recipients"], 1200);
    assert!(number(&report, "preview_seconds") > 0.0);
    rates(&report, "recipients_per_second", 1200.0);
}

#[test]
fn pages_become_fax_pages() {
    let report = measured(&["fax", "--pages", "6"]);
    assert_eq!(report["pages"], 6);
    assert!((1_000.0..200_000.0).contains(&number(&report, "octets_per_page")), "{report}");
    rates(&report, "pages_per_second", 6.0);
}

#[test]
fn each_text_message_is_reported_delivered() {
    let report = measured(&["texts", "--messages", "20"]);
    assert_eq!(report["messages"], 20);
    rates(&report, "messages_per_second", 20.0);
}

#[test]
fn an_archive_holds_all_files_whole() {
    let report = measured(&["zip", "--items", "12", "--size", "64KB"]);
    assert_eq!((&report["items"], &report["size"]), (&12.into(), &65_536.into()));
    let bytes = number(&report, "bytes");
    assert!((12.0 * 65_536.0..12.0 * 70_000.0).contains(&bytes), "{bytes}");
    assert!(number(&report, "first_byte_ms") > 0.0);
    rates(&report, "mb_per_second", bytes / 1e6);
}
