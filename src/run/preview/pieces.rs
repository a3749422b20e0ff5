//! The recipients that a run would have, read a piece at a time.

use anyhow::Result;
use sqlx::PgConnection;

use super::super::{Engine, expand::gather::Audience, frozen::Frozen, plan::Recipient, survey};
use crate::{catalog, document::Failure, id::RecipientId};

/// Recipients looked at in one piece.
const CHUNK: i64 = 500;

/// The recipients of a run that is not there: those that are listed, then those that the audience gives now.
pub(super) struct Pieces<'a> {
    frozen: &'a Frozen,
    after: i32,
    listed: i32,
    /// Nothing yet, while there are listed ones.
    audience: Option<Audience>,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(frozen: &'a Frozen, listed: i32) -> Self {
        Self { frozen, after: -1, listed, audience: None }
    }

    pub(super) async fn next(
        &mut self,
        engine: &Engine,
        db: &mut PgConnection,
    ) -> Result<Result<Option<Vec<Recipient>>, Failure>> {
        if self.audience.is_none() {
            let place = (self.after, CHUNK);
            let piece = survey::recipients(db, (self.frozen.revision, self.frozen.run), place).await?;
            if let Some(last) = piece.last() {
                self.after = last.position;
                return Ok(Ok(Some(piece)));
            }
        }
        Ok(self.gathered(engine).await)
    }

    async fn gathered(&mut self, engine: &Engine) -> Result<Option<Vec<Recipient>>, Failure> {
        if self.audience.is_none() {
            self.audience = Audience::ask(engine, self.frozen, self.listed).await?;
        }
        let Some(audience) = &mut self.audience else { return Ok(None) };
        let Some((first, given)) = audience.next().await? else { return Ok(None) };
        Ok(Some((first..).zip(given).map(unwritten).collect()))
    }
}

/// A recipient without a row, whose number no row has.
fn unwritten((position, given): (i32, catalog::Recipient)) -> Recipient {
    let id = RecipientId(-1 - i64::from(position));
    Recipient { id, position, name: given.name, contacts: given.contacts, params: given.params }
}
