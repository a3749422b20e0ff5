//! Which places there may be: folders below the roots that the settings name, and accounts of servers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Address, Driver, Failure, Place, below, folder, lasting,
    open::{AccountConfig, Patience},
    refused,
    server::Server,
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
    /// How many bytes a file that steps fetch may have.
    pub limit: u64,
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
    accounts: BTreeMap<String, Server>,
    timeout: Duration,
    limit: u64,
}

impl Places {
    /// Makes them ready; nothing is connected to yet.
    ///
    /// # Errors
    /// With what is wrong with any account.
    pub fn open(config: &PlacesConfig) -> Result<Self, Vec<AccountFault>> {
        let mut accounts = BTreeMap::new();
        let mut faults = Vec::new();
        let patience = Patience { answer: config.timeout, whole: config.timeout };
        for (name, account) in &config.accounts {
            match Server::open(account, patience) {
                Ok(account) => drop(accounts.insert(name.clone(), account)),
                Err(text) => faults.push(AccountFault { account: name.clone(), text }),
            }
        }
        let roots = config.roots.clone();
        if faults.is_empty() {
            Ok(Self { roots, accounts, timeout: config.timeout, limit: config.limit })
        } else {
            Err(faults)
        }
    }

    /// The names of the accounts, each with what it is.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.accounts.iter().map(|(name, server)| (name.as_str(), server.channel()))
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
            Address::Sftp(remote) => self.server(&remote.account, "sftp")?.at(&remote.path)?,
            Address::S3(remote) => self.server(&remote.account, "s3")?.at(&remote.path)?,
        };
        Ok(Place { driver, timeout: self.timeout })
    }

    /// The place of a file that is written with it, `sftp:partner:/inbox/status.csv` or `folder:/srv/in/status.csv`, and
    /// its name there.
    ///
    /// # Errors
    /// When it is none, or the settings do not allow it.
    pub fn of_file<'a>(&self, text: &'a str) -> Result<(Place, &'a str), Failure> {
        let unreadable =
            || refused("no-file-address", format!("`{text}` is no file; write one such as sftp:partner:/inbox/a.csv"));
        let (scheme, rest) = text.split_once(':').filter(|_| super::is_plain(text)).ok_or_else(unreadable)?;
        let (folder, name) = rest.rsplit_once('/').or(rest.rsplit_once(':')).ok_or_else(unreadable)?;
        if name.is_empty() {
            return Err(unreadable());
        }
        let driver = match scheme {
            "folder" => Driver::Folder(self.folder(Path::new(folder))?),
            _ => {
                let (account, path) = folder.split_once(':').unwrap_or((folder, ""));
                // What lies right in the root has a slash before it.
                let path = if path.is_empty() && rest.contains(":/") { "/" } else { path };
                self.server(account, scheme)?.at(path)?
            }
        };
        Ok((Place { driver, timeout: self.timeout }, name))
    }

    /// How many bytes a file that steps fetch may have.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Logs in to the account `name`, where that can be done without a place.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn probe(&self, name: &str) -> Result<String, Failure> {
        match self.accounts.get(name) {
            Some(server) => server.probe().await,
            None => Err(self.unknown(name, "files")),
        }
    }

    fn server(&self, account: &str, channel: &str) -> Result<&Server, Failure> {
        let server = self.accounts.get(account).filter(|server| server.channel() == channel);
        server.ok_or_else(|| self.unknown(account, channel))
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
