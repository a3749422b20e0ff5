//! The users who are told, and which way.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;

/// The channel whose monitors are told in the run itself.
pub const MAIL: &str = "email";

/// A user who is told.
#[derive(Debug, Clone)]
pub struct Monitor {
    pub name: String,
    pub title: String,
    pub channel: String,
    /// The address on that channel, if there is one.
    pub contact: Option<String>,
    /// The zone their day is in, if they name one.
    pub zone: Option<Tz>,
    /// When they were last changed, and so a monitor at the latest.
    pub since: DateTime<Utc>,
}

/// A monitor with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reachable {
    pub name: String,
    pub title: String,
    pub channel: String,
    pub contact: String,
}

impl Monitor {
    /// Where they are told, if they can be.
    pub fn reachable(&self) -> Option<Reachable> {
        let contact = self.contact.clone()?;
        Some(Reachable { name: self.name.clone(), title: self.title.clone(), channel: self.channel.clone(), contact })
    }
}

/// Everybody who is flagged as a monitor, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn monitors(db: &mut PgConnection) -> Result<Vec<Monitor>> {
    let rows = sqlx::query!(
        r#"
        select name, title, monitor_channel, contacts ->> monitor_channel as contact, zone, changed_at
          from "user"
         where monitor and enabled
         order by name
        "#,
    )
    .fetch_all(db)
    .await
    .context("reading the monitors")?;
    let monitors = rows.into_iter().map(|row| Monitor {
        name: row.name,
        title: row.title,
        channel: row.monitor_channel,
        contact: row.contact,
        zone: row.zone.and_then(|zone| zone.parse().ok()),
        since: row.changed_at,
    });
    Ok(monitors.collect())
}

/// Those who have an address.
pub fn reachable(monitors: &[Monitor]) -> Vec<Reachable> {
    monitors.iter().filter_map(Monitor::reachable).collect()
}
