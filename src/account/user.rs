//! Users: who batches run as, who is told, and who may act.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool};

use super::Role;
use crate::{
    audit::{self, Author, Deed},
    catalog::{Expect, Faults, Saved, check},
    contact::{Contact, Contacts, Country},
};

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct User {
    pub name: String,
    pub title: String,
    pub role: Role,
    /// What expressions see as `user.*`: company, builder, ...
    pub attributes: Map<String, Value>,
    #[schema(value_type = BTreeMap<String, String>)]
    pub contacts: Contacts,
    /// Whether they are told what fails and what does not happen, and get the daily digest.
    pub monitor: bool,
    /// The channel a monitor is told by.
    pub monitor_channel: String,
    /// The zone a monitor's day is in; the one of the settings otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "Europe/Amsterdam")]
    pub zone: Option<Tz>,
    pub enabled: bool,
}

/// A user as it is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UserInput {
    /// The key in paths, commands and batches.
    #[schema(required, example = "site-a")]
    pub name: Option<String>,
    #[schema(example = "Site A")]
    pub title: Option<String>,
    /// `user` when absent.
    pub role: Option<Role>,
    /// What expressions see as `user.*`: company, builder, ...
    pub attributes: Option<Map<String, Value>>,
    /// Addresses by channel.
    pub contacts: BTreeMap<String, String>,
    /// Whether they are told what fails and what does not happen, and get the daily digest.
    pub monitor: Option<bool>,
    /// The channel a monitor is told by, for which they need a contact; `email` when absent.
    #[schema(example = "email")]
    pub monitor_channel: Option<String>,
    /// The zone a monitor's day is in; the one of the settings when absent.
    #[schema(example = "Europe/Amsterdam")]
    pub zone: Option<String>,
    /// True when absent.
    pub enabled: Option<bool>,
}

/// Why a user could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("there is a user `{0}` already; change it, or write another name")]
    Exists(String),
    #[error("`{0}` is the last enabled admin; make another one first")]
    LastAdmin(String),
    #[error("there is no user `{0}`")]
    Unknown(String),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// How monitors are told who do not say how.
const USUAL_CHANNEL: &str = "email";

/// How many bytes attributes may have. Every run keeps a copy of those it began with.
const MOST_ATTRIBUTES: usize = 32 * 1024;

/// Checks what was written; numbers may lack their country when `country` says it, and are kept with it.
///
/// # Errors
/// All that is wrong, with what is in `faults` already.
pub fn check(input: UserInput, country: Option<Country>, mut faults: Faults) -> Result<User, Faults> {
    let name = faults.need("name", input.name, "write a key such as `site-a`").unwrap_or_default();
    let title = input.title.unwrap_or_else(|| name.clone());
    for (at, fault) in [("name", check::slug(&name)), ("title", check::line(&title))] {
        if let Some(fault) = fault {
            faults.add(at, fault);
        }
    }
    for (channel, contact) in &input.contacts {
        let known = check::CHANNELS.contains(&channel.as_str());
        let fault = if known { check::contact(channel, contact, country) } else { Some(check::unknown_channel()) };
        if let Some(fault) = fault {
            faults.add(format!("contacts/{channel}"), fault);
        }
    }
    let attributes = input.attributes.unwrap_or_default();
    let size = Value::from(attributes.clone()).to_string().len();
    if size > MOST_ATTRIBUTES {
        faults.add("attributes", format!("are {size} bytes of JSON; write at most {MOST_ATTRIBUTES}"));
    }
    let monitor = input.monitor.unwrap_or_default();
    let monitor_channel = input.monitor_channel.unwrap_or_else(|| USUAL_CHANNEL.to_owned());
    if !check::CHANNELS.contains(&monitor_channel.as_str()) {
        faults.add("monitor_channel", check::unknown_channel());
    } else if monitor && !input.contacts.contains_key(&monitor_channel) {
        let text = format!("is missing; this monitor is told by {monitor_channel}, so write an address");
        faults.add(format!("contacts/{monitor_channel}"), text);
    }
    let zone = zone(input.zone, &mut faults);
    faults.or(User {
        name,
        title,
        role: input.role.unwrap_or(Role::User),
        attributes,
        contacts: input.contacts.into_iter().map(|contact| with_country(contact, country)).collect(),
        monitor,
        monitor_channel,
        zone,
        enabled: input.enabled.unwrap_or(true),
    })
}

/// A number as it is called from anywhere; other contacts stay as they were written.
fn with_country((channel, contact): (String, String), country: Option<Country>) -> (String, String) {
    match Contact::parse_in(&channel, &contact, country) {
        Ok(Contact::Number(number)) => (channel, number.to_string()),
        _ => (channel, contact),
    }
}

fn zone(written: Option<String>, faults: &mut Faults) -> Option<Tz> {
    let zone = written?;
    let read = zone.parse().ok();
    if read.is_none() {
        faults.add("zone", format!("`{zone}` is no zone; write one such as `Europe/Amsterdam`"));
    }
    read
}

