//! Accounts: the configured ways to use a channel, each with the driver that its URL names.
//!
//! An account that cannot work as it is written is found when it is opened, not at the first transmission. Opened at
//! start and by `postbook check`; used by the step that transmits.

mod channels;
mod drivers;
mod pattern;

pub use super::config::{AccountConfig, AccountError, AccountFault, FaxConfig, Limits};
pub use channels::Channels;

use crate::{
    contact::Contact,
    reason::{Reason, Scope},
};

use super::{
    Answer, Asked, Callback, Form, Heard, Outcome, Parcel, Permit, Receipts, Report, Settle, Turn, Unheard, check,
    driver::Driver,
};

/// A configured way to use a channel, ready for parcels.
#[derive(Debug)]
pub struct Account {
    name: String,
    channel: &'static str,
    settle: Option<Settle>,
    limits: Limits,
    refuse: Vec<String>,
    driver: Box<dyn Driver>,
}

impl Account {
    /// Makes the account `name` ready; nothing is connected to yet.
    pub fn open(name: &str, config: &AccountConfig) -> Result<Self, AccountError> {
        let (channel, driver) =
            drivers::open(config).map_err(|fault| AccountError { account: name.to_owned(), fault })?;
        let (settle, limits, refuse) = (config.settle, config.limits, config.refuse.clone());
        Ok(Self { name: name.to_owned(), channel, settle, limits, refuse, driver })
    }

    /// The name it is configured under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The channel it serves.
    pub fn channel(&self) -> &'static str {
        self.channel
    }

    /// What to do about an attempt whose outcome nobody knows.
    pub fn settle(&self) -> Settle {
        self.settle.unwrap_or_else(|| self.driver.settle())
    }

    /// What it may send at most.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The form it wants files in.
    pub fn form(&self) -> Form {
        self.driver.form()
    }

    /// What is to be heard of what it accepted, if anything is.
    pub fn receipts(&self) -> Option<Receipts> {
        self.driver.receipts()
    }

    /// Waits until this node may send one more by it. Who has a turn is sent at once: what waits for a connection is
    /// not said to be sent, and is not in doubt when its node dies.
    pub async fn turn(&self) -> Turn<'_> {
        self.driver.turn().await
    }

    /// Makes one attempt.
    pub async fn transmit(&self, parcel: &Parcel) -> Report {
        let turn = self.turn().await;
        self.transmit_if(parcel, &|| true, turn).await
    }

    /// Makes one attempt, unless `permit` is gone when it comes to sending.
    pub async fn transmit_if(&self, parcel: &Parcel, permit: Permit<'_>, _turn: Turn<'_>) -> Report {
        match self.admit(parcel) {
            Ok(contact) => self.driver.transmit(parcel, &contact, permit).await,
            Err(reason) => Report::new(Outcome::Refused(reason)),
        }
    }

    /// Tries whatever can be tried without sending anything, and says what was seen.
    ///
    /// # Errors
    /// The reason why a parcel would not get through either.
    pub async fn probe(&self) -> Result<String, Reason> {
        self.driver.probe().await
    }

    /// Asks the far side what became of an attempt.
    ///
    /// # Errors
    /// Why it did not say; it may, later.
    pub async fn ask(&self, asked: &Asked) -> Result<Answer, Reason> {
        self.driver.ask(asked).await
    }

    /// Reads what the far side says by itself.
    ///
    /// # Errors
    /// When it is not to be believed or not to be read.
    pub fn hear(&self, callback: &Callback<'_>) -> Result<Heard, Unheard> {
        self.driver.hear(callback)
    }

    /// The contact, if the parcel may go out at all.
    fn admit(&self, parcel: &Parcel) -> Result<Contact, Reason> {
        if let Some(reason) = check::refusal(parcel) {
            return Err(reason);
        }
        let contact = Contact::parse(self.channel, &parcel.contact)?;
        let text = contact.to_string();
        if self.refuse.iter().any(|it| pattern::matches(it, &text)) {
            let text = format!("550 5.1.1 {text} is refused for rehearsal, as the account's `refuse` says");
            return Err(Reason::new(Scope::Contact, "rehearsal-550-5.1.1", text));
        }
        Ok(contact)
    }
}

#[cfg(test)]
mod tests;
