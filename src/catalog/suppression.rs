//! Addresses nothing is sent to any more.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{Faults, check};
use crate::audit::{self, Author, Deed};

/// An address nothing is sent to any more.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Suppression {
    pub channel: String,
    pub contact: String,
    pub reason: String,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
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
    /// Why, in a line; `by hand` when absent.
    pub reason: Option<String>,
}

/// One address on one channel, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    channel: String,
    contact: String,
    reason: String,
}

/// Checks what was written.
///
/// # Errors
/// All that is wrong, with what is in `faults` already.
pub fn check(input: Input, mut faults: Faults) -> Result<Address, Faults> {
    let channels = check::CHANNELS.join(", ");
    let channel = faults.need("channel", input.channel, &format!("write one of {channels}")).unwrap_or_default();
    if !check::CHANNELS.contains(&channel.as_str()) {
        faults.add("channel", format!("`{channel}` is no channel; write one of {channels}"));
    }
    let contact = faults.need("contact", input.contact, "write the address").unwrap_or_default();
    faults.told("contact", check::contact(&channel, &contact));
    let reason = input.reason.unwrap_or_else(|| "by hand".to_owned());
    faults.told("reason", check::line(&reason));
    faults.or(Address { contact: key(&channel, &contact), channel, reason })
}

/// Mailboxes are compared without regard to case: no provider tells them apart, and people write them either way.
fn key(channel: &str, contact: &str) -> String {
    if channel == "email" { contact.to_lowercase() } else { contact.to_owned() }
}

/// Adds an address, or changes its reason.
pub async fn add(db: &PgPool, author: &Author, address: Address) -> Result<Suppression> {
    let mut db = db.begin().await.context("beginning to suppress an address")?;
    let added = sqlx::query_as!(
        Suppression,
        r#"
        insert into suppression (channel, contact, reason, created_at, created_by)
        values ($1, $2, $3, $4, $5)
        on conflict on constraint suppression_pkey do update set reason = excluded.reason
        returning channel, contact, reason, created_at, created_by
        "#,
        address.channel,
        address.contact,
        address.reason,
        author.at,
        author.name,
    )
    .fetch_one(&mut *db)
    .await
    .context("suppressing an address")?;
    let detail = json!({ "channel": added.channel, "reason": added.reason });
    audit::record(&mut db, author, Deed { action: "suppression.added", object: &added.contact, detail }).await?;
    db.commit().await.context("suppressing an address")?;
    Ok(added)
}

/// Adds an address of which the far side says that it does not exist or does not want anything, in the caller's
/// transaction. One that is suppressed already keeps its reason.
pub async fn bounced(
    db: &mut PgConnection,
    author: &Author,
    (channel, contact): (&str, &str),
    why: &str,
) -> Result<()> {
    let contact = key(channel, contact);
    let added = sqlx::query!(
        r#"
        insert into suppression (channel, contact, reason, created_at, created_by)
        values ($1, $2, $3, $4, $5)
        on conflict on constraint suppression_pkey do nothing
        "#,
        channel,
        contact,
        why,
        author.at,
        author.name,
    )
    .execute(&mut *db)
    .await
    .context("suppressing an address that mails come back from")?;
    if added.rows_affected() == 0 {
        return Ok(());
    }
    let detail = json!({ "channel": channel, "reason": why });
    audit::record(db, author, Deed { action: "suppression.added", object: &contact, detail }).await
}

/// Lets an address be sent to again. False when it was not suppressed.
pub async fn remove(db: &PgPool, author: &Author, (channel, contact): (&str, &str)) -> Result<bool> {
    let contact = key(channel, contact);
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
pub async fn list(db: &PgPool, after: Option<(&str, &str)>, limit: i64) -> Result<Vec<Suppression>> {
    let (channel, contact) = after.unzip();
    sqlx::query_as!(
        Suppression,
        r#"
        select channel, contact, reason, created_at, created_by
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
