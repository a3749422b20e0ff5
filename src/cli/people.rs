//! Commands about users and tokens.

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{Place, author, print};
use crate::{
    account::{self, Role, UserInput},
    app::App,
    catalog::{Expect, Faults},
};

/// What is done about users.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Adds a user.
    Add(Box<Add>),
    /// Lists users.
    List,
    /// Keeps a user and their tokens out.
    Disable {
        /// The user's name.
        name: String,
    },
    /// Lets a user in again.
    Enable {
        /// The user's name.
        name: String,
    },
}

/// A user to add.
#[derive(Debug, Args)]
pub(super) struct Add {
    name: String,
    #[arg(long)]
    title: Option<String>,
    #[arg(long, default_value = "user")]
    role: RoleArg,
    #[arg(long)]
    email: Option<String>,
    /// Tell them what fails and what does not happen, and send them the daily digest.
    #[arg(long)]
    monitor: bool,
    /// The channel they are told by, for which they need a contact; `email` without it.
    #[arg(long, value_name = "CHANNEL")]
    monitor_channel: Option<String>,
    /// A contact besides the e-mail address: `--contact folder=monitors`.
    #[arg(long = "contact", value_name = "CHANNEL=ADDRESS", value_parser = attribute)]
    contacts: Vec<(String, String)>,
    /// The zone of their day, such as Europe/Amsterdam.
    #[arg(long)]
    zone: Option<String>,
    /// What expressions see as `user.NAME`.
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    User,
    Operator,
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::User => Self::User,
            RoleArg::Operator => Self::Operator,
            RoleArg::Admin => Self::Admin,
        }
    }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, for example company=Acme")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl User {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        match self {
            Self::Add(add) => added(&app, place, *add).await?,
            Self::List => listed(&app, place).await?,
            Self::Disable { name } => account::enable(&app.database.pool, &author(&app), (&name, false)).await?,
            Self::Enable { name } => account::enable(&app.database.pool, &author(&app), (&name, true)).await?,
        }
        app.database.close().await
    }
}

async fn added(app: &App, place: &Place, add: Add) -> Result<()> {
    let attributes: Map<String, Value> = add.attributes.into_iter().map(|(name, value)| (name, json!(value))).collect();
    let input = UserInput {
        name: Some(add.name),
        title: add.title,
        role: Some(add.role.into()),
        attributes: Some(attributes),
        contacts: add.email.into_iter().map(|email| ("email".to_owned(), email)).chain(add.contacts).collect(),
        monitor: Some(add.monitor),
        monitor_channel: add.monitor_channel,
        zone: add.zone,
        enabled: Some(true),
    };
    let user = match account::check(input, app.engine.country, Faults::default()) {
        Ok(user) => user,
        Err(faults) => bail!("the user cannot be added:\n{faults}"),
    };
    let name = user.name.clone();
    account::save(&app.database.pool, &author(app), user, Expect::Absent).await?;
    match account::get(&app.database.pool, &name).await? {
        Some(user) if place.json => print::json(&user),
        _ => print::line(format_args!("user {name} added; `postbook token new {name}` makes a token for the API")),
    }
}

async fn listed(app: &App, place: &Place) -> Result<()> {
    let users = account::list(&app.database.pool, None, i64::from(i32::MAX)).await?;
    if place.json {
        return print::json(&json!({ "items": users }));
    }
    print::table(
        "There are no users; `postbook user add` adds one.",
        ["name", "title", "role", "e-mail", "monitor", "enabled"],
        users.into_iter().map(|user| {
            let email = user.contacts.get("email").cloned().unwrap_or_default();
            let yes = |it| if it { "yes" } else { "no" }.to_owned();
            let monitor = if user.monitor { format!("by {}", user.monitor_channel) } else { "no".to_owned() };
            [user.name, user.title, print::word(&user.role), email, monitor, yes(user.enabled)]
        }),
    )
}

/// What is done about tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Makes a token; it is shown this once.
    New {
        /// The user whose token it is.
        user: String,
        /// What it may do at most; the user's role otherwise.
        #[arg(long)]
        scope: Option<RoleArg>,
        /// What it is for.
        #[arg(long, default_value = "made on the command line")]
        title: String,
    },
    /// Ends a token.
    Revoke {
        /// Its number.
        token: i64,
    },
    /// Lists tokens without their secrets.
    List,
}

impl Token {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let db = &app.database.pool;
        match self {
            Self::New { user, scope, title } => {
                let issued = account::issue(db, &author(&app), (&user, &title, scope.map(Role::from))).await?;
                if place.json {
                    print::json(&issued)?;
                } else {
                    print::line(issued.token)?;
                }
            }
            Self::Revoke { token } => {
                if !account::revoke(db, &author(&app), (token, None)).await? {
                    bail!("there is no token {token} that could be revoked; `postbook token list` shows them");
                }
            }
            Self::List => {
                let tokens = account::tokens(db, None, (None, i64::from(i32::MAX))).await?;
                if place.json {
                    print::json(&json!({ "items": tokens }))?;
                } else {
                    print::table(
                        "There are no tokens; `postbook token new USER` makes one.",
                        ["no.", "user", "title", "scope", "made", "last used", "revoked"],
                        tokens.into_iter().map(|it| {
                            [
                                it.id.to_string(),
                                it.user,
                                it.title,
                                print::word(&it.scope),
                                print::time(Some(it.created_at)),
                                print::time(it.last_used_at),
                                print::time(it.revoked_at),
                            ]
                        }),
                    )?;
                }
            }
        }
        app.database.close().await
    }
}
