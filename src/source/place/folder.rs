//! A folder of this machine, or of a share that is mounted.
//!
//! It is opened through the root that the settings allow, and everything in it through the open folder: no name and no
//! link leads out. Links are passed over, also those that lead nowhere else.

use std::{
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, MetadataExt},
};
use chrono::{DateTime, Utc};

use super::{Failure, Found, Listing, Moved, lasting, passing, path::parent};

/// A folder below one of the roots.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub root: PathBuf,
    pub below: PathBuf,
}

impl Folder {
    pub(super) async fn list(&self) -> Result<Listing, Failure> {
        self.within(list).await
    }

    pub(super) async fn find(&self, path: &str) -> Result<Option<Found>, Failure> {
        let path = path.to_owned();
        self.within(move |dir| find(dir, &path)).await
    }

    /// One byte more than `limit` where there are more.
    pub(super) async fn read(&self, path: &str, limit: u64) -> Result<Bytes, Failure> {
        let path = path.to_owned();
        self.within(move |dir| read(dir, &path, limit)).await
    }

    pub(super) async fn write(&self, path: &str, bytes: Bytes) -> Result<(), Failure> {
        let path = path.to_owned();
        self.within(move |dir| {
            make_parent(dir, &path)?;
            dir.write(&path, bytes)
        })
        .await
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<Moved, Failure> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.within(move |dir| rename(dir, &from, &to)).await
    }

    async fn within<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Dir) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (root, below) = (self.root.clone(), self.below.clone());
        let shown = root.join(&below);
        let done = tokio::task::spawn_blocking(move || {
            let dir = Dir::open_ambient_dir(root, ambient_authority())?.open_dir(below)?;
            work(&dir)
        });
        done.await.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| trouble(&shown, &error))
    }
}

fn list(dir: &Dir) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in dir.entries()? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        if !metadata.is_file() {
            continue;
        }
        match entry.file_name().into_string() {
            Ok(name) => listing.files.push(found(name, &metadata)),
            Err(name) => listing.odd.push(name.to_string_lossy().into_owned()),
        }
    }
    Ok(listing)
}

fn find(dir: &Dir, path: &str) -> io::Result<Option<Found>> {
    Ok(metadata(dir, path)?.map(|metadata| found(path.to_owned(), &metadata)))
}

/// Of a file that is no link.
fn metadata(dir: &Dir, path: &str) -> io::Result<Option<Metadata>> {
    match dir.symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        metadata => metadata.map(Some),
    }
}

fn found(name: String, metadata: &Metadata) -> Found {
    let modified = metadata.modified().ok().map(|at| DateTime::<Utc>::from(at.into_std()));
    let stamp = modified.map(|at| at.to_rfc3339()).unwrap_or_default();
    Found { name, size: metadata.len(), stamp }
}

fn read(dir: &Dir, path: &str, limit: u64) -> io::Result<Bytes> {
    if !dir.symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    let mut bytes = Vec::new();
    dir.open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Linking fails where renaming would overwrite. A crash between link and removal leaves one file with two names.
fn rename(dir: &Dir, from: &str, to: &str) -> io::Result<Moved> {
    let Some(moving) = metadata(dir, from)? else { return Ok(Moved::Gone) };
    make_parent(dir, to)?;
    if let Some(there) = metadata(dir, to)? {
        if (there.dev(), there.ino()) != (moving.dev(), moving.ino()) {
            return Ok(Moved::Taken);
        }
        return dir.remove_file(from).map(|()| Moved::Done);
    }
    match dir.hard_link(from, dir, to) {
        Ok(()) => dir.remove_file(from).map(|()| Moved::Done),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Moved::Taken),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Moved::Gone),
        // Some shares know no links, and other people's files may not be linked; there the check just before has to do.
        Err(_) => dir.rename(from, dir, to).map(|()| Moved::Done),
    }
}

fn make_parent(dir: &Dir, path: &str) -> io::Result<()> {
    parent(path).map_or(Ok(()), |folder| dir.create_dir_all(folder))
}

/// What the disk's words mean for whoever watches the folder.
fn trouble(folder: &Path, error: &io::Error) -> Failure {
    let text = format!("{}: {error}", folder.display());
    match error.kind() {
        ErrorKind::NotFound => lasting("folder-missing", text),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => lasting("folder-denied", text),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => lasting("folder-full", text),
        _ => passing("folder-fault", text),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("in")).unwrap();
        let folder = Folder { root: root.path().to_owned(), below: "in".into() };
        (root, folder)
    }

    #[tokio::test]
    async fn a_move_never_overwrites_and_ends_what_a_crash_left() {
        let (root, folder) = folder();
        let path = |name: &str| root.path().join("in").join(name);
        fs::write(path("a"), "new").unwrap();
        assert_eq!(folder.rename("a", "work/1").await.unwrap(), Moved::Done);
        assert_eq!(folder.rename("a", "work/1").await.unwrap(), Moved::Gone);

        fs::write(path("a"), "newer").unwrap();
        assert_eq!(folder.rename("a", "work/1").await.unwrap(), Moved::Taken);
        assert_eq!(fs::read(path("work/1")).unwrap(), b"new");

        fs::hard_link(path("a"), path("work/2")).unwrap();
        assert_eq!(folder.rename("a", "work/2").await.unwrap(), Moved::Done, "as it is after a crash between the two");
        assert!(!path("a").exists());
    }

    #[tokio::test]
    async fn nothing_outside_is_seen_read_or_written() {
        let (root, folder) = folder();
        let path = |name: &str| root.path().join("in").join(name);
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::write(root.path().join("beside"), "beside").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), path("link.csv")).unwrap();
        std::os::unix::fs::symlink(outside.path(), path("archive")).unwrap();

        assert!(folder.list().await.unwrap().files.is_empty());
        for name in ["link.csv", "archive/secret", "../beside", "/etc/passwd"] {
            folder.read(name, 100).await.unwrap_err();
        }
        fs::write(path("a"), "a").unwrap();
        folder.rename("a", "archive/a").await.unwrap_err();
        folder.write("archive/a", Bytes::from_static(b"a")).await.unwrap_err();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
