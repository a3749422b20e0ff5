//! Mails that came back, from a pipe or a mailbox.
//!
//! A mail is kept before anybody says that it was taken, as any other word; what is no report, or about nothing of ours,
//! is left alone. Nothing is ever answered.

use anyhow::{Context, Result};
use sqlx::PgConnection;

use super::{Source, apply_all};
use crate::{
    channel::{About, Word, bounce},
    id::{RunId, TransmissionId},
    run::{Engine, parcel, received},
};

/// What a mail was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A report about something of ours; new, or known already.
    Report,
    /// A report about what nobody here knows.
    Strange,
    /// No report.
    Other,
}

/// Takes in a mail that came back.
///
/// # Errors
/// When it cannot be kept; then it has to come again.
pub async fn take(engine: &Engine, mail: &[u8]) -> Result<Taken> {
    let bounces = bounce::read(mail);
    if bounces.is_empty() {
        return Ok(Taken::Other);
    }
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to keep a mail that came back")?;
    let (mut kept, mut known) = (Vec::new(), false);
    for bounce in bounces {
        let Some(key) = ours(&mut db, &bounce.keys).await? else { continue };
        known = true;
        let word = Word { about: About::Key(key), standing: bounce.standing, at: bounce.at, id: bounce.id };
        let suppress = bounce.suppress.as_deref();
        let received = received::Received { source: Source::Bounce, account: None, word, suppress, body: mail };
        kept.extend(received::keep(&mut db, &received, now).await?);
    }
    db.commit().await.context("keeping a mail that came back")?;
    apply_all(engine, &kept).await;
    Ok(if known { Taken::Report } else { Taken::Strange })
}

/// The first of `keys` that is the key of a mail of ours. Mails are given to a server after the book names them, so one
/// that comes back is known.
async fn ours(db: &mut PgConnection, keys: &[String]) -> Result<Option<String>> {
    for key in keys {
        let Some(transmission) = parcel::keyed(key) else { continue };
        let row = sqlx::query!(
            r#"select run as "run: RunId", created_at from transmission where id = $1 and channel = 'email'"#,
            transmission as TransmissionId,
        )
        .fetch_optional(&mut *db)
        .await
        .context("looking for the mail that came back")?;
        if row.is_some_and(|row| parcel::key(row.run, transmission, row.created_at) == *key) {
            return Ok(Some(key.clone()));
        }
    }
    Ok(None)
}
