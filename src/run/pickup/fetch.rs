//! One file on its way to whoever asked for it, and the word that it arrived.

use std::{io, ops::Range};

use anyhow::{Context, Result};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use serde_json::json;

use super::{ClosedError, Room};
use crate::{
    channel::{About, Proof, Standing, Word, offer},
    id::{RunId, TransmissionId},
    run::{
        Engine, parcel,
        receipt::{self, Source},
    },
};

/// How often the files of one link may be asked for. Each time is a row; people need a few.
const OFTEN: i64 = 200;

/// How many bytes of what a visitor says about themselves are kept.
const ADDRESS: usize = 100;
const AGENT: usize = 400;

/// A file that somebody may take.
#[derive(Debug)]
pub struct Download {
    id: i64,
    run: RunId,
    transmission: TransmissionId,
    key: String,
    account: String,
    address: String,
    agent: String,
    pub name: String,
    pub media_type: String,
    pub size: u64,
    pub digest: String,
}

/// Notes that somebody at `address`, with the program `agent`, asked for a file of `room`, and gives the pass by which
/// it is taken.
///
/// # Errors
/// When the file is not there, or was asked for too often.
pub async fn ask(
    engine: &Engine,
    room: &Room,
    position: i32,
    (address, agent): (&str, &str),
) -> Result<String, ClosedError> {
    let file = room.files.iter().find(|file| file.position == position).ok_or(ClosedError::Unknown)?;
    if !file.is_kept {
        return Err(ClosedError::Gone);
    }
    let pass = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>());
    let noted = sqlx::query!(
        r#"
        insert into pickup_download (transmission, pass, position, file, digest, address, agent, asked_at)
        select $1, $2, $3, $4, $5, $6, $7, $8
         where (select count(*) from pickup_download where transmission = $1) < $9
        "#,
        room.transmission as TransmissionId,
        offer::of_link(&pass),
        position,
        file.name,
        file.digest,
        &address[..address.floor_char_boundary(ADDRESS)],
        &agent[..agent.floor_char_boundary(AGENT)],
        engine.clock.now(),
        OFTEN,
    )
    .execute(&engine.db)
    .await
    .context("noting that a file is asked for")?;
    if noted.rows_affected() == 0 { Err(ClosedError::TooOften) } else { Ok(pass) }
}

/// The file that the pass with this digest is for.
///
/// # Errors
/// When it is for none of `room`, or the file is no longer kept.
pub async fn take(engine: &Engine, room: &Room, pass: &str) -> Result<Download, ClosedError> {
    let row = sqlx::query!(
        r#"
        select pickup_download.id, pickup_download.digest, pickup_download.file, address, agent, artifact.media_type,
               artifact.size, artifact.purged_at, transmission.run as "run: RunId", transmission.created_at,
               coalesce(transmission.account, pickup.account) as "account!"
          from pickup_download
          join pickup on pickup.transmission = pickup_download.transmission
          join transmission on transmission.id = pickup_download.transmission
          join transmission_item on transmission_item.transmission = transmission.id
                                and transmission_item.position = pickup_download.position
          join item on item.id = transmission_item.item
          join artifact on artifact.id = item.artifact
         where pickup_download.pass = $1 and pickup_download.transmission = $2
        "#,
        pass,
        room.transmission as TransmissionId,
    )
    .fetch_optional(&engine.db)
    .await
    .context("looking what a pass is for")?;
    let row = row.ok_or(ClosedError::Unknown)?;
    if row.purged_at.is_some() {
        return Err(ClosedError::Gone);
    }
    Ok(Download {
        id: row.id,
        run: row.run,
        transmission: room.transmission,
        key: parcel::key(row.run, room.transmission, row.created_at),
        account: row.account,
        address: row.address,
        agent: row.agent,
        name: row.file,
        media_type: row.media_type,
        size: u64::try_from(row.size).unwrap_or_default(),
        digest: row.digest,
    })
}

/// The bytes of `download` in `range`. The last byte of the file goes out when the word that it was fetched is kept.
///
/// # Errors
/// When the bytes cannot be read, or the word cannot be kept.
pub async fn body(
    engine: &Engine,
    download: Download,
    range: Range<u64>,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let chunks = engine.toolbox.store.read(&download.digest).await?;
    let reaches_end = range.end == download.size;
    if reaches_end && range.is_empty() {
        finish(engine, &download).await?;
    }
    let (engine, chunks) = (engine.clone(), cut(chunks, range));
    let end = async move || if reaches_end { finish(&engine, &download).await } else { Ok(()) };
    Ok(before_last(chunks, end).map_err(io::Error::other))
}

/// What `range` leaves of `chunks`.
fn cut(
    chunks: impl Stream<Item = Result<Bytes>> + Send,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let mut at = 0;
    let pieces = chunks.map_ok(move |chunk| {
        let (begin, length) = (at, chunk.len() as u64);
        at += length;
        let within = |edge: u64| usize::try_from(edge.saturating_sub(begin).min(length)).unwrap_or(usize::MAX);
        chunk.slice(within(range.start)..within(range.end))
    });
    pieces.try_filter(|piece| std::future::ready(!piece.is_empty()))
}

