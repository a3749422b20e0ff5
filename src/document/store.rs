//! Bytes by their digest: put once, never changed, checked whenever they are read.
//!
//! They stand in the table `blob`, or in an object store when one is configured; a row always says which. Called by
//! everything that keeps or hands out documents. What nobody names any more goes, see `forget`.

mod forget;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use moka::future::Cache;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, path::Path};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

/// How much of a big blob is read at a time. Higher takes more memory a reader, lower more round trips.
const CHUNK: i64 = 1024 * 1024;

/// Bytes kept at hand, for what is sent right after it was rendered, or to many. More costs memory, less costs a read
/// and a check of the digest for each time they are sent.
const RECENT: u64 = 16 * 1024 * 1024;

/// The largest bytes kept at hand, so that one big document does not push out all others.
const SMALL: usize = 1024 * 1024;

/// Where bytes are kept.
#[derive(Debug, Clone)]
pub struct Store {
    db: PgPool,
    objects: Option<Arc<dyn ObjectStore>>,
    recent: Cache<String, Bytes>,
}

fn recent() -> Cache<String, Bytes> {
    let weight = |_: &String, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(100);
    Cache::builder().max_capacity(RECENT).weigher(weight).build()
}

/// The digest of `bytes`, as it stands in the book: SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// Keeps bytes in the database.
    pub fn in_database(db: PgPool) -> Self {
        Self { db, objects: None, recent: recent() }
    }

    /// Keeps bytes in `objects`, and in the database that they are there.
    pub fn in_objects(db: PgPool, objects: Arc<dyn ObjectStore>) -> Self {
        Self { db, objects: Some(objects), recent: recent() }
    }

    /// Keeps `bytes` and returns their digest; bytes that are there already are left alone.
    pub async fn put(&self, bytes: &Bytes, now: DateTime<Utc>) -> Result<String> {
        let digest = digest(bytes);
        let size = i64::try_from(bytes.len())?;
        let Some(objects) = &self.objects else {
            insert(&self.db, (&digest, size), (Some(&bytes[..]), None), now).await?;
            self.remember(&digest, bytes).await;
            return Ok(digest);
        };
        if self.touch(&digest, now).await? {
            self.remember(&digest, bytes).await;
            return Ok(digest);
        }
        // The object first: a row without its object would be a promise that cannot be kept.
        let object = format!("{}.{:016x}", path(&digest), rand::random::<u64>());
        objects
            .put(&Path::from(object.as_str()), PutPayload::from_bytes(bytes.clone()))
            .await
            .with_context(|| format!("writing the object {digest}"))?;
        insert(&self.db, (&digest, size), (None, Some(&object)), now).await?;
        self.remember(&digest, bytes).await;
        Ok(digest)
    }

    /// All bytes of `digest`.
    pub async fn get(&self, digest: &str) -> Result<Bytes> {
        if let Some(bytes) = self.recent.get(digest).await {
            return Ok(bytes);
        }
        let Some(whole) = whole(&self.db, digest).await? else {
            bail!("there are no bytes with the digest {digest}");
        };
        let bytes = match whole.bytes {
            Some(bytes) => Bytes::from(bytes),
            None => {
                let object = self.object(digest, whole.object).await?;
                object.bytes().await.with_context(|| format!("reading the object {digest}"))?
            }
        };
        ensure!(self::digest(&bytes) == digest, "the bytes of {digest} have changed since they were stored");
        self.remember(digest, &bytes).await;
        Ok(bytes)
    }

    async fn remember(&self, digest: &str, bytes: &Bytes) {
        if bytes.len() <= SMALL {
            self.recent.insert(digest.to_owned(), bytes.clone()).await;
        }
    }

    /// The bytes of `digest` piece by piece. Pieces come before they can be checked: only a stream that ends without
    /// an error was whole.
    pub async fn read(&self, digest: &str) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let Some(place) = place(&self.db, digest).await? else {
            bail!("there are no bytes with the digest {digest}");
        };
        let chunks = if place.here {
            rows(self.db.clone(), digest.to_owned(), place.size).left_stream()
        } else {
            let context = format!("reading the object {digest}");
            let chunks = self.object(digest, place.object).await?.into_stream();
            chunks.map_err(move |error| anyhow::Error::new(error).context(context.clone())).right_stream()
        };
        Ok(verified(chunks, digest.to_owned()))
    }

    /// Keeps the bytes of `digest` from going before they are named. False when there are none.
    pub async fn touch(&self, digest: &str, now: DateTime<Utc>) -> Result<bool> {
        touch(&self.db, digest, now).await
    }

    async fn object(&self, digest: &str, name: Option<String>) -> Result<object_store::GetResult> {
        let objects = self
            .objects
            .as_ref()
            .with_context(|| format!("the bytes of {digest} are in an object store, and none is configured"))?;
        objects.get(&called(digest, name)).await.with_context(|| format!("reading the object {digest}"))
    }
}

