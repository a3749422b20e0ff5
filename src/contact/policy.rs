//! Which of a recipient's contacts get a transmission, and why the others do not.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::reason::{Reason, Scope};

use super::{Contact, Contacts, Country, Policy, Send};

/// What a policy makes of one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Where to send now.
    pub send: Vec<Pick>,
    /// Where to turn if that fails, in this order; for [`Send::Fallback`] only.
    pub then: Vec<Pick>,
    /// What cannot be used, and why.
    pub skipped: Vec<Skip>,
}

/// A contact to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    pub channel: String,
    pub contact: Contact,
}

/// A contact of a recipient, parsed, or why nothing can be sent there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub channel: String,
    /// As it was written.
    pub written: String,
    pub contact: Result<Contact, Reason>,
}

/// A contact that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The channel; `none` for a recipient without any contact.
    pub channel: String,
    /// The contact as it was written.
    pub contact: String,
    pub reason: Reason,
}

impl Policy {
    /// The `contacts` of one recipient, most wanted first, parsed. `channels` are those that have an account; a number that
    /// does not say its country is taken to be in `country`.
    pub fn candidates(
        &self,
        contacts: &Contacts,
        channels: &BTreeSet<String>,
        country: Option<Country>,
    ) -> Vec<Candidate> {
        let ordered = self.ordered(contacts).into_iter();
        let candidates = ordered.map(|(channel, written)| Candidate {
            channel: channel.to_owned(),
            written: written.to_owned(),
            contact: parse(channel, written, channels, country),
        });
        candidates.collect()
    }

    /// Chooses among the contacts of one recipient.
    ///
    /// Whenever nothing can be sent, something is skipped: no recipient goes missing without a reason.
    pub fn choose(&self, candidates: Vec<Candidate>) -> Choice {
        let mut choice = Choice::default();
        let mut valid = Vec::new();
        for Candidate { channel, written, contact } in candidates {
            match contact {
                Ok(contact) => valid.push(Pick { channel, contact }),
                Err(reason) => choice.skipped.push(Skip { channel, contact: written, reason }),
            }
        }
        if valid.is_empty() && choice.skipped.is_empty() {
            choice.skipped.push(without_contact());
        }
        let rest = match self.send {
            Send::All => Vec::new(),
            Send::FirstValid | Send::Fallback => valid.split_off(valid.len().min(1)),
        };
        if self.send == Send::Fallback {
            choice.then = rest;
        }
        choice.send = valid;
        choice
    }

    /// The policy as people say it.
    pub fn sentence(&self) -> String {
        let order = if self.order.is_empty() { "their contacts".to_owned() } else { self.order.join(", ") };
        match self.send {
            Send::All => "Every contact of a recipient is sent to.".to_owned(),
            Send::FirstValid => format!("Each recipient is sent to once: over the first of {order} that is valid."),
            Send::Fallback => {
                format!(
                    "Each recipient is sent to over the first of {order} that is valid, and over the next one when that fails or is not confirmed in time."
                )
            }
        }
    }

    /// The contacts, most wanted first: those of channels in `order`, then the others by name.
    fn ordered<'a>(&self, contacts: &'a Contacts) -> Vec<(&'a str, &'a str)> {
        let rank = |channel: &str| self.order.iter().rev().position(|it| it == channel);
        let mut ordered: Vec<_> =
            contacts.iter().map(|(channel, contact)| (channel.as_str(), contact.as_str())).collect();
        ordered.sort_by_key(|(channel, _)| Reverse(rank(channel)));
        ordered
    }
}

fn parse(
    channel: &str,
    contact: &str,
    channels: &BTreeSet<String>,
    country: Option<Country>,
) -> Result<Contact, Reason> {
    if !channels.contains(channel) {
        let text = format!("no account is set up for the channel `{channel}`; add one to the configuration");
        return Err(Reason::new(Scope::Contact, "no-account", text));
    }
    Contact::parse_in(channel, contact, country).map_err(Reason::from)
}

