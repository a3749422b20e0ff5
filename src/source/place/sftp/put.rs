//! Files put on an SFTP server.
//!
//! Written aside, made to last with `fsync@openssh.com` where that is offered, and renamed: plainly where nothing may be
//! overwritten, which fails on a name that is taken, else with `posix-rename@openssh.com`, which replaces at once. A
//! server without it loses the old file a moment before the new one has its name.

use bytes::Bytes;
use russh_sftp::protocol::StatusCode;

use super::{
    super::{
        Failure, Moved, lasting,
        put::{Placing, Shelf, There, Unput, naming, short, within, writing},
        refused,
    },
    Sftp, answered,
};

impl Shelf for Sftp {
    async fn reach(&self) -> Result<(), Failure> {
        self.connection.session().await.map(drop)
    }

    async fn compare(&self, path: &str, bytes: &Bytes) -> Result<There, Failure> {
        let size = self.find(path).await?.map(|found| found.size);
        let same = async { Ok(self.read(path, bytes.len() as u64).await? == *bytes) };
        There::of(bytes, size, same).await
    }

    async fn place(&self, placing: &Placing<'_>) -> Result<Moved, Unput> {
        let aside = placing.aside();
        let named = match within(placing.whole, self.write_aside(&aside, placing)).await {
            Ok(()) => self.give_name(&aside, placing).await,
            Err(failure) => Err(writing(failure)),
        };
        if !matches!(named, Ok(Moved::Done)) {
            // What cannot be removed now is removed by the next attempt.
            let _ = self.remove(&aside).await;
        }
        named
    }
}

impl Sftp {
    async fn write_aside(&self, aside: &str, placing: &Placing<'_>) -> Result<(), Failure> {
        for left in placing.left() {
            self.remove(&left).await?;
        }
        let bytes = placing.item.bytes;
        if let Err(failure) = self.write(aside, bytes).await {
            return Err(self.why_not(failure, bytes.len()).await);
        }
        let size = self.find(aside).await?.map(|found| found.size);
        if size == Some(bytes.len() as u64) { Ok(()) } else { Err(short(aside, size, bytes.len())) }
    }

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

    async fn give_name(&self, aside: &str, placing: &Placing<'_>) -> Result<Moved, Unput> {
        placing.permitted()?;
        if !placing.overwrites() {
            return self.rename(aside, placing.path).await.map_err(naming);
        }
        let (from, to) = (self.path(aside), self.path(placing.path));
        match self.connection.replace(&from, &to).await.map_err(naming)? {
            Some(status) if status.status_code == StatusCode::Ok => Ok(Moved::Done),
            Some(status) => Err(writing(answered(&status.status_code, &status.error_message))),
            None => {
                self.remove(placing.path).await.map_err(writing)?;
                self.rename(aside, placing.path).await.map_err(naming)
            }
        }
    }
}
