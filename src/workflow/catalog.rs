//! Workflow folders: the ones compiled in, and those of an installation.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use include_dir::{Dir, include_dir};

use super::Files;

/// The five systems Postbook comes with.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/workflows");

/// One workflow's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    pub name: String,
    /// What a version consists of: the definition and its templates.
    pub files: Files,
    /// Batches and documents that come along as samples.
    pub samples: Files,
}

/// The workflows compiled into the program.
pub fn embedded() -> Vec<Folder> {
    EMBEDDED.dirs().map(|dir| folder(dir, dir.path())).collect()
}

fn folder(dir: &'static Dir<'static>, base: &Path) -> Folder {
    let mut all = Vec::new();
    gather(dir, base, &mut all);
    split(base, all)
}

fn gather(dir: &'static Dir<'static>, base: &Path, all: &mut Vec<(String, Bytes)>) {
    for file in dir.files() {
        let path = file.path().strip_prefix(base).unwrap_or(file.path());
        all.push((slashed(path), Bytes::from_static(file.contents())));
    }
    for inner in dir.dirs() {
        gather(inner, base, all);
    }
}

/// The workflows in the folders below `root`.
///
/// # Errors
/// When `root` cannot be read.
pub fn folders(root: &Path) -> Result<Vec<Folder>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).with_context(|| format!("reading the workflows in {}", root.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            let mut all = Vec::new();
            walk(&path, &path, &mut all)?;
            found.push(split(&path, all));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn walk(dir: &Path, base: &Path, all: &mut Vec<(String, Bytes)>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, base, all)?;
        } else {
            let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            all.push((slashed(path.strip_prefix(base).unwrap_or(&path)), bytes.into()));
        }
    }
    Ok(())
}

/// Samples are no part of a version: changing one does not change the workflow.
fn split(base: &Path, all: Vec<(String, Bytes)>) -> Folder {
    let name = base.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (samples, files) =
        all.into_iter().partition::<Vec<_>, _>(|(path, _)| path.starts_with("batches/") || path.starts_with("demo/"));
    Folder { name, files: files.into_iter().collect(), samples: samples.into_iter().collect() }
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
