//! A mailbox for e-mail, by the rules of RFC 5321 and, for names beyond ASCII, RFC 6531.
//!
//! Domains in other scripts are kept in the ASCII form that mail servers look up. A domain without a dot is refused,
//! because on the open net it is a typing error far more often than a host.

use std::{fmt, net::Ipv4Addr, net::Ipv6Addr};

use lettre::Address;

/// The longest part before the @, in bytes (RFC 5321 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;
/// The longest domain, in bytes (RFC 5321 4.5.3.1.2).
const LONGEST_DOMAIN: usize = 255;
/// The longest address: a path of 256 bytes less its angle brackets (RFC 5321 4.5.3.1.3).
const LONGEST_ADDRESS: usize = 254;
/// The longest label of a domain, in bytes (RFC 1035).
const LONGEST_LABEL: usize = 63;

/// A mailbox that a mail server can be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox(Address);

/// Why a text is no mailbox, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    #[error("the mailbox is empty; write one such as ann@example.org")]
    Empty,
    #[error("the mailbox holds a line break or another control character; write it on one line")]
    Control,
    #[error("the mailbox has no @; write it with its domain, such as ann@example.org")]
    NoDomain,
    #[error("nothing stands before the @; write the whole mailbox, such as ann@example.org")]
    NoLocal,
    #[error("write the address alone, without a name or angle brackets: ann@example.org")]
    Decorated,
    #[error("there is more than one @; write one mailbox, and a recipient of its own for each further one")]
    Several,
    #[error("the part before the @ is {0} bytes long; mail servers take {LONGEST_LOCAL} at most")]
    LongLocal(usize),
    #[error("the domain is {0} bytes long; there are none beyond {LONGEST_DOMAIN}")]
    LongDomain(usize),
    #[error("the mailbox is {0} bytes long; mail servers take {LONGEST_ADDRESS} at most")]
    Long(usize),
    #[error(
        "the part before the @ holds a blank, or dots or signs where they cannot be; put it in quotes if it is meant so"
    )]
    BadLocal,
    #[error("the domain `{0}` has no dot; write it in full, such as example.org")]
    ShortDomain(String),
    #[error("`{0}` is a bare number as a domain; write an address in brackets, such as ann@[192.0.2.1]")]
    BareNumber(String),
    #[error("the domain `{0}` is none; write letters, digits and hyphens with dots between, such as example.org")]
    BadDomain(String),
}

