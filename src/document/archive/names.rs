//! Names that differ on every file system.

use std::collections::{HashMap, HashSet};

/// Gives each name once: `report.pdf`, then `report (2).pdf`. Names that differ only in the size of their letters
/// count as the same, as they do on Windows and macOS.
#[derive(Debug, Default)]
pub struct UniqueNames {
    given: HashSet<String>,
    counts: HashMap<String, u32>,
}

impl UniqueNames {
    /// `name`, or the nearest to it that was not given yet.
    pub fn claim(&mut self, name: &str) -> String {
        let count = self.counts.entry(name.to_lowercase()).or_insert(0);
        loop {
            *count += 1;
            let candidate = if *count == 1 { name.to_owned() } else { numbered(name, *count) };
            if self.given.insert(candidate.to_lowercase()) {
                return candidate;
            }
        }
    }
}

fn numbered(name: &str, count: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem} ({count}).{extension}"),
        _ => format!("{name} ({count})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clashing_names_are_numbered_also_when_the_number_is_taken() {
        let mut names = UniqueNames::default();
        let claimed = ["a.pdf", "A.PDF", "a (2).pdf", "a.pdf", "Ä.csv", "ä.csv", "plain", "plain", "manifest.csv"]
            .map(|name| names.claim(name));
        assert_eq!(
            claimed,
            [
                "a.pdf",
                "A (2).PDF",
                "a (2) (2).pdf",
                "a (3).pdf",
                "Ä.csv",
                "ä (2).csv",
                "plain",
                "plain (2)",
                "manifest.csv"
            ]
        );
    }
}
