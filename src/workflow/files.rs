//! The files of one version of a workflow.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Templates, images and fonts by their path in the workflow's folder, with one digest over all of them.
#[derive(Debug, Clone)]
pub struct Files {
    digest: String,
    entries: BTreeMap<String, Bytes>,
}

impl Files {
    /// Takes `entries` by path, `templates/report.typ`.
    pub fn new(entries: BTreeMap<String, Bytes>) -> Self {
        let mut sum = Sha256::new();
        for (path, bytes) in &entries {
            sum.update((path.len() as u64).to_be_bytes());
            sum.update(path);
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        }
        let digest = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { digest, entries }
    }

    /// The same for the same paths and bytes, and for nothing else.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The bytes by path.
    pub fn entries(&self) -> &BTreeMap<String, Bytes> {
        &self.entries
    }

    /// The bytes of the file at `path`.
    pub fn get(&self, path: &str) -> Option<&Bytes> {
        self.entries.get(path)
    }
}

impl FromIterator<(String, Bytes)> for Files {
    fn from_iter<I: IntoIterator<Item = (String, Bytes)>>(entries: I) -> Self {
        Self::new(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_tells_paths_from_bytes() {
        let files = |path: &str, bytes: &'static str| Files::from_iter([(path.to_owned(), bytes.into())]);
        assert_eq!(files("a", "bc").digest(), files("a", "bc").digest());
        assert_ne!(files("a", "bc").digest(), files("ab", "c").digest());
    }
}
