//! Which book this is, whether it was put back to an earlier state, and whether sending is paused because of it.
//!
//! One row has an identity, a counter that rises at every start and every ten seconds, and where the database was then.
//! Each node notes the counter outside the database (`seen.rs`). A counter behind its note, another cluster,
//! another timeline or copied files mean that the book may have forgotten what was sent: sending is paused in the
//! transaction that finds out, and the book gets a new identity, so that it is found out once. Also asked whenever a
//! connection is opened: a database cannot be put back under a running node without closing them.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::seen::Seen;
use crate::clock::Clock;

/// Who pauses sending when nobody does.
const ITSELF: &str = "postbook";

/// A pause of all sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub at: DateTime<Utc>,
    pub by: String,
    pub why: String,
    /// Pauses are numbered, so that a run let out of one is not let out of the next.
    pub number: i32,
}

/// What a node knows of its book. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Installation(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seen: Seen,
    clock: Clock,
    /// What tells the private server's files from a copy of them.
    folder: Option<i64>,
    /// What this process saw last; nothing before it has checked in.
    known: Mutex<Option<Known>>,
    /// Pauses nobody was told of yet.
    news: Mutex<Vec<Pause>>,
}

#[derive(Debug, Clone)]
struct Known {
    id: String,
    counter: i64,
}

impl Installation {
    /// The book of the node whose data are in `data`, in its private Postgres when `private`.
    pub(super) fn new(data: &Path, private: bool) -> Self {
        let inode = || std::fs::metadata(data.join("postgres/PG_VERSION")).ok().map(|it| it.ino().cast_signed());
        Self(Arc::new(Inner {
            seen: Seen::beside(data),
            clock: Clock::default(),
            folder: private.then(inode).flatten(),
            known: Mutex::default(),
            news: Mutex::default(),
        }))
    }

    /// Raises the counter, and pauses sending first when the book was put back. To be done before anything is sent,
    /// and every now and then.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn check_in(&self, db: &mut PgConnection) -> Result<()> {
        let now = self.0.clock.now();
        let mut db = db.begin().await.context("beginning to check in")?;
        let row = lock(&mut db).await?;
        let found = self.found(&mut db).await?;
        let doubt = self.doubt(&mut db, &row, &found).await?;
        let id = match &doubt {
            Some(_) => fresh_id(),
            None => row.id.clone(),
        };
        if let Some(why) = &doubt {
            let pause = stop(&mut db, (ITSELF, why), now).await?;
            self.0.news.lock().unwrap_or_else(PoisonError::into_inner).push(pause);
        }
        let counter = count(&mut db, &id, &found, now).await?;
        db.commit().await.context("checking in")?;
        if let Some(why) = doubt {
            tracing::error!(
                why,
                "SENDING IS PAUSED: the book may have forgotten what was sent; see `postbook sending`"
            );
        }
        self.0.seen.note(&id, counter);
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known { id, counter });
        Ok(())
    }

    /// What a new connection is asked before it is used: is this still the book that was seen before?
    pub(super) async fn greet(&self, db: &mut PgConnection) -> Result<()> {
        if self.known().is_none() {
            return Ok(());
        }
        let Some(row) = read(db).await? else { return Ok(()) };
        let found = self.found(db).await?;
        if self.doubt(db, &row, &found).await?.is_some() {
            self.check_in(db).await?;
        }
        Ok(())
    }

    /// The pauses that this node brought about since it was last asked.
    pub fn news(&self) -> Vec<Pause> {
        std::mem::take(&mut *self.0.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self) -> Option<Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn found(&self, db: &mut PgConnection) -> Result<Found> {
        Ok(Found { system: system(db).await?, timeline: timeline(db).await?, folder: self.0.folder })
    }

    /// Why the book may have been put back, if it may.
    async fn doubt(&self, db: &mut PgConnection, row: &Row, found: &Found) -> Result<Option<String>> {
        let remembered = self.known().filter(|known| known.id == row.id).map(|known| known.counter);
        let highest = self.0.seen.highest(&row.id).max(remembered);
        if row.counter > 0 || highest.is_some() {
            return Ok(doubt(row, found, highest));
        }
        // Only a book from before there was this row has runs and was never counted.
        Ok((!self.0.seen.is_new() && has_runs(db).await?).then(|| {
            "this node has seen a book that was counted, and this one was not: an old backup was put back".to_owned()
        }))
    }
}

/// The row, as far as it is compared.
#[derive(Debug, Clone)]
struct Row {
    id: String,
    counter: i64,
    system: Option<String>,
    timeline: Option<i32>,
    folder: Option<i64>,
}

/// Where the database is now.
#[derive(Debug)]
struct Found {
    system: Option<String>,
    timeline: i32,
    folder: Option<i64>,
}

