//! What every way out implements, and what it may leave to the defaults.

use std::fmt;

use futures::future::{BoxFuture, FutureExt, ready};

use super::{
    Answer, Asked, Callback, Carries, Form, Heard, Inbox, Outcome, Parcel, Permit, Receipts, Report, Settle, Unheard,
    offer::Offer, turn::Turn,
};
use crate::{
    contact::{Contact, sms::Parts},
    reason::{Reason, Scope},
};

/// One way out, opened for one account.
pub(super) trait Driver: fmt::Debug + Send + Sync {
    /// Makes one attempt, unless `permit` is gone when it comes to sending.
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report>;

    /// Tries whatever can be tried without sending anything, and says what was seen.
    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>>;

    /// Waits until this node may send one more.
    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        ready(Turn::free()).boxed()
    }

    /// What to do about an attempt whose outcome nobody knows, when the account does not say.
    fn settle(&self) -> Settle {
        Settle::Repeat
    }

    /// What the words of `parcel` are paid for as, where that is counted; or why it would not take them.
    fn parts(&self, _parcel: &Parcel) -> Result<Option<Parts>, Reason> {
        Ok(None)
    }

    /// What it carries.
    fn carries(&self) -> Carries {
        Carries::All
    }

    /// The form it wants files in.
    fn form(&self) -> Form {
        Form::AsIs
    }

    /// What is to be heard of what was accepted, if anything is.
    fn receipts(&self) -> Option<Receipts> {
        None
    }

    /// What leads to the files of the parcel with this key, where they are fetched instead of sent.
    fn offer(&self, _key: &str) -> Option<Offer> {
        None
    }

    /// Whether it refused a message because there was too much of it.
    fn is_too_large(&self, _reason: &Reason) -> bool {
        false
    }

    /// Whether what later word said of the account, under this code, would be said of anybody's.
    fn is_for_anybody(&self, _code: &str) -> bool {
        true
    }

    /// Asks the far side what became of an attempt.
    fn ask<'a>(&'a self, _asked: &'a Asked) -> BoxFuture<'a, Result<Answer, Reason>> {
        let text = "this account's far side cannot be asked what became of a transmission";
        ready(Err(Reason::new(Scope::Account, "cannot-be-asked", text))).boxed()
    }

    /// Where what it sent comes back to, if that is read here.
    fn bounces(&self) -> Option<&Inbox> {
        None
    }

    /// Reads what the far side says by itself.
    fn hear(&self, _callback: &Callback<'_>) -> Result<Heard, Unheard> {
        Err(Unheard::NotExpected)
    }
}

/// The report of a driver that is given a contact of another channel.
pub(super) fn not_mine(contact: &Contact, wanted: &str) -> BoxFuture<'static, Report> {
    let reason = Reason::new(Scope::Contact, "bad-contact", format!("`{contact}` is not {wanted}"));
    ready(Report::new(Outcome::Refused(reason))).boxed()
}
