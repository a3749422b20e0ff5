//! What comes back: how the server is told what to report (RFC 3461), to which address, and what silence means.

use std::time::Duration;

use lettre::{
    Address,
    message::Mailbox as Sender,
    transport::smtp::extension::{MailParameter, RcptParameter},
};

use crate::{
    channel::{
        Inbox, Receipts, Silence,
        config::{AccountConfig, AccountFault},
    },
    contact::mailbox::Mailbox,
};

/// Says that mails are handed to `postbook bounce`.
const PIPE: &str = "pipe:";

/// The length of a long key. With it an address has to stay one (RFC 5321, section 4.5.3.1.1).
const KEY: usize = 40;

/// That what comes back is read, and how long it may take.
#[derive(Debug)]
pub(super) struct Returns {
    inbox: Option<Inbox>,
    within: Duration,
}

impl Returns {
    pub(super) fn open(config: &AccountConfig) -> Result<Option<Self>, AccountFault> {
        let Some(bounces) = &config.bounces else { return Ok(None) };
        let open = || Inbox::open(bounces, config.ca.as_deref(), config.timeout).map_err(AccountFault::Bounces);
        let inbox = (bounces != PIPE).then(open).transpose()?;
        Ok(Some(Self { inbox, within: config.bounces_within }))
    }

    /// No news is good news, and nobody waits for it: bounces may take days.
    pub(super) fn receipts(&self) -> Receipts {
        Receipts { within: self.within, poll: None, holds: false, silence: Silence::Delivered }
    }

    pub(super) fn inbox(&self) -> Option<&Inbox> {
        self.inbox.as_ref()
    }
}

/// The address that mails come back to, perhaps with the key of each in it.
#[derive(Debug)]
pub(super) struct ReturnPath {
    plain: Address,
    pattern: Option<(String, String)>,
}

impl ReturnPath {
    pub(super) fn open(config: &AccountConfig, from: &Sender) -> Result<Self, AccountFault> {
        let Some(text) = &config.return_path else {
            return Ok(Self { plain: from.email.clone(), pattern: None });
        };
        let parse =
            |text: &str| Mailbox::parse(text).map(|it| it.address().clone()).map_err(|_| AccountFault::ReturnPath);
        match text.split_once('*') {
            None => Ok(Self { plain: parse(text)?, pattern: None }),
            Some((before, after)) => {
                parse(&format!("{before}{}{after}", "k".repeat(KEY)))?;
                let plain = parse(&format!("{}{after}", before.trim_end_matches(['+', '=', '-'])))?;
                Ok(Self { plain, pattern: Some((before.to_owned(), after.to_owned())) })
            }
        }
    }

    /// Where the mail with this key comes back to.
    pub(super) fn of(&self, key: &str) -> Address {
        let own = self.pattern.as_ref().and_then(|(before, after)| format!("{before}{key}{after}").parse().ok());
        own.unwrap_or_else(|| self.plain.clone())
    }
}

/// Reports bring the headers along, and our key.
pub(super) fn of_mail(key: &str) -> [MailParameter; 2] {
    let other = |keyword: &str, value: String| MailParameter::Other { keyword: keyword.to_owned(), value: Some(value) };
    [other("RET", "HDRS".to_owned()), other("ENVID", key.to_owned())]
}

/// What failed or takes long is reported. An address beyond ASCII is not repeated: it would need a type of its own.
pub(super) fn of_recipient(to: &Mailbox) -> Vec<RcptParameter> {
    let other = |keyword: &str, value: String| RcptParameter::Other { keyword: keyword.to_owned(), value: Some(value) };
    let mut parameters = vec![other("NOTIFY", "FAILURE,DELAY".to_owned())];
    let address = to.address().to_string();
    // The library writes what the command cannot hold as numbers (RFC 3461, section 4).
    if address.is_ascii() {
        parameters.push(other("ORCPT", format!("rfc822;{address}")));
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_to_come_back_to_may_hold_the_key() {
        let from: Sender = "Reports <reports@example.org>".parse().unwrap();
        let path = |text: Option<&str>| {
            let mut config = AccountConfig::new("smtp://host");
            config.return_path = text.map(str::to_owned);
            ReturnPath::open(&config, &from)
                .map(|path| path.of("7-12-5a").to_string())
                .map_err(|fault| fault.to_string())
        };
        assert_eq!(path(None).unwrap(), "reports@example.org");
        assert_eq!(path(Some("bounces@example.org")).unwrap(), "bounces@example.org");
        assert_eq!(path(Some("bounces+*@example.org")).unwrap(), "bounces+7-12-5a@example.org");
        for wrong in ["bounces", "*", "a b+*@example.org", "bounces+*@example.org\r\nX: y"] {
            assert!(path(Some(wrong)).unwrap_err().contains("return_path"), "{wrong}");
        }
    }
}
