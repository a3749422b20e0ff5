//! All files of a run as one archive, opened with what people have.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{Read, Write},
    path::Path,
    process::Command,
};

use rand::RngExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::{
    api::{Api, batch, mailboxes, stored},
    node::Node,
    site::Site,
};

const NOWHERE: &str = "[account.nowhere]\nurl = \"discard:\"\nchannel = \"email\"\n";

/// A batch of `documents` to one mailbox, run to its end.
async fn run_of(api: &Api, name: &str, documents: Vec<Value>) -> i64 {
    let mut all = batch(name, "nowhere", mailboxes("ann", 1));
    all["documents"] = documents.into();
    let run = api.start(&all).await;
    assert_eq!(api.ended(run).await["state"], "succeeded");
    run
}

async fn download(api: &Api, run: i64, to: &Path) -> u64 {
    let mut answer = api.download(&format!("/runs/{run}/files.zip")).await;
    let mut file = File::create(to).unwrap();
    let mut size = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        file.write_all(&piece).unwrap();
        size += piece.len() as u64;
    }
    size
}

/// Runs a program that opens archives.
fn opens(program: &str, arguments: &[&str], archive: &Path) {
    let output = Command::new(program).args(arguments).arg(archive).output();
    let output = output.unwrap_or_else(|_| panic!("{program} is missing: install unzip, p7zip-full and python3"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program}: {said}{}", String::from_utf8_lossy(&output.stderr));
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The most memory a process has had, in bytes.
fn peak(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_thousand_files_open_everywhere_and_the_manifest_tells_the_truth_about_each() {
    let site = Site::new(NOWHERE).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    // All have one file name.
    let document = |number: usize| {
        let mut document = stored(&format!("list-{number}"), format!("list,{number}\r\n").as_bytes());
        document["file"] = "list.csv".into();
        document
    };
    let run = run_of(&api, "thousand", (0..1000).map(document).collect()).await;
    let archive = site.path("files.zip");

    download(&api, run, &archive).await;

    opens("unzip", &["-t", "-qq"], &archive);
    opens("7z", &["t"], &archive);
    opens(
        "python3",
        &["-c", "import sys, zipfile; sys.exit(zipfile.ZipFile(sys.argv[1]).testzip() is not None)"],
        &archive,
    );
    let mut zip = ZipArchive::new(File::open(&archive).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert!(files.insert(entry.name().unwrap().to_lowercase(), bytes).is_none(), "a name is there twice");
    }
    assert_eq!(files.len(), 1001);
    let manifest = files.remove("manifest.csv").unwrap();
    let rows: Vec<BTreeMap<String, String>> =
        csv::Reader::from_reader(&manifest[..]).deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), api.transmissions(run).await.len());
    let told: HashSet<_> = rows.iter().map(|row| row["file"].to_lowercase()).collect();
    assert_eq!(told.len(), 1000, "every file is told");
    for row in &rows {
        assert_eq!(row["digest"], digest(&files[&row["file"].to_lowercase()]), "{row:?}");
        assert_eq!(row["state"], "delivered");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_large_archive_takes_no_more_memory_than_a_small_one() {
    let site = Site::new(NOWHERE).await;
    let node = site.start(&["up"]).await;
    let api = site.api(&node);
    let small = run_of(&api, "small", vec![stored("list", b"lock,gate\r\n")]).await;
    let mut entries = Vec::new();
    // Of the largest size that is still fetched whole.
    for number in 0..48 {
        let mut bytes = vec![0; 2 << 20];
        rand::rng().fill(&mut bytes[..]);
        let mut document = stored(&format!("large-{number}"), &bytes);
        document["kind"] = "stored".into();
        api.put(&format!("/documents/large-{number}"), document).await;
        entries.push(json!({ "document": format!("large-{number}") }));
    }
    let large = run_of(&api, "large", entries).await;
    node.stop().await;

    // A fresh process, whose peak is what downloads alone take.
    let doors = site.start(&["serve"]).await;
    let api = site.api(&doors);
    download(&api, small, &site.path("small.zip")).await;
    let before = peak(&doors);
    let first = (download(&api, large, &site.path("first.zip")).await, peak(&doors));
    let second = (download(&api, large, &site.path("second.zip")).await, peak(&doors));

    assert!(first.0 > 96 << 20 && second.0 == first.0, "{first:?} {second:?}");
    let (once, twice) = ((first.1 - before) >> 20, (second.1 - before) >> 20);
    assert!(once < 64, "the first download took {once} MB");
    assert!(twice < once + 16, "the first download took {once} MB, the second one made it {twice} MB");
    doors.stop().await;
}
