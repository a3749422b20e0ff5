//! The mailbox that mails come back to, read by IMAP (RFC 3501).
//!
//! How far it was read is kept by whoever reads, as the number of the last mail (UID) and the validity of these numbers;
//! what is marked here is only for people who look in. Mails are marked after they were taken in, never moved or deleted.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use async_imap::{Client, Session};
use futures::TryStreamExt;
use percent_encoding::percent_decode_str;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::source::tls;

/// Mails read in one visit. More hold a connection longer.
const CHUNK: usize = 50;

/// As much of a mail as is read, in bytes: the report stands before the mail that it is about.
const MOST: usize = 256 * 1024;

/// A mailbox on an IMAP server.
pub struct Inbox {
    host: String,
    port: u16,
    user: String,
    password: String,
    folder: String,
    tls: Option<Arc<ClientConfig>>,
    patience: Duration,
}

/// How far a mailbox has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Of the numbers; when it changes, they begin anew.
    pub validity: Option<i64>,
    pub last: i64,
}

/// A connection with the mailbox open, and the mails after a mark.
pub struct Visit {
    session: Session<Box<dyn Line>>,
    patience: Duration,
    pub validity: Option<i64>,
    /// Numbers and bytes, in their order.
    pub mails: Vec<(i64, Vec<u8>)>,
    /// Whether there may be more.
    pub more: bool,
}

trait Line: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Line for T {}

impl Inbox {
    /// Reads `imaps://user:password@host:993/INBOX`; nothing is connected to yet.
    ///
    /// # Errors
    /// What is wrong, without the address, because that holds a password.
    pub(in crate::channel) fn open(address: &str, ca: Option<&Path>, patience: Duration) -> Result<Self, String> {
        let example = "write it as imaps://user:password@mail.example.org/INBOX, or pipe: for `postbook bounce`";
        let url = Url::parse(address).map_err(|fault| format!("is no address ({fault}); {example}"))?;
        let secure = match url.scheme() {
            "imaps" => true,
            "imap" if is_here(&url) => false,
            "imap" => return Err(format!("would show the password to everybody on the way; {example}")),
            other => return Err(format!("has the unknown kind `{other}`; {example}")),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|it| it.into_owned());
        let decoded =
            |text: &str| decoded(text).map_err(|_| format!("is not UTF-8 once its percent signs are read; {example}"));
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| format!("names no host; {example}"))?;
        let folder = decoded(url.path().trim_matches('/'))?;
        let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
        if [&folder, &user, &password].iter().any(|text| text.contains(['\r', '\n', '\0'])) {
            return Err(format!("holds a line end; {example}"));
        }
        let tls = secure.then(|| tls::client(ca)).transpose().map_err(|fault| format!("cannot be used: {fault:#}"))?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(if secure { 993 } else { 143 }),
            user,
            password,
            folder: if folder.is_empty() { "INBOX".to_owned() } else { folder },
            tls: tls.map(Arc::new),
            patience,
        })
    }

    /// Reads the mails after `mark`.
    ///
    /// # Errors
    /// Why it could not be read, without the password.
    pub async fn visit(&self, mark: Mark) -> Result<Visit> {
        let visit = timeout(self.patience, self.read(mark)).await;
        let late = || format!("{} did not answer within {} s", self.host, self.patience.as_secs());
        visit.ok().with_context(late)?.with_context(|| format!("reading the mailbox on {}", self.host))
    }

    async fn read(&self, mark: Mark) -> Result<Visit> {
        let mut session = self.login().await?;
        let mailbox = session.select(&self.folder).await.context("opening the folder")?;
        let validity = mailbox.uid_validity.map(i64::from);
        let last = if validity == mark.validity { mark.last } else { 0 };
        let found = session.uid_search(format!("UID {}:*", last + 1)).await.context("looking for mails")?;
        // The last mail is always found, however far it has been read.
        let mut numbers: Vec<_> = found.into_iter().filter(|number| i64::from(*number) > last).collect();
        numbers.sort_unstable();
        let more = numbers.len() > CHUNK;
        numbers.truncate(CHUNK);
        let mails = if numbers.is_empty() { Vec::new() } else { fetch(&mut session, &numbers).await? };
        Ok(Visit { session, patience: self.patience, validity, mails, more })
    }

    async fn login(&self) -> Result<Session<Box<dyn Line>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.context("connecting")?;
        let line: Box<dyn Line> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::try_from(self.host.clone()).context("the host's name")?;
                Box::new(TlsConnector::from(config.clone()).connect(name, stream).await.context("setting up TLS")?)
            }
        };
        let mut client = Client::new(line);
        if client.read_response().await.context("waiting for a greeting")?.is_none() {
            bail!("it hung up instead of greeting");
        }
        client.login(&self.user, &self.password).await.map_err(|(fault, _)| fault).context("logging in")
    }
}

impl Visit {
    /// Marks mails as read, for people who look in, and takes leave.
    ///
    /// # Errors
    /// When the server does not do it, which loses nothing.
    pub async fn leave(mut self, read: &[i64]) -> Result<()> {
        let leave = async {
            if !read.is_empty() {
                let marked = self.session.uid_store(set(read), "+FLAGS.SILENT (\\Seen)").await?;
                marked.try_collect::<Vec<_>>().await?;
            }
            self.session.logout().await
        };
        timeout(self.patience, leave).await.context("no answer in time")?.context("taking leave of a mailbox")
    }
}

async fn fetch(session: &mut Session<Box<dyn Line>>, numbers: &[u32]) -> Result<Vec<(i64, Vec<u8>)>> {
    let query = format!("(UID BODY.PEEK[]<0.{MOST}>)");
    let fetched = session.uid_fetch(set(numbers), query).await.context("fetching mails")?;
    let fetched: Vec<_> = fetched.try_collect().await.context("fetching mails")?;
    let mut mails: Vec<_> = fetched
        .iter()
        .filter_map(|mail| Some((i64::from(mail.uid?), mail.body().unwrap_or_default().to_vec())))
        .collect();
    mails.sort_unstable_by_key(|(number, _)| *number);
    Ok(mails)
}

fn set<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Debug for Inbox {
    /// Leaves user and password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("host", &self.host).field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_that_cannot_be_read_is_told_without_its_password() {
        for (address, expected) in [
            ("nonsense", "is no address"),
            ("pop3://ann:hunter2@host/", "unknown kind `pop3`"),
            ("imap://ann:hunter2@mail.example.org/", "would show the password"),
            ("imaps://ann:hunter2%0d%0a@mail.example.org/", "holds a line end"),
            ("imaps:///INBOX", "names no host"),
        ] {
            let fault = Inbox::open(address, None, Duration::from_secs(1)).unwrap_err();
            assert!(fault.contains(expected) && !fault.contains("hunter2"), "{address}: {fault}");
        }
        let inbox = Inbox::open("imap://ann:hunter2@localhost:1/", None, Duration::from_secs(1)).unwrap();
        assert!(!format!("{inbox:?}").contains("hunter2"));
        assert_eq!(inbox.folder, "INBOX");
    }
}
