//! What would wait although it is ready, and until when: asked of what decides when it is sent.

use anyhow::Result;
use sqlx::PgConnection;

use super::{
    super::{
        Engine, TransmissionState,
        allowance::{self, Outlook, Prospect},
        frozen::Frozen,
        plan::{Planned, PlannedTransmission, Recipient},
    },
    shown::Wait,
};
use crate::channel::account::Account;

/// What is asked about each transmission of one run.
pub(super) struct Waiting<'a> {
    engine: &'a Engine,
    frozen: &'a Frozen,
    outlook: Outlook,
}

impl<'a> Waiting<'a> {
    pub(super) async fn look(engine: &'a Engine, frozen: &'a Frozen, db: &mut PgConnection) -> Result<Self> {
        Ok(Self { engine, frozen, outlook: Outlook::read(db, engine.clock.now()).await? })
    }

    /// Says of what would be queued for one recipient whether it fails for its hours; and for each transmission what it
    /// waits for.
    pub(super) fn tell(&self, planned: &mut Planned) -> Result<Vec<Option<Wait>>> {
        let Planned { recipient, transmissions, .. } = planned;
        transmissions.iter_mut().map(|one| self.one(recipient, one)).collect()
    }

    fn one(&self, recipient: &Recipient, transmission: &mut PlannedTransmission) -> Result<Option<Wait>> {
        if transmission.state != TransmissionState::Queued {
            return Ok(None);
        }
        let Some(account) = self.frozen.account(self.engine, &transmission.channel) else { return Ok(None) };
        Ok(match self.prospect(account, recipient, &transmission.contact)? {
            Prospect::Goes => None,
            Prospect::Waits(until, reason) => Some((until, reason)),
            Prospect::Fails(reason) => {
                transmission.state = TransmissionState::Failed;
                transmission.reason = Some(reason);
                None
            }
        })
    }

    fn prospect(&self, account: &Account, recipient: &Recipient, contact: &str) -> Result<Prospect> {
        let doors = allowance::doors((&self.frozen.batch, account), Some(recipient), contact);
        self.outlook.of(account, &doors)
    }
}
