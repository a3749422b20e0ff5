//! What a notice says about an account that was paused.

use chrono::{DateTime, Utc};

use crate::{channel::Message, reason::Reason};

/// The words: what happened, what goes on by itself, and what a person can do.
pub fn message(account: &str, reason: &Reason, until_at: Option<DateTime<Utc>>) -> Message {
    let again = match until_at {
        Some(until) => format!(
            "One transmission tries it at {}; the others follow when that one gets through.",
            until.format("%Y-%m-%d %H:%M:%S UTC")
        ),
        None => "It stays so until somebody resumes it.".to_owned(),
    };
    let text = format!(
        "Nothing is sent by the account {account} for now. What was to be sent waits; nothing is lost.\n\n\
         What happened: {}\n\
         What to do:    check its login, credit and sender settings; after a change restart the nodes, then resume it\n\n\
         {again} While it fails, the pauses get longer, up to an hour.\n\n\
         Look:   postbook accounts\n\
         Resume: postbook account resume {account}\n",
        reason.text
    );
    Message { subject: format!("The account {account} is paused: {}", reason.code), text, html: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Scope;

    #[test]
    fn a_notice_says_which_account_why_and_what_to_do() {
        let reason = Reason::new(Scope::Account, "smtp-535-5.7.8", "mx answered to AUTH: 535 5.7.8 wrong password");
        let message = message("mail", &reason, DateTime::from_timestamp(60, 0));
        assert_eq!(message.subject, "The account mail is paused: smtp-535-5.7.8");
        for part in ["535 5.7.8 wrong password", "at 1970-01-01 00:01:00 UTC", "postbook account resume mail"] {
            assert!(message.text.contains(part), "{}", message.text);
        }
    }
}