/// Two levels of folders keep each of them small.
fn path(digest: &str) -> Path {
    Path::from_iter([&digest[..2], &digest[2..4], digest])
}

/// Where the object of `digest` is: by its own name, or by its digest when it was written before they had names.
fn called(digest: &str, name: Option<String>) -> Path {
    name.map_or_else(|| path(digest), Path::from)
}

/// How old a blob's row may be before it is made young again when the same bytes are put once more. Well below the
/// grace that unnamed bytes have; lower writes more often.
const YOUNG: chrono::Duration = chrono::Duration::hours(1);

/// Makes the row of `digest` young.
async fn touch(db: &PgPool, digest: &str, now: DateTime<Utc>) -> Result<bool> {
    let there = sqlx::query_scalar!(
        r#"
        with touched as (
            update blob set created_at = $2 where digest = $1 and created_at < $3 returning digest
        )
        select digest as "digest!" from touched
        union all
        select digest from blob where digest = $1 and created_at >= $3
        "#,
        digest,
        now,
        now - YOUNG,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("looking for the bytes of {digest}"))?;
    Ok(there.is_some())
}

/// The pieces of a blob that stands in the database.
fn rows(db: PgPool, digest: String, size: i64) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold((db, digest, 0), move |(db, digest, offset)| async move {
        if offset >= size {
            return Ok(None);
        }
        let bytes = piece(&db, &digest, offset).await?;
        let next = offset + i64::try_from(bytes.len())?;
        ensure!(next > offset, "the bytes of {digest} end before they should");
        Ok(Some((Bytes::from(bytes), (db, digest, next))))
    })
}

/// The same pieces, with an error after the last one if they were not what the digest says.
fn verified(
    chunks: impl Stream<Item = Result<Bytes>> + Send,
    digest: String,
) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold((Box::pin(chunks), Sha256::new(), digest), |(mut chunks, mut hash, digest)| async move {
        let Some(chunk) = chunks.try_next().await? else {
            ensure!(hex(&hash.finalize()) == digest, "the bytes of {digest} have changed since they were stored");
            return Ok(None);
        };
        hash.update(&chunk);
        Ok(Some((chunk, (chunks, hash, digest))))
    })
}

/// Adds the row; one that is there is made young. An object that lost the race to another one is nobody's, and goes with
/// the next round.
async fn insert(
    db: &PgPool,
    (digest, size): (&str, i64),
    (bytes, object): (Option<&[u8]>, Option<&str>),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "
        insert into blob (digest, size, bytes, object, created_at)
        values ($1, $2, $3, $4, $5)
        on conflict (digest) do update set created_at = excluded.created_at where blob.created_at < $6
        ",
        digest,
        size,
        bytes,
        object,
        now,
        now - YOUNG,
    )
    .execute(db)
    .await
    .with_context(|| format!("storing {size} bytes as {digest}"))?;
    Ok(())
}

