//! Which driver the scheme of an account's URL names, and which channel it serves.

use std::sync::Arc;

use url::Url;

use super::super::{
    config::{AccountConfig, AccountFault},
    discard::Discard,
    driver::Driver,
    email::Email,
    fax::{hylafax::HylaFax, mail::FaxMail, sinch::Sinch, telnyx::Telnyx},
    files::Files,
    folder::Folder,
    pickup::{Mail, Pickup},
    sms::{kannel::Kannel, smsapi::SmsApi, twilio::Twilio},
};

/// What can be thrown away instead of being sent.
const REHEARSED: [&str; 9] = ["discard", "email", "fax", "sms", "folder", "sftp", "ftp", "s3", "webdav"];

/// What a URL may begin with.
const DRIVERS: [&str; 17] = [
    "smtp", "smtps", "hylafax", "faxmail", "telnyx", "sinch", "smsapi", "twilio", "kannel", "sftp", "ftp", "ftps",
    "s3", "webdav", "folder", "discard", "pickup",
];

/// The channel that `config` serves, and its driver; `mail` is the account that it mails by.
pub(super) fn open(
    config: &AccountConfig,
    mail: Option<Mail>,
) -> Result<(&'static str, Arc<dyn Driver>), AccountFault> {
    let url = Url::parse(&config.url).map_err(AccountFault::Url)?;
    if !matches!(url.scheme(), "folder" | "discard") && !config.refuse.is_empty() {
        return Err(AccountFault::Rehearsal);
    }
    let own = |channel| stand_in(config, channel, &[channel]);
    Ok(match url.scheme() {
        "smtp" | "smtps" => (own("email")?, Arc::new(Email::open(&url, config)?)),
        "hylafax" => (own("fax")?, Arc::new(HylaFax::open(&url, config)?)),
        "faxmail" => (own("fax")?, Arc::new(FaxMail::open(&url, config)?)),
        "telnyx" => (own("fax")?, Arc::new(Telnyx::open(&url, config)?)),
        "sinch" => (own("fax")?, Arc::new(Sinch::open(&url, config)?)),
        "smsapi" => (own("sms")?, Arc::new(SmsApi::open(&url, config)?)),
        "twilio" => (own("sms")?, Arc::new(Twilio::open(&url, config)?)),
        "kannel" => (own("sms")?, Arc::new(Kannel::open(&url, config)?)),
        "folder" => {
            let channel = stand_in(config, "folder", &["folder", "email", "fax", "sms"])?;
            (channel, Arc::new(Folder::open(&url, config, channel)?))
        }
        "sftp" | "ftp" | "ftps" | "s3" | "webdav" => {
            let (channel, files) = Files::open(config)?;
            (own(channel)?, Arc::new(files))
        }
        "discard" => (stand_in(config, "discard", &REHEARSED)?, Arc::new(Discard)),
        "pickup" => (own("pickup")?, Arc::new(Pickup::open(&url, config, mail)?)),
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
        remedy: "leave it out, or write `email`, `fax` or `sms` for a folder, any channel but pickup for discard",
    })
}
