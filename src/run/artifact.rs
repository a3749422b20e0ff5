//! Artifacts in the book: named, and what waited for them set free, many at a time.
//!
//! The bytes are in the store before the row that names them. Who keeps artifacts takes the runs' fences, then the
//! steps, the items and the transmissions that wait, each in the order of their numbers.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Engine, StepState,
    claim::{self, Leaving, Way},
    record,
    together::Wish,
};
use crate::{
    id::{ItemId, RunId, StepId},
    queue::{self, Hint},
    workflow::Kind,
};

/// The wish to have an artifact in the book.
pub(super) struct Keeping {
    pub step: StepId,
    pub lease: i64,
    pub run: RunId,
    pub item: ItemId,
    pub file: String,
    pub media_type: String,
    pub digest: String,
    /// In bytes.
    pub size: i64,
    pub pages: Option<i32>,
    /// The step that its transmissions go on with.
    pub next: String,
}

impl Wish for Keeping {
    type Answer = ();

    async fn grant(engine: &Engine, wishes: &[Self]) -> Result<Vec<()>> {
        let mut db = engine.db.begin().await.context("beginning to keep artifacts")?;
        let now = engine.clock.now();
        let runs: BTreeSet<_> = wishes.iter().map(|keeping| keeping.run).collect();
        record::fence(&mut db, &runs).await?;
        let leavings: Vec<_> = wishes.iter().map(Keeping::leaving).collect();
        let ours = claim::leave(&mut db, &leavings, now).await?;
        let kept: Vec<_> = wishes.iter().filter(|keeping| ours.contains(&keeping.step)).collect();
        let named = name(&mut db, &kept, now).await?;
        let mut hints = Vec::new();
        for (next, items) in by_next(&kept, &named) {
            hints.extend(release(&mut db, next, &items, now).await?);
        }
        queue::push(&mut db, &hints).await?;
        db.commit().await.context("keeping artifacts")?;
        Ok(vec![(); wishes.len()])
    }
}

impl Keeping {
    fn leaving(&self) -> Leaving {
        Leaving { step: self.step, lease: self.lease, way: Way::End(StepState::Done), reason: None }
    }
}

/// Items that were named, by the step that follows.
fn by_next<'a>(kept: &[&'a Keeping], named: &HashSet<ItemId>) -> BTreeMap<&'a str, Vec<ItemId>> {
    let mut by_next: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for keeping in kept.iter().filter(|keeping| named.contains(&keeping.item)) {
        by_next.entry(keeping.next.as_str()).or_default().push(keeping.item);
    }
    by_next
}

/// Names the items' artifacts, and returns the items that had none already.
async fn name(db: &mut PgConnection, kept: &[&Keeping], now: DateTime<Utc>) -> Result<HashSet<ItemId>> {
    let items = sqlx::query_scalar!(
        r#"
        with fresh as materialized (
            select rendered.*, nextval(pg_get_serial_sequence('artifact', 'id')) as id
              from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::integer[])
                   as rendered (item, run, file, media_type, digest, size, pages)
              join item on item.id = rendered.item
             where item.artifact is null
        ), made as (
            insert into artifact (id, run, file, media_type, digest, size, pages, created_at)
            overriding system value
            select id, run, file, media_type, digest, size, pages, $8 from fresh
        )
        update item
           set artifact = fresh.id, reason = null
          from fresh
         where item.id = fresh.item
        returning item.id as "id: ItemId"
        "#,
        &kept.iter().map(|keeping| keeping.item.0).collect::<Vec<_>>(),
        &kept.iter().map(|keeping| keeping.run.0).collect::<Vec<_>>(),
        &kept.iter().map(|keeping| keeping.file.clone()).collect::<Vec<_>>(),
        &kept.iter().map(|keeping| keeping.media_type.clone()).collect::<Vec<_>>(),
        &kept.iter().map(|keeping| keeping.digest.clone()).collect::<Vec<_>>(),
        &kept.iter().map(|keeping| keeping.size).collect::<Vec<_>>(),
        &kept.iter().map(|keeping| keeping.pages).collect::<Vec<_>>() as &[Option<i32>],
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("naming {} artifacts", kept.len()))?;
    Ok(items.into_iter().collect())
}

/// Counts the items as rendered in every transmission that carries them; those that wait for no other get their step.
async fn release(db: &mut PgConnection, next: &str, items: &[ItemId], now: DateTime<Utc>) -> Result<Vec<Hint>> {
    let steps = sqlx::query_scalar!(
        r#"
        with carried as (
            select transmission, count(*)::integer as items
              from transmission_item
             where item = any($1)
             group by transmission
        ), held as (
            select transmission.id, carried.items
              from transmission
              join carried on carried.transmission = transmission.id
             where transmission.waiting > 0
             order by transmission.id
               for update of transmission
        ), counted as (
            update transmission
               set waiting = waiting - held.items
              from held
             where transmission.id = held.id
            returning transmission.id, transmission.run, transmission.waiting, transmission.state
        )
        insert into step (run, name, kind, transmission, state, due_at, hinted_at, created_at, changed_at)
        select run, $2, 'transmit', id, 'ready', $3, $3, $3, $3
          from counted
         where waiting = 0 and state = 'queued'
        on conflict (run, name, coalesce(item, 0), coalesce(transmission, 0))
        do update set state = 'ready', due_at = $3, hinted_at = $3, tries = 0, deaths = 0, changed_at = $3
           where step.state in ('failed', 'skipped', 'done')
        returning id as "id: StepId"
        "#,
        items as &[ItemId],
        next,
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("releasing what waits for {} items", items.len()))?;
    Ok(steps.into_iter().map(|id| Hint { kind: Kind::Transmit, id }).collect())
}
