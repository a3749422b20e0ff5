//! Files put on an FTP server: `STOR` to a hidden name, `SIZE`, then `RNFR` and `RNTO`.

use bytes::Bytes;

use super::{
    super::{
        Failure, Moved,
        aside::Aside,
        put::{Unput, naming, within},
    },
    Ftp,
};

impl Aside for Ftp {
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
        self.write(aside, bytes).await
    }

    async fn give_name(&self, aside: &str, path: &str, over: bool) -> Result<Moved, Unput> {
        let limit = self.connection.timeout;
        let named = match over {
            true => within(limit, self.replace(aside, path)).await,
            false => within(limit, self.rename(aside, path)).await,
        };
        named.map_err(naming)
    }

    async fn remove(&self, path: &str) -> Result<(), Failure> {
        within(self.connection.timeout, self.delete(path)).await
    }
}
