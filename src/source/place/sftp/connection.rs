//! The connection of an account, made when it is first needed and kept.

use std::{borrow::Cow, fmt, path::PathBuf, sync::Arc, time::Duration};

use russh::{
    Disconnect,
    client::{self, Handle},
    keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key},
};
use russh_sftp::{
    client::{Config, RawSftpSession, SftpSession, error::Error},
    protocol::{Packet, Status},
};
use tokio::sync::Mutex;

use super::{
    super::{Failure, lasting, passing},
    HostKey,
};

/// How an account logs in.
#[derive(Clone)]
pub struct Login {
    pub user: String,
    /// Opens the key when there is one, and is the password otherwise.
    pub password: String,
    /// The file of a private key.
    pub key: Option<PathBuf>,
}

/// A server and the way to log in, with the session there is.
pub struct Connection {
    host: String,
    port: u16,
    login: Login,
    host_key: HostKey,
    timeout: Duration,
    open: Mutex<Option<Open>>,
}

struct Open {
    session: Arc<SftpSession>,
    handle: Handle<Visitor>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server()).finish_non_exhaustive()
    }
}

/// How often a silent connection is asked whether it is still there. Three such questions without an answer end it.
const ALIVE: Duration = Duration::from_secs(30);

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(10 * 60);

impl Connection {
    pub fn new((host, port): (String, u16), login: Login, host_key: HostKey, timeout: Duration) -> Self {
        Self { host, port, login, host_key, timeout, open: Mutex::default() }
    }

    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The session, opened when there is none.
    pub async fn session(&self) -> Result<Arc<SftpSession>, Failure> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref().filter(|open| !open.handle.is_closed()) {
            return Ok(open.session.clone());
        }
        let made = tokio::time::timeout(self.timeout, self.connect()).await;
        let late = |_| passing("sftp-timeout", format!("{} had not let us in in time", self.server()));
        let session = open.insert(made.map_err(late)??).session.clone();
        Ok(session)
    }

    /// Renames over what is there at once, if the server can (OpenSSH's PROTOCOL, section 4.3). Its answer, or nothing
    /// when it cannot.
    pub async fn replace(&self, from: &str, to: &str) -> Result<Option<Status>, Failure> {
        self.session().await?;
        let channel = match &*self.open.lock().await {
            Some(open) => open.handle.channel_open_session().await.map_err(|error| self.unreachable(&error))?,
            None => return Err(passing("sftp-connection", format!("{} was lost", self.server()))),
        };
        channel.request_subsystem(true, "sftp").await.map_err(|error| self.unreachable(&error))?;
        let raw = RawSftpSession::new_with_config(channel.into_stream(), self.limits());
        let answer = replace(&raw, from, to).await;
        // The channel goes with it; nothing is left to be said.
        let _ = raw.close_session();
        answer.map_err(|error| passing("sftp-connection", format!("{}: {error}", self.server())))
    }

    fn limits(&self) -> Config {
        Config { request_timeout_secs: self.timeout.as_secs().max(1), ..Config::default() }
    }

    /// Uses `session` no more.
    pub async fn give_up(&self, session: &Arc<SftpSession>) {
        let mut open = self.open.lock().await;
        if let Some(broken) = open.take_if(|open| Arc::ptr_eq(&open.session, session)) {
            // It may well be dead already, which is why it is given up.
            let _ = broken.handle.disconnect(Disconnect::ByApplication, "", "").await;
        }
    }

    async fn connect(&self) -> Result<Open, Failure> {
        let mut preferred = russh::Preferred::default();
        let keys = preferred.key.iter().filter(|algorithm| self.host_key.may_be(algorithm)).cloned().collect();
        preferred.key = Cow::Owned(keys);
        let config = client::Config {
            preferred,
            inactivity_timeout: Some(IDLE),
            keepalive_interval: Some(ALIVE),
            nodelay: true,
            ..client::Config::default()
        };
        let visitor = Visitor { host_key: self.host_key.clone() };
        let connected = client::connect(Arc::new(config), (self.host.as_str(), self.port), visitor).await;
        let mut handle = connected.map_err(|error| self.unreachable(&error))?;
        self.log_in(&mut handle).await?;
        let channel = handle.channel_open_session().await.map_err(|error| self.unreachable(&error))?;
        channel.request_subsystem(true, "sftp").await.map_err(|error| self.unreachable(&error))?;
        let session = SftpSession::new_with_config(channel.into_stream(), self.limits()).await;
        let session = session.map_err(|error| {
            lasting("sftp-no-sftp", format!("{} lets us in and offers no SFTP: {error}", self.server()))
        })?;
        Ok(Open { session: Arc::new(session), handle })
    }

    async fn log_in(&self, handle: &mut Handle<Visitor>) -> Result<(), Failure> {
        let user = &self.login.user;
        let answer = match &self.login.key {
            None => handle.authenticate_password(user, &self.login.password).await,
            Some(path) => {
                let word = Some(self.login.password.as_str()).filter(|word| !word.is_empty());
                let key = load_secret_key(path, word)
                    .map_err(|error| lasting("sftp-key", format!("the key {}: {error}", path.display())))?;
                let hash = handle.best_supported_rsa_hash().await.map_err(|error| self.unreachable(&error))?;
                handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), hash.flatten())).await
            }
        };
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let refused = || lasting("sftp-login", format!("{} does not let `{user}` in", self.server()));
        if answer.success() { Ok(()) } else { Err(refused()) }
    }

    fn unreachable(&self, error: &russh::Error) -> Failure {
        match error {
            russh::Error::UnknownKey => {
                let remedy = "if it was changed on purpose, change `host_key`; if not, somebody is in between";
                let text = format!("{} shows another key than the one in the settings; {remedy}", self.server());
                lasting("sftp-host-key", text)
            }
            error => passing("sftp-connection", format!("{}: {error}", self.server())),
        }
    }
}

const POSIX_RENAME: &str = "posix-rename@openssh.com";

async fn replace(raw: &RawSftpSession, from: &str, to: &str) -> Result<Option<Status>, Error> {
    let offered = raw.init().await?.extensions;
    if offered.get(POSIX_RENAME).is_none_or(|version| version != "1") {
        return Ok(None);
    }
    let mut paths = Vec::new();
    for path in [from, to] {
        paths.extend_from_slice(&u32::try_from(path.len()).unwrap_or(u32::MAX).to_be_bytes());
        paths.extend_from_slice(path.as_bytes());
    }
    match raw.extended(POSIX_RENAME, paths).await {
        Ok(Packet::Status(status)) => Ok(Some(status)),
        Ok(_) => Err(Error::UnexpectedPacket),
        Err(Error::Status(status)) => Ok(Some(status)),
        Err(error) => Err(error),
    }
}

/// Lets itself into the one server that has the pinned key.
struct Visitor {
    host_key: HostKey,
}

impl client::Handler for Visitor {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(self.host_key.is(shown))
    }
}
