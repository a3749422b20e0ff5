//! Later word from the far side: received, kept, and applied to what it is about.
//!
//! ```text
//! callback ─┐
//! poll ─────┼▶ kept (committed) ─▶ answered for ─▶ home found ─▶ decided ─▶ applied, in one transaction with the run
//! bounce ───┘        ▲ again, when its attempt has ended or a node died in between
//! ```
//! A word is kept before anybody says that it was received, so none is lost; it is applied once, because its row is
//! locked and says when it is done. Called by the doors, by the command that takes mails from a pipe, and by the sweeper.

mod apply;
mod ask;
mod bounce;
mod decide;
mod expire;
mod find;
mod mailbox;
mod pending;
mod write;

pub use ask::ask;
pub use bounce::{Taken, take};
pub use expire::expire;
pub use mailbox::read_mailboxes;
pub use pending::{forget, pending};

use anyhow::{Context, Result};

pub use super::received::{Receipt, Source, receipts};
use super::{Engine, received};
use crate::channel::Word;

/// Keeps `words` that came by `account` with `body`, and applies them. They are kept, and the caller may say so, when
/// this returns; what cannot be applied now is due again.
///
/// # Errors
/// When they cannot be kept.
pub async fn receive(engine: &Engine, (source, account): (Source, &str), words: Vec<Word>, body: &[u8]) -> Result<()> {
    let mut db = engine.db.begin().await.context("beginning to keep words")?;
    let now = engine.clock.now();
    let mut kept = Vec::new();
    for word in words {
        let received = received::Received { source, account: Some(account), word, suppress: None, body };
        kept.extend(received::keep(&mut db, &received, now).await?);
    }
    db.commit().await.context("keeping words")?;
    apply_all(engine, &kept).await;
    Ok(())
}

/// Applies what was just kept. What fails is due, and done by the sweeper.
async fn apply_all(engine: &Engine, kept: &[i64]) {
    for receipt in kept {
        if let Err(error) = apply::apply(engine, *receipt).await {
            tracing::warn!(receipt, error = format!("{error:#}"), "a word of the far side waits to be applied");
        }
    }
}
