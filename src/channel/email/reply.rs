//! What a server answered, or that it did not.

use std::{error::Error as _, fmt, io};

use lettre::transport::smtp::{Error, response::Response};

/// A server's answer, fit to be kept: no control characters, not endless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub code: u16,
    /// Its words, the enhanced code included.
    pub text: String,
}

/// Why a command came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no.
    Said(Reply),
    /// The connection broke, or what came was no answer.
    Lost(String),
    /// The server's certificate is not trusted.
    Distrust(String),
    /// The server cannot do what we were told to insist on.
    Lacks(&'static str),
}

/// The longest text kept of one answer, in letters.
const LONGEST: usize = 1000;

impl Reply {
    pub(super) fn new(code: u16, text: &str) -> Self {
        let text = text.chars().take(LONGEST).map(|it| if it.is_control() { ' ' } else { it }).collect();
        Self { code, text }
    }

    /// The enhanced status code it begins with (RFC 3463), if it agrees with the code.
    pub(super) fn enhanced(&self) -> Option<(u16, u16)> {
        let mut numbers = self.text.split_whitespace().next()?.split('.').map(str::parse::<u16>);
        let (Some(Ok(class)), Some(Ok(subject)), Some(Ok(detail)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return None;
        };
        (class == self.code / 100).then_some((subject, detail))
    }
}

impl From<&Response> for Reply {
    fn from(response: &Response) -> Self {
        Self::new(response.code().into(), &response.message().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl Trouble {
    /// Whether the connection is of no more use.
    pub(super) fn closes(&self) -> bool {
        !matches!(self, Self::Said(reply) if reply.code != 421)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        if let Some(code) = error.status() {
            let text = error.source().map(ToString::to_string).unwrap_or_default();
            return Self::Said(Reply::new(code.into(), &text));
        }
        if let Some(distrust) = distrust(&error) {
            return Self::Distrust(distrust);
        }
        Self::Lost(error.to_string())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// What is wrong with the certificate, if that is what is wrong.
fn distrust(error: &Error) -> Option<String> {
    let mut source = error.source();
    while let Some(error) = source {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(error @ rustls::Error::InvalidCertificate(_)) = inner.and_then(|it| it.downcast_ref()) {
            return Some(error.to_string());
        }
        source = error.source();
    }
    None
}
