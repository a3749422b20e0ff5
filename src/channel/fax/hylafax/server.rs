//! Where a fax server is, and how it wants to be met.

use std::fmt;

use percent_encoding::percent_decode_str;
use tokio::{net::TcpStream, time::timeout};
use url::{Host, Url};

use crate::channel::{
    config::{AccountConfig, AccountFault},
    transcript::Transcript,
};

use super::{
    control::{Control, Patience},
    reply::Trouble,
};

/// hfaxd's port (hfaxd(8)).
const PORT: u16 = 4559;
const REMEDY: &str =
    "`url` needs a host and a user, and no more; write one such as hylafax://user:password@fax.example.org";

/// A fax server as the account names it.
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    user: String,
    password: Option<String>,
    patience: Patience,
}

/// How far a conversation had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    Login,
    /// Asking what it has.
    Question,
    /// Giving it the files.
    Files,
    /// Saying where they are to go.
    Number,
    /// Saying everything else.
    Job,
    /// From the word that sets the job free.
    Submit,
}

impl Server {
    pub(super) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(AccountFault::Incomplete(REMEDY)),
        };
        let decode = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| AccountFault::Credentials)?;
            if text.contains(char::is_control) { Err(AccountFault::Credentials) } else { Ok(text.into_owned()) }
        };
        if url.username().is_empty() || url.query().is_some() || !matches!(url.path(), "" | "/") {
            return Err(AccountFault::Incomplete(REMEDY));
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(PORT),
            user: decode(url.username())?,
            password: url.password().map(decode).transpose()?,
            patience: Patience { answer: config.timeout, file: config.final_timeout },
        })
    }

    /// A connection that is signed in. Nothing is asked of the server yet, so that no failure here is in doubt.
    pub(super) async fn connect(&self) -> Result<Control, (Stage, Trouble, Transcript)> {
        let mut transcript = Transcript::default();
        transcript.note(&format!("connecting to {}:{}", self.host, self.port));
        let dial = timeout(self.patience.answer, TcpStream::connect((self.host.as_str(), self.port)));
        let stream = match dial.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err((Stage::Connect, error.into(), transcript)),
            Err(_) => return Err((Stage::Connect, Trouble::Lost("no answer".to_owned()), transcript)),
        };
        let greeted = Control::greet(stream, self.patience, transcript).await;
        let mut control = greeted.map_err(|(trouble, transcript)| (Stage::Connect, trouble, transcript))?;
        match self.sign_in(&mut control).await {
            Ok(()) => Ok(control),
            Err(trouble) => Err((Stage::Login, trouble, control.transcript)),
        }
    }

    async fn sign_in(&self, control: &mut Control) -> Result<(), Trouble> {
        let welcome = control.command(&format!("USER {}", self.user)).await?;
        if welcome.code == 331 {
            control.hidden("PASS", self.password.as_deref().unwrap_or_default()).await?;
        }
        control.command("TZONE GMT").await?;
        control.command("TYPE I").await?;
        Ok(())
    }
}

impl fmt::Debug for Server {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "on connecting",
            Self::Login => "on signing in",
            Self::Question => "on being asked",
            Self::Files => "to the files",
            Self::Number => "to the number",
            Self::Job => "to the account's settings",
            Self::Submit => "to submitting the job",
        })
    }
}
