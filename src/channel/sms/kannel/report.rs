//! A delivery report of Kannel: a call to the address that it was given, with its own words filled in.

use chrono::DateTime;

use crate::{
    channel::{About, Heard, Proof, Reply, Standing, Unheard, Word, mark},
    reason::{Reason, Scope},
};

/// What Kannel fills in: the kind of report, the centre's own words, and the time in seconds ("Delivery reports",
/// "Parameters (Escape Codes) and Delivery Reports").
pub(super) const FIELDS: &str = "&status=%d&answer=%A&at=%T";

/// The report that came to `url`, which is marked as ours.
pub(super) fn read(url: &str, marked: mark::Marked, host: &str) -> Result<Heard, Unheard> {
    let fields = mark::arguments(url);
    let [status, answer, at] = ["status", "answer", "at"].map(|name| mark::field(&fields, name));
    let standing = standing(status, answer, host)
        .ok_or_else(|| Unheard::Unreadable(format!("`{status:.20}` is no kind of delivery report")))?;
    let id = format!("{} {status} {at:.20} {}", marked.attempt, marked.key);
    let about = About::Attempt(marked.key, marked.attempt);
    let at = at.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let word = Word { about, standing, at, id: Some(id) };
    Ok(Heard { words: vec![word], reply: Reply { media_type: "text/plain", body: String::new() } })
}

/// What a kind of report means. Kannel tries again by itself what its centre only puts off, so that a refusal is final.
/// 34 and 66 are 2 with a reason: expired, unknown (gw/dlr.h).
fn standing(status: &str, answer: &str, host: &str) -> Option<Standing> {
    let failed = |scope, code| Standing::Failed(Reason::new(scope, code, told(status, answer, host)));
    Some(match status {
        "1" => {
            let text = "the message centre reports that it was delivered to the telephone".to_owned();
            Standing::Delivered(Proof { by: host.to_owned(), text })
        }
        "2" => failed(Scope::Attempt, "sms-undelivered"),
        "34" => failed(Scope::Attempt, "sms-expired"),
        "16" if is_about_the_number(answer) => failed(Scope::Contact, "sms-bad-number"),
        "16" => failed(Scope::Attempt, "sms-refused"),
        "4" => Standing::Underway("waits at the message centre".to_owned()),
        "8" => Standing::Underway("the message centre took it".to_owned()),
        "66" => Standing::Underway("the message centre does not know what became of it".to_owned()),
        _ => return None,
    })
}

/// `ESME_RINVDSTADR` (SMPP 3.4, section 5.1.3), as Kannel words it: `NACK/0x0000000b/Invalid Destination Address`.
fn is_about_the_number(answer: &str) -> bool {
    answer.to_ascii_lowercase().contains("0x0000000b")
}

fn told(status: &str, answer: &str, host: &str) -> String {
    let what = if status == "16" { "the message centre refused it" } else { "it was not delivered" };
    match answer.trim() {
        "" => format!("{host} reports that {what}"),
        answer => format!("{host} reports that {what}: {answer:.200}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(status: &str, answer: &str) -> Option<Scope> {
        match standing(status, answer, "kannel")? {
            Standing::Failed(reason) => Some(reason.scope),
            _ => None,
        }
    }

    #[test]
    fn each_kind_of_report_has_its_meaning() {
        assert!(matches!(standing("1", "", "kannel"), Some(Standing::Delivered(_))));
        for underway in ["4", "8", "66"] {
            assert!(matches!(standing(underway, "", "kannel"), Some(Standing::Underway(_))), "{underway}");
        }
        assert_eq!(scope("2", "UNDELIV"), Some(Scope::Attempt));
        assert_eq!(scope("16", "NACK/0x0000000b/Invalid Destination Address"), Some(Scope::Contact));
        assert_eq!(scope("16", "NACK/0x00000014/Message Queue Full"), Some(Scope::Attempt));
    }

    #[test]
    fn one_bit_changed_never_turns_a_report_into_another() {
        for status in ["1", "2", "4", "8", "16", "34", "66"] {
            for (at, bit) in (0..status.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
                let mut bytes = status.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(standing(&changed, "", "kannel"), None, "{status} {changed}");
            }
        }
    }
}
