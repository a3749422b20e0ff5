//! Passwords, tokens and addresses that hold them: usable, but never printed.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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

/// What stands in a text where a secret was.
const HIDDEN: &str = "***";

/// A stored credential for a far side, `[secret.NAME]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a secret has `user` and `password`, or `token`, or `header` and `value`"
)]
pub enum Credential {
    /// Basic authentication.
    Password { user: String, password: String },
    /// A bearer token.
    Token { token: String },
    /// A header of its own, `X-Api-Key`.
    Header { header: String, value: String },
}

impl Credential {
    /// `text` without the secret, however it may be written in there.
    pub fn scrub(&self, text: &str) -> String {
        let (secret, basic) = match self {
            Self::Password { user, password } => (password, Some(BASE64_STANDARD.encode(format!("{user}:{password}")))),
            Self::Token { token } => (token, None),
            Self::Header { value, .. } => (value, None),
        };
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let forms = [Some(secret.clone()), Some(encoded), Some(BASE64_STANDARD.encode(secret)), basic];
        let forms = forms.into_iter().flatten().filter(|form| !form.is_empty());
        forms.fold(text.to_owned(), |text, form| text.replace(&form, HIDDEN))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Credential::Password(***)",
            Self::Token { .. } => "Credential::Token(***)",
            Self::Header { .. } => "Credential::Header(***)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::from("open sesame");
        assert!(!format!("{secret:?}").contains("sesame"));
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_repeated_in_the_error() {
        let error = serde_json::from_str::<Secret>("4711").unwrap_err().to_string();
        assert_eq!(error, "expected a text in quotes");
    }

    #[test]
    fn the_three_kinds_are_told_by_their_fields() {
        let text = "[a]\nuser = 'u'\npassword = 'p'\n[b]\ntoken = 't'\n[c]\nheader = 'X-Api-Key'\nvalue = 'v'";
        let secrets: BTreeMap<String, Credential> = toml::from_str(text).expect("three secrets");
        assert!(matches!(secrets["a"], Credential::Password { .. }));
        assert!(matches!(secrets["b"], Credential::Token { .. }));
        assert!(matches!(secrets["c"], Credential::Header { .. }));
        let fault = toml::from_str::<Credential>("user = 'u'").expect_err("no password").to_string();
        assert!(fault.contains("a secret has `user` and `password`"), "{fault}");
    }

    #[test]
    fn a_credential_is_never_shown() {
        let secret = Credential::Password { user: "u".to_owned(), password: "p/w".to_owned() };
        assert_eq!(format!("{secret:?}"), "Credential::Password(***)");
        assert_eq!(secret.scrub("p/w p%2Fw dTpwL3c= kept"), "*** *** *** kept");
    }
}
