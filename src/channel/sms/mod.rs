//! Text messages: each driver hands a text to somebody who has a way into the networks, and hears later whether it came.
//!
//! A text message carries words and nothing else: the text goes, the subject stays, and files are refused, because who
//! set up a batch with documents meant them to arrive. What a text is paid for as, and what is refused, is told before it is
//! sent by what sends it.

pub(super) mod kannel;
pub(super) mod smsapi;
pub(super) mod twilio;

use std::time::Duration;

use crate::{
    channel::{
        Parcel, Receipts, Silence,
        config::{AccountConfig, AccountFault},
    },
    contact::sms::{self, Encoding, Parts},
    reason::{Reason, Scope},
};

/// How long a delivery report may take: networks try for up to ten hours by default (Twilio's `ValidityPeriod`, 36,000 s),
/// and the report has to come back. Longer keeps runs open longer that wait for a telephone that is off.
const WITHIN: Duration = Duration::from_secs(12 * 60 * 60);

/// What an account makes of a text.
#[derive(Debug, Clone, Copy)]
struct Wording {
    /// How many parts a text may have.
    max_parts: usize,
    /// Whether letters outside the GSM alphabet are replaced by plain ones.
    transliterate: bool,
}

/// A text ready to go.
struct Text {
    text: String,
    parts: Parts,
}

impl Wording {
    fn of(config: &AccountConfig) -> Result<Self, AccountFault> {
        match config.max_parts {
            0 => Err(AccountFault::Incomplete("`max_parts` is 0; write how many parts a text may have, such as 6")),
            max_parts => Ok(Self { max_parts, transliterate: config.transliterate }),
        }
    }

    /// The text of `parcel`, if it can go.
    fn text(self, parcel: &Parcel) -> Result<Text, Reason> {
        let refused = |code, text: String| Err(Reason::new(Scope::Document, code, text));
        if let [file, ..] = &parcel.files[..] {
            let text = format!(
                "a text message cannot carry `{}`: send words only by SMS, with a link where the document is wanted",
                file.name
            );
            return refused("sms-files", text);
        }
        let text = parcel.message.text.trim();
        if text.is_empty() {
            return refused("sms-no-text", "there is no text to send; the subject does not go by SMS".to_owned());
        }
        if text.contains(|letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\x0c')) {
            return refused("sms-bad-text", "the text holds control characters that no telephone shows".to_owned());
        }
        let text = if self.transliterate { sms::transliterate(text) } else { text.to_owned() };
        let parts = sms::count(&text);
        if parts.parts > self.max_parts {
            let text = format!("the text needs {}, the account's `max_parts` is {}", described(&parts), self.max_parts);
            return refused("sms-too-long", text);
        }
        Ok(Text { text, parts })
    }
}

/// `2 parts as GSM-7`.
fn described(parts: &Parts) -> String {
    let encoding = if parts.encoding == Encoding::Gsm7 { "GSM-7" } else { "UCS-2" };
    format!("{} {} as {encoding}", parts.parts, if parts.parts == 1 { "part" } else { "parts" })
}

/// Delivery reports that are looked for every `poll`, or only waited for.
fn receipts(poll: Option<Duration>) -> Receipts {
    Receipts { within: WITHIN, poll, holds: true, silence: Silence::Uncertain }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;

    use super::*;
    use crate::channel::{File, Message};

    fn parcel(text: &str) -> Parcel {
        Parcel {
            key: "k1".to_owned(),
            attempt: 1,
            series: 1,
            created_at: DateTime::UNIX_EPOCH,
            recipient: "Ann".to_owned(),
            contact: "+48601234567".to_owned(),
            message: Message { subject: "unseen".to_owned(), text: text.to_owned(), html: None },
            files: Vec::new(),
        }
    }

    fn code(wording: Wording, parcel: &Parcel) -> String {
        let Err(reason) = wording.text(parcel) else { panic!("{parcel:?}") };
        assert_eq!(reason.scope, Scope::Document);
        reason.code
    }

    #[test]
    fn words_go_and_anything_else_is_refused_with_what_to_do() {
        let wording = Wording { max_parts: 2, transliterate: false };
        let text = wording.text(&parcel(" Dzień dobry ")).ok().unwrap();
        assert_eq!((text.text.as_str(), text.parts.encoding), ("Dzień dobry", Encoding::Ucs2));

        let mut files = parcel("see there");
        files.files =
            vec![File { name: "a.pdf".to_owned(), media_type: "application/pdf".to_owned(), bytes: Bytes::new() }];
        assert_eq!(code(wording, &files), "sms-files");
        assert_eq!(code(wording, &parcel(" \n")), "sms-no-text");
        assert_eq!(code(wording, &parcel("a\0b")), "sms-bad-text");
        assert_eq!(code(wording, &parcel(&"x".repeat(307))), "sms-too-long");
        assert_eq!(code(wording, &parcel(&"x".repeat(1 << 20))), "sms-too-long");
    }

    #[test]
    fn a_text_can_be_made_to_fit_the_gsm_alphabet() {
        let wording = Wording { max_parts: 2, transliterate: true };
        let text = wording.text(&parcel("Dzień dobry, zażółć")).ok().unwrap();
        assert_eq!((text.text.as_str(), text.parts.encoding), ("Dzien dobry, zazolc", Encoding::Gsm7));
    }
}
