//! Which driver the scheme of an account's URL names, and which channel it serves.

use url::Url;

use super::super::{
    Form,
    config::{AccountConfig, AccountFault},
    discard::Discard,
    driver::Driver,
    email::Email,
    folder::Folder,
};

/// What a URL may begin with.
const DRIVERS: [&str; 4] = ["smtp", "smtps", "folder", "discard"];

/// The channel that `config` serves, and its driver.
pub(super) fn open(config: &AccountConfig) -> Result<(&'static str, Box<dyn Driver>), AccountFault> {
    let url = Url::parse(&config.url).map_err(AccountFault::Url)?;
    if !matches!(url.scheme(), "folder" | "discard") && !config.refuse.is_empty() {
        return Err(AccountFault::Rehearsal);
    }
    let own = |channel| stand_in(config, channel, &[channel]);
    Ok(match url.scheme() {
        "smtp" | "smtps" => (own("email")?, Box::new(Email::open(&url, config)?)),
        "folder" => {
            let channel = stand_in(config, "folder", &["folder", "email", "fax", "sms"])?;
            (channel, Box::new(Folder::open(&url, config, channel)?))
        }
        "discard" => {
            let channel = stand_in(config, "discard", &["discard", "folder", "email", "fax", "sms"])?;
            (channel, Box::new(Discard { form: Form::rehearsed(channel) }))
        }
        other => return Err(AccountFault::UnknownDriver { scheme: other.to_owned(), known: DRIVERS.join(", ") }),
    })
}

/// The channel the account serves: its own, or the one it is told to stand in for.
fn stand_in(config: &AccountConfig, own: &'static str, allowed: &[&'static str]) -> Result<&'static str, AccountFault> {
    let Some(wanted) = &config.channel else {
        return Ok(own);
    };
    allowed.iter().copied().find(|it| it == wanted).ok_or_else(|| AccountFault::Channel {
        channel: wanted.clone(),
        remedy: "leave it out, or write `email`, `fax` or `sms` for a folder, and `folder` as well for discard",
    })
}
