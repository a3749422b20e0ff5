//! Files put on a web server.

use bytes::Bytes;

use super::{
    super::{
        Failure, Moved,
        aside::Aside,
        put::{Placing, Shelf, There, Unput, naming, short, within},
    },
    Web,
};

impl Aside for Web {
    /// There is no login before the first request.
    async fn connect(&self) -> Result<(), Failure> {
        self.probe().await
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, Failure> {
        Ok(self.find(path).await?.map(|found| found.size))
    }

    async fn bytes(&self, path: &str, size: u64) -> Result<Bytes, Failure> {
        self.read(path, size).await
    }

    async fn write_aside(&self, aside: &str, bytes: &Bytes) -> Result<(), Failure> {
        self.write(aside, bytes, false).await.map(drop)
    }

    async fn give_name(&self, aside: &str, path: &str, over: bool) -> Result<Moved, Unput> {
        self.rename(aside, path, over).await.map_err(naming)
    }

    async fn remove(&self, path: &str) -> Result<(), Failure> {
        self.delete(path).await
    }
}

/// A web server that takes files and does not move them.
pub(in super::super) struct Plain<'a>(pub &'a Web);

impl Shelf for Plain<'_> {
    async fn reach(&self) -> Result<(), Failure> {
        self.0.reach().await
    }

    async fn compare(&self, path: &str, bytes: &Bytes) -> Result<There, Failure> {
        self.0.compare(path, bytes).await
    }

    /// What the server does with a connection that breaks is unknown, so that all of it is giving a name.
    async fn place(&self, placing: &Placing<'_>) -> Result<Moved, Unput> {
        placing.permitted()?;
        let (path, bytes) = (placing.path, placing.item.bytes);
        let put = within(placing.whole, self.0.write(path, bytes, !placing.overwrites())).await;
        if !put.map_err(naming)? {
            return Ok(Moved::Taken);
        }
        let size = self.0.size(path).await.map_err(naming)?;
        if size == Some(bytes.len() as u64) { Ok(Moved::Done) } else { Err(naming(short(path, size, bytes.len()))) }
    }
}
