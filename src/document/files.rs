//! The files of one version of a workflow, as templates see them.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::store::hex;

/// Templates, images and fonts by their path in the workflow's folder, with one digest over all of them.
#[derive(Debug, Clone)]
pub struct Files {
    digest: String,
    entries: BTreeMap<String, Bytes>,
}

impl Files {
    /// Takes `entries` by path, `templates/report.typ`.
    pub fn new(entries: BTreeMap<String, Bytes>) -> Self {
        let mut hash = Sha256::new();
        for (path, bytes) in &entries {
            hash.update((path.len() as u64).to_be_bytes());
            hash.update(path);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        Self { digest: hex(&hash.finalize()), entries }
    }

    /// The same for the same paths and bytes, and for nothing else.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The bytes by path.
    pub fn entries(&self) -> &BTreeMap<String, Bytes> {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_tells_paths_from_bytes() {
        let files = |path: &str, bytes: &'static str| Files::new([(path.to_owned(), bytes.into())].into());
        assert_eq!(files("a", "bc").digest(), files("a", "bc").digest());
        assert_ne!(files("a", "bc").digest(), files("ab", "c").digest());
    }
}
