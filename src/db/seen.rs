//! The note of what this node last saw of its books, kept outside the database and outside the data folder: whoever
//! puts the folder back does not put back the note.
//!
//! A file with a line for each book, `ID COUNTER`. Two processes on one folder may write at once; the later one wins, and
//! a counter noted a moment too low only makes the note as weak as it was ten seconds before.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The note.
#[derive(Debug)]
pub(super) struct Seen {
    /// Where it is kept, the best place first.
    places: Vec<PathBuf>,
}

impl Seen {
    /// Beside the folder `data`: `DATA.seen`. Where nobody can write there, inside of it.
    pub(super) fn beside(data: &Path) -> Self {
        let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
        let beside = data.file_name().map(|name| {
            let mut name = name.to_owned();
            name.push(".seen");
            data.with_file_name(name)
        });
        Self { places: beside.into_iter().chain([data.join("seen")]).collect() }
    }

    /// Whether no book was ever seen here.
    pub(super) fn is_new(&self) -> bool {
        self.books().is_empty()
    }

    /// The highest counter of the book `id` that was seen here.
    pub(super) fn highest(&self, id: &str) -> Option<i64> {
        self.books().remove(id)
    }

    /// Notes that the book `id` was seen at `counter`. A note that cannot be kept is told in the log: the node works
    /// without it, and notices less.
    pub(super) fn note(&self, id: &str, counter: i64) {
        let mut books = self.books();
        let highest = books.entry(id.to_owned()).or_insert(counter);
        *highest = counter.max(*highest);
        let text: String = books.iter().map(|(id, counter)| format!("{id} {counter}\n")).collect();
        if !self.places.iter().any(|place| write(place, &text).is_ok()) {
            let place = self.places.first().map(|place| place.display().to_string()).unwrap_or_default();
            tracing::warn!(place, "what was seen of the book cannot be noted; a restored backup may go unnoticed");
        }
    }

    fn books(&self) -> BTreeMap<String, i64> {
        let mut books = BTreeMap::new();
        for text in self.places.iter().filter_map(|place| fs::read_to_string(place).ok()) {
            for (id, counter) in text.lines().filter_map(|line| line.split_once(' ')) {
                let Ok(counter) = counter.parse::<i64>() else { continue };
                let highest = books.entry(id.to_owned()).or_insert(counter);
                *highest = counter.max(*highest);
            }
        }
        books
    }
}

/// Replaces the file as a whole, so that a crash leaves the old one or the new one.
fn write(place: &Path, text: &str) -> std::io::Result<()> {
    let mut aside = place.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(aside);
    fs::write(&aside, text)?;
    fs::rename(&aside, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_counter_of_each_book_is_kept_beside_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let seen = Seen::beside(&data);
        assert!(seen.is_new());
        for (id, counter) in [("a", 3), ("b", 9), ("a", 2)] {
            seen.note(id, counter);
        }
        assert_eq!((seen.highest("a"), seen.highest("b"), seen.highest("c")), (Some(3), Some(9), None));
        assert!(folder.path().join("data.seen").exists() && !data.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn it_is_kept_inside_where_there_is_no_place_beside() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(&data).unwrap();
        fs::create_dir(folder.path().join("data.seen")).unwrap();
        let seen = Seen::beside(&data);
        seen.note("a", 3);
        assert_eq!(Seen::beside(&data).highest("a"), Some(3));
    }
}
