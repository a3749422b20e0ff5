//! A folder of an SFTP server.
//!
//! Version 3 of the protocol as OpenSSH speaks it: a rename fails where it would overwrite. Links are passed over. A
//! connection is kept and used by all places of its account; it is given up at the first error that is not the
//! server's answer.

mod connection;
mod host;
mod put;

use std::sync::Arc;

use bytes::Bytes;
use russh_sftp::{
    client::{SftpSession, error::Error, fs::Metadata},
    protocol::StatusCode,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(super) use connection::{Connection, Login};
pub(super) use host::{HostKey, HostKeyFault};

use super::{
    Failure, Found, Listing, Moved, lasting, passing,
    path::{folders, join},
};

/// A folder below the one that the server opens for the account, or an absolute one.
#[derive(Debug, Clone)]
pub(super) struct Sftp {
    pub connection: Arc<Connection>,
    pub root: String,
}

impl Sftp {
    pub(super) async fn list(&self) -> Result<Listing, Failure> {
        let root = if self.root.is_empty() { "." } else { &self.root };
        let entries = self.ask(async |session| session.read_dir(root).await).await?;
        let files = entries.filter(|entry| entry.file_type().is_file());
        Ok(Listing { files: files.map(|entry| found(entry.file_name(), &entry.metadata())).collect(), odd: Vec::new() })
    }

    pub(super) async fn find(&self, path: &str) -> Result<Option<Found>, Failure> {
        let metadata = self.ask(async |session| metadata(session, &self.path(path)).await).await?;
        Ok(metadata.map(|metadata| found(path.to_owned(), &metadata)))
    }

    /// One byte more than `limit` where there are more.
    pub(super) async fn read(&self, path: &str, limit: u64) -> Result<Bytes, Failure> {
        self.ask(async |session| {
            let path = self.path(path);
            match metadata(session, &path).await? {
                Some(metadata) if metadata.file_type().is_file() => {}
                _ => return Err(Error::UnexpectedBehavior("it is no file".to_owned())),
            }
            let mut bytes = Vec::new();
            let mut file = session.open(path).await?;
            (&mut file).take(limit.saturating_add(1)).read_to_end(&mut bytes).await?;
            file.close().await?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    pub(super) async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.ask(async |session| {
            self.make_parent(session, path).await?;
            let mut file = session.create(self.path(path)).await?;
            file.write_all(bytes).await?;
            // Waits for what is under way; a full disk shows here.
            file.flush().await?;
            file.sync_all().await?;
            file.close().await?;
            Ok(())
        })
        .await
    }

    /// Also when there is nothing to remove.
    async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.ask(async |session| match session.remove_file(self.path(path)).await {
            Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(()),
            removed => removed,
        })
        .await
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<Moved, Failure> {
        self.ask(async |session| {
            let paths = (self.path(from), self.path(to));
            if metadata(session, &paths.0).await?.is_none() {
                return Ok(Moved::Gone);
            }
            self.make_parent(session, to).await?;
            if metadata(session, &paths.1).await?.is_some() {
                return Ok(Moved::Taken);
            }
            match session.rename(&paths.0, &paths.1).await {
                Err(Error::Status(_)) if metadata(session, &paths.0).await?.is_none() => Ok(Moved::Gone),
                Err(Error::Status(_)) if metadata(session, &paths.1).await?.is_some() => Ok(Moved::Taken),
                renamed => renamed.map(|()| Moved::Done),
            }
        })
        .await
    }

    fn path(&self, below: &str) -> String {
        join(&self.root, below)
    }

    async fn make_parent(&self, session: &SftpSession, path: &str) -> Result<(), Error> {
        for folder in folders(path) {
            let folder = self.path(folder);
            if metadata(session, &folder).await?.is_none() {
                match session.create_dir(&folder).await {
                    // Somebody else was faster.
                    Err(Error::Status(_)) if metadata(session, &folder).await?.is_some() => {}
                    made => made?,
                }
            }
        }
        Ok(())
    }

    async fn ask<T>(&self, work: impl AsyncFnOnce(&SftpSession) -> Result<T, Error>) -> Result<T, Failure> {
        let session = self.connection.session().await?;
        match work(&session).await {
            Err(Error::Status(status)) => Err(answered(&status.status_code, &status.error_message)),
            Err(error) => {
                self.connection.give_up(&session).await;
                Err(passing("sftp-connection", format!("{}: {error}", self.connection.server())))
            }
            Ok(done) => Ok(done),
        }
    }
}

/// Of what has this name itself, not of what it may link to.
async fn metadata(session: &SftpSession, path: &str) -> Result<Option<Metadata>, Error> {
    match session.symlink_metadata(path).await {
        Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
        metadata => metadata.map(Some),
    }
}

fn found(name: String, metadata: &Metadata) -> Found {
    Found { name, size: metadata.len(), stamp: metadata.mtime.map(|at| at.to_string()).unwrap_or_default() }
}

fn answered(code: &StatusCode, text: &str) -> Failure {
    let code_alone = code.to_string();
    let told = match text.is_empty() || code_alone == text {
        true => format!("the server says: {code_alone}"),
        false => format!("the server says: {code_alone}: {text}"),
    };
    match code {
        StatusCode::NoSuchFile => lasting("sftp-missing", told),
        StatusCode::PermissionDenied => lasting("sftp-denied", told),
        _ => passing("sftp-refused", told),
    }
}
