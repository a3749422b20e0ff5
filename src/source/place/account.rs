//! Which places there may be: folders below the roots that the settings name, and accounts of servers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    super::tls,
    Address, Driver, Failure, Place, below, folder, lasting, s3,
    sftp::{Connection, HostKey, HostKeyFault, Login, Sftp},
};

/// The settings that places come from.
#[derive(Debug, Clone, Default)]
pub struct PlacesConfig {
    /// Folders that may be watched, with all that are below them.
    pub roots: Vec<PathBuf>,
    /// By name.
    pub accounts: BTreeMap<String, AccountConfig>,
    /// How long one look, read, write or move may take.
    pub timeout: Duration,
}

/// An account of a server with files.
#[derive(Clone)]
pub struct AccountConfig {
    /// `sftp://user:password@host:22` or `s3://key:secret@host:443?region=eu-central-1`.
    pub url: String,
    /// The server's key, for SFTP.
    pub host_key: Option<String>,
    /// The file of a private key, for SFTP; the password in the URL opens it.
    pub key: Option<PathBuf>,
    /// A certificate to trust besides the machine's own, for S3.
    pub ca: Option<PathBuf>,
}

impl std::fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountConfig").finish_non_exhaustive()
    }
}

/// What is wrong with an account.
#[derive(Debug, thiserror::Error)]
#[error("account `{account}`: {text}")]
pub struct AccountFault {
    pub account: String,
    pub text: String,
}

/// The places that the settings allow.
#[derive(Debug, Default)]
pub struct Places {
    roots: Vec<PathBuf>,
    accounts: BTreeMap<String, Account>,
    timeout: Duration,
}

#[derive(Debug)]
enum Account {
    Sftp(Arc<Connection>),
    S3(s3::Service),
}

impl Places {
    /// Whether accounts with such a URL are places.
    pub fn serves(url: &str) -> bool {
        ["sftp://", "s3://"].iter().any(|scheme| url.starts_with(scheme))
    }

    /// Makes them ready; nothing is connected to yet.
    ///
    /// # Errors
    /// With what is wrong with any account.
    pub fn open(config: &PlacesConfig) -> Result<Self, Vec<AccountFault>> {
        let mut accounts = BTreeMap::new();
        let mut faults = Vec::new();
        for (name, account) in &config.accounts {
            match open(account, config.timeout) {
                Ok(account) => drop(accounts.insert(name.clone(), account)),
                Err(text) => faults.push(AccountFault { account: name.clone(), text }),
            }
        }
        let roots = config.roots.clone();
        if faults.is_empty() { Ok(Self { roots, accounts, timeout: config.timeout }) } else { Err(faults) }
    }

    /// The names of the accounts, each with what it is.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.accounts.iter().map(|(name, account)| match account {
            Account::Sftp(_) => (name.as_str(), "sftp"),
            Account::S3(_) => (name.as_str(), "s3"),
        })
    }

    /// Why `address` cannot be watched.
    pub fn refusal(&self, address: &Address) -> Option<String> {
        self.at(address).err().map(|failure| failure.reason.text)
    }

    /// The place at `address`.
    ///
    /// # Errors
    /// When the settings do not allow it.
    pub fn at(&self, address: &Address) -> Result<Place, Failure> {
        let driver = match address {
            Address::Folder(path) => Driver::Folder(self.folder(Path::new(path))?),
            Address::Sftp(remote) => match self.accounts.get(&remote.account) {
                Some(Account::Sftp(connection)) => {
                    Driver::Sftp(Sftp { connection: connection.clone(), root: remote.path.clone() })
                }
                _ => return Err(self.unknown(&remote.account, "sftp")),
            },
            Address::S3(remote) => match self.accounts.get(&remote.account) {
                Some(Account::S3(service)) => Driver::S3(service.open(&remote.path)?),
                _ => return Err(self.unknown(&remote.account, "s3")),
            },
        };
        Ok(Place { driver, timeout: self.timeout })
    }

    /// Logs in to the account `name`, where that can be done without a place.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn probe(&self, name: &str) -> Result<String, Failure> {
        match self.accounts.get(name) {
            Some(Account::Sftp(connection)) => {
                connection.session().await.map(|_| format!("{} lets us in", connection.server()))
            }
            Some(Account::S3(service)) => Ok(format!("{} is asked when a bucket is looked at", service.endpoint)),
            None => Err(self.unknown(name, "sftp or s3")),
        }
    }

    fn folder(&self, path: &Path) -> Result<folder::Folder, Failure> {
        let root = self.roots.iter().find_map(|root| Some((root, below(root, path.to_str()?)?)));
        let Some((root, below)) = root else {
            let roots: Vec<_> = self.roots.iter().map(|root| root.display().to_string()).collect();
            let roots = if roots.is_empty() { "none".to_owned() } else { roots.join(", ") };
            let text = format!("{} lies below no folder of `files.roots` in the settings ({roots})", path.display());
            return Err(lasting("folder-outside", text));
        };
        Ok(folder::Folder { root: root.clone(), below })
    }

    fn unknown(&self, account: &str, scheme: &str) -> Failure {
        let known: Vec<_> = self.accounts().filter(|(_, it)| *it == scheme).map(|(name, _)| name).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        lasting("no-account", format!("`{account}` is no account for {scheme}; there is: {known}"))
    }
}

