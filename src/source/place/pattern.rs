//! Patterns of file names: `*` stands for any letters, `?` for one.

use serde::{Deserialize, Serialize};

/// A pattern that file names fit or do not. Capital and small letters are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a pattern of file names of at most 200 letters, without folders, such as `*.csv`")]
pub struct PatternFault;

impl TryFrom<String> for Pattern {
    type Error = PatternFault;

    fn try_from(text: String) -> Result<Self, PatternFault> {
        let fits = !text.is_empty() && text.chars().count() <= 200 && !text.contains(['/', '\\', '\0']);
        if fits { Ok(Self(text)) } else { Err(PatternFault) }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl Pattern {
    /// The one that all names fit.
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Whether `name` fits it.
    pub fn fits(&self, name: &str) -> bool {
        let folded = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
        fits(&folded(&self.0), &folded(name))
    }
}

/// Goes back only to the last star, so that no pattern takes long.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_their_patterns() {
        let fits = |pattern: &str, name| Pattern::try_from(pattern.to_owned()).unwrap().fits(name);
        for (pattern, name) in
            [("*.csv", "a.csv"), ("*.csv", "A.CSV"), ("*", ""), ("a?c*", "abcd"), ("*~", "x~"), ("*a*b", "xaayb")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.csv", "a.csv.part"), (".*", "a"), ("?", ""), ("a", "ab"), ("*.csv", "csv")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        assert!(!fits(&"*a".repeat(99), &"a".repeat(98)), "and it does not take long");
    }

    #[test]
    fn a_path_is_no_pattern() {
        for text in ["", "../*", "a/b", "a\0"] {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
