//! Mailboxes that mails come back to, each read by one node at a time.
//!
//! A claim is a time in the mailbox's row before which nobody else looks. How far it was read moves on after each mail
//! that was taken in, so a node that dies reads at most one again; taking one in twice changes nothing.

use anyhow::{Context, Result};

use super::{Taken, take};
use crate::{
    channel::{Inbox, Mark, Visit},
    run::Engine,
};

/// The pause between two looks at a mailbox, which is also how long a claim holds. More shows bounces later.
const LOOK: chrono::Duration = chrono::Duration::seconds(60);

/// Reads the mailboxes whose turn it is, and says how many mails there were.
///
/// # Errors
/// When the database cannot be reached; a mailbox that cannot be read is logged and tried again.
pub async fn read_mailboxes(engine: &Engine) -> Result<usize> {
    let mut count = 0;
    for account in engine.channels.accounts() {
        let Some(inbox) = account.bounces() else { continue };
        let Some(mark) = claim(engine, account.name()).await? else { continue };
        let read = read(engine, (account.name(), inbox), mark).await;
        let fault = read.as_ref().err().map(|fault| format!("{fault:#}"));
        if let Some(fault) = &fault {
            tracing::warn!(account = account.name(), error = fault, "the mailbox of what comes back cannot be read");
        }
        noted(engine, account.name(), fault.as_deref()).await?;
        count += read.unwrap_or_default();
    }
    Ok(count)
}

/// The right to read the mailbox of `account`, and how far it was read.
async fn claim(engine: &Engine, account: &str) -> Result<Option<Mark>> {
    let now = engine.clock.now();
    let row = sqlx::query!(
        r#"
        insert into bounce_mailbox as mailbox (account, look_at) values ($1, $3)
        on conflict on constraint bounce_mailbox_pkey do update set look_at = $3 where mailbox.look_at <= $2
        returning validity, last_uid
        "#,
        account,
        now,
        now + LOOK,
    )
    .fetch_optional(&engine.db)
    .await
    .context("claiming a mailbox")?;
    Ok(row.map(|row| Mark { validity: row.validity, last: row.last_uid }))
}

async fn read(engine: &Engine, (account, inbox): (&str, &Inbox), mut mark: Mark) -> Result<usize> {
    let mut count = 0;
    loop {
        let mut visit = inbox.visit(mark).await?;
        let more = visit.more;
        let (taken, reports) = take_all(engine, account, &mut visit, &mut mark).await?;
        count += taken;
        visit.leave(&reports).await?;
        if !more || engine.stopping.is_cancelled() {
            return Ok(count);
        }
    }
}

/// Takes in the mails of a visit; how many there were, and the numbers of those that were reports of ours.
async fn take_all(engine: &Engine, account: &str, visit: &mut Visit, mark: &mut Mark) -> Result<(usize, Vec<i64>)> {
    let mails = std::mem::take(&mut visit.mails);
    let mut reports = Vec::new();
    for (number, mail) in &mails {
        if take(engine, mail).await? == Taken::Report {
            reports.push(*number);
        }
        *mark = Mark { validity: visit.validity, last: *number };
        go_on(engine, account, *mark).await?;
    }
    Ok((mails.len(), reports))
}

async fn go_on(engine: &Engine, account: &str, mark: Mark) -> Result<()> {
    let look_at = engine.clock.now() + LOOK;
    sqlx::query!(
        "update bounce_mailbox set validity = $2, last_uid = $3, look_at = greatest(look_at, $4) where account = $1",
        account,
        mark.validity,
        mark.last,
        look_at,
    )
    .execute(&engine.db)
    .await
    .context("noting how far a mailbox was read")?;
    Ok(())
}

async fn noted(engine: &Engine, account: &str, fault: Option<&str>) -> Result<()> {
    sqlx::query!(
        "update bounce_mailbox set fault = $2 where account = $1 and fault is distinct from $2",
        account,
        fault
    )
    .execute(&engine.db)
    .await
    .context("noting what is wrong with a mailbox")?;
    Ok(())
}