fn doubt(row: &Row, found: &Found, seen: Option<i64>) -> Option<String> {
    let counter = row.counter;
    if let Some(seen) = seen.filter(|seen| *seen > counter) {
        return Some(format!(
            "the book was put back to an earlier state: its counter stands at {counter}, and this node saw it at {seen}"
        ));
    }
    if differ(row.system.as_ref(), found.system.as_ref()) {
        let text = "the book is in another database or cluster than before, as after a dump was restored";
        return Some(text.to_owned());
    }
    if let Some(before) = row.timeline.filter(|before| *before != found.timeline) {
        return Some(format!(
            "Postgres left its timeline {before} for {}, as after a recovery to a point in time or a failover",
            found.timeline
        ));
    }
    differ(row.folder, found.folder).then(|| {
        "the files of the private Postgres are a copy, as after a backup was put back or the folder was moved"
            .to_owned()
    })
}

/// Whether both are known and are not the same.
fn differ<T: PartialEq>(before: Option<T>, now: Option<T>) -> bool {
    before.is_some() && now.is_some() && before != now
}

fn fresh_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Pauses all sending. What is being sent is finished. `None` when it was paused already.
///
/// # Errors
/// When the database cannot be written.
pub async fn pause(db: &mut PgConnection, (by, why): (&str, &str), now: DateTime<Utc>) -> Result<Option<Pause>> {
    lock(db).await?;
    if paused(db).await?.is_some() {
        return Ok(None);
    }
    stop(db, (by, why), now).await.map(Some)
}

/// Ends the pause, and gives it. `None` when there was none.
///
/// # Errors
/// When the database cannot be written.
pub async fn release(db: &mut PgConnection) -> Result<Option<Pause>> {
    lock(db).await?;
    let pause = paused(db).await?;
    sqlx::query!("update installation set paused_at = null, paused_by = null, paused_why = null")
        .execute(db)
        .await
        .context("releasing what is sent")?;
    Ok(pause)
}

/// The pause that all sending is under, if it is.
///
/// # Errors
/// When the database cannot be read.
pub async fn paused(db: &mut PgConnection) -> Result<Option<Pause>> {
    sqlx::query_as!(
        Pause,
        r#"
        select paused_at as "at!", paused_by as "by!", paused_why as "why!", pauses as number
          from installation
         where paused_at is not null
        "#,
    )
    .fetch_optional(db)
    .await
    .context("asking whether sending is paused")
}

/// Begins a pause; one that was there is replaced, so that no run is let out of it any more.
async fn stop(db: &mut PgConnection, (by, why): (&str, &str), now: DateTime<Utc>) -> Result<Pause> {
    sqlx::query_as!(
        Pause,
        r#"
        update installation
           set paused_at = $1, paused_by = $2, paused_why = $3, pauses = pauses + 1
        returning paused_at as "at!", paused_by as "by!", paused_why as "why!", pauses as number
        "#,
        now,
        by,
        why,
    )
    .fetch_one(db)
    .await
    .context("pausing what is sent")
}

/// The row, locked; made when there is none.
async fn lock(db: &mut PgConnection) -> Result<Row> {
    sqlx::query!("insert into installation (id) values ($1) on conflict do nothing", fresh_id())
        .execute(&mut *db)
        .await
        .context("giving the installation its row")?;
    sqlx::query_as!(Row, "select id, counter, system, timeline, folder from installation for update")
        .fetch_one(db)
        .await
        .context("locking the installation")
}

async fn read(db: &mut PgConnection) -> Result<Option<Row>> {
    sqlx::query_as!(Row, "select id, counter, system, timeline, folder from installation")
        .fetch_optional(db)
        .await
        .context("reading the installation")
}

async fn count(db: &mut PgConnection, id: &str, found: &Found, now: DateTime<Utc>) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        update installation
           set id = $1, counter = counter + 1, system = coalesce($2, system), timeline = $3,
               folder = coalesce($4, folder), counted_at = $5
        returning counter
        "#,
        id,
        found.system.as_deref(),
        found.timeline,
        found.folder,
        now,
    )
    .fetch_one(db)
    .await
    .context("counting the installation")
}

/// The cluster, which gets its number when it is created, and the database in it. Some services keep the number to
/// themselves; then it is not compared.
async fn system(db: &mut PgConnection) -> Result<Option<String>> {
    let system = sqlx::query_scalar!(
        r#"
        select (pg_control_system()).system_identifier::text || '/'
               || (select oid from pg_database where datname = current_database())::text as system
        "#,
    )
    .fetch_one(db)
    .await;
    match system {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501") => Ok(None),
        system => system.context("asking for the number of the cluster"),
    }
}

/// Which branch of its history the cluster writes.
async fn timeline(db: &mut PgConnection) -> Result<i32> {
    let name = sqlx::query_scalar!(r#"select pg_walfile_name(pg_current_wal_lsn()) as "name!""#)
        .fetch_one(db)
        .await
        .context("asking for the timeline of the cluster")?;
    let timeline = name.get(..8).and_then(|digits| i32::from_str_radix(digits, 16).ok());
    timeline.with_context(|| format!("`{name}` is no name of a file of the log"))
}

async fn has_runs(db: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from run) as "there!""#)
        .fetch_one(db)
        .await
        .context("looking for runs")
}

#[cfg(test)]
mod tests {
    use sqlx::{PgPool, pool::PoolConnection};
    use tempfile::TempDir;

