//! A folder of an FTP server, plain or over TLS.
//!
//! A rename overwrites on most servers and nobody can ask them not to, so that a name is looked at right before it is
//! given, one at a time on each node. What ends the data's connection early looks like a whole file to the server; the
//! size tells. Servers have to know `SIZE` (RFC 3659).

mod connection;
mod put;
mod trouble;

use std::sync::Arc;

use bytes::Bytes;
use suppaftp::{FtpError, Status};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Mutex,
};

pub(super) use connection::{Connection, Security};

use self::{connection::Stream, trouble::trouble};
use super::{
    Failure, Found, Moved,
    path::{folders, join, parent},
};

/// A folder below the one that the server opens for the account, or an absolute one.
#[derive(Debug, Clone)]
pub(super) struct Ftp {
    pub connection: Arc<Connection>,
    pub root: String,
    /// Held while a name is looked at and given.
    pub naming: Arc<Mutex<()>>,
}

impl Ftp {
    pub(super) async fn probe(&self) -> Result<(), Failure> {
        self.connection.reach().await
    }

    pub(super) async fn find(&self, path: &str) -> Result<Option<Found>, Failure> {
        let path = self.path(path);
        let size = self.ask(async |stream| size(stream, &path).await).await?;
        Ok(size.map(|size| Found { name: path.clone(), size, stamp: String::new() }))
    }

    /// One byte more than `limit` where there are more.
    pub(super) async fn read(&self, path: &str, limit: u64) -> Result<Bytes, Failure> {
        let path = self.path(path);
        self.ask(async |stream| {
            let mut transfer = stream.retr_as_stream(&path).await?;
            let mut bytes = Vec::new();
            let more = limit.saturating_add(1);
            (&mut transfer).take(more).read_to_end(&mut bytes).await.map_err(FtpError::ConnectionError)?;
            if (bytes.len() as u64) < more {
                transfer.finish().await?;
            }
            Ok(Bytes::from(bytes))
        })
        .await
    }

    /// Makes the folders above it when the server does not take it without.
    pub(super) async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let whole = self.path(path);
        self.ask(async |stream| match store(stream, &whole, bytes).await {
            Err(FtpError::UnexpectedResponse(response)) if is_no(response.status) && parent(path).is_some() => {
                self.make_parent(stream, path).await?;
                store(stream, &whole, bytes).await
            }
            stored => stored,
        })
        .await
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<Moved, Failure> {
        let paths = (self.path(from), self.path(to));
        let _alone = self.naming.lock().await;
        self.ask(async |stream| {
            if size(stream, &paths.1).await?.is_some() {
                return Ok(Moved::Taken);
            }
            stream.rename(&paths.0, &paths.1).await.map(|()| Moved::Done)
        })
        .await
    }

    /// Renames over what is there. Some servers do not; there the old file is removed a moment before.
    async fn replace(&self, from: &str, to: &str) -> Result<Moved, Failure> {
        let paths = (self.path(from), self.path(to));
        self.ask(async |stream| {
            if let Err(error) = stream.rename(&paths.0, &paths.1).await {
                match error {
                    FtpError::UnexpectedResponse(response) if is_no(response.status) => {}
                    error => return Err(error),
                }
                stream.rm(&paths.1).await?;
                stream.rename(&paths.0, &paths.1).await?;
            }
            Ok(Moved::Done)
        })
        .await
    }

    /// Also when there is nothing to remove.
    async fn delete(&self, path: &str) -> Result<(), Failure> {
        let path = self.path(path);
        self.ask(async |stream| match stream.rm(&path).await {
            Err(FtpError::UnexpectedResponse(response)) if response.status == Status::FileUnavailable => Ok(()),
            removed => removed,
        })
        .await
    }

    fn path(&self, below: &str) -> String {
        join(&self.root, below)
    }

    async fn make_parent(&self, stream: &mut Stream, path: &str) -> Result<(), FtpError> {
        for folder in folders(path) {
            match stream.mkdir(self.path(folder)).await {
                // It may be there; when it is not, writing says so.
                Err(FtpError::UnexpectedResponse(response)) if is_no(response.status) => {}
                made => made?,
            }
        }
        Ok(())
    }

    async fn ask<T>(&self, work: impl AsyncFnOnce(&mut Stream) -> Result<T, FtpError>) -> Result<T, Failure> {
        let done = self.connection.with(work).await?;
        done.map_err(|error| trouble(&self.connection.server(), &error))
    }
}

/// Whether the server says no for good.
fn is_no(status: Status) -> bool {
    (500..600).contains(&status.code())
}

async fn size(stream: &mut Stream, path: &str) -> Result<Option<u64>, FtpError> {
    match stream.size(path).await {
        Ok(size) => Ok(Some(size as u64)),
        Err(FtpError::UnexpectedResponse(response)) if response.status == Status::FileUnavailable => Ok(None),
        Err(error) => Err(error),
    }
}

async fn store(stream: &mut Stream, path: &str, bytes: &[u8]) -> Result<(), FtpError> {
    let mut transfer = stream.put_with_stream(path).await?;
    let written = transfer.write_all(bytes).await;
    // A server whose disk is full closes the data's connection and says why on the other one.
    let finished = transfer.finish().await;
    match (written, finished) {
        (_, Err(FtpError::UnexpectedResponse(response))) => Err(FtpError::UnexpectedResponse(response)),
        (Err(error), _) => Err(FtpError::ConnectionError(error)),
        (Ok(()), finished) => finished,
    }
}
