//! Servers with files: which one the URL of an account names, and what can be done there.

use std::sync::Arc;

use url::Url;

use super::{
    Driver, Failure,
    ftp::Ftp,
    open::{self, AccountConfig, Patience, Site},
    put::{self, Item, Put, Stage, Unput},
    refused, s3,
    sftp::{Connection, Sftp},
    web::{Plain, Web},
};
use crate::source::tls;

/// A server with files, and the account there. Nothing is connected to until it is used.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    /// The account's folder there; empty for the one that the server opens.
    root: String,
    patience: Patience,
}

#[derive(Debug)]
enum Kind {
    Sftp(Arc<Connection>),
    Ftp(Ftp),
    S3(s3::Service),
    Web(Web),
}

/// What URLs of such servers begin with.
const SCHEMES: [&str; 5] = ["sftp", "ftp", "ftps", "s3", "webdav"];

impl Server {
    /// Whether accounts with such a URL are servers with files.
    pub fn serves(url: &str) -> bool {
        url.split_once(':').is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
    }

    /// Makes it ready.
    ///
    /// # Errors
    /// With what is wrong with the account, in words that hold no password.
    pub fn open(config: &AccountConfig, patience: Patience) -> Result<Self, String> {
        let url = Url::parse(&config.url).map_err(|error| {
            format!("`url` cannot be read ({error}); write one such as sftp://user:password@files.example.org:22")
        })?;
        let site = Site::of(&url)?;
        let tls = || tls::client(config.ca.as_deref()).map_err(|error| format!("`ca` cannot be used: {error:#}"));
        let kind = match url.scheme() {
            "sftp" => Kind::Sftp(Arc::new(open::sftp(config, &url, &site, patience)?)),
            "ftp" | "ftps" => Kind::Ftp(open::ftp(&url, &site, tls()?, patience)?),
            "s3" => Kind::S3(open::service(&url, &site, open::client(tls()?, patience)?)?),
            "webdav" => Kind::Web(open::web(&url, &site, open::client(tls()?, patience)?, patience)?),
            other => return Err(format!("`{other}` is no driver for files; write {}", SCHEMES.join(", "))),
        };
        Ok(Self { kind, root: site.root, patience })
    }

    /// The channel it serves, which is also what addresses of places on it begin with.
    pub fn channel(&self) -> &'static str {
        match &self.kind {
            Kind::Sftp(_) => "sftp",
            Kind::Ftp(_) => "ftp",
            Kind::S3(_) => "s3",
            Kind::Web(_) => "webdav",
        }
    }

    /// Host and port, or where it is addressed.
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Sftp(connection) => connection.server(),
            Kind::Ftp(ftp) => ftp.connection.server(),
            Kind::S3(service) => service.endpoint.clone(),
            Kind::Web(web) => web.base.clone(),
        }
    }

    /// Logs in, where that can be done without a file.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn probe(&self) -> Result<String, Failure> {
        match &self.kind {
            Kind::Sftp(connection) => drop(connection.session().await?),
            Kind::Ftp(ftp) => ftp.probe().await?,
            Kind::Web(web) => web.probe().await?,
            Kind::S3(_) if self.root.is_empty() => {
                return Ok(format!("{} is asked when a bucket is looked at", self.name()));
            }
            Kind::S3(service) => drop(service.open(&self.root)?.list().await?),
        }
        Ok(format!("{} lets us in", self.name()))
    }

    /// Puts a file into a folder below the account's.
    ///
    /// # Errors
    /// When it may not be there; how far it came is told.
    pub async fn put(&self, item: &Item<'_>) -> Result<Put, Unput> {
        let whole = self.patience.whole;
        match &self.kind {
            Kind::Sftp(connection) => put::put(&sftp_at(connection, &self.root), item, whole).await,
            Kind::Ftp(ftp) => put::put(&Ftp { root: self.root.clone(), ..ftp.clone() }, item, whole).await,
            Kind::Web(web) if web.moves => put::put(web, item, whole).await,
            Kind::Web(web) => put::put(&Plain(web), item, whole).await,
            Kind::S3(service) => {
                let (bucket, below) = self.bucket(item.folder);
                if bucket.is_empty() {
                    let text = "the contact names no bucket, and neither does the account's `url`".to_owned();
                    return Err(Unput { failure: refused("s3-no-bucket", text), stage: Stage::Writing });
                }
                let s3 = service.open(bucket).map_err(put::writing)?;
                put::put(&s3, &Item { folder: below, ..*item }, whole).await
            }
        }
    }

    /// The place at `path`, as addresses write it: from the server's root, or from the folder that it opens.
    pub(super) fn at(&self, path: &str) -> Result<Driver, Failure> {
        Ok(match &self.kind {
            Kind::Sftp(connection) => Driver::Sftp(sftp_at(connection, path)),
            Kind::Ftp(ftp) => Driver::Ftp(Ftp { root: path.to_owned(), ..ftp.clone() }),
            Kind::S3(service) => Driver::S3(service.open(path)?),
            Kind::Web(web) => Driver::Web(web.below(path)),
        })
    }

    /// The bucket with the beginning of its keys, and what is below that.
    fn bucket<'a>(&'a self, folder: &'a str) -> (&'a str, &'a str) {
        match self.root.as_str() {
            "" => folder.split_once('/').unwrap_or((folder, "")),
            root => (root, folder),
        }
    }
}

fn sftp_at(connection: &Arc<Connection>, root: &str) -> Sftp {
    Sftp { connection: connection.clone(), root: root.to_owned() }
}