fn without_contact() -> Skip {
    let text = "the recipient has no contact; give it one, such as an e-mail address";
    Skip { channel: "none".to_owned(), contact: String::new(), reason: Reason::new(Scope::Contact, "no-contact", text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channels(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&it| it.to_owned()).collect()
    }

    fn contacts(pairs: &[(&str, &str)]) -> Contacts {
        pairs.iter().map(|&(channel, contact)| (channel.to_owned(), contact.to_owned())).collect()
    }

    fn policy(send: Send, order: &[&str]) -> Policy {
        Policy { send, order: order.iter().map(|&it| it.to_owned()).collect() }
    }

    /// `send | then | skipped` by channel, and the codes of what was skipped.
    fn shown(choice: &Choice) -> String {
        let names = |picks: &[Pick]| picks.iter().map(|it| it.channel.clone()).collect::<Vec<_>>().join(" ");
        let skips: Vec<_> = choice.skipped.iter().map(|it| format!("{}:{}", it.channel, it.reason.code)).collect();
        format!("{} | {} | {}", names(&choice.send), names(&choice.then), skips.join(" "))
    }

    #[test]
    fn a_policy_chooses_among_the_contacts() {
        let open = channels(&["email", "folder", "discard"]);
        let both = contacts(&[("email", "ann@example.org"), ("folder", "site-a")]);
        let bad = contacts(&[("email", "ann"), ("folder", "site-a")]);
        let closed = contacts(&[("email", "ann@example.org"), ("fax", "+13125550002")]);
        for (policy, contacts, expected) in [
            (policy(Send::All, &[]), &both, "email folder |  | "),
            (policy(Send::All, &["folder"]), &both, "folder email |  | "),
            (policy(Send::All, &[]), &bad, "folder |  | email:bad-mailbox"),
            (policy(Send::All, &[]), &closed, "email |  | fax:no-account"),
            (policy(Send::FirstValid, &["email", "folder"]), &both, "email |  | "),
            (policy(Send::FirstValid, &["folder", "email"]), &both, "folder |  | "),
            (policy(Send::FirstValid, &["email", "folder"]), &bad, "folder |  | email:bad-mailbox"),
            (policy(Send::FirstValid, &["fax", "email"]), &closed, "email |  | fax:no-account"),
            (policy(Send::Fallback, &["email", "folder"]), &both, "email | folder | "),
            (policy(Send::Fallback, &["email", "folder"]), &bad, "folder |  | email:bad-mailbox"),
            (policy(Send::All, &[]), &Contacts::new(), " |  | none:no-contact"),
        ] {
            assert_eq!(
                shown(&policy.choose(policy.candidates(contacts, &open, None))),
                expected,
                "{policy:?} {contacts:?}"
            );
        }
    }

    #[test]
    fn a_policy_says_what_it_does() {
        assert_eq!(policy(Send::All, &[]).sentence(), "Every contact of a recipient is sent to.");
        assert_eq!(
            policy(Send::FirstValid, &["email", "fax"]).sentence(),
            "Each recipient is sent to once: over the first of email, fax that is valid."
        );
        assert_eq!(
            policy(Send::Fallback, &[]).sentence(),
            "Each recipient is sent to over the first of their contacts that is valid, and over the next one when that fails or is not confirmed in time."
        );
    }

    proptest! {
        #[test]
        fn every_recipient_gets_something_or_a_reason(
            contacts in proptest::collection::btree_map("email|folder|fax|sms", ".{0,20}|[a-z]@[a-z]\\.org", 0..4),
            send in prop_oneof![Just(Send::All), Just(Send::FirstValid), Just(Send::Fallback)],
        ) {
            let policy = policy(send, &["sms", "email"]);
            let choice = policy.choose(policy.candidates(&contacts, &channels(&["email", "folder"]), None));
            prop_assert!(!choice.send.is_empty() || !choice.skipped.is_empty());
            let known = choice.send.len() + choice.then.len() + choice.skipped.len();
            prop_assert!(known <= contacts.len().max(1));
            prop_assert!(send == Send::FirstValid || known == contacts.len().max(1));
        }
    }
}
