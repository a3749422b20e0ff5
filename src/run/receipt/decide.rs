//! What a later word means: pure, so that every order in which words come can be tried.
//!
//! A word about the last attempt settles what was accepted or uncertain. What failed has arrived after all when the far
//! side says so, also when another contact was turned to meanwhile, and what arrived can come back; but no word overturns
//! a younger one, and none about an earlier attempt overturns a later one that may have arrived: it only shows that there
//! may be two.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    channel::Standing,
    reason::{Reason, Scope},
    run::{Event, TransmissionState, verdict},
};

/// What the book knows when a word comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub state: TransmissionState,
    /// The number of the last attempt.
    pub last: i32,
    /// The attempt that the word is about.
    pub about: i32,
    /// The last attempt is still being made.
    pub open: bool,
    /// The far side was asked whether it has it at all.
    pub doubt: bool,
    /// Nobody knows what the attempt came to.
    pub unknown: bool,
    /// It failed, and another contact was turned to.
    pub turned: bool,
    /// When the youngest final word so far was given about this attempt.
    pub before: Option<DateTime<Utc>>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is looked at again when the attempt has ended.
    Later,
    Nothing(&'static str),
    Progress(String),
    /// It may have arrived twice.
    Twice,
    /// The state changes by this event.
    Move(Event),
    /// It is tried again.
    Again {
        reason: Reason,
        after: Option<Duration>,
    },
}

/// Decides what `standing`, given at `at`, means in this case.
pub(super) fn decide(case: &Case, standing: &Standing, at: DateTime<Utc>) -> Decision {
    use TransmissionState as S;
    let arrived = matches!(standing, Standing::Delivered(_));
    if case.state == S::Cancelled || case.state == S::Skipped && !(case.turned && arrived) {
        return Decision::Nothing("it was given up here");
    }
    let nothing_later = matches!(case.state, S::Queued | S::Failed | S::Skipped);
    if case.about < case.last && !(nothing_later && arrived) {
        return match standing {
            Standing::Delivered(_) => Decision::Twice,
            _ => Decision::Nothing("it is about an earlier attempt"),
        };
    }
    if case.open {
        return Decision::Later;
    }
    if is_final(standing) && case.before.is_some_and(|before| at < before) {
        return Decision::Nothing("it is older than what is known");
    }
    match (standing, case.state) {
        (Standing::Underway(text), S::Accepted) => Decision::Progress(text.clone()),
        (Standing::Underway(_), S::Uncertain) => Decision::Move(Event::Accepted),
        (Standing::Delivered(_), S::Accepted | S::Uncertain) => Decision::Move(Event::Delivered),
        (Standing::Delivered(_), S::Failed | S::Queued | S::Skipped) => Decision::Move(Event::Arrived),
        (Standing::Failed(_), S::Accepted | S::Uncertain) => Decision::Move(Event::Refused),
        (Standing::Failed(_), S::Delivered) => Decision::Move(Event::Returned),
        (Standing::Deferred { reason, after }, S::Accepted | S::Uncertain) => {
            Decision::Again { reason: reason.clone(), after: *after }
        }
        // It is sent again under the same name, and may turn out to be there already.
        (Standing::Failed(_) | Standing::Deferred { .. }, S::Queued) if case.unknown => Decision::Later,
        (Standing::Unknown, S::Uncertain) if case.doubt => Decision::Again { reason: never_came(), after: None },
        (Standing::Unknown, S::Accepted) => Decision::Progress("the far side does not know it any more".to_owned()),
        _ => Decision::Nothing("it is no news"),
    }
}

/// Whether nothing more is to be expected after it.
fn is_final(standing: &Standing) -> bool {
    matches!(standing, Standing::Delivered(_) | Standing::Failed(_) | Standing::Deferred { .. })
}

