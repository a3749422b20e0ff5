//! Archives: files as one ZIP, written while it is read.
//!
//! Blobs are fetched ahead of their turn, a thread writes the ZIP, and two short queues hold everything there is in
//! memory. A reader that goes away closes the queues, and both ends stop. A fault in the middle breaks the stream
//! off, so that nobody takes half an archive for a whole one. Called by the doors that hand out files.

mod manifest;
mod names;
mod write;

use std::{fmt, io};

use anyhow::Result;
use bytes::Bytes;
use chrono::NaiveDateTime;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub use manifest::{ManifestRow, manifest_head, manifest_lines};
pub use names::UniqueNames;
use write::Part;

use super::Store;

/// How many files are fetched ahead. Lower lets the database's latency show, higher takes memory.
const AHEAD: usize = 8;

/// Files up to this size are fetched whole, which is faster and gives them plain headers. Higher takes memory: twice
/// [`AHEAD`] times this, for what is fetched and what waits to be written, and as much again while rows are read.
const WHOLE: u64 = 1024 * 1024;

/// How many pieces wait between the writer and a slow reader.
const WAITING: usize = 8;

/// One file of an archive.
#[derive(Debug)]
pub struct Entry {
    /// Safe and unique in its archive, as [`UniqueNames`] gives them; may hold folders.
    pub name: String,
    /// In the zone of the one who reads it: a ZIP knows no zones.
    pub modified: NaiveDateTime,
    pub media_type: String,
    pub content: Content,
}

/// Where a file's bytes come from.
pub enum Content {
    /// The store.
    Blob {
        digest: String,
        size: u64,
    },
    Bytes(Bytes),
    /// Pieces made on the way, of any length.
    Pieces(BoxStream<'static, Result<Bytes>>),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob { digest, size } => write!(f, "Blob({digest}, {size})"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

/// The ZIP of `entries`, piece by piece. It begins to be written at once and waits for its reader.
pub fn archive(
    store: Store,
    entries: impl Stream<Item = Result<Entry>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (parts, incoming) = mpsc::channel(AHEAD);
    let (pieces, outgoing) = mpsc::channel(WAITING);
    tokio::spawn(fetch(store, entries, parts));
    tokio::task::spawn_blocking(move || write::write(incoming, pieces));
    ReceiverStream::new(outgoing)
}

/// Sends the parts of all entries in their order, until somebody closes the queue.
async fn fetch(store: Store, entries: impl Stream<Item = Result<Entry>> + Send + 'static, parts: mpsc::Sender<Part>) {
    let fetched = entries.map(|entry| {
        let store = store.clone();
        async move { prefetched(&store, entry?).await }
    });
    let mut fetched = Box::pin(fetched.buffered(AHEAD));
    while let Some(entry) = fetched.next().await {
        let sent = match entry {
            Ok(entry) => send(&store, entry, &parts).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = sent {
            // The only way this cannot be sent is that nobody listens any more.
            let _ = parts.send(Part::Fault(fault)).await;
            return;
        }
        if parts.is_closed() {
            return;
        }
    }
    let _ = parts.send(Part::End).await;
}

/// `entry` with its bytes, if it is small enough to have them in memory.
async fn prefetched(store: &Store, entry: Entry) -> Result<Entry> {
    match &entry.content {
        Content::Blob { digest, size } if *size <= WHOLE => {
            let bytes = store.get(digest).await?;
            Ok(Entry { content: Content::Bytes(bytes), ..entry })
        }
        _ => Ok(entry),
    }
}

async fn send(store: &Store, entry: Entry, parts: &mpsc::Sender<Part>) -> Result<()> {
    let head = write::Head::new(&entry);
    let mut pieces = match entry.content {
        Content::Bytes(bytes) => return Ok(parts.send(Part::Whole(head, bytes)).await?),
        Content::Pieces(pieces) => pieces,
        Content::Blob { digest, .. } => store.read(&digest).await?.boxed(),
    };
    parts.send(Part::Begin(head)).await?;
    while let Some(piece) = pieces.try_next().await? {
        parts.send(Part::Piece(piece)).await?;
    }
    Ok(())
}
