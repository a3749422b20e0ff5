//! A delivery report of SMSAPI, and what its statuses mean.

use chrono::DateTime;

use super::idx;
use crate::{
    channel::{About, Callback, Heard, Proof, Reply, Standing, Unheard, Word, mark},
    reason::{Reason, Scope},
};

/// The report that came to an address that is marked as ours. Fields come in the query or as a form; reports about
/// several messages are separated by commas, and only the one that the address is for is believed. SMSAPI wants to read
/// `OK` (docs.smsapi.com, "Delivery confirmation").
pub(super) fn read(callback: &Callback<'_>, marked: mark::Marked, host: &str) -> Result<Heard, Unheard> {
    let mut fields = mark::arguments(callback.url);
    fields.extend(mark::form(callback.body));
    let column = |name: &str| mark::field(&fields, name).split(',').map(str::trim).collect::<Vec<_>>();
    let [ids, keys, codes, names, dates] = ["MsgId", "idx", "status", "status_name", "donedate"].map(column);
    let wanted = idx(&marked.key, marked.attempt);
    let at = keys.iter().position(|key| *key == wanted).or((ids.len() == 1 && keys == [""]).then_some(0));
    let at = at.ok_or_else(|| Unheard::Forged("its `idx` is another one than its address is for".to_owned()))?;
    let cell = |column: &[&str]| column.get(at).copied().unwrap_or_default().to_owned();
    let (id, code, name) = (cell(&ids), cell(&codes), cell(&names));
    let standing = [&code, &name].into_iter().find_map(|status| standing(status, host));
    let standing = standing.ok_or_else(|| Unheard::Unreadable(format!("`{code:.20}` is no status")))?;
    let done_at = cell(&dates).parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let told = Some(format!("{id:.60} {code:.20}"));
    let about = if id.is_empty() { About::Key(marked.key) } else { About::Named { key: marked.key, reference: id } };
    let word = Word { about, standing, at: done_at, id: told };
    Ok(Heard { words: vec![word], reply: Reply { media_type: "text/plain", body: "OK".to_owned() } })
}

/// What a status means, as a number in reports and as a word in answers (docs.smsapi.com, "Delivery statuses").
pub(super) fn standing(status: &str, host: &str) -> Option<Standing> {
    let failed = |scope, code: &str, what: &str| {
        Standing::Failed(Reason::new(scope, code, format!("{host} reports that {what} ({status})")))
    };
    Some(match status {
        "404" | "DELIVERED" => {
            let text = "SMSAPI reports that it was delivered to the telephone".to_owned();
            Standing::Delivered(Proof { by: host.to_owned(), text })
        }
        "403" | "SENT" => Standing::Underway("sent, and not reported yet".to_owned()),
        "409" | "QUEUE" | "QUEUED" | "411" | "RENEWAL" => Standing::Underway("waits to be sent".to_owned()),
        "410" | "ACCEPTED" | "PENDING" => Standing::Underway("the network took it".to_owned()),
        "408" | "UNKNOWN" => Standing::Underway("the network does not report what became of it".to_owned()),
        "402" | "EXPIRED" => failed(Scope::Attempt, "sms-expired", "the telephone was not reached in time"),
        "405" | "UNDELIVERED" => failed(Scope::Attempt, "sms-undelivered", "it was not delivered"),
        "407" | "REJECTED" => failed(Scope::Contact, "sms-refused", "the network refused it"),
        "412" | "STOP" => failed(Scope::Attempt, "sms-stopped", "it was stopped by its account"),
        "406" | "FAILED" => {
            let reason = Reason::new(Scope::Attempt, "sms-failed", format!("{host} reports that it could not send it"));
            Standing::Deferred { reason, after: None }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn heard(query: &str, key: &str) -> Result<Heard, Unheard> {
        let url = format!("https://postbook.test/callbacks/sms?{query}");
        let headers = HeaderMap::new();
        let callback = Callback { method: "GET", url: &url, headers: &headers, body: b"", now: DateTime::UNIX_EPOCH };
        read(&callback, mark::Marked { key: key.to_owned(), attempt: 1 }, "smsapi")
    }

    #[test]
    fn of_several_reports_only_the_one_the_address_is_for_counts() {
        let heard = heard("MsgId=a,b&idx=k1,k2&status=404,405&donedate=1,2", "k2").unwrap();
        let [word] = &heard.words[..] else { panic!("{heard:?}") };
        let about = About::Named { key: "k2".to_owned(), reference: "b".to_owned() };
        assert_eq!((&word.about, word.id.as_deref()), (&about, Some("b 405")));
        assert!(matches!(word.standing, Standing::Failed(_)));
        assert_eq!(heard.reply.body, "OK");
    }

    #[test]
    fn a_report_about_another_message_is_refused() {
        assert!(matches!(heard("MsgId=a&idx=k1&status=404", "k2"), Err(Unheard::Forged(_))));
        assert!(matches!(heard("MsgId=a&idx=k2&status=4040", "k2"), Err(Unheard::Unreadable(_))));
        assert!(heard("MsgId=a&status=404", "k2").is_ok());
    }
}
