//! Files put on an SFTP server.
//!
//! Written aside, made to last with `fsync@openssh.com` where that is offered, and renamed: plainly where nothing may be
//! overwritten, which fails on a name that is taken, else with `posix-rename@openssh.com`, which replaces at once. A
//! server without it loses the old file a moment before the new one has its name.

use bytes::Bytes;
use russh_sftp::protocol::StatusCode;

use super::{
    super::{
        Failure, Moved,
        aside::Aside,
        lasting,
        put::{Unput, naming, writing},
        refused,
    },
    Sftp, answered,
};

impl Aside for Sftp {
    async fn connect(&self) -> Result<(), Failure> {
        self.connection.session().await.map(drop)
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, Failure> {
        Ok(self.find(path).await?.map(|found| found.size))
    }

    async fn bytes(&self, path: &str, size: u64) -> Result<Bytes, Failure> {
        self.read(path, size).await
    }

    async fn write_aside(&self, aside: &str, bytes: &Bytes) -> Result<(), Failure> {
        match self.write(aside, bytes).await {
            Err(failure) => Err(self.why_not(failure, bytes.len()).await),
            Ok(()) => Ok(()),
        }
    }

    async fn give_name(&self, aside: &str, path: &str, over: bool) -> Result<Moved, Unput> {
        if !over {
            return self.rename(aside, path).await.map_err(naming);
        }
        match self.connection.replace(&self.path(aside), &self.path(path)).await.map_err(naming)? {
            Some(status) if status.status_code == StatusCode::Ok => Ok(Moved::Done),
            Some(status) => Err(writing(answered(&status.status_code, &status.error_message))),
            None => {
                self.remove(path).await.map_err(writing)?;
                self.rename(aside, path).await.map_err(naming)
            }
        }
    }

    async fn remove(&self, path: &str) -> Result<(), Failure> {
        self.delete(path).await
    }
}

impl Sftp {
    /// The protocol has no word for a full disk; the server is asked how much room there is, where it can say.
    async fn why_not(&self, failure: Failure, size: usize) -> Failure {
        if failure.reason.code == "sftp-denied" {
            return refused("sftp-denied", failure.reason.text);
        }
        let root = if self.root.is_empty() { "." } else { &self.root };
        match self.ask(async |session| session.fs_info(root).await).await {
            Ok(Some(disk)) if disk.blocks_avail.saturating_mul(disk.fragment_size) <= size as u64 => {
                lasting("sftp-full", format!("the server's disk is full: {}", failure.reason.text))
            }
            _ => failure,
        }
    }
}