impl Mailbox {
    /// Parses one address without a name; blanks around it do not count.
    pub fn parse(text: &str) -> Result<Self, MailboxError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(MailboxError::Empty);
        }
        if text.contains(char::is_control) {
            return Err(MailboxError::Control);
        }
        if text.ends_with('>') {
            return Err(MailboxError::Decorated);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(MailboxError::NoDomain)?;
        check_local(local)?;
        let domain = parse_domain(domain)?;
        let length = local.len() + 1 + domain.len();
        if length > LONGEST_ADDRESS {
            return Err(MailboxError::Long(length));
        }
        Ok(Self(Address::new_dangerous(local, domain)))
    }

    /// The address as the mail library takes it.
    pub fn address(&self) -> &Address {
        &self.0
    }

    /// Whether only servers that announce SMTPUTF8 know this mailbox.
    pub fn needs_utf8(&self) -> bool {
        !self.0.user().is_ascii()
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn check_local(local: &str) -> Result<(), MailboxError> {
    if local.is_empty() {
        return Err(MailboxError::NoLocal);
    }
    if local.len() > LONGEST_LOCAL {
        return Err(MailboxError::LongLocal(local.len()));
    }
    if local.contains('@') && !local.starts_with('"') {
        return Err(MailboxError::Several);
    }
    // The library's check of the part before the @ is the one to go by; the domain given here is only a companion.
    match Address::new(local, "example.org") {
        Ok(_) => Ok(()),
        Err(_) => Err(MailboxError::BadLocal),
    }
}

/// The domain as servers know it: ASCII, small letters, or an address in brackets.
fn parse_domain(text: &str) -> Result<String, MailboxError> {
    let bad = || MailboxError::BadDomain(shown(text));
    if let Some(literal) = text.strip_prefix('[') {
        let literal = literal.strip_suffix(']').filter(|it| is_address(it)).ok_or_else(bad)?;
        return Ok(format!("[{literal}]"));
    }
    // Before the conversion, whose time grows with the length.
    if text.len() > 4 * LONGEST_DOMAIN {
        return Err(MailboxError::LongDomain(text.len()));
    }
    let domain = idna::domain_to_ascii(text).map_err(|_| bad())?;
    if domain.len() > LONGEST_DOMAIN {
        return Err(MailboxError::LongDomain(domain.len()));
    }
    if !domain.is_empty() && domain.split('.').all(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(MailboxError::BareNumber(shown(text)));
    }
    if !domain.split('.').all(is_label) {
        return Err(bad());
    }
    if !domain.contains('.') && domain != "localhost" {
        return Err(MailboxError::ShortDomain(shown(text)));
    }
    Ok(domain)
}

fn is_address(literal: &str) -> bool {
    match literal.strip_prefix("IPv6:") {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => literal.parse::<Ipv4Addr>().is_ok(),
    }
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The beginning of a text that may be of any length.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mailbox_is_kept_in_the_form_that_servers_know() {
        for (text, kept) in [
            ("ann@example.org", "ann@example.org"),
            ("  Ann.Baker+reports@Example.ORG ", "Ann.Baker+reports@example.org"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("анна@пример.example", "анна@xn--e1afmkfd.example"),
            ("root@localhost", "root@localhost"),
            ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
            ("ann@[IPv6:2001:db8::1]", "ann@[IPv6:2001:db8::1]"),
            (r#""ann baker"@example.org"#, r#""ann baker"@example.org"#),
        ] {
            assert_eq!(Mailbox::parse(text).map(|it| it.to_string()), Ok(kept.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_mailbox_is_named() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long_domain = format!("a@{}", ["a".repeat(60).as_str(); 5].join("."));
        let long = format!("{}@{}.org", "a".repeat(64), [&"b".repeat(60)[..]; 3].join(".") + ".bbbbb");
        for (text, error) in [
            ("", MailboxError::Empty),
            ("   ", MailboxError::Empty),
            ("ann", MailboxError::NoDomain),
            ("@example.org", MailboxError::NoLocal),
            ("ann@example.org\r\nBcc: x@y.org", MailboxError::Control),
            ("Ann <ann@example.org>", MailboxError::Decorated),
            ("ann@example.org, ben@example.org", MailboxError::Several),
            ("ann baker@example.org", MailboxError::BadLocal),
            ("ann..baker@example.org", MailboxError::BadLocal),
            ("ann@", MailboxError::BadDomain(String::new())),
            ("ann@server", MailboxError::ShortDomain("server".to_owned())),
            ("ann@192.0.2.1", MailboxError::BareNumber("192.0.2.1".to_owned())),
            ("ann@example..org", MailboxError::BadDomain("example..org".to_owned())),
            ("ann@-example.org", MailboxError::BadDomain("-example.org".to_owned())),
            ("ann@ex_ample.org", MailboxError::BadDomain("ex_ample.org".to_owned())),
            ("ann@[300.0.0.1]", MailboxError::BadDomain("[300.0.0.1]".to_owned())),
            (&long_local, MailboxError::LongLocal(65)),
            (&long_domain, MailboxError::LongDomain(304)),
            (&long, MailboxError::Long(257)),
        ] {
            assert_eq!(Mailbox::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_smuggles_a_line(text in any::<String>()) {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                prop_assert!(!mailbox.to_string().contains(char::is_control));
            }
        }

        #[test]
        fn parsing_again_changes_nothing(text in r#"[a-zA-Z0-9.+é"_-]{1,70}@[a-zA-Z0-9ü.-]{1,80}"#) {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                prop_assert!(mailbox.to_string().len() <= LONGEST_ADDRESS);
                prop_assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox));
            }
        }
    }
}
