use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;

fn item(name: &str, bytes: &[u8]) -> Item {
    Item { name: name.to_owned(), bytes: Bytes::copy_from_slice(bytes) }
}

fn mark(token: &str, attempt: i32) -> Mark {
    Mark { token: token.to_owned(), attempt }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_repeat_changes_nothing_and_other_bytes_get_another_name() {
    let root = tempfile::tempdir().unwrap();
    let place = |bytes: &[u8], mark: Mark| {
        place::all(root.path(), Path::new("site-a"), &[item("report.pdf", bytes)], &mark).unwrap()
    };

    assert_eq!(place(b"one", mark("k1", 1)), ["site-a/report.pdf (3 bytes)"]);
    assert_eq!(place(b"one", mark("k1", 2)), ["site-a/report.pdf (3 bytes)"]);
    assert_eq!(place(b"two", mark("k2", 1)), ["site-a/report (2).pdf (3 bytes)"]);
    assert_eq!(place(b"two", mark("k2", 2)), ["site-a/report (2).pdf (3 bytes)"]);

    assert_eq!(names(&root.path().join("site-a")), ["report (2).pdf", "report.pdf"]);
    assert_eq!(fs::read(root.path().join("site-a/report.pdf")).unwrap(), b"one");
}

#[test]
fn a_name_taken_by_a_folder_or_a_link_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a.pdf")).unwrap();
    std::os::unix::fs::symlink("/nowhere", root.path().join("a (2).pdf")).unwrap();

    place::all(root.path(), Path::new(""), &[item("a.pdf", b"x")], &mark("k", 1)).unwrap();

    assert_eq!(fs::read(root.path().join("a (3).pdf")).unwrap(), b"x");
    assert_eq!(names(root.path()), ["a (2).pdf", "a (3).pdf", "a.pdf"]);
}

#[test]
fn what_a_crashed_attempt_left_aside_is_taken_away() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(".k-1.part"), b"hal").unwrap();

    place::all(root.path(), Path::new(""), &[item("a.pdf", b"half")], &mark("k", 2)).unwrap();

    assert_eq!(names(root.path()), ["a.pdf"]);
}

#[test]
fn a_missing_root_is_not_made() {
    let root = tempfile::tempdir().unwrap();
    let share = root.path().join("share");

    let error = place::all(&share, Path::new("site-a"), &[item("a.pdf", b"x")], &mark("k", 1)).unwrap_err();

    let (refused, reason) = trouble(&share, &error);
    assert_eq!((refused, reason.scope, reason.code.as_str()), (false, Scope::Account, "folder-missing"));
    assert!(!share.exists());
}

#[test]
fn a_full_disk_is_waited_for() {
    let (refused, reason) = trouble(Path::new("/srv"), &io::Error::from(io::ErrorKind::StorageFull));
    assert_eq!((refused, reason.code.as_str()), (false, "folder-full"));
}

#[tokio::test]
async fn what_is_only_words_is_a_file_of_them() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder { root: root.path().to_owned(), mails_from: None, form: Form::AsIs, carries: Carries::All };
    let parcel = Parcel {
        key: "k".to_owned(),
        attempt: 1,
        series: 1,
        created_at: chrono::DateTime::UNIX_EPOCH,
        recipient: "Mona".to_owned(),
        contact: "mona@example.org".to_owned(),
        message: crate::channel::Message {
            subject: "Orders: 2 not sent".to_owned(),
            text: "why".to_owned(),
            html: None,
        },
        files: Vec::new(),
    };

    let report = folder.transmit(&parcel, &Contact::parse("email", &parcel.contact).unwrap(), &|| true).await;

    assert!(matches!(report.outcome, Outcome::Delivered(_)), "{:?}", report.outcome);
    assert_eq!(fs::read(root.path().join("mona@example.org/Orders_ 2 not sent.txt")).unwrap(), b"why");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_parcel_is_kept_whatever_came_before(parcels in proptest::collection::vec((0..2u8, 0..3u8), 1..12)) {
        let root = tempfile::tempdir().unwrap();
        for (number, (name, content)) in parcels.iter().enumerate() {
            let item = item(&format!("{name}.pdf"), &[*content]);
            place::all(root.path(), Path::new(""), &[item], &mark(&format!("k{number}"), 1)).unwrap();
        }
        let distinct: std::collections::BTreeSet<_> = parcels.iter().collect();
        let kept = names(root.path());
        prop_assert_eq!(kept.len(), distinct.len());
        prop_assert!(kept.iter().all(|it| !it.starts_with('.')));
    }
}
