//! All accounts by name, and which of them serves a channel.

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, AccountConfig, AccountError};

/// Every configured account, ready for parcels.
#[derive(Debug, Default)]
pub struct Channels {
    accounts: BTreeMap<String, Account>,
}

impl Channels {
    /// Opens all accounts.
    ///
    /// # Errors
    /// Every account that cannot be used, not only the first.
    pub fn open(configs: &BTreeMap<String, AccountConfig>) -> Result<Self, Vec<AccountError>> {
        let mut accounts = BTreeMap::<_, Account>::new();
        let mut errors = Vec::new();
        // Those that mail by another one come after it.
        let (later, first): (Vec<_>, Vec<_>) = configs.iter().partition(|(_, config)| config.mail.is_some());
        for (name, config) in first.into_iter().chain(later) {
            let mail = config.mail.as_ref().and_then(|mail| accounts.get(mail));
            match Account::open_with(name, config, mail) {
                Ok(account) => {
                    accounts.insert(name.clone(), account);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self { accounts }) } else { Err(errors) }
    }

    /// The names of the channels that have an account.
    pub fn channels(&self) -> BTreeSet<String> {
        self.accounts().map(|account| account.channel().to_owned()).collect()
    }

    /// All accounts, by name.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The account of this name.
    pub fn get(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// The account to use on `channel`: the `wanted` one, else the first by name.
    ///
    /// A wanted account that does not exist or serves another channel is not replaced by one that nobody asked for.
    pub fn pick(&self, channel: &str, wanted: Option<&str>) -> Option<&Account> {
        match wanted {
            Some(name) => self.get(name).filter(|account| account.channel() == channel),
            None => self.accounts().find(|account| account.channel() == channel),
        }
    }
}
