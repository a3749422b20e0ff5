//! Pickup: the files stay here, and the contact gets a link to them.
//!
//! Nothing is stored far away. Where the account names another one for mail, the message goes out by that; without one
//! the link stands in the book until somebody hands it on. What can go wrong is the mail, and that nobody fetches the
//! files in time. Which link it is was written down before: the engine puts it into the parcel's words.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, ready};
use url::Url;

use crate::{contact::Contact, reason::Reason};

use super::{
    Carries, Outcome, Parcel, Permit, Proof, Receipts, Report, Settle,
    config::{AccountConfig, AccountFault},
    driver::{Driver, not_mine},
    offer::{Maker, Offer},
    turn::Turn,
};

/// Links to files that are fetched.
#[derive(Debug)]
pub(super) struct Pickup {
    maker: Maker,
    mail: Option<Mail>,
}

/// The account by which contacts get their links.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    pub name: String,
    pub driver: Arc<dyn Driver>,
}

impl Pickup {
    /// `mail` is the account for e-mail that `config` names.
    pub(super) fn open(url: &Url, config: &AccountConfig, mail: Option<Mail>) -> Result<Self, AccountFault> {
        if !matches!(url.path(), "" | "/") || url.has_host() || url.query().is_some() {
            return Err(AccountFault::Parameter("write `url = \"pickup:\"` and nothing more"));
        }
        if config.mail.is_some() && mail.is_none() {
            return Err(AccountFault::NoMailAccount);
        }
        Ok(Self { maker: Maker::open(config)?, mail })
    }

    /// Hands the words with the link on; the files stay.
    async fn tell(&self, parcel: &Parcel, contact: &Contact, permit: Permit<'_>) -> Report {
        let Some(Mail { name, driver }) = &self.mail else {
            let text = "the link stands in the book until somebody hands it on".to_owned();
            let proof = Proof { by: self.maker.links.clone(), text: text.clone() };
            return Report { transcript: text, ..Report::new(Outcome::Accepted(proof)) };
        };
        let letter = Parcel { files: Vec::new(), ..parcel.clone() };
        let report = driver.transmit(&letter, contact, permit).await;
        let transcript = format!("the link goes out by the account {name}\n{}", report.transcript);
        Report { transcript, ..report }.accepted()
    }

    async fn look(&self) -> Result<String, Reason> {
        let links = &self.maker.links;
        match &self.mail {
            Some(mail) => {
                Ok(format!("links begin with {links} and go out by {}: {}", mail.name, mail.driver.probe().await?))
            }
            None => Ok(format!("links begin with {links} and go out to nobody")),
        }
    }
}

impl Driver for Pickup {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Mailbox(_) => self.tell(parcel, contact, permit).boxed(),
            other => not_mine(other, "a mailbox"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.look().boxed()
    }

    /// Until the account that mails has one.
    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        match &self.mail {
            Some(mail) => mail.driver.turn(),
            None => ready(Turn::free()).boxed(),
        }
    }

    fn settle(&self) -> Settle {
        self.mail.as_ref().map_or(Settle::Repeat, |mail| mail.driver.settle())
    }

    fn carries(&self) -> Carries {
        Carries::Files
    }

    fn receipts(&self) -> Option<Receipts> {
        Some(self.maker.receipts())
    }

    fn offer(&self, key: &str) -> Option<Offer> {
        Some(self.maker.offer(key))
    }
}
