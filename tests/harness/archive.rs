//! Archives, unpacked.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use postbook::{
    id::RunId,
    run::{book::Transmission, files},
};

use super::TestApp;

impl TestApp {
    /// The files of a run, by their names in the archive.
    pub async fn zip(&self, run: RunId) -> BTreeMap<String, Vec<u8>> {
        unpacked(files::zip(&self.db, &self.shelf.store, run).await.expect("an archive")).await
    }

    /// What is kept as proof of a transmission, by its name in the archive.
    pub async fn evidence(&self, transmission: &Transmission) -> BTreeMap<String, Vec<u8>> {
        unpacked(files::evidence(&self.db, &self.shelf.store, transmission.clone()).await.expect("an archive")).await
    }
}

async fn unpacked<E: std::fmt::Debug>(pieces: impl Stream<Item = Result<Bytes, E>>) -> BTreeMap<String, Vec<u8>> {
    let pieces: Vec<_> = pieces.map(|piece| piece.expect("a piece").to_vec()).collect().await;
    let mut archive = zip::ZipArchive::new(Cursor::new(pieces.concat())).expect("a ZIP");
    let mut files = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("its bytes");
        files.insert(file.name().expect("a name").into_owned(), bytes);
    }
    files
}
