//! A place below the folder of an account: a relative path that never leads out of it.

use std::{fmt, path::PathBuf};

/// The longest part of a path, in bytes, as file systems have it.
const LONGEST_PART: usize = 255;
/// The longest path, in bytes. Systems stop at 4096, and the account's own folder stands before it.
const LONGEST_PATH: usize = 1024;

/// A sub-folder, written with `/`; `.` is the account's folder itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPath(String);

/// Why a text is no place below the folder, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the folder starts at the root; write it relative to the account's folder, such as site-a/inbox")]
    Absolute,
    #[error("the folder holds `..`; write where it is below the account's folder, such as site-a/inbox")]
    Upwards,
    #[error("the folder holds `{0:?}`; write names with `/` between, such as site-a/inbox")]
    Forbidden(char),
    #[error("the folder is {0} bytes long; write {LONGEST_PATH} at most, and {LONGEST_PART} for each of its parts")]
    Long(usize),
}

impl FolderPath {
    /// Parses `text`; nothing and `.` are the account's folder itself.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let text = text.trim_matches(' ');
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.len() > LONGEST_PATH {
            return Err(PathError::Long(text.len()));
        }
        if let Some(forbidden) = text.chars().find(|it| it.is_control() || matches!(it, '\\' | ':')) {
            return Err(PathError::Forbidden(forbidden));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return Err(PathError::Upwards);
        }
        if let Some(part) = parts.iter().find(|part| part.len() > LONGEST_PART) {
            return Err(PathError::Long(part.len()));
        }
        Ok(Self(parts.join("/")))
    }

    /// The path, to be joined to the account's folder.
    pub fn to_path(&self) -> PathBuf {
        self.0.split('/').collect()
    }
}

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_below_the_folder_is_kept_tidy() {
        for (text, kept) in [
            ("", "."),
            (".", "."),
            ("./", "."),
            ("site-a", "site-a"),
            ("site-a/", "site-a"),
            ("site-a//./inbox", "site-a/inbox"),
            ("größe/日本", "größe/日本"),
            ("...", "..."),
        ] {
            assert_eq!(FolderPath::parse(text).map(|it| it.to_string()), Ok(kept.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for (text, error) in [
            ("/etc", PathError::Absolute),
            ("../../etc/passwd", PathError::Upwards),
            ("a/../../b", PathError::Upwards),
            ("..\\windows", PathError::Forbidden('\\')),
            ("c:windows", PathError::Forbidden(':')),
            ("a\0b", PathError::Forbidden('\0')),
            ("a\nb", PathError::Forbidden('\n')),
            (&"a".repeat(300), PathError::Long(300)),
            (&"a".repeat(1 << 20), PathError::Long(1 << 20)),
        ] {
            assert_eq!(FolderPath::parse(text), Err(error));
        }
    }

    proptest! {
        #[test]
        fn a_parsed_path_stays_below_its_folder(text in r"[a-c./\\ :~]{0,30}|.*") {
            if let Ok(path) = FolderPath::parse(&text) {
                let whole = Path::new("/base").join(path.to_path());
                prop_assert!(whole.starts_with("/base"));
                prop_assert!(whole.components().all(|it| it != Component::ParentDir));
            }
        }
    }
}
