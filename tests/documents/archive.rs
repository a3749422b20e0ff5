//! Archives as their readers see them.

use std::{
    io::{self, Cursor, Read},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use postbook::document::{
    Store,
    archive::{Content, Entry, archive},
    store,
};
use sqlx::PgPool;
use zip::{CompressionMethod, ZipArchive};

use crate::workbench::no_database;

fn entry(name: &str, media_type: &str, content: Content) -> anyhow::Result<Entry> {
    Ok(Entry { name: name.to_owned(), modified: morning(), media_type: media_type.to_owned(), content })
}

fn morning() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 4, 1).and_then(|day| day.and_hms_opt(6, 0, 2)).expect("a time")
}

fn now() -> DateTime<Utc> {
    morning().and_utc()
}

async fn read(zip: impl futures::Stream<Item = io::Result<Bytes>>) -> ZipArchive<Cursor<Vec<u8>>> {
    let pieces: Vec<Bytes> = zip.try_collect().await.expect("a whole archive");
    ZipArchive::new(Cursor::new(pieces.concat())).expect("a ZIP")
}

#[sqlx::test]
async fn an_archive_holds_small_and_big_files_as_they_are(db: PgPool) {
    let store = Store::in_database(db);
    let small = Bytes::from_static(b"%PDF-small");
    let big: Bytes =
        (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<u8>>().into();
    let blob = async |bytes: &Bytes| Content::Blob {
        digest: store.put(bytes, now()).await.expect("stored"),
        size: bytes.len() as u64,
    };
    let lines = stream::iter((0..1000).map(|n| Ok(Bytes::from(format!("line {n}\r\n"))))).boxed();
    let entries = vec![
        entry("Отчёт.pdf", "application/pdf", blob(&small).await),
        entry("big.pdf", "application/pdf", blob(&big).await),
        entry("empty.txt", "text/plain", Content::Bytes(Bytes::new())),
        entry("manifest.csv", "text/csv", Content::Pieces(lines)),
    ];

    let mut zip = read(archive(store.clone(), stream::iter(entries))).await;

    assert_eq!(zip.len(), 4);
    for (name, bytes, method) in [
        ("Отчёт.pdf", &small, CompressionMethod::Stored),
        ("big.pdf", &big, CompressionMethod::Stored),
        ("empty.txt", &Bytes::new(), CompressionMethod::Deflated),
    ] {
        let mut file = zip.by_name(name).expect(name);
        assert_eq!(file.compression(), method, "{name}");
        assert_eq!(file.last_modified().map(|time| time.to_string()).as_deref(), Some("2026-04-01 06:00:02"));
        let mut found = Vec::new();
        file.read_to_end(&mut found).expect("its checksum is right");
        assert_eq!(store::digest(&found), store::digest(bytes), "{name}");
    }
    let manifest = io::read_to_string(zip.by_name("manifest.csv").expect("a manifest")).expect("text");
    assert_eq!(manifest.lines().count(), 1000);
}

#[tokio::test]
async fn an_archive_may_hold_more_files_than_a_plain_zip() {
    let entries =
        (0..70_000).map(|n| entry(&format!("{n}.txt"), "text/plain", Content::Bytes(Bytes::from(n.to_string()))));
    let mut zip = read(archive(Store::in_database(no_database()), stream::iter(entries))).await;
    assert_eq!(zip.len(), 70_000);
    assert_eq!(io::read_to_string(zip.by_name("69999.txt").expect("the last one")).expect("text"), "69999");
}

#[sqlx::test]
async fn a_missing_file_breaks_the_archive_off(db: PgPool) {
    let missing = Content::Blob { digest: "0".repeat(64), size: 5 };
    let entries = vec![
        entry("a.txt", "text/plain", Content::Bytes(Bytes::from_static(b"a"))),
        entry("b.pdf", "application/pdf", missing),
    ];
    let pieces: Vec<_> = archive(Store::in_database(db), stream::iter(entries)).collect().await;
    let fault = pieces.into_iter().find_map(Result::err).expect("an error in the stream");
    assert!(fault.to_string().contains("there are no bytes with the digest 000"), "{fault}");
}

#[tokio::test]
async fn entries_stop_being_made_when_the_reader_goes_away() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let endless = stream::unfold((0_u64, ended), |(n, ended)| async move {
        let bytes = Content::Bytes(Bytes::from(vec![7; 100_000]));
        Some((entry(&format!("{n}.pdf"), "application/pdf", bytes), (n + 1, ended)))
    });
    let mut zip = Box::pin(archive(Store::in_database(no_database()), endless));
    assert!(zip.next().await.expect("a piece").is_ok());
    drop(zip);
    let stopped = tokio::time::timeout(Duration::from_secs(5), end).await.expect("it stops");
    assert!(stopped.is_err(), "the entries were dropped");
}