fn never_came() -> Reason {
    let text = "the connection was lost, and the far side says that nothing had come";
    Reason::new(Scope::Attempt, verdict::NEVER_CAME, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Proof;

    fn minute(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60, 0).unwrap()
    }

    fn case(state: TransmissionState) -> Case {
        Case { state, last: 2, about: 2, open: false, doubt: false, unknown: false, turned: false, before: None }
    }

    fn reason() -> Reason {
        Reason::new(Scope::Contact, "gone", "no such user")
    }

    fn standings() -> [Standing; 5] {
        [
            Standing::Underway("dialling".to_owned()),
            Standing::Delivered(Proof { by: "far".to_owned(), text: "ok".to_owned() }),
            Standing::Deferred { reason: reason(), after: None },
            Standing::Failed(reason()),
            Standing::Unknown,
        ]
    }

    /// The state after a word, by the one function that owns all moves.
    fn after(case: &Case, standing: &Standing, at: DateTime<Utc>) -> TransmissionState {
        match decide(case, standing, at) {
            Decision::Move(event) => case.state.after(event).expect("a legal move"),
            Decision::Again { .. } => case.state.after(Event::Deferred).expect("a legal move"),
            _ => case.state,
        }
    }

    #[test]
    fn whatever_is_said_in_whatever_state_the_move_is_legal() {
        for state in TransmissionState::ALL {
            for standing in standings() {
                for (about, open, doubt) in [(2, false, false), (2, false, true), (2, true, false), (1, false, false)] {
                    let open = open && state == TransmissionState::Sending;
                    let turned = state == TransmissionState::Skipped;
                    after(&Case { about, open, doubt, turned, ..case(state) }, &standing, minute(1));
                }
            }
        }
    }

    #[test]
    fn the_last_attempt_is_settled_by_what_is_said_of_it() {
        use TransmissionState as S;
        let [underway, delivered, deferred, failed, unknown] = standings();
        for (state, standing, expected) in [
            (S::Accepted, &underway, S::Accepted),
            (S::Accepted, &delivered, S::Delivered),
            (S::Accepted, &deferred, S::Queued),
            (S::Accepted, &failed, S::Failed),
            (S::Accepted, &unknown, S::Accepted),
            (S::Uncertain, &underway, S::Accepted),
            (S::Uncertain, &delivered, S::Delivered),
            (S::Uncertain, &deferred, S::Queued),
            (S::Uncertain, &failed, S::Failed),
            (S::Uncertain, &unknown, S::Uncertain),
            (S::Failed, &delivered, S::Delivered),
            (S::Failed, &deferred, S::Failed),
            (S::Delivered, &failed, S::Failed),
            (S::Delivered, &deferred, S::Delivered),
            (S::Delivered, &underway, S::Delivered),
            (S::Queued, &delivered, S::Delivered),
            (S::Queued, &failed, S::Queued),
            (S::Cancelled, &delivered, S::Cancelled),
            (S::Skipped, &delivered, S::Skipped),
            (S::Skipped, &failed, S::Skipped),
        ] {
            assert_eq!(after(&case(state), standing, minute(1)), expected, "{state:?} {standing:?}");
        }
        let turned = Case { turned: true, ..case(S::Skipped) };
        for (standing, expected) in [(&delivered, S::Delivered), (&deferred, S::Skipped), (&failed, S::Skipped)] {
            assert_eq!(after(&turned, standing, minute(1)), expected, "{standing:?} after it was turned away from");
        }
        let asked = Case { doubt: true, ..case(S::Uncertain) };
        assert_eq!(after(&asked, &unknown, minute(1)), S::Queued, "asked, and it never came");
    }

    #[test]
    fn a_word_about_an_earlier_attempt_overturns_nothing_that_may_have_arrived() {
        use TransmissionState as S;
        let [_, delivered, _, failed, _] = standings();
        for state in [S::Sending, S::Accepted, S::Delivered, S::Uncertain] {
            let case = Case { about: 1, ..case(state) };
            assert_eq!(decide(&case, &delivered, minute(1)), Decision::Twice, "{state:?}");
            assert!(matches!(decide(&case, &failed, minute(1)), Decision::Nothing(_)), "{state:?}");
        }
        for state in [S::Queued, S::Failed, S::Skipped] {
            let case = Case { about: 1, turned: true, ..case(state) };
            assert_eq!(decide(&case, &delivered, minute(1)), Decision::Move(Event::Arrived), "{state:?}");
            assert!(matches!(decide(&case, &failed, minute(1)), Decision::Nothing(_)), "{state:?}");
        }
    }

    #[test]
    fn in_whatever_order_two_words_come_the_younger_one_counts() {
        let [_, delivered, _, failed, _] = standings();
        for (first, second) in [(&delivered, &failed), (&failed, &delivered)] {
            let start = case(TransmissionState::Accepted);
            let once = Case { state: after(&start, first, minute(1)), before: Some(minute(1)), ..start };
            let in_order = after(&once, second, minute(2));
            let once = Case { state: after(&start, second, minute(2)), before: Some(minute(2)), ..start };
            let reordered = after(&once, first, minute(1));
            assert_eq!(in_order, reordered, "{first:?} {second:?}");
        }
    }

    #[test]
    fn a_failure_of_what_is_in_doubt_and_sent_again_waits_for_the_repeat() {
        let [_, delivered, deferred, failed, _] = standings();
        let repeated = Case { unknown: true, ..case(TransmissionState::Queued) };
        for word in [&deferred, &failed] {
            assert_eq!(decide(&repeated, word, minute(1)), Decision::Later);
        }
        assert_eq!(decide(&repeated, &delivered, minute(1)), Decision::Move(Event::Arrived));
    }

    #[test]
    fn a_word_that_comes_before_the_attempt_has_ended_waits() {
        let [_, delivered, ..] = standings();
        let early = Case { open: true, ..case(TransmissionState::Sending) };
        assert_eq!(decide(&early, &delivered, minute(1)), Decision::Later);
    }
}
