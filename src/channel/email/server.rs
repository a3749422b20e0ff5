//! Where a mail server is and how it wants to be met: TLS, credentials, patience.

use std::{fmt, fs, path::Path, time::Duration};

use lettre::transport::smtp::{
    authentication::Credentials,
    client::{AsyncSmtpConnection, Certificate, TlsParameters},
    extension::ClientId,
};
use percent_encoding::percent_decode_str;
use tokio::{net::TcpStream, time::timeout};
use url::{Host, Url};

use crate::channel::{
    Outcome,
    config::{AccountConfig, AccountFault},
    transcript::Transcript,
};

use super::{
    classify::{self, Stage},
    connection::{Connection, Patience},
    reply::Trouble,
};

/// A mail server as the account names it.
#[derive(Debug)]
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
    patience: Patience,
    /// The least time to wait when the server greylists.
    pub greylist: Duration,
}

enum Security {
    /// Plain text, for servers on the same machine or network.
    None,
    /// Plain text until STARTTLS, which is insisted on.
    Starttls(TlsParameters),
    /// TLS from the first byte.
    Tls(TlsParameters),
}

impl Server {
    pub(super) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let host = host(url).ok_or(AccountFault::NoHost)?;
        let security = security(url, &host, config.ca.as_deref())?;
        let usual_port = match security {
            Security::None => 25,
            Security::Starttls(_) => 587,
            Security::Tls(_) => 465,
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(usual_port),
            security,
            credentials: credentials(url)?,
            hello: ClientId::default(),
            patience: Patience { answer: config.timeout, message: config.final_timeout },
            greylist: config.greylist,
        })
    }

    /// A connection on which the server waits for a message. Nothing is sent yet, so no failure here is uncertain.
    pub(super) async fn connect(&self, transcript: &mut Transcript) -> Result<Connection, Outcome> {
        transcript.note(&format!("connecting to {}:{}", self.host, self.port));
        let mut stage = Stage::Connect;
        self.greet(transcript, &mut stage).await.map_err(|trouble| {
            if let Trouble::Said(reply) = &trouble {
                transcript.heard(reply);
            }
            classify::outcome(&self.host, stage, trouble, self.greylist)
        })
    }

    async fn greet(&self, transcript: &mut Transcript, stage: &mut Stage) -> Result<Connection, Trouble> {
        let mut line = self.within(self.dial()).await?;
        if let Security::Starttls(tls) = &self.security {
            if !line.can_starttls() {
                return Err(Trouble::Lacks("STARTTLS"));
            }
            transcript.sent("STARTTLS");
            let upgrade = async { line.starttls(tls.clone(), &self.hello).await.map_err(Trouble::from) };
            self.within(upgrade).await?;
        }
        let mut connection = Connection::new(line, self.patience);
        connection.hello(&self.hello, transcript).await?;
        if let Some(credentials) = &self.credentials {
            *stage = Stage::Login;
            connection.login(credentials, transcript).await?;
        }
        Ok(connection)
    }

    async fn dial(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let address = (self.host.as_str(), self.port);
        if let Security::Tls(tls) = &self.security {
            let (answer, tls) = (Some(self.patience.answer), Some(tls.clone()));
            return Ok(AsyncSmtpConnection::connect_tokio1(address, answer, &self.hello, tls, None).await?);
        }
        // The library would leave small packets to be held back, the final dot among them: 40 ms more for each message.
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await?)
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        timeout(self.patience.answer, work).await.unwrap_or_else(|_| Err(self.patience.lost()))
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Starttls(_) => "starttls",
            Self::Tls(_) => "tls",
        })
    }
}

fn host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => (!name.is_empty()).then(|| name.to_owned()),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

fn security(url: &Url, host: &str, ca: Option<&Path>) -> Result<Security, AccountFault> {
    let mut wanted = if url.scheme() == "smtps" { "tls" } else { "starttls" }.to_owned();
    for (name, value) in url.query_pairs() {
        let known = name == "tls" && matches!(&*value, "tls" | "starttls" | "none");
        if !known || url.scheme() == "smtps" && value != "tls" {
            return Err(AccountFault::Parameter("write smtp://...?tls=starttls, tls=tls or tls=none"));
        }
        wanted = value.into_owned();
    }
    Ok(match wanted.as_str() {
        "none" => Security::None,
        "tls" => Security::Tls(trust(host, ca)?),
        _ => Security::Starttls(trust(host, ca)?),
    })
}

fn trust(host: &str, ca: Option<&Path>) -> Result<TlsParameters, AccountFault> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let fault = |error: &dyn fmt::Display| AccountFault::Certificate(format!("{}: {error}", path.display()));
        let pem = fs::read(path).map_err(|error| fault(&error))?;
        tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| fault(&error))?);
    }
    tls.build_rustls().map_err(|error| AccountFault::Certificate(error.to_string()))
}

fn credentials(url: &Url) -> Result<Option<Credentials>, AccountFault> {
    let decode = |text: &str| {
        percent_decode_str(text).decode_utf8().map(|it| it.into_owned()).map_err(|_| AccountFault::Credentials)
    };
    if url.username().is_empty() {
        return Ok(None);
    }
    Ok(Some(Credentials::new(decode(url.username())?, decode(url.password().unwrap_or_default())?)))
}
