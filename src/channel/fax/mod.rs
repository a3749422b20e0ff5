//! Fax: each driver hands pages to somebody who has a line, and hears later whether they were received.

pub(super) mod hylafax;
pub(super) mod mail;
pub(super) mod sinch;
pub(super) mod telnyx;

use crate::{
    channel::{
        File, Parcel, Standing,
        config::{AccountConfig, AccountFault},
    },
    contact::number::Number,
    reason::{Reason, Scope},
};

/// What `dial` makes of a number: `{number}` stands for `+13125550002`, `{digits}` for `13125550002`.
fn dialled(dial: &str, number: &str) -> String {
    dial.replace("{number}", number).replace("{digits}", number.trim_start_matches('+'))
}

/// The code of a call that somebody took who is no fax machine: a person, or a voice mailbox. It is tried again, but not
/// for ever.
const HUMAN: &str = "human-answered";

/// What a call that failed comes to. `code` is short and ours, `text` the service's words.
fn failed(scope: Scope, code: &str, text: String) -> Standing {
    let stable = if code == HUMAN { code.to_owned() } else { format!("fax-{code}") };
    let reason = Reason::new(scope, stable, text);
    match code {
        "cancelled" => Standing::Failed(reason),
        HUMAN => Standing::Deferred { reason, after: None },
        _ if scope == Scope::Attempt => Standing::Deferred { reason, after: None },
        _ => Standing::Failed(reason),
    }
}

/// The number that an account sends from.
fn sender(config: &AccountConfig) -> Result<Number, AccountFault> {
    const REMEDY: &str = "`from` is no fax number; write it with its country, such as +13125550002";
    let text = config.from.as_deref().ok_or(AccountFault::Incomplete(REMEDY))?;
    Number::parse(text, None).map_err(|_| AccountFault::Incomplete(REMEDY))
}

/// The one file that a fax by a service is made of. Several are made into one before they come here.
fn one_file(parcel: &Parcel) -> Result<&File, Reason> {
    match &parcel.files[..] {
        [file] if !file.bytes.is_empty() => Ok(file),
        [_] => Err(Reason::new(Scope::Document, "fax-empty", format!("`{}` is empty", parcel.files[0].name))),
        [] => Err(Reason::new(Scope::Document, "fax-no-pages", "there is nothing to fax: it has no file")),
        files => {
            let text = format!("this account faxes one file at a time, and got {}", files.len());
            Err(Reason::new(Scope::Document, "fax-too-many-files", text))
        }
    }
}
