//! Passwords, tokens and addresses that hold them: usable, but never printed.

use std::fmt;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// A text that must not reach a log, an error or a page. Only [`Secret::expose`] shows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// Reads a text; the error about anything else does not repeat it.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Text(String),
            Other(IgnoredAny),
        }
        match Raw::deserialize(from)? {
            Raw::Text(text) => Ok(Self(text)),
            Raw::Other(_) => Err(serde::de::Error::custom("expected a text in quotes")),
        }
    }
}

/// A stored credential, `[secret.NAME]`: a user with a password, a bearer token, or a header with its value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credential {
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub token: Option<Secret>,
    /// The name of a header that carries `value`.
    pub header: Option<String>,
    pub value: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let credential = Credential { password: Some("open sesame".into()), ..Credential::default() };
        assert!(!format!("{credential:?}").contains("sesame"));
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_repeated_in_the_error() {
        let error = serde_json::from_str::<Secret>("4711").unwrap_err().to_string();
        assert_eq!(error, "expected a text in quotes");
    }
}
