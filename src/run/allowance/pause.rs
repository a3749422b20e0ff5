//! How long an account is paused. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The first pause. Shorter means more refused logins, which some servers answer with a longer lock.
const FIRST: Duration = Duration::from_secs(60);

/// The longest pause. Longer means that much is sent late after a fault that mends itself.
const LONGEST: Duration = Duration::from_secs(60 * 60);

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
    pub at: DateTime<Utc>,
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

/// The pause after `failure`. What was under way when the account was paused says nothing new; what tries whether it
/// works again, or fails right after it did, doubles the pause.
pub(super) fn after(before: &Before, failure: &Failure) -> Pause {
    match (before.paused_at, before.until_at) {
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
            let asked = failure.after.map_or(so_far, |after| failure.at + after);
            Pause { failures: before.failures, until_at: Some(so_far.max(asked)), fresh: false }
        }
    }
}

/// Whether it has worked for no longer than it was paused before.
fn failed_again(before: &Before, at: DateTime<Utc>) -> bool {
    before.resumed_at.is_some_and(|resumed| at < resumed + length(before.failures))
}

/// The far side is taken at its word the first time; later on, the longer pause counts.
fn until(failures: i32, failure: &Failure) -> DateTime<Utc> {
    let own = length(failures);
    let pause = match failure.after {
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

    fn seconds(pause: &Pause) -> Option<i64> {
        pause.until_at.map(|it| it.timestamp())
    }

    fn paused(before: &Before, pause: &Pause) -> Before {
        Before { failures: pause.failures, paused_at: Some(at(0)), until_at: pause.until_at, ..*before }
    }

    #[test]
    fn each_try_that_fails_doubles_the_pause_up_to_an_hour() {
        let mut before = Before::default();
        let mut lengths = Vec::new();
        for _ in 0..9 {
            let pause = after(&before, &Failure { probe: before.paused_at.is_some(), after: None, at: at(1000) });
            assert_eq!(pause.fresh, lengths.is_empty());
            lengths.push(seconds(&pause).unwrap() - 1000);
            before = paused(&before, &pause);
        }
        assert_eq!(lengths, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    }

    #[test]
    fn what_was_under_way_already_does_not_lengthen_the_pause() {
        let before = Before { paused_at: Some(at(0)), until_at: Some(at(60)), ..Before::default() };
        let late = after(&before, &Failure { probe: false, after: None, at: at(20) });
        assert_eq!((seconds(&late), late.failures, late.fresh), (Some(60), 0, false));
    }

    #[test]
    fn a_time_that_the_far_side_names_is_heeded() {
        let failure = |seconds| Failure { probe: false, after: Some(Duration::from_secs(seconds)), at: at(0) };
        assert_eq!(seconds(&after(&Before::default(), &failure(7))), Some(7));
        assert_eq!(seconds(&after(&Before::default(), &failure(7200))), Some(7200));
        let before = Before { paused_at: Some(at(0)), until_at: Some(at(60)), ..Before::default() };
        assert_eq!(seconds(&after(&before, &failure(300))), Some(300), "also from one that was under way");
        let probed = after(&before, &Failure { probe: true, ..failure(7) });
        assert_eq!(seconds(&probed), Some(120), "but not for ever in vain");
    }

    #[test]
    fn an_account_that_fails_right_after_it_worked_is_paused_for_longer() {
        let before = Before { failures: 2, resumed_at: Some(at(1000)), ..Before::default() };
        let fails = |second| after(&before, &Failure { probe: false, after: None, at: at(second) });
        assert_eq!((fails(1100).failures, seconds(&fails(1100))), (3, Some(1100 + 480)));
        assert_eq!((fails(1300).failures, seconds(&fails(1300))), (0, Some(1300 + 60)));
        assert!(fails(1100).fresh, "it is a pause of its own, which is told");
    }

    #[test]
    fn what_a_person_paused_stays_so_whatever_fails_meanwhile() {
        let before = Before { failures: 1, paused_at: Some(at(0)), ..Before::default() };
        let failed = after(&before, &Failure { probe: false, after: Some(Duration::from_secs(9)), at: at(5) });
        assert_eq!(failed, Pause { failures: 1, until_at: None, fresh: false });
    }
}
