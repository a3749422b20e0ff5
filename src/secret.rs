//! Credentials by name, as the configuration gives them (`[secret.NAME]`), kept out of every text.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// What stands in a text where a secret was.
const HIDDEN: &str = "***";

/// One credential for a far side.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "a secret has `user` and `password`, or `token`, or `header` and `value`")]
pub enum Secret {
    /// Basic authentication.
    Password { user: String, password: String },
    /// A bearer token.
    Token { token: String },
    /// A header of its own, `X-Api-Key`.
    Header { header: String, value: String },
}

impl Secret {
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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Secret::Password(***)",
            Self::Token { .. } => "Secret::Token(***)",
            Self::Header { .. } => "Secret::Header(***)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_three_kinds_are_told_by_their_fields() {
        let text = "[a]\nuser = 'u'\npassword = 'p'\n[b]\ntoken = 't'\n[c]\nheader = 'X-Api-Key'\nvalue = 'v'";
        let secrets: BTreeMap<String, Secret> = toml::from_str(text).expect("three secrets");
        assert!(matches!(secrets["a"], Secret::Password { .. }));
        assert!(matches!(secrets["b"], Secret::Token { .. }));
        assert!(matches!(secrets["c"], Secret::Header { .. }));
        let fault = toml::from_str::<Secret>("user = 'u'").expect_err("no password").to_string();
        assert!(fault.contains("a secret has `user` and `password`"), "{fault}");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::Password { user: "u".to_owned(), password: "p/w".to_owned() };
        assert_eq!(format!("{secret:?}"), "Secret::Password(***)");
        assert_eq!(secret.scrub("p/w p%2Fw dTpwL3c= kept"), "*** *** *** kept");
    }
}