/// A page of users in the order of their names, after the name `after`.
pub async fn list(db: &PgPool, after: Option<&str>, limit: i64) -> Result<Vec<User>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select name, title, role as "role: Role", attributes, contacts, monitor, monitor_channel, zone, enabled
          from "user"
         where not own and ($1::text is null or name > $1)
         order by name
         limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing users")?;
    rows.into_iter().map(Row::read).collect()
}

/// The user called `name`.
pub async fn get(db: &PgPool, name: &str) -> Result<Option<User>> {
    let mut db = db.acquire().await.context("connecting to read a user")?;
    find(&mut db, name).await
}

/// Saves a checked user.
///
/// # Errors
/// When there is one of this name and none is expected, or nobody would be left who may change things.
pub async fn save(db: &PgPool, author: &Author, user: User, expect: Expect) -> Result<Saved, UserError> {
    let mut db = db.begin().await.context("beginning to save a user")?;
    lock(&mut db).await?;
    let before = find(&mut db, &user.name).await?;
    match &before {
        Some(_) if expect == Expect::Absent => return Err(UserError::Exists(user.name)),
        Some(before) if *before == user => return Ok(Saved::Unchanged),
        _ => {}
    }
    write(&mut db, author, &user).await?;
    if before.as_ref().is_some_and(|before| before.role == Role::Admin && before.enabled) {
        keeps_an_admin(&mut db, &user.name).await?;
    }
    let detail = json!({ "role": user.role, "enabled": user.enabled, "monitor": user.monitor });
    audit::record(&mut db, author, Deed { action: "user.saved", object: &user.name, detail }).await?;
    db.commit().await.context("saving a user")?;
    Ok(if before.is_some() { Saved::Changed } else { Saved::Created })
}

/// Lets a user in, or keeps them and their tokens out.
///
/// # Errors
/// When there is no such user, or nobody would be left who may change things.
pub async fn enable(db: &PgPool, author: &Author, (name, enabled): (&str, bool)) -> Result<(), UserError> {
    let user = get(db, name).await?.ok_or_else(|| UserError::Unknown(name.to_owned()))?;
    save(db, author, User { enabled, ..user }, Expect::Any).await?;
    Ok(())
}

/// Writers of users queue up, so that two admins cannot disable each other at once.
pub(super) async fn lock(db: &mut PgConnection) -> Result<()> {
    sqlx::query!(r#"lock table "user" in share row exclusive mode"#).execute(db).await.context("locking the users")?;
    Ok(())
}

async fn find(db: &mut PgConnection, name: &str) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select name, title, role as "role: Role", attributes, contacts, monitor, monitor_channel, zone, enabled
          from "user"
         where name = $1 and not own
        "#,
        name,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("reading user {name}"))?;
    row.map(Row::read).transpose()
}

pub(super) async fn write(db: &mut PgConnection, author: &Author, user: &User) -> Result<()> {
    sqlx::query!(
        r#"
        insert into "user" (name, title, role, attributes, contacts, monitor, enabled, monitor_channel, zone, created_at,
                            changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
        on conflict on constraint user_pkey do update
           set title = excluded.title, role = excluded.role, attributes = excluded.attributes,
               contacts = excluded.contacts, monitor = excluded.monitor, enabled = excluded.enabled,
               monitor_channel = excluded.monitor_channel, zone = excluded.zone,
               changed_at = excluded.changed_at
        "#,
        user.name,
        user.title,
        user.role as Role,
        Value::Object(user.attributes.clone()),
        serde_json::to_value(&user.contacts)?,
        user.monitor,
        user.enabled,
        user.monitor_channel,
        user.zone.map(Tz::name),
        author.at,
    )
    .execute(db)
    .await
    .with_context(|| format!("saving user {}", user.name))?;
    Ok(())
}

async fn keeps_an_admin(db: &mut PgConnection, changed: &str) -> Result<(), UserError> {
    let left = sqlx::query_scalar!(r#"select exists (select from "user" where role = 'admin' and enabled) as "left!""#)
        .fetch_one(db)
        .await
        .context("counting admins")?;
    if left { Ok(()) } else { Err(UserError::LastAdmin(changed.to_owned())) }
}

struct Row {
    name: String,
    title: String,
    role: Role,
    attributes: Value,
    contacts: Value,
    monitor: bool,
    monitor_channel: String,
    zone: Option<String>,
    enabled: bool,
}

impl Row {
    fn read(self) -> Result<User> {
        Ok(User {
            attributes: serde_json::from_value(self.attributes)
                .with_context(|| format!("the attributes of {}", self.name))?,
            contacts: serde_json::from_value(self.contacts)
                .with_context(|| format!("the contacts of {}", self.name))?,
            name: self.name,
            title: self.title,
            role: self.role,
            monitor: self.monitor,
            monitor_channel: self.monitor_channel,
            // One that is known no longer is not worth the user.
            zone: self.zone.and_then(|zone| zone.parse().ok()),
            enabled: self.enabled,
        })
    }
}
