//! Accounts: the configured ways to use a channel, each with the driver that its URL names.
//!
//! An account that cannot work as it is written is found when it is opened, not at the first transmission. Opened at
//! start and by `postbook check`; used by the step that transmits.

mod channels;
mod pattern;

pub use super::config::{AccountConfig, AccountError, AccountFault, Limits};
pub use channels::Channels;

use tokio::sync::SemaphorePermit;
use url::Url;

use crate::{
    contact::Contact,
    reason::{Reason, Scope},
};

use super::{Outcome, Parcel, Permit, Report, Settle, check, discard, email::Email, folder::Folder};

/// What a URL may begin with.
const DRIVERS: [&str; 4] = ["smtp", "smtps", "folder", "discard"];

/// A configured way to use a channel, ready for parcels.
#[derive(Debug)]
pub struct Account {
    name: String,
    channel: &'static str,
    settle: Settle,
    limits: Limits,
    refuse: Vec<String>,
    driver: Driver,
}

#[derive(Debug)]
enum Driver {
    Email(Box<Email>),
    Folder(Folder),
    Discard,
}

/// The right to use one of the connections that an account has on this node, until it is dropped.
pub struct Turn<'a> {
    _connection: Option<SemaphorePermit<'a>>,
}

impl Account {
    /// Makes the account `name` ready; nothing is connected to yet.
    pub fn open(name: &str, config: &AccountConfig) -> Result<Self, AccountError> {
        let (channel, driver) =
            open_driver(config).map_err(|fault| AccountError { account: name.to_owned(), fault })?;
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
        self.settle
    }

    /// What it may send at most.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Waits until this node may send one more by it. Who has a turn is sent at once: what waits for a connection is
    /// not said to be sent, and is not in doubt when its node dies.
    pub async fn turn(&self) -> Turn<'_> {
        match &self.driver {
            Driver::Email(email) => Turn { _connection: email.turn().await },
            Driver::Folder(_) | Driver::Discard => Turn { _connection: None },
        }
    }

    /// Makes one attempt.
    pub async fn transmit(&self, parcel: &Parcel) -> Report {
        let turn = self.turn().await;
        self.transmit_if(parcel, &|| true, turn).await
    }

    /// Makes one attempt, unless `permit` is gone when it comes to sending.
    pub async fn transmit_if(&self, parcel: &Parcel, permit: Permit<'_>, _turn: Turn<'_>) -> Report {
        match self.admit(parcel) {
            Ok(contact) => self.drive(parcel, &contact, permit).await,
            Err(reason) => Report { outcome: Outcome::Refused(reason), transcript: String::new(), for_anybody: false },
        }
    }

    /// Tries whatever can be tried without sending anything, and says what was seen.
    ///
    /// # Errors
    /// The reason why a parcel would not get through either.
    pub async fn probe(&self) -> Result<String, Reason> {
        match &self.driver {
            Driver::Email(email) => email.probe().await,
            Driver::Folder(folder) => folder.probe().await,
            Driver::Discard => Ok("throws everything away".to_owned()),
        }
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

    async fn drive(&self, parcel: &Parcel, contact: &Contact, permit: Permit<'_>) -> Report {
        match (&self.driver, contact) {
            (Driver::Email(email), Contact::Mailbox(mailbox)) => email.transmit(parcel, mailbox, permit).await,
            (Driver::Folder(folder), contact) => folder.transmit(parcel, contact).await,
            (Driver::Discard | Driver::Email(_), _) => discard::transmit(parcel),
        }
    }
}

fn open_driver(config: &AccountConfig) -> Result<(&'static str, Driver), AccountFault> {
    let url = Url::parse(&config.url).map_err(AccountFault::Url)?;
    if !matches!(url.scheme(), "folder" | "discard") && !config.refuse.is_empty() {
        return Err(AccountFault::Rehearsal);
    }
    match url.scheme() {
        "smtp" | "smtps" => {
            let channel = stand_in(config, "email", &["email"])?;
            Ok((channel, Driver::Email(Box::new(Email::open(&url, config)?))))
        }
        "folder" => {
            let channel = stand_in(config, "folder", &["folder", "email"])?;
            Ok((channel, Driver::Folder(Folder::open(&url, config, channel)?)))
        }
        "discard" => Ok((stand_in(config, "discard", &["discard", "folder", "email"])?, Driver::Discard)),
        other => Err(AccountFault::UnknownDriver { scheme: other.to_owned(), known: DRIVERS.join(", ") }),
    }
}

/// The channel the account serves: its own, or the one it is told to stand in for.
fn stand_in(config: &AccountConfig, own: &'static str, allowed: &[&'static str]) -> Result<&'static str, AccountFault> {
    let Some(wanted) = &config.channel else {
        return Ok(own);
    };
    allowed.iter().copied().find(|it| it == wanted).ok_or_else(|| AccountFault::Channel {
        channel: wanted.clone(),
        remedy: "leave it out, or write `email` for a folder, `email` or `folder` for discard",
    })
}

#[cfg(test)]
mod tests;
