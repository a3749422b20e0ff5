//! Files put in place whole or not at all: written aside, flushed to the disk, then given their name.
//!
//! A reader of the folder never sees half a file, a crash leaves at most a hidden `.part` that the next attempt takes
//! away, and a name that is taken by other bytes is left alone. Blocking: called on a thread of its own.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::source::place::numbered;

/// How many numbers are tried before a name is given up. Reached only where somebody never empties the folder.
const MOST_NUMBERS: usize = 10_000;

/// A file to be.
pub(super) struct Item {
    pub name: String,
    pub bytes: Bytes,
}

/// Whose files they are: names the file aside, so that two attempts never write to the same one.
pub(super) struct Mark {
    pub token: String,
    pub attempt: i32,
}

impl Mark {
    fn aside(&self, directory: &Path, attempt: i32) -> PathBuf {
        directory.join(format!(".{}-{attempt}.part", self.token))
    }
}

/// Places all `items` in the folder `below` the root and says under which names.
pub(super) fn all(root: &Path, below: &Path, items: &[Item], mark: &Mark) -> io::Result<Vec<String>> {
    // A root that is missing may be a share that is not mounted: to make it would hide the files on the local disk.
    fs::metadata(root)?;
    let directory = root.join(below);
    fs::create_dir_all(&directory)?;
    for attempt in 1..mark.attempt {
        remove(&mark.aside(&directory, attempt))?;
    }
    let aside = mark.aside(&directory, mark.attempt);
    let mut lines = Vec::with_capacity(items.len());
    for item in items {
        let name = one(&directory, item, &aside)?;
        lines.push(format!("{} ({} bytes)", below.join(name).display(), item.bytes.len()));
    }
    flush_directory(&directory)?;
    Ok(lines)
}

/// Writes a file below `root` and removes it.
pub(super) fn probe(root: &Path) -> io::Result<()> {
    let path = root.join(format!(".postbook-{}.part", std::process::id()));
    File::create(&path)?.write_all(b"can this be written?")?;
    fs::remove_file(path)
}

fn one(directory: &Path, item: &Item, aside: &Path) -> io::Result<String> {
    for number in 1..=MOST_NUMBERS {
        let name = numbered(&item.name, number);
        let path = directory.join(&name);
        if is_free(&path)? && write(aside, &path, &item.bytes)? || holds(&path, &item.bytes)? {
            return Ok(name);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every number for this name is taken"))
}

fn is_free(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether the file at `path` consists of `bytes`.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || metadata.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut found = Vec::with_capacity(bytes.len());
    File::open(path)?.read_to_end(&mut found)?;
    Ok(found == bytes)
}

/// Writes aside and then claims the name; false when another took it meanwhile.
fn write(aside: &Path, path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let claimed = write_aside(aside, bytes).and_then(|()| claim(aside, path));
    // After a claim by link, and after any failure, the name aside is still there.
    let removed = remove(aside);
    claimed.and_then(|claimed| removed.map(|()| claimed))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_aside(aside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(aside)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives the file its name without ever taking another file's: linking fails where renaming would overwrite.
fn claim(aside: &Path, path: &Path) -> io::Result<bool> {
    match fs::hard_link(aside, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // Network shares and memory sticks know no links; there the check just before has to do.
        Err(_) if is_free(path)? => fs::rename(aside, path).map(|()| true),
        Err(_) => Ok(false),
    }
}

/// Makes the names survive a loss of power.
fn flush_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some shares cannot flush a folder; the files themselves are safe by then.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        flushed => flushed,
    }
}