/// `chunks`, the last of which comes when `end` is done: each is held back until there is another one.
fn before_last<F>(
    chunks: impl Stream<Item = Result<Bytes>> + Send,
    end: impl FnOnce() -> F + Send,
) -> impl Stream<Item = Result<Bytes>> + Send
where
    F: Future<Output = Result<()>> + Send,
{
    let state = (Box::pin(chunks), None::<Bytes>, Some(end));
    stream::try_unfold(state, |(mut chunks, mut held, mut end)| async move {
        while end.is_some() {
            match (chunks.try_next().await?, held.take()) {
                (Some(next), Some(before)) => return Ok(Some((before, (chunks, Some(next), end)))),
                (Some(first), None) => held = Some(first),
                (None, last) => {
                    if let Some(end) = end.take() {
                        end().await?;
                    }
                    return Ok(last.map(|last| (last, (chunks, None, None))));
                }
            }
        }
        Ok(None)
    })
}

/// Notes that a file was fetched, and gives word of it. Done again when the first time may not have come to its end; the
/// word is known by its number.
async fn finish(engine: &Engine, download: &Download) -> Result<()> {
    let now = engine.clock.now();
    sqlx::query!(
        "update pickup_download set finished_at = $2 where id = $1 and finished_at is null",
        download.id,
        now,
    )
    .execute(&engine.db)
    .await
    .context("noting that a file was fetched")?;
    let standing = standing(engine, download).await?;
    let id = Some(format!("download {}", download.id));
    let word = Word { about: About::Key(download.key.clone()), standing, at: Some(now), id };
    let raw = json!({
        "file": download.name,
        "digest": download.digest,
        "address": download.address,
        "agent": download.agent,
    });
    receipt::receive(engine, (Source::Pickup, &download.account), vec![word], raw.to_string().as_bytes()).await?;
    tracing::info!(
        run.id = download.run.0,
        transmission.id = download.transmission.0,
        "a file was fetched by its link"
    );
    Ok(())
}

/// How it stands with the transmission now that this file was fetched.
async fn standing(engine: &Engine, download: &Download) -> Result<Standing> {
    let row = sqlx::query!(
        r#"
        select count(*) as "all!",
               count(*) filter (where exists (
                   select from pickup_download
                    where pickup_download.transmission = $1
                      and pickup_download.position = transmission_item.position
                      and pickup_download.finished_at is not null)) as "fetched!"
          from transmission_item
         where transmission = $1
        "#,
        download.transmission as TransmissionId,
    )
    .fetch_one(&engine.db)
    .await
    .context("counting what was fetched")?;
    let count =
        if row.all == 1 { "the file was".to_owned() } else { format!("{} of {} files were", row.fetched, row.all) };
    let text = format!("{count} fetched by the link, the last one {}", download.name);
    if row.fetched < row.all {
        return Ok(Standing::Underway(text));
    }
    let text = format!("{text} (SHA-256 {}), with {}", download.digest, download.agent);
    Ok(Standing::Delivered(Proof { by: download.address.clone(), text }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures::StreamExt;

    use super::*;

    fn chunks() -> impl Stream<Item = Result<Bytes>> + Send {
        stream::iter(["abc", "def", "gh"].map(|text| Ok(Bytes::from(text))))
    }

    #[tokio::test]
    async fn a_range_is_cut_out_wherever_chunks_begin() {
        for (range, expected) in [(0..8, "abcdefgh"), (2..4, "cd"), (3..6, "def"), (7..8, "h"), (0..1, "a"), (4..4, "")]
        {
            let pieces: Vec<Bytes> = cut(chunks(), range.clone()).try_collect().await.unwrap();
            assert_eq!(pieces.concat(), expected.as_bytes(), "{range:?}");
        }
    }

    #[tokio::test]
    async fn the_last_byte_waits_for_the_book() {
        let noted = AtomicBool::new(false);
        let end = async || {
            noted.store(true, Ordering::SeqCst);
            Ok(())
        };
        let mut pieces = Box::pin(before_last(chunks(), end));
        for expected in ["abc", "def"] {
            assert_eq!(pieces.next().await.unwrap().unwrap(), expected);
            assert!(!noted.load(Ordering::SeqCst));
        }
        assert_eq!(pieces.next().await.unwrap().unwrap(), "gh");
        assert!(noted.load(Ordering::SeqCst));
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn what_the_book_does_not_take_does_not_go_out_whole() {
        let end = async || Err(anyhow::anyhow!("the database is away"));
        let pieces: Vec<_> = before_last(chunks(), end).collect().await;
        let whole: Vec<_> = pieces.iter().filter_map(|piece| piece.as_ref().ok()).collect();
        assert_eq!(whole, ["abc", "def"]);
        assert!(pieces.last().unwrap().is_err());
    }
}