fn open(config: &AccountConfig, timeout: Duration) -> Result<Account, String> {
    let url = Url::parse(&config.url).map_err(|error| {
        format!("`url` cannot be read ({error}); write one such as sftp://user:password@files.example.org:22")
    })?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("`url` names no host")?;
    let decoded = |text| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    let fault = |_| "user name and password in `url` are not UTF-8 once their percent signs are read".to_owned();
    let user = decoded(url.username()).map_err(fault)?;
    let password = decoded(url.password().unwrap_or_default()).map_err(fault)?;
    match url.scheme() {
        "sftp" => {
            let text = config.host_key.as_deref().ok_or_else(|| HostKeyFault.to_string())?;
            let host_key = HostKey::read(text).map_err(|fault| fault.to_string())?;
            let login = Login { user, password, key: config.key.clone() };
            let server = (host.trim_matches(['[', ']']).to_owned(), url.port().unwrap_or(22));
            Ok(Account::Sftp(Arc::new(Connection::new(server, login, host_key, timeout))))
        }
        "s3" => service(config, &url, (user, password), timeout).map(Account::S3),
        other => Err(format!("`{other}` is no driver for files; write sftp or s3")),
    }
}

fn service(
    config: &AccountConfig,
    url: &Url,
    (key, secret): (String, String),
    timeout: Duration,
) -> Result<s3::Service, String> {
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
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let tls = tls::client(config.ca.as_deref()).map_err(|error| format!("`ca` cannot be used: {error:#}"))?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(timeout)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| format!("no client can be made: {error}"))?;
    Ok(s3::Service { endpoint: format!("{scheme}://{host}{port}"), region, key, secret, virtual_host, client })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(url: &str) -> AccountConfig {
        AccountConfig { url: url.to_owned(), host_key: None, key: None, ca: None }
    }

    #[test]
    fn only_folders_below_a_root_are_places() {
        let config = PlacesConfig { roots: vec!["/srv/in".into()], ..PlacesConfig::default() };
        let places = Places::open(&config).unwrap();
        let refusal = |path: &str| places.refusal(&Address::folder(path).unwrap());
        assert_eq!(refusal("/srv/in/acme"), None);
        assert_eq!(refusal("/srv/in"), None);
        assert!(refusal("/srv/inside").unwrap().contains("files.roots"));
        assert!(refusal("/").is_some());
        assert!(Places::default().refusal(&Address::folder("/srv/in").unwrap()).unwrap().contains("none"));
    }

    #[test]
    fn an_account_without_a_pinned_key_is_refused() {
        let accounts = BTreeMap::from([
            ("partner".to_owned(), account("sftp://user:password@localhost")),
            ("store".to_owned(), account("s3://key:secret@localhost?colour=blue")),
        ]);
        let faults = Places::open(&PlacesConfig { accounts, ..PlacesConfig::default() }).unwrap_err();
        assert!(faults[0].to_string().contains("`host_key`"), "{}", faults[0]);
        assert!(faults[1].to_string().contains("region="), "{}", faults[1]);
        assert!(!format!("{:?}", account("sftp://user:password@localhost")).contains("password"));
    }
}
