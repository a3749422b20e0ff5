//! Commands about links that stand for files.

use anyhow::Result;
use clap::Subcommand;

use super::{BY, Place, print};
use crate::{
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
        let Self::Revoke { transmission } = self;
        act::revoke(&app.engine, transmission, BY).await?;
        if place.json {
            print::json(&pickup::shown(&app.database.pool, transmission).await?)?;
        } else {
            print::line(format_args!("the link of transmission {transmission} leads nowhere now"))?;
        }
        app.database.close().await
    }
}
