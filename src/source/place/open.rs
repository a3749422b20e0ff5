//! What the URL of an account says of its server.

use std::{path::PathBuf, sync::Arc, time::Duration};

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tokio::sync::Mutex;
use url::Url;

use super::{
    ftp::{self, Ftp, Security},
    is_plain, s3,
    sftp::{Connection, HostKey, HostKeyFault, Login},
    web::Web,
};
use crate::source::client;

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

/// What every such URL holds.
pub(super) struct Site {
    /// Without the brackets of an IPv6 address.
    host: String,
    user: String,
    password: String,
    pub root: String,
}

impl Site {
    pub(super) fn of(url: &Url) -> Result<Self, String> {
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
    if !is_plain(path) {
        return Err("the path in `url` holds `.`, `..` or a control character; write where it leads".to_owned());
    }
    let path = path.trim_end_matches('/');
    Ok(match scheme {
        "sftp" | "ftp" | "ftps" if path == "/~" => String::new(),
        "sftp" | "ftp" | "ftps" => path.strip_prefix("/~/").unwrap_or(path).to_owned(),
        _ => path.trim_start_matches('/').to_owned(),
    })
}

pub(super) fn sftp(config: &AccountConfig, url: &Url, site: &Site, patience: Patience) -> Result<Connection, String> {
    let text = config.host_key.as_deref().ok_or_else(|| HostKeyFault.to_string())?;
    let host_key = HostKey::read(text).map_err(|fault| fault.to_string())?;
    let login = Login { user: site.user.clone(), password: site.password.clone(), key: config.key.clone() };
    Ok(Connection::new((site.host.clone(), url.port().unwrap_or(22)), login, host_key, patience.answer))
}

/// `ftps` is TLS from the first byte, `ftp` with `AUTH TLS` unless the URL says otherwise.
pub(super) fn ftp(url: &Url, site: &Site, tls: ClientConfig, patience: Patience) -> Result<Ftp, String> {
    let mut security = if url.scheme() == "ftps" { Security::Implicit } else { Security::Explicit };
    for (name, value) in url.query_pairs() {
        security = match (&*name, &*value) {
            ("tls", "none") => Security::Plain,
            ("tls", "starttls") => Security::Explicit,
            ("tls", "tls") => Security::Implicit,
            _ => {
                return Err(
                    "what follows the `?` in `url` is not known; write tls=starttls, tls=tls or tls=none".into()
                );
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

pub(super) fn client(tls: ClientConfig, patience: Patience) -> Result<reqwest::Client, String> {
    client::builder(tls)
        .connect_timeout(patience.answer)
        .timeout(patience.whole)
        .build()
        .map_err(|error| format!("no client can be made: {error}"))
}

pub(super) fn service(url: &Url, site: &Site, client: reqwest::Client) -> Result<s3::Service, String> {
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

pub(super) fn web(url: &Url, site: &Site, client: reqwest::Client, patience: Patience) -> Result<Web, String> {
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
