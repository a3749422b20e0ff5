//! Workflow folders: the ones compiled in, and those of an installation.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

/// The five systems Postbook comes with.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/workflows");

/// The files of one workflow, by their path in its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl FromIterator<(String, Vec<u8>)> for Files {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(files: I) -> Self {
        Self(files.into_iter().collect())
    }
}

impl Files {
    /// The bytes of the file at `path`.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Whether there is a file at `path`.
    pub fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// All files, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// The version these files are: the SHA-256 of all paths and contents.
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        for (path, bytes) in self.iter() {
            sum.update((path.len() as u64).to_be_bytes());
            sum.update(path);
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        }
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

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

fn folder(dir: &Dir<'_>, base: &Path) -> Folder {
    let mut all = Vec::new();
    gather(dir, base, &mut all);
    split(base, all)
}

fn gather(dir: &Dir<'_>, base: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for file in dir.files() {
        let path = file.path().strip_prefix(base).unwrap_or(file.path());
        all.push((slashed(path), file.contents().to_vec()));
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

fn walk(dir: &Path, base: &Path, all: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, base, all)?;
        } else {
            let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            all.push((slashed(path.strip_prefix(base).unwrap_or(&path)), bytes));
        }
    }
    Ok(())
}

/// Samples are no part of a version: changing one does not change the workflow.
fn split(base: &Path, all: Vec<(String, Vec<u8>)>) -> Folder {
    let name = base.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (samples, files) =
        all.into_iter().partition::<Vec<_>, _>(|(path, _)| path.starts_with("batches/") || path.starts_with("demo/"));
    Folder { name, files: files.into_iter().collect(), samples: samples.into_iter().collect() }
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
