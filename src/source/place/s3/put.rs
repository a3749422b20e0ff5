//! Objects put into a bucket.
//!
//! An object appears whole or not at all. One request carries it, only where there is none yet (`If-None-Match: *`;
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>); a large one goes in parts, which are
//! taken back when they do not all arrive. Its SHA-256 goes along twice: for the service to check what came, and kept
//! with the object, so that a repeat is recognised without fetching it.

use bytes::Bytes;
use object_store::{
    Attribute, Attributes, Error, GetOptions, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, path::Path,
};
use sha2::{Digest, Sha256};

use super::{
    super::{
        Failure, Moved,
        put::{Placing, Shelf, There, Unput, naming, within, writing},
    },
    S3, trouble,
};
use crate::source::cause::told;

/// From how many bytes on an object goes in parts. Less makes more requests; more is sent again when a line breaks.
const LARGE: usize = 32 * 1024 * 1024;

/// The bytes of a part. The service takes no less than 5 MiB, and 10,000 parts at most.
const PART: usize = 8 * 1024 * 1024;

/// The name its digest is kept under.
const DIGEST: &str = "sha256";

impl Shelf for S3 {
    /// There is no login before the first request.
    async fn reach(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn compare(&self, path: &str, bytes: &Bytes) -> Result<There, Failure> {
        let at = self.path(path)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = match self.bucket.get_opts(&at, options).await {
            Err(Error::NotFound { .. }) => return Ok(There::Nothing),
            found => found.map_err(trouble)?,
        };
        let kept = found.attributes.get(&Attribute::Metadata(DIGEST.into())).map(|it| it.as_ref().to_owned());
        let same = async {
            match kept {
                Some(kept) => Ok(kept == digest(bytes)),
                None => Ok(self.read(path, bytes.len() as u64).await? == *bytes),
            }
        };
        There::of(bytes, Some(found.meta.size), same).await
    }

    async fn place(&self, placing: &Placing<'_>) -> Result<Moved, Unput> {
        placing.permitted()?;
        let at = self.path(placing.path).map_err(writing)?;
        let bytes = placing.item.bytes;
        match bytes.len() {
            LARGE.. => self.place_in_parts(&at, placing).await,
            _ => within(placing.whole, self.place_at_once(&at, bytes, placing.overwrites())).await.map_err(naming),
        }
    }
}

impl S3 {
    async fn place_at_once(&self, at: &Path, bytes: &Bytes, over: bool) -> Result<Moved, Failure> {
        let mode = if over { PutMode::Overwrite } else { PutMode::Create };
        let put = |mode| {
            let options = PutOptions { mode, attributes: attributes(bytes), ..PutOptions::default() };
            self.bucket.put_opts(at, bytes.clone().into(), options)
        };
        match put(mode).await {
            Ok(_) => Ok(Moved::Done),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Moved::Taken),
            // A service that knows no condition; that there is no such object was found out right before.
            Err(error) if !over && is_unknown(&error) => {
                put(PutMode::Overwrite).await.map(|_| Moved::Done).map_err(trouble)
            }
            Err(error) => Err(trouble(error)),
        }
    }

    /// Parts are put together without a condition, so that the name is looked at once more right before.
    async fn place_in_parts(&self, at: &Path, placing: &Placing<'_>) -> Result<Moved, Unput> {
        let bytes = placing.item.bytes;
        let options = PutMultipartOptions { attributes: attributes(bytes), ..PutMultipartOptions::default() };
        let begun = within(placing.whole, async { self.bucket.put_multipart_opts(at, options).await.map_err(trouble) });
        let mut upload = begun.await.map_err(writing)?;
        let done = match within(placing.whole, parts(upload.as_mut(), bytes)).await.map_err(writing) {
            Ok(()) => self.put_together(upload.as_mut(), placing).await,
            Err(unput) => Err(unput),
        };
        if !matches!(done, Ok(Moved::Done)) {
            // Parts that cannot be taken back now are for the bucket's own rules.
            let _ = upload.abort().await;
        }
        done
    }

    async fn put_together(&self, upload: &mut dyn MultipartUpload, placing: &Placing<'_>) -> Result<Moved, Unput> {
        let there = self.compare(placing.path, placing.item.bytes).await.map_err(writing)?;
        if there != There::Nothing && !placing.overwrites() {
            return Ok(Moved::Taken);
        }
        placing.permitted()?;
        let completed = within(placing.whole, async { upload.complete().await.map_err(trouble) }).await;
        completed.map(|_| Moved::Done).map_err(naming)
    }
}

async fn parts(upload: &mut dyn MultipartUpload, bytes: &Bytes) -> Result<(), Failure> {
    for begin in (0..bytes.len()).step_by(PART) {
        let end = bytes.len().min(begin + PART);
        upload.put_part(PutPayload::from(bytes.slice(begin..end))).await.map_err(trouble)?;
    }
    Ok(())
}

/// 501 is what services answer to a header they do not implement.
fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::NotImplemented { .. }) || told(error).contains("501 Not Implemented")
}

fn attributes(bytes: &Bytes) -> Attributes {
    Attributes::from_iter([(Attribute::Metadata(DIGEST.into()), digest(bytes))])
}

fn digest(bytes: &Bytes) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
