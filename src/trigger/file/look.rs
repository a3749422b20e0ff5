//! A look at a place: what lies there, since when it is as it is, and what is claimed of it.

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};

use super::{
    Watch,
    watched::{Watched, watched},
};
use crate::{
    catalog::FileTrigger,
    run::Engine,
    source::{
        Failure,
        place::{Found, Listing},
    },
};

/// How long a place that cannot be looked at is left alone, at most.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// The places that this node is to look at now. No other node does, until it should have been done.
pub(super) async fn due(engine: &Engine, watch: &Watch) -> Result<Vec<Watched>> {
    let mut watched = watched(&engine.db).await?;
    if watched.is_empty() {
        return Ok(Vec::new());
    }
    let addresses: Vec<_> = watched.keys().cloned().collect();
    let now = engine.clock.now();
    let ours = sqlx::query_scalar!(
        r#"
        insert into place (address, look_at)
        select address, $3 from unnest($1::text[]) as watched (address)
        on conflict on constraint place_pkey do update set look_at = excluded.look_at where place.look_at <= $2
        returning address
        "#,
        &addresses,
        now,
        now + watch.look.max(watch.timeout),
    )
    .fetch_all(&engine.db)
    .await
    .context("asking which places are due")?;
    Ok(ours.iter().filter_map(|address| watched.remove(address)).collect())
}

/// Looks at a place, and claims what has been as it is for long enough.
pub(super) async fn look(engine: &Engine, watch: &Watch, place: &Watched) -> Result<()> {
    let listing = match engine.places.at(&place.address) {
        Ok(open) => open.list().await,
        Err(failure) => Err(failure),
    };
    let address = place.address.to_string();
    let now = engine.clock.now();
    match listing {
        Err(failure) => fault(&engine.db, &address, &failure, now).await,
        Ok(Listing { files, odd }) => {
            let wanted = files.into_iter().filter(|file| !watch.ignore.iter().any(|it| it.fits(&file.name)));
            let wanted: Vec<_> = wanted.filter(|file| place.wish(&file.name).is_some()).collect();
            let mut db = engine.db.begin().await.context("beginning to note what lies in a place")?;
            let before = alone(&mut db, &address).await?;
            sight(&mut db, &address, &wanted, now).await?;
            let claimed = claim(&mut db, place, now).await?;
            answered(&mut db, &address, (&before, &odd), (now, now + watch.look)).await?;
            db.commit().await.context("noting what lies in a place")?;
            if claimed > 0 {
                tracing::info!(place = address, files = claimed, "files came in");
            }
            Ok(())
        }
    }
}

impl Watched {
    /// Who wants a file of this name.
    fn wish(&self, name: &str) -> Option<&(String, FileTrigger)> {
        self.wishes.iter().find(|(_, trigger)| trigger.pattern.fits(name))
    }
}

