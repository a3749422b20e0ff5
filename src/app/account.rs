//! The accounts of the settings, as the channels have them. What the settings leave out stays as the channel has it.

use std::num::NonZeroUsize;

use anyhow::Result;

use super::settings::{listed, public};
use crate::{
    channel::{
        Settle, Silence,
        account::{AccountConfig, Channels, Each, FaxConfig, Limits, TooLarge},
    },
    config::{self, Config},
    source::place::Exists,
};

/// Opens the configured accounts.
///
/// # Errors
/// With what is wrong with any of them.
pub fn channels(config: &Config) -> Result<Channels> {
    let accounts = config.accounts().map(|(name, account)| {
        let callback = public(config)?.map(|public| format!("{public}/callbacks/{name}"));
        let links = public(config)?.map(|public| format!("{public}/pickup"));
        Ok((name.to_owned(), AccountConfig { links, ..account_config(account, callback) }))
    });
    let accounts = accounts.collect::<Result<_>>()?;
    Channels::open(&accounts).map_err(|faults| listed("accounts", &faults))
}
/// What the file leaves out stays as the channel has it.
fn account_config(account: &config::Account, callback: Option<String>) -> AccountConfig {
    let defaults = AccountConfig::new(account.url.expose());
    AccountConfig {
        from: account.from.clone(),
        channel: account.channel.clone(),
        settle: account.settle.map(|settle| match settle {
            config::Settle::Repeat => Settle::Repeat,
            config::Settle::Hold => Settle::Hold,
            config::Settle::Ask => Settle::Ask,
        }),
        ask_for: account.ask_for.unwrap_or(defaults.ask_for),
        bounces: account.bounces.as_ref().map(|url| url.expose().to_owned()),
        bounces_within: account.bounces_within.unwrap_or(defaults.bounces_within),
        return_path: account.return_path.clone(),
        callback,
        verify: account.verify.clone(),
        max_parts: account.max_parts.map_or(defaults.max_parts, NonZeroUsize::get),
        transliterate: account.transliterate,
        ca: account.ca.clone(),
        host_key: account.host_key.clone(),
        key: account.key.clone(),
        exists: account.exists.map_or(defaults.exists, |exists| match exists {
            config::Exists::Overwrite => Exists::Overwrite,
            config::Exists::Suffix => Exists::Suffix,
            config::Exists::Fail => Exists::Fail,
        }),
        timeout: account.timeout.unwrap_or(defaults.timeout),
        // One node alone can have all turns.
        connections: account.connections.or(account.at_once).map_or(defaults.connections, NonZeroUsize::get),
        limits: Limits { at_once: account.at_once, per_minute: account.per_minute },
        each: Each {
            contact: Limits { at_once: account.contact_at_once, per_minute: account.contact_per_minute },
            domain: Limits { at_once: account.domain_at_once, per_minute: account.domain_per_minute },
        },
        window: account.window.clone(),
        quiet: account.quiet.clone(),
        zone: account.zone,
        greylist: account.greylist.unwrap_or(defaults.greylist),
        final_timeout: account.final_timeout.unwrap_or(defaults.final_timeout),
        refuse: account.refuse.clone(),
        fax: fax_config(account),
        attach_limit: account.attach_limit.map(|limit| limit.0),
        too_large: account.too_large.map(|it| match it {
            config::TooLarge::Link => TooLarge::Link,
            config::TooLarge::Refuse => TooLarge::Refuse,
        }),
        link_secret: account.link_secret.clone(),
        lifetime: account.lifetime.unwrap_or(defaults.lifetime),
        mail: account.mail.clone(),
        unclaimed: account.unclaimed.map(silence),
        word_within: account.word_within,
        without_word: account.without_word.map(silence),
        ..defaults
    }
}

fn silence(silence: config::Silence) -> Silence {
    match silence {
        config::Silence::Delivered => Silence::Delivered,
        config::Silence::Failed => Silence::Failed,
        config::Silence::Uncertain => Silence::Uncertain,
    }
}

fn fax_config(account: &config::Account) -> FaxConfig {
    FaxConfig {
        station: account.station.clone(),
        header: account.header.clone(),
        resolution: account.resolution.clone(),
        paper: account.paper.clone(),
        modem: account.modem.clone(),
        dial: account.dial.clone(),
        dials: account.dials,
        expire: account.expire,
    }
}
