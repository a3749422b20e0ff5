//! Commands about accounts: whether they work, and holding them back.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Place, author, print};
use crate::{
    app::App,
    run::allowance::{self, Now},
};

/// Lists accounts.
#[derive(Debug, Args)]
pub(super) struct Accounts {}

impl Accounts {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let accounts = allowance::accounts(&app.engine).await?;
        if place.json {
            print::json(&json!({ "items": accounts }))?;
        } else {
            print::table(
                "There are no accounts; the settings have them under [account.NAME].",
                ["name", "channel", "state", "why", "since", "until", "by", "at once", "a minute"],
                accounts.into_iter().map(row),
            )?;
        }
        app.database.close().await
    }
}

fn row(account: Now) -> [String; 9] {
    let number = |most: Option<usize>| most.map(|it| it.to_string()).unwrap_or_default();
    [
        account.name,
        account.channel,
        print::word(&account.state),
        print::reason(account.reason.as_ref()),
        print::time(account.paused_at),
        print::time(account.until_at),
        account.paused_by.unwrap_or_default(),
        number(account.at_once),
        number(account.per_minute),
    ]
}

/// What is done about an account.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Keeps anything from being sent by it, until it is resumed.
    Pause {
        /// The account's name.
        name: String,
        /// For whoever finds it paused.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Lets it be used again; what waits for it goes out.
    Resume {
        /// The account's name.
        name: String,
    },
}

impl Account {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let author = author(&app);
        let name = match self {
            Self::Pause { name, reason } => {
                let why = reason.unwrap_or_else(|| allowance::by_hand(&author));
                allowance::pause(&app.engine, &author, (&name, &why)).await?;
                name
            }
            Self::Resume { name } => {
                allowance::resume(&app.engine, &author, &name).await?;
                name
            }
        };
        told(&app, place, &name).await?;
        app.database.close().await
    }
}

async fn told(app: &App, place: &Place, name: &str) -> Result<()> {
    let accounts = allowance::accounts(&app.engine).await?;
    let Some(account) = accounts.into_iter().find(|it| it.name == name) else { return Ok(()) };
    if place.json {
        return print::json(&account);
    }
    print::line(format_args!("account {name} is {} now", print::word(&account.state)))
}
