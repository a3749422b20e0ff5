//! Links that stand for files: when one does, and its row in the book.
//!
//! A pickup account gives one for every transmission. A mail gets one when its files are more than its account carries,
//! or once a server has refused them for their size: that attempt is closed as refused, and a row written with it says
//! that the next one brings a link. The row is there before the link goes out, so that no link leads nowhere; what a
//! link costs that never went out is a row. Called by `parcel`, `transmit`, `attempt` and the preview; downloads stand
//! in `pickup`.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;
use sqlx::PgConnection;

use super::{Engine, frozen::Frozen, log};
use crate::{
    channel::{
        Parcel, Receipts, Report,
        account::{Account, TooLarge},
        offer::{self, Offer},
    },
    id::{RunId, TransmissionId},
    reason::Reason,
};

/// The channel whose accounts give links.
const PICKUP: &str = "pickup";

/// A link that stands for the files of one transmission.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// The account that gives it.
    account: String,
    offer: Offer,
    /// What the page says it is about.
    title: String,
    /// Whose clock its end is told by.
    zone: Tz,
    /// Why it is not the files that go out, where they might.
    why: Option<String>,
}

/// The account that gives the link, and why it is not the files that go out, where they might.
struct Giver<'a>(&'a Account, Option<String>);

impl Giver<'_> {
    fn link(self, frozen: &Frozen, parcel: &Parcel) -> Option<Link> {
        let Self(account, why) = self;
        let offer = account.offer(&parcel.key)?;
        let title = parcel.message.subject.clone();
        Some(Link { account: account.name().to_owned(), offer, title, zone: frozen.batch.zone, why })
    }
}

impl Link {
    /// The word that is to be heard of what brings it.
    pub(super) fn receipts(&self) -> Receipts {
        self.offer.receipts()
    }
}

/// The link that goes out by `account` instead of the files of `parcel`, if one does; `refused` is the code with which
/// they were found too large before.
pub(super) fn of(
    engine: &Engine,
    frozen: &Frozen,
    account: &Account,
    (parcel, refused): (&Parcel, Option<&str>),
) -> Result<Option<Link>, Reason> {
    let bytes = parcel.files.iter().map(|file| file.bytes.len() as u64).sum();
    let giver = giver(engine, frozen, account, (bytes, refused))?;
    Ok(giver.and_then(|giver| giver.link(frozen, parcel)))
}

/// Whether a link would go out by `account` instead of files of so many bytes in all; or why neither would.
pub(super) fn foresee(engine: &Engine, frozen: &Frozen, account: &Account, bytes: u64) -> Result<bool, Reason> {
    Ok(giver(engine, frozen, account, (bytes, None))?.is_some())
}

fn giver<'a>(
    engine: &'a Engine,
    frozen: &Frozen,
    account: &'a Account,
    (bytes, refused): (u64, Option<&str>),
) -> Result<Option<Giver<'a>>, Reason> {
    if account.channel() == PICKUP {
        return Ok(Some(Giver(account, None)));
    }
    let over = account.attach_limit().filter(|limit| bytes > *limit);
    let why = match (over, refused) {
        (Some(limit), _) => {
            let (bytes, limit) = (offer::in_words(bytes), offer::in_words(limit));
            format!("they are {bytes} in all, and the account {} carries {limit}", account.name())
        }
        (None, Some(code)) => format!("they were refused as too large ({code})"),
        (None, None) => return Ok(None),
    };
    match (instead(engine, frozen, account, why), over) {
        (None, Some(limit)) => Err(offer::too_much(account.name(), bytes, limit)),
        (giver, _) => Ok(giver),
    }
}

/// The link that the next attempt brings after `report` by `account`, if that is what helps.
pub(super) fn after(
    engine: &Engine,
    frozen: &Frozen,
    account: &Account,
    (parcel, report): (&Parcel, &Report),
) -> Option<Link> {
    if parcel.files.is_empty() || !account.is_too_large(&report.outcome) {
        return None;
    }
    let why = "they were refused as too large".to_owned();
    instead(engine, frozen, account, why)?.link(frozen, parcel)
}