/// Notes what lies there: what has changed is as it is since now.
async fn sight(db: &mut PgConnection, place: &str, files: &[Found], now: DateTime<Utc>) -> Result<()> {
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let sizes: Vec<_> = files.iter().map(|file| i64::try_from(file.size).unwrap_or(i64::MAX)).collect();
    let stamps: Vec<_> = files.iter().map(|file| file.stamp.clone()).collect();
    sqlx::query!(
        r#"
        delete from sighting
         where place = $1
           and not exists (select from unnest($2::text[]) as seen (name) where seen.name = sighting.name)
        "#,
        place,
        &names,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("noting what has left {place}"))?;
    // Rows that are as they were are not even locked: whoever takes those files need not wait.
    sqlx::query!(
        r#"
        update sighting
           set size = seen.size, stamp = seen.stamp, since_at = $5
          from unnest($2::text[], $3::bigint[], $4::text[]) as seen (name, size, stamp)
         where sighting.place = $1 and sighting.name = seen.name
           and (sighting.size, sighting.stamp) <> (seen.size, seen.stamp)
        "#,
        place,
        &names,
        &sizes,
        &stamps,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("noting what has changed in {place}"))?;
    sqlx::query!(
        r#"
        insert into sighting (place, name, size, stamp, since_at)
        select $1, seen.name, seen.size, seen.stamp, $5
          from unnest($2::text[], $3::bigint[], $4::text[]) as seen (name, size, stamp)
        on conflict on constraint sighting_pkey do nothing
        "#,
        place,
        &names,
        &sizes,
        &stamps,
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting what has come to {place}"))?;
    Ok(())
}

/// Claims for each batch the files that have been as they are for as long as it asks. Those that are claimed already
/// are left alone.
async fn claim(db: &mut PgConnection, place: &Watched, now: DateTime<Utc>) -> Result<u64> {
    let address = place.address.to_string();
    let mut rows = settled(db, place, now).await?;
    rows.sort_by(|a, b| (a.since_at, &a.name).cmp(&(b.since_at, &b.name)));
    let mut claimed = 0;
    for (batch, trigger) in &place.wishes {
        let stable = stable(trigger);
        let is_theirs = |name: &str| place.wish(name).is_some_and(|(wisher, it)| wisher == batch && it == trigger);
        let ready = rows.iter().filter(|row| now - row.since_at >= stable && is_theirs(&row.name));
        let names: Vec<_> = ready.map(|row| row.name.clone()).collect();
        claimed += insert(db, (batch, trigger), (&address, &names), now).await?;
    }
    Ok(claimed)
}

fn stable(trigger: &FileTrigger) -> TimeDelta {
    TimeDelta::from_std(trigger.stable).unwrap_or(TimeDelta::MAX)
}

/// A file that may have been as it is for long enough.
struct Settled {
    name: String,
    since_at: DateTime<Utc>,
}

/// Locks what it gives: what has been taken since it was listed is gone then, and not claimed a second time.
async fn settled(db: &mut PgConnection, place: &Watched, now: DateTime<Utc>) -> Result<Vec<Settled>> {
    let least = place.wishes.iter().map(|(_, trigger)| stable(trigger)).min().unwrap_or_default();
    let before = now.checked_sub_signed(least).unwrap_or_default();
    let address = place.address.to_string();
    sqlx::query_as!(
        Settled,
        r#"
        select name, since_at
          from sighting
         where place = $1 and since_at <= $2
         order by name
           for update
        "#,
        address,
        before,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading what lies in {address}"))
}

async fn insert(
    db: &mut PgConnection,
    (batch, trigger): (&str, &FileTrigger),
    (place, names): (&str, &[String]),
    now: DateTime<Utc>,
) -> Result<u64> {
    let claimed = sqlx::query!(
        r#"
        insert into file (batch, place, name, size, stamp, trigger, due_at, claimed_at, changed_at)
        select $1, sighting.place, sighting.name, sighting.size, sighting.stamp, $2, $5, $5, $5
          from unnest($4::text[]) with ordinality as ready (name, position)
          join sighting on sighting.place = $3 and sighting.name = ready.name
         order by ready.position
        on conflict (place, name) where state = 'claimed' do nothing
        "#,
        batch,
        serde_json::to_value(trigger)?,
        place,
        names,
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("claiming files in {place}"))?;
    Ok(claimed.rows_affected())
}

/// What was known of a place.
struct Before {
    odd: Vec<String>,
    faults: i32,
}

/// Locks the place, so that a look that took too long and the next one do not get in each other's way.
async fn alone(db: &mut PgConnection, place: &str) -> Result<Before> {
    sqlx::query_as!(Before, "select odd, faults from place where address = $1 for update", place)
        .fetch_one(db)
        .await
        .with_context(|| format!("locking {place}"))
}

async fn answered(
    db: &mut PgConnection,
    place: &str,
    (before, odd): (&Before, &[String]),
    (now, next): (DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    // What cannot even be stored as text is shown without it.
    let odd: Vec<_> = odd.iter().map(|name| name.replace('\0', " ")).collect();
    if before.faults > 0 {
        tracing::info!(place, "the place can be looked at again");
    }
    if before.odd != odd && !odd.is_empty() {
        tracing::warn!(
            place,
            files = odd.len(),
            "files have names that are no text or no names; they stay where they are"
        );
    }
    sqlx::query!(
        "update place set look_at = $2, looked_at = $3, faults = 0, fault = null, odd = $4 where address = $1",
        place,
        next,
        now,
        &odd,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting a look at {place}"))?;
    Ok(())
}

/// Leaves the place alone for a while, longer each time.
async fn fault(db: &PgPool, place: &str, failure: &Failure, now: DateTime<Utc>) -> Result<()> {
    let faults = sqlx::query_scalar!(
        r#"
        update place
           set faults = faults + 1, fault = $2, look_at = least($3::timestamptz + interval '5 seconds' * power(2, least(faults, 10)), $4)
         where address = $1
        returning faults
        "#,
        place,
        serde_json::to_value(&failure.reason)?,
        now,
        now + LONGEST_PAUSE,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("noting that {place} cannot be looked at"))?;
    if faults == 1 {
        tracing::warn!(place, code = failure.reason.code, reason = failure.reason.text, "a place cannot be looked at");
    }
    Ok(())
}
