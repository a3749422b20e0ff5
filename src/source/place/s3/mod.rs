//! A prefix of an S3 bucket.
//!
//! There is no rename: an object is copied, then deleted; a crash in between leaves two with the same bytes, and the
//! next move deletes the old one. An object that is overwritten between its copy and its deletion is lost to S3 alone
//! where the bucket keeps no versions, so senders write every file under a name of its own.

mod put;

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use object_store::{
    ClientOptions, Error, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, Checksum},
    client::{HttpClient, HttpConnector},
    path::Path,
};

use super::{Failure, Found, Listing, Moved, lasting, passing, path::join};
use crate::source::cause::told;

/// An S3 service and the key to it.
#[derive(Clone)]
pub(super) struct Service {
    pub endpoint: String,
    pub region: String,
    pub key: String,
    pub secret: String,
    /// Buckets are named in the host, not in the path.
    pub virtual_host: bool,
    pub client: reqwest::Client,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A prefix of a bucket.
#[derive(Debug, Clone)]
pub(super) struct S3 {
    bucket: Arc<AmazonS3>,
    prefix: Path,
}

impl Service {
    /// The place `path`, a bucket and a prefix.
    pub(super) fn open(&self, path: &str) -> Result<S3, Failure> {
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let endpoint = match (self.virtual_host, self.endpoint.split_once("://")) {
            (true, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}"),
            _ => self.endpoint.clone(),
        };
        let built = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_region(&self.region)
            .with_bucket_name(bucket)
            .with_access_key_id(&self.key)
            .with_secret_access_key(&self.secret)
            .with_virtual_hosted_style_request(self.virtual_host)
            .with_allow_http(true)
            .with_disable_bulk_delete(true)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(Connector(self.client.clone()))
            .build();
        let bucket = built.map_err(|error| lasting("s3-settings", error.to_string()))?;
        let prefix = Path::parse(prefix).map_err(|error| lasting("s3-prefix", error.to_string()))?;
        Ok(S3 { bucket: Arc::new(bucket), prefix })
    }
}

/// Hands out the client whose TLS is set up by hand.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl S3 {
    pub(super) async fn list(&self) -> Result<Listing, Failure> {
        let listed = self.bucket.list_with_delimiter(Some(&self.prefix)).await.map_err(trouble)?;
        let files = listed.objects.iter().filter_map(|object| Some(found(object.location.filename()?, object)));
        Ok(Listing { files: files.collect(), odd: Vec::new() })
    }

    pub(super) async fn find(&self, path: &str) -> Result<Option<Found>, Failure> {
        Ok(self.head(&self.path(path)?).await?.map(|object| found(path, &object)))
    }

    /// More than `limit` where there is more.
    pub(super) async fn read(&self, path: &str, limit: u64) -> Result<Bytes, Failure> {
        let mut pieces = self.bucket.get(&self.path(path)?).await.map_err(trouble)?.into_stream();
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(trouble)?);
            if bytes.len() as u64 > limit {
                break;
            }
        }
        Ok(bytes.into())
    }

    pub(super) async fn write(&self, path: &str, bytes: Bytes) -> Result<(), Failure> {
        self.bucket.put(&self.path(path)?, bytes.into()).await.map(drop).map_err(trouble)
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<Moved, Failure> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        let Some(moving) = self.head(&from).await? else { return Ok(Moved::Gone) };
        match self.head(&to).await? {
            Some(there) if !alike(&moving, &there) => return Ok(Moved::Taken),
            Some(_) => {}
            None => self.bucket.copy(&from, &to).await.map_err(trouble)?,
        }
        self.bucket.delete(&from).await.map_err(trouble)?;
        Ok(Moved::Done)
    }

    async fn head(&self, path: &Path) -> Result<Option<ObjectMeta>, Failure> {
        match self.bucket.head(path).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(trouble(error)),
        }
    }

    fn path(&self, below: &str) -> Result<Path, Failure> {
        Path::parse(join(self.prefix.as_ref(), below)).map_err(|error| lasting("s3-name", error.to_string()))
    }
}

fn alike(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    one.size == other.size && one.e_tag.is_some() && one.e_tag == other.e_tag
}

fn found(name: &str, object: &ObjectMeta) -> Found {
    let stamp = object.e_tag.clone().unwrap_or_default();
    Found { name: name.to_owned(), size: object.size, stamp: format!("{stamp} {}", object.last_modified.to_rfc3339()) }
}

fn trouble(error: Error) -> Failure {
    let code = match &error {
        Error::NotFound { .. } => "s3-missing",
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => "s3-denied",
        Error::InvalidPath { .. } => "s3-name",
        // Answers to lists come without a kind of their own.
        other if told(other).contains(": 403 ") || told(other).contains(": 401 ") => "s3-denied",
        other if told(other).contains(": 404 ") => "s3-missing",
        _ => return passing("s3-fault", told(&error)),
    };
    lasting(code, told(&error))
}
