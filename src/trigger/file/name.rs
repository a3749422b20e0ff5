//! Where a file is while it is worked on, and what it is called afterwards.

use crate::id::RunId;

/// The folder in the place for files that are worked on. It is hidden, so that nobody takes them for new ones.
const WORKING: &str = ".postbook";

/// The longest name that others are made of. File systems take 255 bytes with what is added.
const LONGEST: usize = 200;

/// The path of the file with this number while it is worked on.
pub(super) fn working(file: i64) -> String {
    format!("{WORKING}/{file}")
}

/// The path in `folder` for a file called `name`; a taken one is told apart by the run's number, or by the file's.
pub(super) fn final_path(folder: &str, name: &str, number: Option<(Option<RunId>, i64)>) -> String {
    let (stem, extension) = match name.rfind('.').filter(|at| *at > 0 && name.len() - at <= 20) {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    let stem = &stem[..stem.floor_char_boundary(LONGEST - extension.len())];
    match number {
        None => format!("{folder}/{stem}{extension}"),
        Some((Some(run), file)) => format!("{folder}/{stem} (run {run}, file {file}){extension}"),
        Some((None, file)) => format!("{folder}/{stem} (file {file}){extension}"),
    }
}

/// The path of the reason beside a file that was not processed.
pub(super) fn reason(path: &str) -> String {
    format!("{path}.reason.txt")
}

/// `name` on one line, for keys and texts.
pub(super) fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_before_their_extension() {
        assert_eq!(final_path("archive", "a.csv", None), "archive/a.csv");
        assert_eq!(final_path("archive", "a.csv", Some((Some(RunId(12)), 5))), "archive/a (run 12, file 5).csv");
        assert_eq!(final_path("error", "noext", Some((None, 5))), "error/noext (file 5)");
        assert_eq!(final_path("error", ".hidden", None), "error/.hidden");
    }

    #[test]
    fn what_is_added_leaves_room() {
        let long = format!("{}.csv", "ж".repeat(125));
        let path = final_path("error", &long, Some((Some(RunId(i64::MAX)), i64::MAX)));
        assert!(reason(&path).len() <= "error/".len() + 255 + 20 && path.ends_with(").csv"), "{}", path.len());
        assert_eq!(shown("a\r\nb"), "a__b");
    }
}
