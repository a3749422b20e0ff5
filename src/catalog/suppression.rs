//! Addresses nothing is sent to any more: why, of what kind, by whom and since when.
//!
//! Links go out by mail: an address that gets no mail any more gets no links either. The database says the same where
//! it is asked whether something is suppressed (`suppressed_as`).

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{Faults, check};
use crate::{
    audit::{self, Author, Deed},
    contact::{Contact, Country},
    reason::{Reason, Scope},
};

/// An address nothing is sent to any more.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Suppression {
    pub channel: String,
    pub contact: String,
    /// The channels by which nothing is sent to it any more.
    pub stops: Vec<String>,
    pub kind: Kind,
    pub reason: String,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
}

/// What made somebody stop sending to an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[sqlx(type_name = "text", rename_all = "kebab-case")]
#[schema(as = SuppressionKind)]
pub enum Kind {
    /// A person decided it.
    #[default]
    ByHand,
    /// What was sent came back for good.
    Bounce,
    /// The recipient called it spam.
    Complaint,
    /// The recipient wants no more of it.
    Unsubscribed,
    /// The recipient answered STOP.
    Stop,
    /// It belongs to somebody else.
    WrongNumber,
    /// People answer where a fax should.
    Answered,
}

impl Kind {
    /// Why nothing is sent to `contact`.
    pub fn reason(self, contact: &str) -> Reason {
        let (code, why) = match self {
            Self::Answered => ("number-answered", ", because people answer there"),
            _ => ("suppressed", ""),
        };
        Reason::new(Scope::Contact, code, format!("nothing is sent to {contact} any more{why}; see the suppressions"))
    }
}

/// A suppression as it is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = NewSuppression)]
pub struct Input {
    #[schema(required, example = "email")]
    pub channel: Option<String>,
    #[schema(required, example = "ann@example.org")]
    pub contact: Option<String>,
    /// `by-hand` when absent.
    pub kind: Option<Kind>,
    /// Why, in a line; `by hand` when absent.
    pub reason: Option<String>,
}

/// One address on one channel, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    channel: String,
    contact: String,
    kind: Kind,
    reason: String,
}

impl Address {
    /// The address that `contact` is on `channel`, in the form by which it is found again.
    pub fn of(channel: &str, contact: &Contact, kind: Kind, reason: impl Into<String>) -> Self {
        Self { channel: channel.to_owned(), contact: contact.key(), kind, reason: reason.into() }
    }
}

/// Checks what was written; numbers may lack their country when `country` says it.
///
/// # Errors
/// All that is wrong, with what is in `faults` already.
pub fn check(input: Input, country: Option<Country>, mut faults: Faults) -> Result<Address, Faults> {
    let channels = check::CHANNELS.join(", ");
    let channel = faults.need("channel", input.channel, &format!("write one of {channels}")).unwrap_or_default();
    if !check::CHANNELS.contains(&channel.as_str()) {
        faults.add("channel", format!("`{channel}` is no channel; write one of {channels}"));
    }
    let contact = faults.need("contact", input.contact, "write the address").unwrap_or_default();
    faults.told("contact", check::contact(&channel, &contact, country));
    let reason = input.reason.unwrap_or_else(|| "by hand".to_owned());
    faults.told("reason", check::line(&reason));
    let contact = key(&channel, &contact, country);
    faults.or(Address { contact, channel, kind: input.kind.unwrap_or_default(), reason })
}

/// The form by which an address is found again; one that cannot be sent to stays as it is.
fn key(channel: &str, contact: &str, country: Option<Country>) -> String {
    Contact::parse_in(channel, contact, country).map_or_else(|_| contact.to_owned(), |contact| contact.key())
}

/// Adds an address, or changes its reason.
///
/// # Errors
/// When the database cannot be written.
pub async fn add(db: &PgPool, author: &Author, address: Address) -> Result<Suppression> {
    let mut db = db.begin().await.context("beginning to suppress an address")?;
    let added = suppress(&mut db, author, address).await?;
    db.commit().await.context("suppressing an address")?;
    Ok(added)
}

/// The same in the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn suppress(db: &mut PgConnection, author: &Author, address: Address) -> Result<Suppression> {
    let added = sqlx::query_as!(
        Suppression,
        r#"
        insert into suppression (channel, contact, kind, reason, created_at, created_by)
        values ($1, $2, $3, $4, $5, $6)
        on conflict on constraint suppression_pkey do update set kind = excluded.kind, reason = excluded.reason
        returning channel, contact, kind as "kind: Kind", reason, created_at, created_by,
                  array_remove(array[channel, case channel when 'email' then 'pickup' end], null) as "stops!"
        "#,
        address.channel,
        address.contact,
        address.kind as Kind,
        address.reason,
        author.at,
        author.name,
    )
    .fetch_one(&mut *db)
    .await
    .context("suppressing an address")?;
    let detail = json!({ "channel": added.channel, "kind": added.kind, "reason": added.reason });
    audit::record(db, author, Deed { action: "suppression.added", object: &added.contact, detail }).await?;
    Ok(added)
}

/// Adds an address of which the far side says that it does not exist or does not want anything, in the caller's
/// transaction. One that is suppressed already keeps its reason.
///
/// # Errors
/// When the database cannot be written.
pub async fn bounced(
    db: &mut PgConnection,
    author: &Author,
    (channel, contact): (&str, &str),
    why: &str,
) -> Result<()> {
    // It is the mailbox that does not take the mail with the link.
    let channel = if channel == "pickup" { "email" } else { channel };
    let contact = key(channel, contact, None);
    let known = sqlx::query_scalar!(
        r#"select exists (select from suppression where channel = $1 and contact = $2) as "known!""#,
        channel,
        contact,
    )
    .fetch_one(&mut *db)
    .await
    .context("looking for an address that mails come back from")?;
    if known {
        return Ok(());
    }
    let address = Address { channel: channel.to_owned(), contact, kind: Kind::Bounce, reason: why.to_owned() };
    suppress(db, author, address).await.map(drop)
}

/// Lets an address be sent to again. False when it was not suppressed.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove(
    db: &PgPool,
    author: &Author,
    (channel, contact): (&str, &str),
    country: Option<Country>,
) -> Result<bool> {
    let contact = key(channel, contact, country);
    let mut db = db.begin().await.context("beginning to lift a suppression")?;
    let removed = sqlx::query!("delete from suppression where channel = $1 and contact = $2", channel, contact)
        .execute(&mut *db)
        .await
        .context("lifting a suppression")?;
    if removed.rows_affected() == 0 {
        return Ok(false);
    }
    let detail = json!({ "channel": channel });
    audit::record(&mut db, author, Deed { action: "suppression.removed", object: &contact, detail }).await?;
    db.commit().await.context("lifting a suppression")?;
    Ok(true)
}

/// A page of suppressions in the order of channel and contact, after these.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(db: &PgPool, after: Option<(&str, &str)>, limit: i64) -> Result<Vec<Suppression>> {
    let (channel, contact) = after.unzip();
    sqlx::query_as!(
        Suppression,
        r#"
        select channel, contact, kind as "kind: Kind", reason, created_at, created_by,
               array_remove(array[channel, case channel when 'email' then 'pickup' end], null) as "stops!"
          from suppression
         where $1::text is null or (channel, contact) > ($1, $2)
         order by channel, contact
         limit $3
        "#,
        channel,
        contact,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing suppressions")
}