/// The bytes of a blob, or the name of the object that holds them.
struct Whole {
    bytes: Option<Vec<u8>>,
    object: Option<String>,
}

async fn whole(db: &PgPool, digest: &str) -> Result<Option<Whole>> {
    sqlx::query_as!(Whole, "select bytes, object from blob where digest = $1", digest)
        .fetch_optional(db)
        .await
        .with_context(|| format!("reading the bytes of {digest}"))
}

struct Place {
    size: i64,
    here: bool,
    object: Option<String>,
}

async fn place(db: &PgPool, digest: &str) -> Result<Option<Place>> {
    sqlx::query_as!(Place, r#"select size, bytes is not null as "here!", object from blob where digest = $1"#, digest)
        .fetch_optional(db)
        .await
        .with_context(|| format!("looking for the bytes of {digest}"))
}

async fn piece(db: &PgPool, digest: &str, offset: i64) -> Result<Vec<u8>> {
    let from = i32::try_from(offset + 1).context("a blob in the database is smaller than 2 GB")?;
    let length = i32::try_from(CHUNK)?;
    sqlx::query_scalar!(
        r#"select substring(bytes from $2 for $3) as "piece!" from blob where digest = $1"#,
        digest,
        from,
        length,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("reading the bytes of {digest} from {offset}"))
}

#[cfg(test)]
mod tests {
    use object_store::local::LocalFileSystem;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_775_000_000_000_000).expect("an instant")
    }

    async fn collected(store: &Store, digest: &str) -> (Vec<u8>, Option<String>) {
        let mut chunks = Box::pin(store.read(digest).await.expect("it is there"));
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(error) => return (bytes, Some(error.to_string())),
            }
        }
        (bytes, None)
    }

    /// More than one piece, and no round number of them.
    fn big() -> Bytes {
        (0..2_500_000_u32).map(|n| n.to_le_bytes()[0]).collect::<Vec<u8>>().into()
    }

    #[sqlx::test]
    async fn bytes_come_back_whole_and_in_pieces(db: PgPool) {
        let store = Store::in_database(db);
        for bytes in [Bytes::new(), Bytes::from_static(b"abc"), big()] {
            let digest = store.put(&bytes, now()).await.expect("stored");
            assert_eq!(store.put(&bytes, now()).await.expect("stored again"), digest);
            assert_eq!(store.get(&digest).await.expect("there"), bytes);
            assert_eq!(collected(&store, &digest).await, (bytes.to_vec(), None));
        }
    }

    #[sqlx::test]
    async fn objects_hold_the_bytes_and_the_row_says_so(db: PgPool) {
        let folder = std::env::temp_dir().join(format!("store-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let objects = Arc::new(LocalFileSystem::new_with_prefix(&folder).expect("an object store"));
        let store = Store::in_objects(db.clone(), objects);

        let digest = store.put(&big(), now()).await.expect("stored");

        assert_eq!(store.get(&digest).await.expect("there"), big());
        assert_eq!(collected(&store, &digest).await, (big().to_vec(), None));
        let elsewhere = Store::in_database(db).get(&digest).await.expect_err("no object store");
        assert!(elsewhere.to_string().contains("object store"), "{elsewhere}");

        let files = std::fs::read_dir(folder.join(&digest[..2]).join(&digest[2..4])).expect("a folder");
        let file = files.last().expect("an object").expect("an object").path();
        std::fs::write(file, b"tampered").expect("written");
        assert!(store.get(&digest).await.is_err(), "changed bytes are not handed out");
        assert!(collected(&store, &digest).await.1.is_some());
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[sqlx::test]
    async fn an_unknown_digest_is_a_fault(db: PgPool) {
        let fault = Store::in_database(db).get("00").await.expect_err("there is none");
        assert_eq!(fault.to_string(), "there are no bytes with the digest 00");
    }
}
