//! A message as Twilio describes it, in answers and in callbacks.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::channel::{About, Heard, Proof, Reply, Standing, Unheard, Word, mark};

use super::cause;

/// What is read of it (www.twilio.com/docs/messaging/api/message-resource, "Message Properties").
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Message {
    pub sid: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    error_code: Option<i64>,
    #[serde(default)]
    error_message: Option<String>,
    #[serde(default)]
    direction: String,
    /// As mails write it (RFC 2822).
    #[serde(default)]
    date_created: Option<String>,
}

impl Message {
    /// How it stands with it.
    pub(super) fn standing(&self, host: &str) -> Standing {
        let code = self.error_code.unwrap_or_default();
        standing(&self.status, code, self.error_message.as_deref().unwrap_or_default(), host)
    }

    /// Whether an attempt that began after `since` may have made it. What does not say when it was made may be.
    pub(super) fn may_be_ours(&self, since: DateTime<Utc>) -> bool {
        let made = self.date_created.as_deref().and_then(|text| DateTime::parse_from_rfc2822(text).ok());
        self.direction != "inbound" && made.is_none_or(|at| at.to_utc() >= since)
    }
}

/// What a callback of `host` tells, once its signature was checked: the form of "Track the Message Status" in Twilio's
/// guides. A word is about its message by Twilio's own number; each status of it is one word, however often it comes.
pub(super) fn read(body: &[u8], host: &str) -> Result<Heard, Unheard> {
    let fields = mark::form(body);
    let [sid, status, code] = ["MessageSid", "MessageStatus", "ErrorCode"].map(|name| mark::field(&fields, name));
    if sid.is_empty() || status.is_empty() {
        return Err(Unheard::Unreadable("it names no message, or no status".to_owned()));
    }
    let standing = standing(status, code.parse().unwrap_or_default(), "", host);
    let id = Some(format!("{sid:.60} {status:.40}"));
    let word = Word { about: About::Reference(sid.to_owned()), standing, at: None, id };
    Ok(Heard { words: vec![word], reply: Reply { media_type: "text/plain", body: String::new() } })
}

fn standing(status: &str, code: i64, message: &str, host: &str) -> Standing {
    match status {
        "delivered" | "read" => {
            let text = "the carrier confirms that it was delivered".to_owned();
            Standing::Delivered(Proof { by: host.to_owned(), text })
        }
        "undelivered" | "failed" | "canceled" => cause::failure(status, code, message, host),
        "accepted" | "scheduled" | "queued" => Standing::Underway("waits to be sent".to_owned()),
        "sending" => Standing::Underway("on its way to the carrier".to_owned()),
        "sent" => Standing::Underway("the carrier took it".to_owned()),
        other => Standing::Underway(format!("`{other:.40}`, in the service's words")),
    }
}
