//! Links to files that are fetched instead of sent.
//!
//! A link is made from a parcel's key and a secret, so that every attempt has the same one and nobody can guess it. What
//! it is looked up by is its digest, which opens nothing. The engine writes down what is offered, see `run/link.rs`.

mod letter;

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;

use crate::{
    reason::{Reason, Scope},
    secret::Secret,
};

use super::{
    Outcome, Proof, Receipts, Report, Silence,
    config::{AccountConfig, AccountFault},
    token,
};

pub use letter::{in_words, until};

/// The part of a keyed digest that stands in a link: 192 bits, beyond guessing and short enough for a line of mail.
const TOKEN: usize = 24;

/// The shortest secret that links are made from.
const SHORTEST_SECRET: usize = 32;

/// The shortest time that a link may lead somewhere. Mail alone may take that long.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);

/// Makes links for one account.
pub(super) struct Maker {
    /// Where links begin.
    pub links: String,
    key: hmac::Key,
    lifetime: Duration,
    unclaimed: Silence,
}

/// A link that can be given to a contact.
#[derive(Clone)]
pub struct Offer {
    url: Secret,
    /// What the link is looked up by.
    pub token: String,
    pub lifetime: Duration,
    unclaimed: Silence,
}

impl Maker {
    pub(super) fn open(config: &AccountConfig) -> Result<Self, AccountFault> {
        let links = config.links.clone().ok_or(AccountFault::NoPublicAddress)?;
        let secret = config.link_secret.as_ref().map(Secret::expose).filter(|secret| secret.len() >= SHORTEST_SECRET);
        let secret = secret.ok_or(AccountFault::NoLinkSecret)?;
        if config.lifetime < SHORTEST_LIFE {
            return Err(AccountFault::Lifetime);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let unclaimed = config.unclaimed.unwrap_or(Silence::Failed);
        Ok(Self { links, key, lifetime: config.lifetime, unclaimed })
    }

    pub(super) fn offer(&self, key: &str) -> Offer {
        let tag = hmac::sign(&self.key, key.as_bytes());
        let token = BASE64_URL_SAFE_NO_PAD.encode(&tag.as_ref()[..TOKEN]);
        Offer {
            url: Secret::from(format!("{}/{token}", self.links)),
            token: token::digest(&[token.as_bytes()]),
            lifetime: self.lifetime,
            unclaimed: self.unclaimed,
        }
    }

    /// The word that is to be heard: that the files were fetched, before the link ends.
    pub(super) fn receipts(&self) -> Receipts {
        receipts(self.lifetime, self.unclaimed)
    }
}

impl Offer {
    /// The link. Whoever has it has the files.
    pub fn url(&self) -> &str {
        self.url.expose()
    }

    /// The word that is to be heard of a message with it.
    pub fn receipts(&self) -> Receipts {
        receipts(self.lifetime, self.unclaimed)
    }
}

fn receipts(within: Duration, silence: Silence) -> Receipts {
    Receipts { within, poll: None, holds: false, silence }
}

impl Report {
    /// The same of a message that brings only a link: what took it has the link, not the files.
    #[must_use]
    pub fn accepted(self) -> Self {
        match self.outcome {
            Outcome::Delivered(Proof { by, text }) => {
                let text = format!("took the message with the link: {text}");
                Self { outcome: Outcome::Accepted(Proof { by, text }), ..self }
            }
            _ => self,
        }
    }
}

/// What a link is looked up by, from the last part of it. Nothing when it cannot be one of ours.
pub fn of_link(token: &str) -> Option<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == TOKEN).then(|| token::digest(&[token.as_bytes()]))
}

/// Why files cannot go out: they are more than the account carries, and no link stands for them.
pub fn too_much(account: &str, bytes: u64, limit: u64) -> Reason {
    let (bytes, limit) = (in_words(bytes), in_words(limit));
    let text = format!(
        "the files are {bytes} in all and the account `{account}` carries {limit} at most; send fewer or smaller ones, \
         or let a link stand for them"
    );
    Reason::new(Scope::Document, "attach-limit", text)
}

impl fmt::Debug for Maker {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maker").field("links", &self.links).finish_non_exhaustive()
    }
}

impl fmt::Debug for Offer {
    /// Leaves the link out, and what it is looked up by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
