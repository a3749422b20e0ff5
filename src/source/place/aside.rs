//! Files that are written aside and then get their names, on every server that renames.
//!
//! What earlier attempts left is removed, the file is written under a hidden name and its size is checked; then, if it
//! still may, it gets its name. What got none is removed again. Servers offer the single acts as [`Aside`].

use bytes::Bytes;

use super::{
    Failure, Moved,
    put::{Placing, Shelf, There, Unput, short, within, writing},
};

/// What a server that renames can do.
pub(super) trait Aside: Sync {
    /// Connects, when nothing is connected.
    fn connect(&self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// How long the file at `path` is, if there is one.
    fn size(&self, path: &str) -> impl Future<Output = Result<Option<u64>, Failure>> + Send;

    /// The bytes of a file that has `size` of them.
    fn bytes(&self, path: &str, size: u64) -> impl Future<Output = Result<Bytes, Failure>> + Send;

    /// Writes a hidden file.
    fn write_aside(&self, aside: &str, bytes: &Bytes) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Gives a hidden file its name, over a file that has it where `over` says so.
    fn give_name(&self, aside: &str, path: &str, over: bool) -> impl Future<Output = Result<Moved, Unput>> + Send;

    /// Removes a file that may be there.
    fn remove(&self, path: &str) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl<T: Aside> Shelf for T {
    async fn reach(&self) -> Result<(), Failure> {
        self.connect().await
    }

    async fn compare(&self, path: &str, bytes: &Bytes) -> Result<There, Failure> {
        let same = async { Ok(self.bytes(path, bytes.len() as u64).await? == *bytes) };
        There::of(bytes, self.size(path).await?, same).await
    }

    async fn place(&self, placing: &Placing<'_>) -> Result<Moved, Unput> {
        let aside = placing.aside();
        let named = match within(placing.whole, write(self, &aside, placing)).await {
            Ok(()) => name(self, &aside, placing).await,
            Err(failure) => Err(writing(failure)),
        };
        if !matches!(named, Ok(Moved::Done)) {
            // What cannot be removed now is removed by the next attempt.
            let _ = self.remove(&aside).await;
        }
        named
    }
}

async fn write(server: &impl Aside, aside: &str, placing: &Placing<'_>) -> Result<(), Failure> {
    for left in placing.left() {
        server.remove(&left).await?;
    }
    let bytes = placing.item.bytes;
    server.write_aside(aside, bytes).await?;
    let size = server.size(aside).await?;
    if size == Some(bytes.len() as u64) { Ok(()) } else { Err(short(aside, size, bytes.len())) }
}

async fn name(server: &impl Aside, aside: &str, placing: &Placing<'_>) -> Result<Moved, Unput> {
    placing.permitted()?;
    server.give_name(aside, placing.path, placing.overwrites()).await
}
