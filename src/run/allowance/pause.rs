//! How long an account is paused. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The first pause. Shorter means more refused logins, which some servers answer with a longer lock.
const FIRST: Duration = Duration::from_secs(60);

/// The longest pause. Longer means that much is sent late after a fault that mends itself.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The longest pause that a far side can ask for. Longer, and a slip in its answer keeps everything from being sent.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// An account before a failure.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    pub failures: i32,
    pub paused_at: Option<DateTime<Utc>>,
    pub until_at: Option<DateTime<Utc>>,
    pub resumed_at: Option<DateTime<Utc>>,
}

/// A failure of an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    /// It was the one that tried whether the account works again.
    pub probe: bool,
    /// How long the far side asks to wait.
    pub after: Option<Duration>,
    /// When the attempt began.
    pub began_at: DateTime<Utc>,
    pub at: DateTime<Utc>,
}

impl Failure {
    fn asked(&self) -> Option<Duration> {
        self.after.map(|after| after.min(LONGEST_ASKED))
    }
}

/// What a failure does to its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    pub failures: i32,
    /// Empty: until somebody resumes it.
    pub until_at: Option<DateTime<Utc>>,
    /// It was not paused before.
    pub fresh: bool,
}

/// The pause after `failure`, if it is paused. What was under way when the account was paused or resumed says nothing new;
/// what tries whether it works again, or fails right after it did, doubles the pause.
pub(super) fn after(before: &Before, failure: &Failure) -> Option<Pause> {
    Some(match (before.paused_at, before.until_at) {
        (None, _) if before.resumed_at.is_some_and(|resumed| failure.began_at < resumed) => return None,
        (None, _) => {
            let failures = if failed_again(before, failure.at) { before.failures + 1 } else { 0 };
            Pause { failures, until_at: Some(until(failures, failure)), fresh: true }
        }
        (Some(_), None) => Pause { failures: before.failures, until_at: None, fresh: false },
        (Some(_), Some(_)) if failure.probe => {
            let failures = before.failures + 1;
            Pause { failures, until_at: Some(until(failures, failure)), fresh: false }
        }
        (Some(_), Some(so_far)) => {
            let asked = failure.asked().map_or(so_far, |after| failure.at + after);
            Pause { failures: before.failures, until_at: Some(so_far.max(asked)), fresh: false }
        }
    })
}

/// Whether it has worked for no longer than it was paused before.
fn failed_again(before: &Before, at: DateTime<Utc>) -> bool {
    before.resumed_at.is_some_and(|resumed| at < resumed + length(before.failures))
}

/// The far side is taken at its word the first time; later on, the longer pause counts.
fn until(failures: i32, failure: &Failure) -> DateTime<Utc> {
    let own = length(failures);
    let pause = match failure.asked() {
        Some(after) if failures == 0 => after,
        after => own.max(after.unwrap_or_default()),
    };
    failure.at + pause
}

fn length(failures: i32) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or_default().min(16);
    (FIRST * 2_u32.pow(doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// A failure in the second `second` of an attempt that began just then.
    fn failure(second: i64, probe: bool, after: Option<u64>) -> Failure {
        Failure { probe, after: after.map(Duration::from_secs), began_at: at(second), at: at(second) }
    }

    fn paused(before: &Before, failure: &Failure) -> Pause {
        after(before, failure).unwrap()
    }

    fn until(before: &Before, failure: &Failure) -> i64 {
        paused(before, failure).until_at.unwrap().timestamp()
    }

    /// Paused for a minute.
    fn for_a_minute() -> Before {
        Before { paused_at: Some(at(0)), until_at: Some(at(60)), ..Before::default() }
    }

    #[test]
    fn each_try_that_fails_doubles_the_pause_up_to_an_hour() {
        let mut before = Before::default();
        let mut lengths = Vec::new();
        for _ in 0..9 {
            let pause = paused(&before, &failure(1000, before.paused_at.is_some(), None));
            assert_eq!(pause.fresh, lengths.is_empty());
            lengths.push(pause.until_at.unwrap().timestamp() - 1000);
            before = Before { failures: pause.failures, until_at: pause.until_at, ..for_a_minute() };
        }
        assert_eq!(lengths, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    }

    #[test]
    fn what_was_under_way_already_does_not_lengthen_the_pause_nor_make_a_new_one() {
        let late = paused(&for_a_minute(), &failure(20, false, None));
        assert_eq!(late, Pause { failures: 0, until_at: Some(at(60)), fresh: false });
        let resumed = Before { resumed_at: Some(at(70)), ..Before::default() };
        assert_eq!(after(&resumed, &Failure { began_at: at(69), ..failure(71, false, None) }), None);
    }

    #[test]
    fn a_time_that_the_far_side_names_is_heeded() {
        assert_eq!(until(&Before::default(), &failure(0, false, Some(7))), 7);
        assert_eq!(until(&Before::default(), &failure(0, false, Some(7200))), 7200);
        assert_eq!(until(&Before::default(), &failure(0, false, Some(1 << 40))), 86_400, "within reason");
        assert_eq!(until(&for_a_minute(), &failure(0, false, Some(300))), 300, "also from one that was under way");
        assert_eq!(until(&for_a_minute(), &failure(60, true, Some(7))), 60 + 120, "but not for ever in vain");
    }

    #[test]
    fn an_account_that_fails_right_after_it_worked_is_paused_for_longer() {
        let before = Before { failures: 2, resumed_at: Some(at(1000)), ..Before::default() };
        let soon = paused(&before, &failure(1100, false, None));
        assert_eq!(soon, Pause { failures: 3, until_at: Some(at(1100 + 480)), fresh: true });
        let later = paused(&before, &failure(1300, false, None));
        assert_eq!(later, Pause { failures: 0, until_at: Some(at(1300 + 60)), fresh: true });
    }

    #[test]
    fn what_a_person_paused_stays_so_whatever_fails_meanwhile() {
        let before = Before { failures: 1, paused_at: Some(at(0)), ..Before::default() };
        let pause = paused(&before, &failure(5, false, Some(9)));
        assert_eq!(pause, Pause { failures: 1, until_at: None, fresh: false });
    }
}
