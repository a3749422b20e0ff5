//! Files put on an FTP server: `STOR` to a hidden name, `SIZE`, then `RNFR` and `RNTO`.

use bytes::Bytes;

use super::{
    super::{
        Failure, Moved,
        put::{Placing, Shelf, There, Unput, naming, short, within, writing},
    },
    Ftp,
};

impl Shelf for Ftp {
    async fn reach(&self) -> Result<(), Failure> {
        self.probe().await
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
            let _ = within(self.connection.timeout, self.remove(&aside)).await;
        }
        named
    }
}

impl Ftp {
    async fn write_aside(&self, aside: &str, placing: &Placing<'_>) -> Result<(), Failure> {
        for left in placing.left() {
            self.remove(&left).await?;
        }
        let bytes = placing.item.bytes;
        self.write(aside, bytes).await?;
        let size = self.find(aside).await?.map(|found| found.size);
        if size == Some(bytes.len() as u64) { Ok(()) } else { Err(short(aside, size, bytes.len())) }
    }

    async fn give_name(&self, aside: &str, placing: &Placing<'_>) -> Result<Moved, Unput> {
        placing.permitted()?;
        let limit = self.connection.timeout;
        let named = match placing.overwrites() {
            true => within(limit, self.replace(aside, placing.path)).await,
            false => within(limit, self.rename(aside, placing.path)).await,
        };
        named.map_err(naming)
    }
}
