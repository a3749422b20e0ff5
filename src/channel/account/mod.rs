//! Accounts: the configured ways to use a channel, each with the driver that its URL names.
//!
//! An account that cannot work as it is written is found when it is opened, not at the first transmission. Opened at
//! start and by `postbook check`; used by the step that transmits.

mod channels;
mod drivers;
mod pattern;

pub use super::config::{AccountConfig, AccountError, AccountFault, Each, FaxConfig, Limits, TooLarge};
pub use channels::Channels;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use chrono_tz::Tz;

use crate::{
    contact::{
        Contact,
        sms::{self, Parts},
    },
    reason::{Reason, Scope},
    schedule::Hours,
};

use super::{
    Answer, Asked, Callback, Carries, Form, Heard, Inbox, Outcome, Parcel, Permit, Receipts, Report, Settle, Silence,
    Turn, Unheard, check, driver::Driver, offer::Offer, pickup::Mail,
};

/// A configured way to use a channel, ready for parcels.
#[derive(Debug)]
pub struct Account {
    name: String,
    channel: &'static str,
    settle: Option<Settle>,
    ask_for: Duration,
    limits: Limits,
    each: Each,
    hours: Hours,
    zone: Option<Tz>,
    refuse: Vec<String>,
    attach_limit: Option<u64>,
    too_large: Option<TooLarge>,
    word_within: Option<Duration>,
    without_word: Option<Silence>,
    driver: Arc<dyn Driver>,
}

impl Account {
    /// Makes the account `name` ready; nothing is connected to yet.
    pub fn open(name: &str, config: &AccountConfig) -> Result<Self, AccountError> {
        Self::open_with(name, config, None)
    }

    /// The same of an account that mails by another one: `mail`.
    pub fn open_with(name: &str, config: &AccountConfig, mail: Option<&Self>) -> Result<Self, AccountError> {
        let mail = mail.and_then(Self::mail);
        let (channel, driver) =
            drivers::open(config, mail).map_err(|fault| AccountError { account: name.to_owned(), fault })?;
        let hours = Hours::read(config.window.as_deref(), config.quiet.as_deref());
        let fault = |flaws| AccountError { account: name.to_owned(), fault: AccountFault::Hours(flaws) };
        let hours = hours.map_err(fault)?;
        let (each, zone) = (each(config.each, channel), config.zone);
        let (settle, ask_for) = (config.settle, config.ask_for);
        let (limits, refuse) = (config.limits, config.refuse.clone());
        let (attach_limit, too_large) = (config.attach_limit, config.too_large);
        let (word_within, without_word) = (config.word_within, config.without_word);
        Ok(Self {
            name: name.to_owned(),
            channel,
            settle,
            ask_for,
            limits,
            each,
            hours,
            zone,
            refuse,
            attach_limit,
            too_large,
            word_within,
            without_word,
            driver,
        })
    }

    /// The account as one that another one mails by.
    fn mail(&self) -> Option<Mail> {
        (self.channel == "email").then(|| Mail { name: self.name.clone(), driver: self.driver.clone() })
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

    /// How long its far side is asked about an attempt in doubt before a person is.
    pub fn ask_for(&self) -> Duration {
        self.ask_for
    }

    /// What it may send at most.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What one contact and one domain may be sent at most.
    pub fn each(&self) -> Each {
        self.each
    }

    /// When it sends, and in which zone that is; the batch's when nothing stands there.
    pub fn hours(&self) -> (&Hours, Option<Tz>) {
        (&self.hours, self.zone)
    }

    /// What it carries.
    pub fn carries(&self) -> Carries {
        self.driver.carries()
    }

    /// The form it wants files in.
    pub fn form(&self) -> Form {
        self.driver.form()
    }

    /// What is to be heard of what it accepted, if anything is.
    pub fn receipts(&self) -> Option<Receipts> {
        self.receipts_for(None)
    }

    /// The same for a batch that says what it means when no word comes in time. What mail that does not come back means,
    /// and files that nobody fetches, is no matter of the batch.
    pub fn receipts_for(&self, batch: Option<Silence>) -> Option<Receipts> {
        let receipts = self.driver.receipts()?;
        let within = self.word_within.unwrap_or(receipts.within);
        let batch = batch.filter(|_| !matches!(self.channel, "email" | "pickup"));
        let silence = batch.or(self.without_word).unwrap_or(receipts.silence);
        Some(Receipts { within, silence, ..receipts })
    }

    /// The most bytes of files that one message carries.
    pub fn attach_limit(&self) -> Option<u64> {
        self.attach_limit
    }

    /// What becomes of files that are too large for it, if it says so.
    pub fn too_large(&self) -> Option<TooLarge> {
        self.too_large
    }

    /// Whether `outcome` means that there was too much of a message.
    pub fn is_too_large(&self, outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Refused(reason) if self.driver.is_too_large(reason))
    }

    /// Whether later word with this reason says that the account fails whoever the recipient is.
    pub fn is_for_anybody(&self, reason: &Reason) -> bool {
        reason.scope == Scope::Account && self.driver.is_for_anybody(&reason.code)
    }

    /// What leads to the files of the parcel with this key, where they are fetched instead of sent.
    pub fn offer(&self, key: &str) -> Option<Offer> {
        self.driver.offer(key)
    }

    /// Where what it sent comes back to, if that is read here.
    pub fn bounces(&self) -> Option<&Inbox> {
        self.driver.bounces()
    }

    /// Waits until this node may send one more by it. Who has a turn is sent at once: what waits for a connection is
    /// not said to be sent, and is not in doubt when its node dies.
    pub async fn turn(&self) -> Turn<'_> {
        self.driver.turn().await
    }

    /// What `parcel` is paid for as by SMS, told without sending it. What only stands in for SMS sends the text as it is.
    ///
    /// # Errors
    /// Why it would be refused before anybody is asked. What `refuse` says is not among these: it rehearses what nobody
    /// foresees.
    pub fn foresee(&self, parcel: &Parcel) -> Result<Option<Parts>, Reason> {
        if let Some(reason) = check::refusal(parcel) {
            return Err(reason);
        }
        let parts = self.driver.parts(parcel)?;
        Ok(parts.or_else(|| (self.channel == "sms").then(|| sms::count(&parcel.message.text))))
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

/// A line that is talking to a fax is busy for everybody else.
fn each(written: Each, channel: &str) -> Each {
    let mut each = written;
    if channel == "fax" {
        each.contact.at_once = each.contact.at_once.or(NonZeroUsize::new(1));
    }
    each
}

#[cfg(test)]
mod tests;
