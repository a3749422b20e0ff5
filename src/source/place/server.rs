//! Servers with files: which one the URL of an account names, and what can be done there.

use std::{path::PathBuf, sync::Arc, time::Duration};

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tokio::sync::Mutex;
use url::Url;

use super::{
    Driver, Failure,
    ftp::{self, Ftp, Security},
    put::{self, Item, Put, Stage, Unput},
    refused, s3,
    sftp::{Connection, HostKey, HostKeyFault, Login, Sftp},
    web::Web,
};
use crate::source::tls;

/// An account of a server with files.
#[derive(Clone)]
pub struct AccountConfig {
    /// `sftp://user:password@host:22/folder`, `ftp://`, `ftps://`, `webdav://`, or
    /// `s3://key:secret@host:443/bucket/folder?region=eu-central-1`.
    pub url: String,
    /// The server's key, for SFTP.
    pub host_key: Option<String>,
    /// The file of a private key, for SFTP; the password in the URL opens it.
    pub key: Option<PathBuf>,
    /// A certificate to trust besides the machine's own, for all others.
    pub ca: Option<PathBuf>,
}

impl std::fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountConfig").finish_non_exhaustive()
    }
}

/// How long a server may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For any one answer.
    pub answer: Duration,
    /// For a whole file.
    pub whole: Duration,
}

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
            "sftp" => Kind::Sftp(Arc::new(sftp(config, &url, &site, patience)?)),
            "ftp" | "ftps" => Kind::Ftp(ftp(&url, &site, tls()?, patience)?),
            "s3" => Kind::S3(service(&url, &site, client(tls()?, patience)?)?),
            "webdav" => Kind::Web(web(&url, &site, client(tls()?, patience)?, patience)?),
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
            Kind::Web(web) => put::put(web, item, whole).await,
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

/// What every such URL holds.
struct Site {
    /// Without the brackets of an IPv6 address.
    host: String,
    user: String,
    password: String,
    root: String,
}

impl Site {
    fn of(url: &Url) -> Result<Self, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("`url` names no host")?;
        let decoded = |text| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let fault =
            |_| "user name, password or path in `url` are not UTF-8 once their percent signs are read".to_owned();
        let site = Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            user: decoded(url.username()).map_err(fault)?,
            password: decoded(url.password().unwrap_or_default()).map_err(fault)?,
            root: root(url.scheme(), &decoded(url.path()).map_err(fault)?)?,
        };
        let word = |text: &str| !text.contains(char::is_control);
        match word(&site.user) && word(&site.password) {
            true => Ok(site),
            false => Err("user name or password in `url` hold a line break or another control character".to_owned()),
        }
    }
}

/// `/~/` is the folder that the server opens, as it is for curl.
fn root(scheme: &str, path: &str) -> Result<String, String> {
    if !super::is_plain(path) {
        return Err("the path in `url` holds `.`, `..` or a control character; write where it leads".to_owned());
    }
    let path = path.trim_end_matches('/');
    Ok(match scheme {
        "sftp" | "ftp" | "ftps" if path == "/~" => String::new(),
        "sftp" | "ftp" | "ftps" => path.strip_prefix("/~/").unwrap_or(path).to_owned(),
        _ => path.trim_start_matches('/').to_owned(),
    })
}

fn sftp_at(connection: &Arc<Connection>, root: &str) -> Sftp {
    Sftp { connection: connection.clone(), root: root.to_owned() }
}

fn sftp(config: &AccountConfig, url: &Url, site: &Site, patience: Patience) -> Result<Connection, String> {
    let text = config.host_key.as_deref().ok_or_else(|| HostKeyFault.to_string())?;
    let host_key = HostKey::read(text).map_err(|fault| fault.to_string())?;
    let login = Login { user: site.user.clone(), password: site.password.clone(), key: config.key.clone() };
    Ok(Connection::new((site.host.clone(), url.port().unwrap_or(22)), login, host_key, patience.answer))
}

/// `ftps` is TLS from the first byte, `ftp` with `AUTH TLS` unless the URL says otherwise.
fn ftp(url: &Url, site: &Site, tls: ClientConfig, patience: Patience) -> Result<Ftp, String> {
    let mut security = if url.scheme() == "ftps" { Security::Implicit } else { Security::Explicit };
    for (name, value) in url.query_pairs() {
        security = match (&*name, &*value) {
            ("tls", "none") => Security::Plain,
            ("tls", "starttls") => Security::Explicit,
            ("tls", "tls") => Security::Implicit,
            _ => {
                return Err("what follows the `?` in `url` is not known; write tls=starttls, tls=tls or tls=none".into());
            }
        };
    }
    // `url` knows the port of `ftp` and leaves it out.
    let usual = if security == Security::Implicit { 990 } else { 21 };
    let connection = ftp::Connection {
        host: site.host.clone(),
        port: url.port().unwrap_or(usual),
        user: site.user.clone(),
        password: site.password.clone(),
        security,
        tls: Arc::new(tls),
        timeout: patience.answer,
        idle: Mutex::default(),
    };
    Ok(Ftp { connection: Arc::new(connection), root: site.root.clone(), naming: Arc::default() })
}

fn client(tls: ClientConfig, patience: Patience) -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(patience.answer)
        .timeout(patience.whole)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| format!("no client can be made: {error}"))
}

fn service(url: &Url, site: &Site, client: reqwest::Client) -> Result<s3::Service, String> {
    let (mut region, mut scheme, mut virtual_host) = ("us-east-1".to_owned(), "https", false);
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("region", value) => region = value.to_owned(),
            ("tls", "none") => scheme = "http",
            ("style", "host") => virtual_host = true,
            ("style", "path") => virtual_host = false,
            _ => return Err("what follows the `?` in `url` is not known; write region=, tls=none or style=host".into()),
        }
    }
    let endpoint = format!("{scheme}://{}", authority(url));
    Ok(s3::Service { endpoint, region, key: site.user.clone(), secret: site.password.clone(), virtual_host, client })
}

fn web(url: &Url, site: &Site, client: reqwest::Client, patience: Patience) -> Result<Web, String> {
    let (mut scheme, mut moves) = ("https", true);
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("tls", "none") => scheme = "http",
            ("method", "put") => moves = false,
            ("method", "move") => moves = true,
            _ => return Err("what follows the `?` in `url` is not known; write tls=none or method=put".into()),
        }
    }
    Ok(Web {
        base: format!("{scheme}://{}{}", authority(url), url.path().trim_end_matches('/')),
        user: site.user.clone(),
        password: site.password.clone(),
        moves,
        client,
        timeout: patience.answer,
    })
}

/// Host and port.
fn authority(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}
