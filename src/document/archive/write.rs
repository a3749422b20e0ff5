//! The thread that writes a ZIP.

use std::io::{self, Write};

use anyhow::{Context, Error, Result, anyhow};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{Receiver, Sender};
use zip::{
    CompressionMethod, DateTime, ZipWriter,
    write::{PreparedZipFile, SimpleFileOptions},
};

use super::{Content, Entry};

/// How big the pieces are that the reader gets. Lower costs a hand-over more often, higher takes memory.
const PIECE: usize = 128 * 1024;

/// From this size on a file needs the longer headers of ZIP64.
const LARGE: u64 = u32::MAX as u64;

/// What an archive is made of.
pub(super) enum Part {
    /// A file with all its bytes.
    Whole(Head, Bytes),
    /// A file whose pieces follow.
    Begin(Head),
    Piece(Bytes),
    Fault(Error),
    /// All files were sent. Without this the archive is not whole.
    End,
}

/// What a ZIP says about a file.
pub(super) struct Head {
    name: String,
    options: SimpleFileOptions,
}

impl Head {
    pub(super) fn new(entry: &Entry) -> Self {
        let method = if is_text(&entry.media_type) { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let large = match entry.content {
            Content::Blob { size, .. } => size >= LARGE,
            Content::Bytes(_) => false,
            Content::Pieces(_) => true,
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(large)
            .unix_permissions(0o644)
            // Years that a ZIP cannot hold become its first one.
            .last_modified_time(DateTime::try_from(entry.modified).unwrap_or_default());
        Self { name: entry.name.clone(), options }
    }
}

/// Everything else that is sent is compressed already.
fn is_text(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    media_type.starts_with("text/")
        || media_type.contains("json")
        || media_type.contains("xml;")
        || media_type.ends_with("/xml")
}

/// Writes what comes in until the end of it, or until nobody takes what goes out.
pub(super) fn write(mut parts: Receiver<Part>, pieces: Sender<io::Result<Bytes>>) {
    let mut zip = ZipWriter::new_stream(Pieces { pieces: pieces.clone(), buffer: BytesMut::new() });
    let written = write_all(&mut parts, &mut zip);
    parts.close();
    let finished = written.and_then(|()| {
        zip.finish().context("finishing an archive")?.into_inner().flush().context("sending the last of an archive")
    });
    if let Err(fault) = finished {
        // Only a reader that is still there is told.
        let _ = pieces.blocking_send(Err(io::Error::other(fault)));
    }
}

fn write_all(parts: &mut Receiver<Part>, zip: &mut ZipWriter<zip::write::StreamWriter<Pieces>>) -> Result<()> {
    loop {
        match parts.blocking_recv() {
            Some(Part::Whole(head, bytes)) => {
                let prepared = PreparedZipFile::from_data(&head.name, head.options, &bytes);
                prepared
                    .and_then(|file| zip.add_prepared_file(file))
                    .with_context(|| format!("archiving `{}`", head.name))?;
            }
            Some(Part::Begin(head)) => {
                zip.start_file(&head.name, head.options).with_context(|| format!("archiving `{}`", head.name))?;
            }
            Some(Part::Piece(bytes)) => zip.write_all(&bytes).context("archiving a piece of a file")?,
            Some(Part::Fault(fault)) => return Err(fault),
            Some(Part::End) => return Ok(()),
            None => return Err(anyhow!("the files of an archive stopped coming")),
        }
    }
}

/// Gathers bytes to pieces and hands them over; a reader that is gone is a broken pipe.
struct Pieces {
    pieces: Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.buffer.reserve(PIECE);
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
