//! What was turned away from and arrived after all: what that means for those that followed it.
//!
//! Called in the transaction that writes that something arrived.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    id::TransmissionId,
    reason::{Reason, Scope},
};

/// The code of what is not sent because it arrived at an earlier contact after all.
const ARRIVED: &str = "arrived";

/// Skips what followed `transmission` and was not tried yet: its recipient has it, by `channel`.
pub(super) async fn spare(
    db: &mut PgConnection,
    (transmission, channel): (TransmissionId, &str),
    now: DateTime<Utc>,
) -> Result<()> {
    let reason = Reason::new(Scope::Contact, ARRIVED, format!("it arrived by {channel} after all"));
    sqlx::query!(
        r#"
        with recursive next as (
            select id from transmission where turned_from = $1
             union all
            select transmission.id from next join transmission on transmission.turned_from = next.id
        )
        update transmission
           set state = 'skipped', reason = $2, next_at = null, changed_at = $3
          from next
         where transmission.id = next.id and transmission.state = 'queued' and transmission.attempts = 0
        "#,
        transmission as TransmissionId,
        serde_json::to_value(reason)?,
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("sparing what followed transmission {transmission}"))?;
    Ok(())
}

/// Admits that a recipient may have it twice: whatever followed one that arrived, or may have, at an earlier contact.
pub(super) async fn admit(db: &mut PgConnection, transmission: TransmissionId) -> Result<()> {
    sqlx::query!(
        r#"
        with recursive before as (
            select id, turned_from from transmission where id = $1
             union all
            select transmission.id, transmission.turned_from
              from before join transmission on transmission.id = before.turned_from
        ), line as (
            select transmission.id, transmission.state, false as behind
              from before join transmission on transmission.id = before.id
             where before.turned_from is null
             union all
            select transmission.id, transmission.state,
                   line.behind or line.state in ('uncertain', 'accepted', 'delivered')
              from line join transmission on transmission.turned_from = line.id
        )
        update transmission
           set possibly_twice = true
          from line
         where transmission.id = line.id and line.behind and not transmission.possibly_twice
           and transmission.state in ('queued', 'sending', 'uncertain', 'accepted', 'delivered')
        "#,
        transmission as TransmissionId,
    )
    .execute(db)
    .await
    .with_context(|| format!("admitting that what followed transmission {transmission} may be there twice"))?;
    Ok(())
}
