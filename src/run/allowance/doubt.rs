//! Whether a failure says something about the account, or only about one transmission.
//!
//! A login that is refused would be refused for anybody. A server that refuses a message by its policy may mean this
//! recipient, or all of them: it is taken to mean the account when several transmissions in a row met it and none
//! got through. Each node judges by what it saw itself, which costs no row.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Asker, lesson::Lesson};
use crate::{channel::Outcome, reason::Scope};

/// How many transmissions in a row have to be refused by policy until it is the account. Fewer pauses it for a few
/// recipients that refuse us, more lets that many be refused before anybody is told.
const ENOUGH: usize = 5;

/// Who of each account was refused by policy since one got through.
#[derive(Debug, Clone, Default)]
pub struct Doubts(Arc<Mutex<HashMap<String, BTreeSet<Asker>>>>);

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// Not the account.
    Other,
    /// The account, perhaps.
    Doubt,
    Account,
}

impl Doubts {
    /// What `lesson` says of its account. To ask twice changes nothing.
    pub(super) fn weigh(&self, lesson: &Lesson<'_>) -> Blame {
        let Lesson { account, asker, .. } = *lesson;
        match lesson.outcome {
            Outcome::Accepted(_) | Outcome::Delivered(_) => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
                Blame::Other
            }
            Outcome::Deferred { reason, .. } | Outcome::Refused(reason) if reason.scope == Scope::Account => {
                if lesson.for_anybody { Blame::Account } else { self.doubt(account, asker) }
            }
            _ => Blame::Other,
        }
    }

    fn doubt(&self, account: &str, asker: Asker) -> Blame {
        let mut doubts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = doubts.entry(account.to_owned()).or_default();
        if refused.len() < ENOUGH {
            refused.insert(asker);
        }
        if refused.len() < ENOUGH { Blame::Doubt } else { Blame::Account }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{super::lesson::Said, *};
    use crate::{
        channel::Proof,
        id::{RunId, TransmissionId},
        reason::Reason,
    };

    fn refused() -> Outcome {
        Outcome::Refused(Reason::new(Scope::Account, "smtp-554-5.7.1", "relay access denied"))
    }

    fn delivered() -> Outcome {
        Outcome::Delivered(Proof { by: "mx".to_owned(), text: "250".to_owned() })
    }

    fn lesson<'a>(account: &'a str, transmission: i64, outcome: &'a Outcome) -> Lesson<'a> {
        Lesson {
            account,
            run: RunId(1),
            asker: Asker::Transmission(TransmissionId(transmission)),
            began_at: DateTime::UNIX_EPOCH,
            probe: false,
            outcome,
            for_anybody: false,
            said: Said::All,
        }
    }

    #[test]
    fn a_refusal_before_the_recipient_is_named_is_the_accounts() {
        let refused = refused();
        let early = Lesson { for_anybody: true, ..lesson("mail", 1, &refused) };
        assert_eq!(Doubts::default().weigh(&early), Blame::Account);
    }

    #[test]
    fn refusals_by_policy_are_the_accounts_when_nothing_gets_through_in_between() {
        let doubts = Doubts::default();
        let (refused, delivered) = (refused(), delivered());
        let weigh = |id| doubts.weigh(&lesson("mail", id, &refused));
        for _ in 0..9 {
            assert_eq!(weigh(1), Blame::Doubt, "one recipient that refuses us, however often");
        }
        assert_eq!([2, 3, 4].map(weigh), [Blame::Doubt; 3]);
        assert_eq!(doubts.weigh(&lesson("other", 5, &refused)), Blame::Doubt);
        assert_eq!([5, 6].map(weigh), [Blame::Account; 2]);
        doubts.weigh(&lesson("mail", 7, &delivered));
        assert_eq!(weigh(8), Blame::Doubt);
    }

    #[test]
    fn a_refusal_of_the_contact_says_nothing_of_the_account() {
        let outcome = Outcome::Refused(Reason::new(Scope::Contact, "smtp-550-5.1.1", "no such user"));
        assert_eq!(Doubts::default().weigh(&lesson("mail", 1, &outcome)), Blame::Other);
    }
}