/// Who gives a link for files that are too large, where batch and account allow it and there is somebody who does.
fn instead<'a>(engine: &'a Engine, frozen: &Frozen, account: &Account, why: String) -> Option<Giver<'a>> {
    if frozen.batch.too_large.or(account.too_large()) == Some(TooLarge::Refuse) {
        return None;
    }
    let wanted = frozen.batch.accounts.get(PICKUP).map(String::as_str);
    Some(Giver(engine.channels.pick(PICKUP, wanted)?, Some(why)))
}

/// Writes down that `link` is about to go out, and puts it into the words of `parcel`.
pub(super) async fn offer(
    engine: &Engine,
    (run, transmission): (RunId, TransmissionId),
    link: &Link,
    parcel: Parcel,
) -> Result<Parcel> {
    let now = engine.clock.now();
    let expires_at = now + link.offer.lifetime;
    let mut db = engine.db.begin().await.context("beginning to offer a link")?;
    if let Some(why) = &link.why
        && !was_offered(&mut db, transmission).await?
    {
        let text = format!("the files of transmission {transmission} go out as a link: {why}");
        log::write(&mut db, run, now, ("link", text, json!({ "transmission": transmission }))).await?;
    }
    open(&mut db, transmission, link, (now, expires_at)).await?;
    db.commit().await.context("offering a link")?;
    Ok(link.offer.letter(parcel, expires_at.with_timezone(&link.zone)))
}

async fn was_offered(db: &mut PgConnection, transmission: TransmissionId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (select from pickup where transmission = $1 and offered_at is not null) as "offered!"
        "#,
        transmission as TransmissionId,
    )
    .fetch_one(db)
    .await
    .context("asking whether a link was offered")
}

/// From now on the link leads somewhere. One that was withdrawn does again when its transmission is sent again; who was
/// overtaken by another worker opens nothing.
async fn open(
    db: &mut PgConnection,
    transmission: TransmissionId,
    link: &Link,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        r#"
        insert into pickup (transmission, account, token, title, offered_at, expires_at, zone)
        select id, $2, $3, $4, $5, $6, $7 from transmission where id = $1 and state = 'queued'
        on conflict on constraint pickup_pkey do update
           set account = excluded.account, token = excluded.token, title = excluded.title,
               offered_at = coalesce(pickup.offered_at, excluded.offered_at), expires_at = excluded.expires_at,
               zone = excluded.zone, revoked_at = null, revoked_by = null
        "#,
        transmission as TransmissionId,
        link.account,
        link.offer.token,
        link.title,
        now,
        expires_at,
        link.zone.name(),
    )
    .execute(db)
    .await
    .with_context(|| format!("offering a link for transmission {transmission}"))?;
    Ok(())
}

/// Marks transmissions whose files were found too large: the next attempt brings a link.
pub(super) async fn mark(db: &mut PgConnection, marked: &[(TransmissionId, &Link)], now: DateTime<Utc>) -> Result<()> {
    if marked.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into pickup (transmission, account, token, title, expires_at)
        select *, $5::timestamptz from unnest($1::bigint[], $2::text[], $3::text[], $4::text[])
        on conflict on constraint pickup_pkey do nothing
        "#,
        &marked.iter().map(|(transmission, _)| transmission.0).collect::<Vec<_>>(),
        &marked.iter().map(|(_, link)| link.account.clone()).collect::<Vec<_>>(),
        &marked.iter().map(|(_, link)| link.offer.token.clone()).collect::<Vec<_>>(),
        &marked.iter().map(|(_, link)| link.title.clone()).collect::<Vec<_>>(),
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("marking {} transmissions whose files are too large", marked.len()))?;
    Ok(())
}
