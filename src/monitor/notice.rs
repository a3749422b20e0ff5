//! What a notice says about alarms of one kind: what happened, to which batches, and what can be done.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use serde::Serialize;

use super::{
    alarm::{Kind, Untold},
    words::{counted, moment},
};

/// Alarms named in one notice. A longer list is not read; `/api/v1/runs` and the calendar have them all.
const NAMED: usize = 20;

/// The words, as the templates see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    pub title: String,
    pub lines: Vec<String>,
    /// How many more there are than lines.
    pub more: usize,
    /// Everything about the one alarm, where there is more to say.
    pub detail: Option<String>,
    pub remedy: &'static str,
    /// Commands that help.
    pub look: &'static str,
}

/// The notice about `alarms`, which are of one kind; times are those of `zone`.
pub fn notice(kind: Kind, alarms: &[&Untold], zone: Tz) -> Notice {
    let detail = match alarms {
        [one] => one.detail.clone(),
        _ => None,
    };
    Notice {
        title: title(kind, alarms, zone),
        lines: alarms.iter().take(NAMED).map(|alarm| alarm.text.clone()).collect(),
        more: alarms.len().saturating_sub(NAMED),
        detail,
        remedy: remedy(kind),
        look: look(kind),
    }
}

fn title(kind: Kind, alarms: &[&Untold], zone: Tz) -> String {
    let batches: BTreeSet<_> = alarms.iter().filter_map(|alarm| alarm.batch.as_deref()).collect();
    let batches = counted(i64::try_from(batches.len()).unwrap_or(i64::MAX), "batch");
    let runs = counted(i64::try_from(alarms.len()).unwrap_or(i64::MAX), "run");
    let since = alarms.iter().map(|alarm| alarm.at).min().map(|at| moment(at, zone)).unwrap_or_default();
    let since = if alarms.len() == 1 { String::new() } else { format!(" since {since}") };
    match kind {
        Kind::Failed => format!("{runs} failed, or a part of them{since}"),
        Kind::NotStarted => format!("{batches} did not start{since}"),
        Kind::SchedulerDown => format!("No scheduler was up{since}"),
        Kind::SchedulePaused => format!("The schedules of {batches} paused themselves{since}"),
        Kind::AccountPaused => format!("Accounts are paused{since}"),
        Kind::NoRecipients => format!("{runs} for nobody{since}"),
        Kind::RecipientsUnusual => format!("An unusual number of recipients: {runs}{since}"),
        Kind::NumberAnswered => format!("People answer where a fax should{since}"),
    }
}

fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "look what failed, put it right, then retry: that sends only what is missing",
        Kind::NotStarted => {
            "see that a node with triggers runs (`postbook up` or `postbook serve`) and reaches the database; then run \
             what is still wanted, for its own date"
        }
        Kind::SchedulerDown => {
            "nothing, if that was meant; what came due meanwhile was run or left out as each schedule says"
        }
        Kind::SchedulePaused => "look why its runs fail, put it right, then resume the schedule",
        Kind::AccountPaused => "check login, credit and sender of the account, then resume it",
        Kind::NoRecipients => "look at the recipients of the batch and at the suppressions; then run it again",
        Kind::RecipientsUnusual => "look whether the recipients are the right ones; if not, cancel the run",
        Kind::NumberAnswered => "ask the recipient for the right number; if it was right, lift the suppression",
    }
}

fn look(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "postbook show RUN; postbook retry RUN",
        Kind::NotStarted | Kind::SchedulerDown => "postbook calendar; postbook run BATCH --date DATE",
        Kind::SchedulePaused => "postbook schedule list; postbook schedule resume BATCH",
        Kind::AccountPaused => "postbook accounts; postbook account resume ACCOUNT",
        Kind::NumberAnswered => "GET /api/v1/suppressions; DELETE /api/v1/suppressions/CHANNEL/CONTACT",
        Kind::NoRecipients | Kind::RecipientsUnusual => "postbook show RUN; postbook cancel RUN",
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn missed(number: i64) -> Untold {
        Untold {
            id: number,
            kind: Kind::NotStarted,
            batch: Some(format!("batch-{number}")),
            text: format!("Batch {number}"),
            detail: None,
            at: DateTime::from_timestamp(1_775_023_200 + number, 0).unwrap(),
            mailed_at: None,
        }
    }

    #[test]
    fn a_storm_is_one_notice_that_names_the_first() {
        let missed: Vec<_> = (0..37).map(missed).collect();
        let notice = notice(Kind::NotStarted, &missed.iter().collect::<Vec<_>>(), chrono_tz::Europe::Amsterdam);
        assert_eq!(notice.title, "37 batches did not start since 1 April 2026, 08:00 CEST");
        assert_eq!((notice.lines.len(), notice.more), (20, 17));
    }

    #[test]
    fn a_single_alarm_speaks_for_itself() {
        let one = Untold { detail: Some("all of it".to_owned()), ..missed(0) };
        let notice = notice(Kind::NotStarted, &[&one], Tz::UTC);
        assert_eq!(notice.title, "1 batch did not start");
        assert_eq!(notice.detail.as_deref(), Some("all of it"));
    }
}
