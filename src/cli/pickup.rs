//! Commands about links that stand for files.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::{Place, author, print};
use crate::{
    audit::{self, Deed},
    id::TransmissionId,
    run::{act, pickup},
};

/// What is done about links.
#[derive(Debug, Subcommand)]
pub(super) enum Pickup {
    /// Withdraws the link of a transmission: from now on it leads nowhere.
    Revoke { transmission: TransmissionId },
}

impl Pickup {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let (db, author) = (&app.database.pool, author(&app));
        let Self::Revoke { transmission } = self;
        act::revoke(&app.engine, transmission, &author.name).await?;
        let deed = Deed { action: "pickup.revoked", object: &transmission.to_string(), detail: json!({}) };
        audit::note(db, &author, deed).await?;
        if place.json {
            print::json(&pickup::shown(db, transmission).await?)?;
        } else {
            print::line(format_args!("the link of transmission {transmission} leads nowhere now"))?;
        }
        app.database.close().await
    }
}
