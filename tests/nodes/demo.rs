//! The demo: its numbers are true.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
};

use mail_parser::{MessageParser, MimeHeaders};
use sha2::{Digest, Sha256};

use crate::{node::until, site::program};

/// Recipient and digest of each attachment in the outbox.
fn attachments(outbox: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(outbox).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let to = mail.to().and_then(|to| to.first()?.address()).unwrap().to_owned();
        for attachment in mail.attachments() {
            assert!(attachment.attachment_name().is_some_and(|name| name.ends_with(".pdf")));
            let digest = Sha256::digest(attachment.contents());
            found.push((to.clone(), digest.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_mail_that_the_demos_book_calls_sent_is_in_the_outbox_with_these_very_bytes() {
    let folder = tempfile::tempdir().unwrap();

    let output = program().args(["demo", "--once"]).current_dir(&folder).output().unwrap();

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let data = folder.path().join(".postbook");
    let mut zip = zip::ZipArchive::new(File::open(data.join("run-1.zip")).unwrap()).unwrap();
    let mut manifest = String::new();
    zip.by_name("manifest.csv").unwrap().read_to_string(&mut manifest).unwrap();
    let rows: Vec<BTreeMap<String, String>> =
        csv::Reader::from_reader(manifest.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 9);
    let mut sent: Vec<_> = rows
        .iter()
        .filter(|row| row["state"] == "delivered")
        .map(|row| (row["contact"].clone(), row["digest"].clone()))
        .collect();
    sent.sort();
    assert_eq!(sent.len(), 6);
    assert_eq!(attachments(&data.join("outbox")), sent);
    assert!(!data.join("postgres/postmaster.pid").exists(), "its Postgres still runs");
}

#[tokio::test]
async fn a_demo_that_is_asked_to_stop_in_the_middle_of_its_run_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = program()
        .args(["demo", "--once"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("run 1 of")), "it ended before its run");

    assert!(Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().unwrap().success());
    // Until it has ended it may go on printing.
    std::thread::spawn(move || lines.for_each(drop));

    until("the demo ends", async || demo.try_wait().unwrap()).await;
    assert!(!folder.path().join(".postbook/postgres/postmaster.pid").exists(), "its Postgres still runs");
}
