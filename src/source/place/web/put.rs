//! Files put on a web server.

use bytes::Bytes;

use super::{
    super::{
        Failure, Moved,
        put::{Placing, Shelf, There, Unput, naming, short, within, writing},
    },
    Web,
};

impl Shelf for Web {
    /// There is no login before the first request.
    async fn reach(&self) -> Result<(), Failure> {
        self.probe().await
    }

    async fn compare(&self, path: &str, bytes: &Bytes) -> Result<There, Failure> {
        let size = self.find(path).await?.map(|found| found.size);
        let same = async { Ok(self.read(path, bytes.len() as u64).await? == *bytes) };
        There::of(bytes, size, same).await
    }

    async fn place(&self, placing: &Placing<'_>) -> Result<Moved, Unput> {
        if self.moves { self.place_by_move(placing).await } else { self.place_by_put(placing).await }
    }
}

impl Web {
    async fn place_by_move(&self, placing: &Placing<'_>) -> Result<Moved, Unput> {
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

    async fn write_aside(&self, aside: &str, placing: &Placing<'_>) -> Result<(), Failure> {
        for left in placing.left() {
            self.remove(&left).await?;
        }
        let bytes = placing.item.bytes;
        self.write(aside, bytes, false).await?;
        let size = self.find(aside).await?.map(|found| found.size);
        if size == Some(bytes.len() as u64) { Ok(()) } else { Err(short(aside, size, bytes.len())) }
    }

    async fn give_name(&self, aside: &str, placing: &Placing<'_>) -> Result<Moved, Unput> {
        placing.permitted()?;
        self.rename(aside, placing.path, placing.overwrites()).await.map_err(naming)
    }

    /// What the server does with a connection that breaks is unknown, so that all of it is giving a name.
    async fn place_by_put(&self, placing: &Placing<'_>) -> Result<Moved, Unput> {
        placing.permitted()?;
        let (path, bytes) = (placing.path, placing.item.bytes);
        let put = within(placing.whole, self.write(path, bytes, !placing.overwrites())).await;
        if !put.map_err(naming)? {
            return Ok(Moved::Taken);
        }
        let size = self.find(path).await.map_err(naming)?.map(|found| found.size);
        if size == Some(bytes.len() as u64) { Ok(Moved::Done) } else { Err(naming(short(path, size, bytes.len()))) }
    }
}
