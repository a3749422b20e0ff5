//! Who we are to a service: a user and a secret, as the account's URL has them.

use percent_encoding::percent_decode_str;
use reqwest::RequestBuilder;
use url::Url;

use crate::{
    channel::config::AccountFault,
    secret::{Credential, Secret},
};

/// A user and a secret.
#[derive(Debug)]
pub(in crate::channel) struct Login {
    pub user: String,
    pub secret: Secret,
}

impl Login {
    /// Those of `url`. What a service has to have is asked for by its driver.
    pub(super) fn of(url: &Url) -> Result<Self, AccountFault> {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(AccountFault::Credentials),
        };
        let secret = Secret::from(decode(url.password().unwrap_or_default())?);
        Ok(Self { user: decode(url.username())?, secret })
    }

    /// With both, or not at all.
    pub(in crate::channel) fn is_complete(&self) -> bool {
        !self.user.is_empty() && !self.secret.expose().is_empty()
    }

    /// `request` as this user, by Basic authentication (RFC 7617).
    pub(in crate::channel) fn basic(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.user, Some(self.secret.expose()))
    }

    /// `request` with the secret as its bearer token (RFC 6750).
    pub(in crate::channel) fn bearer(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.secret.expose())
    }

    /// `text` without the secret.
    pub(super) fn scrub(&self, text: &str) -> String {
        let credential = Credential::Password { user: self.user.clone(), password: self.secret.expose().to_owned() };
        credential.scrub(text)
    }
}
