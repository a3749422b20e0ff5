//! Fax by a mail gateway: the number becomes a mailbox of somebody who faxes what is mailed there.
//!
//! Files go as they are, so that a gateway that prints in colour gets colours; the message's words are the cover's.
//! Everything else is as with any e-mail, what is uncertain as well. Whether the fax arrived, the gateway says by mail
//! to the sender, if at all.

use futures::future::{BoxFuture, FutureExt};
use url::Url;

use crate::{
    channel::{
        Outcome, Parcel, Permit, Report, Turn,
        config::{AccountConfig, AccountFault},
        driver::{Driver, not_mine},
        email::Email,
    },
    contact::{Contact, mailbox::Mailbox, number::Number},
    reason::{Reason, Scope},
};

use super::dialled;

const REMEDY: &str =
    "`dial` says which mailbox a number becomes; write {number}@fax.example.org or {digits}@fax.example.org";

/// A mail server, and how its gateway wants numbers.
#[derive(Debug)]
pub(in crate::channel) struct FaxMail {
    email: Email,
    dial: String,
}

impl FaxMail {
    pub(in crate::channel) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let dial = config.fax.dial.clone().ok_or(AccountFault::Incomplete(REMEDY))?;
        let example = Mailbox::parse(&dialled(&dial, "+13125550002"));
        if !(dial.contains("{number}") || dial.contains("{digits}")) || example.is_err() {
            return Err(AccountFault::Incomplete(REMEDY));
        }
        Ok(Self { email: Email::open(url, config)?, dial })
    }

    async fn mail(&self, parcel: &Parcel, number: &Number, permit: Permit<'_>) -> Report {
        match Mailbox::parse(&dialled(&self.dial, number.as_str())) {
            Ok(mailbox) => self.email.write_to(parcel, &mailbox, permit).await,
            Err(error) => {
                let reason = Reason::new(Scope::Contact, "bad-number", format!("as a mailbox, {number}: {error}"));
                Report::new(Outcome::Refused(reason))
            }
        }
    }
}

impl Driver for FaxMail {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Number(number) => self.mail(parcel, number, permit).boxed(),
            other => not_mine(other, "a fax number"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.email.try_out().boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        self.email.next().boxed()
    }
}
