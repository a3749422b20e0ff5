//! Connections to an FTP server: made when they are needed, kept for the next file.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{ClientConfig, client::Resumption};
use suppaftp::{
    FtpError, Mode, Status,
    tokio::{AsyncRustlsConnector, AsyncRustlsFtpStream},
    tokio_rustls::TlsConnector,
    types::FileType,
};
use tokio::{net::TcpStream, sync::Mutex};

use super::trouble::trouble;
use crate::source::place::{Failure, lasting, put::within};

pub(super) type Stream = AsyncRustlsFtpStream;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plain,
    /// From `AUTH TLS` on (RFC 4217), before the password.
    Explicit,
    /// From the first byte.
    Implicit,
}

/// A server and the way to log in.
pub struct Connection {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub security: Security,
    pub tls: Arc<ClientConfig>,
    /// How long any one answer may take.
    pub timeout: Duration,
    /// Connections that are not in use.
    pub idle: Mutex<Vec<Stream>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl Connection {
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Sees to it that there is a connection that works.
    pub(super) async fn reach(&self) -> Result<(), Failure> {
        let kept = self.idle.lock().await.pop();
        if let Some(mut stream) = kept
            && matches!(tokio::time::timeout(self.timeout, stream.noop()).await, Ok(Ok(())))
        {
            self.idle.lock().await.push(stream);
            return Ok(());
        }
        let stream = self.connect().await?;
        self.idle.lock().await.push(stream);
        Ok(())
    }

    /// Does `work` on a connection, and keeps it unless it broke.
    pub(super) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut Stream) -> Result<T, FtpError>,
    ) -> Result<Result<T, FtpError>, Failure> {
        let kept = self.idle.lock().await.pop();
        let mut stream = match kept {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let done = work(&mut stream).await;
        match &done {
            Ok(_) => self.idle.lock().await.push(stream),
            Err(FtpError::UnexpectedResponse(response)) if response.status != Status::NotAvailable => {
                self.idle.lock().await.push(stream);
            }
            Err(_) => {}
        }
        Ok(done)
    }

    async fn connect(&self) -> Result<Stream, Failure> {
        within(self.timeout, async {
            let connected = match self.security {
                Security::Plain => self.plain().await,
                Security::Explicit => self.explicit().await,
                Security::Implicit => self.implicit().await,
            };
            let mut stream = connected.map_err(|error| self.unreachable(&error))?;
            stream.login(&self.user, &self.password).await.map_err(|error| self.not_in(&error))?;
            prepare(&mut stream).await.map_err(|error| self.unreachable(&error))?;
            Ok(stream)
        })
        .await
    }

    async fn plain(&self) -> Result<Stream, FtpError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(FtpError::ConnectionError)?;
        Stream::connect_with_stream(tcp).await
    }

    async fn explicit(&self) -> Result<Stream, FtpError> {
        self.plain().await?.into_secure(self.connector(), &self.host).await
    }

    async fn implicit(&self) -> Result<Stream, FtpError> {
        let address = (self.host.as_str(), self.port);
        let mut stream = Stream::connect_secure_implicit(address, self.connector(), &self.host).await?;
        for command in ["PBSZ 0", "PROT P"] {
            stream.custom_command(command, &[Status::CommandOk]).await?;
        }
        Ok(stream)
    }

    /// Servers ask that the data's connection resumes the session of the commands' connection. Each connection has a
    /// memory of its own for that: another process of the server knows nothing of its sessions.
    fn connector(&self) -> AsyncRustlsConnector {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.resumption = Resumption::in_memory_sessions(8);
        AsyncRustlsConnector::from(TlsConnector::from(Arc::new(tls)))
    }

    fn unreachable(&self, error: &FtpError) -> Failure {
        match error {
            FtpError::SecureError(text) => lasting("ftp-tls", format!("{}: {text}", self.server())),
            error => trouble(&self.server(), error),
        }
    }

    fn not_in(&self, error: &FtpError) -> Failure {
        match error {
            FtpError::UnexpectedResponse(response) if response.status != Status::NotAvailable => {
                let words = response.as_string().unwrap_or_default();
                lasting("ftp-login", format!("{} does not let `{}` in: {words}", self.server(), self.user))
            }
            error => self.unreachable(error),
        }
    }
}

/// Bytes go as they are; the data's connection goes to the host we know, by `EPSV` (RFC 2428) where that is offered.
async fn prepare(stream: &mut Stream) -> Result<(), FtpError> {
    let offered = match stream.feat().await {
        Ok(offered) => offered,
        // Servers from before RFC 2389.
        Err(FtpError::UnexpectedResponse(_)) => Default::default(),
        Err(error) => return Err(error),
    };
    if offered.contains_key("EPSV") {
        stream.set_mode(Mode::ExtendedPassive);
    } else {
        stream.set_passive_nat_workaround(true);
    }
    stream.transfer_type(FileType::Binary).await
}