    use super::*;

    struct Node {
        installation: Installation,
        db: PoolConnection<sqlx::Postgres>,
    }

    impl Node {
        /// A start of the node whose data are in `folder`. Gives why sending was paused by it, if it was.
        async fn start(pool: &PgPool, folder: &TempDir) -> (Self, Vec<String>) {
            let installation = Installation::new(&folder.path().join("data"), false);
            let mut node = Self { installation, db: pool.acquire().await.unwrap() };
            let news = node.check_in().await;
            (node, news)
        }

        async fn check_in(&mut self) -> Vec<String> {
            self.installation.check_in(&mut self.db).await.unwrap();
            self.installation.news().into_iter().map(|pause| pause.why).collect()
        }
    }

    async fn change(db: &PgPool, statement: &'static str) {
        sqlx::query(statement).execute(db).await.unwrap();
    }

    async fn is_paused(db: &PgPool) -> bool {
        paused(&mut db.acquire().await.unwrap()).await.unwrap().is_some()
    }

    #[sqlx::test]
    async fn first_starts_restarts_and_more_nodes_pause_nothing(db: PgPool) {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &one, &two, &one, &two] {
            let (mut node, news) = Node::start(&db, folder).await;
            assert!(news.is_empty(), "{news:?}");
            assert!(node.check_in().await.is_empty());
        }
        assert!(!is_paused(&db).await);
    }

    #[sqlx::test]
    async fn a_node_that_died_before_it_noted_the_counter_pauses_nothing(db: PgPool) {
        let folder = tempfile::tempdir().unwrap();
        Node::start(&db, &folder).await;
        change(&db, "update installation set counter = counter + 1").await;
        assert!(Node::start(&db, &folder).await.1.is_empty());
    }

    #[sqlx::test]
    async fn a_counter_behind_what_a_node_saw_pauses_once_for_all_nodes(db: PgPool) {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Node::start(&db, &one).await;
        for _ in 0..9 {
            Node::start(&db, &two).await;
        }
        change(&db, "create table backup as select * from installation").await;
        Node::start(&db, &one).await;
        Node::start(&db, &two).await;
        change(&db, "update installation set counter = backup.counter from backup").await;

        let news = Node::start(&db, &one).await.1;

        assert!(matches!(&news[..], [why] if why.contains("put back to an earlier state")), "{news:?}");
        assert!(is_paused(&db).await);
        release(&mut db.acquire().await.unwrap()).await.unwrap();
        for folder in [&two, &one] {
            assert!(Node::start(&db, folder).await.1.is_empty(), "it was told once");
        }
        change(&db, "update installation set counter = backup.counter, id = backup.id from backup").await;
        assert_eq!(Node::start(&db, &two).await.1.len(), 1, "the same backup put back once more");
    }

    #[sqlx::test]
    async fn another_cluster_another_timeline_and_copied_files_pause(db: PgPool) {
        let folder = tempfile::tempdir().unwrap();
        Node::start(&db, &folder).await;
        for (statement, said) in [
            ("update installation set system = '1/2'", "another database or cluster"),
            ("update installation set timeline = 7", "left its timeline 7"),
        ] {
            change(&db, statement).await;
            let news = Node::start(&db, &folder).await.1;
            assert!(matches!(&news[..], [why] if why.contains(said)), "{news:?}");
            assert!(Node::start(&db, &folder).await.1.is_empty());
        }
        let row = Row { id: String::new(), counter: 5, system: None, timeline: Some(1), folder: Some(11) };
        let found = |folder| Found { system: None, timeline: 1, folder };
        assert!(doubt(&row, &found(Some(12)), None).is_some_and(|why| why.contains("are a copy")));
        assert_eq!(doubt(&row, &found(Some(11)), Some(5)), None);
        assert_eq!(doubt(&row, &found(None), Some(4)), None);
    }

    #[sqlx::test]
    async fn a_book_put_back_under_a_running_node_is_noticed_when_it_connects_again(db: PgPool) {
        let folder = tempfile::tempdir().unwrap();
        let (mut node, _) = Node::start(&db, &folder).await;
        node.check_in().await;
        node.installation.greet(&mut node.db).await.unwrap();
        assert!(!is_paused(&db).await);

        change(&db, "update installation set counter = 1").await;
        node.installation.greet(&mut node.db).await.unwrap();

        assert!(is_paused(&db).await);
    }

    #[sqlx::test]
    async fn an_older_backup_replaces_a_pause_so_that_nothing_is_let_out_of_it(db: PgPool) {
        let folder = tempfile::tempdir().unwrap();
        Node::start(&db, &folder).await;
        let first = pause(&mut db.acquire().await.unwrap(), ("ann", "a look"), Clock::default().now()).await.unwrap();
        change(&db, "update installation set timeline = 7").await;
        Node::start(&db, &folder).await;

        let second = paused(&mut db.acquire().await.unwrap()).await.unwrap().unwrap();

        assert_eq!(second.number, first.unwrap().number + 1);
        assert!(second.why.contains("timeline"), "{}", second.why);
    }
}
