//! Bytes that nobody names any more.
//!
//! Bytes are put before the row that names them, so they go only when they have been there, unnamed, for a day. Putting
//! the same bytes again makes them young again. The row goes first; its object has a name that is never used again, so
//! an object whose deletion is cut short is nobody's, and is found by the round through the object store.

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use sqlx::PgPool;

use super::{Store, called};

/// How long bytes may be there before a row names them. Shorter than a slow upload loses documents.
const GRACE: Duration = Duration::days(1);

/// Rows looked at in one statement.
const CHUNK: i64 = 1000;

impl Store {
    /// Deletes those of `digests` that nobody names and that are older than the grace.
    ///
    /// # Errors
    /// When the database or the object store cannot be written.
    pub async fn forget(&self, digests: &[String], now: DateTime<Utc>) -> Result<()> {
        let gone = delete(&self.db, digests, now).await?;
        let Some(objects) = &self.objects else { return Ok(()) };
        for row in gone.into_iter().filter(|row| !row.here) {
            remove(objects.as_ref(), &called(&row.digest, row.object)).await?;
        }
        Ok(())
    }

    /// Goes through the next chunk of all bytes, after the digest `after`, and deletes those that nobody names. Gives
    /// how far it came, or nothing when it came to the end.
    ///
    /// # Errors
    /// When the database or the object store cannot be written.
    pub async fn look_through(&self, after: &str, now: DateTime<Utc>) -> Result<Option<String>> {
        let digests =
            sqlx::query_scalar!("select digest from blob where digest > $1 order by digest limit $2", after, CHUNK)
                .fetch_all(&self.db)
                .await
                .context("going through all bytes")?;
        self.forget(&digests, now).await?;
        Ok(digests.into_iter().next_back())
    }

    /// Deletes objects that no row names and that are older than the grace.
    ///
    /// # Errors
    /// When the database cannot be read, or the object store cannot be written.
    pub async fn clear_objects(&self, now: DateTime<Utc>) -> Result<()> {
        let Some(objects) = &self.objects else { return Ok(()) };
        let old = objects.list(None).try_filter(|object| std::future::ready(object.last_modified < now - GRACE));
        let mut chunks = old.try_chunks(CHUNK as usize);
        while let Some(chunk) = chunks.next().await {
            let chunk: Vec<_> = chunk.map_err(|error| error.1).context("listing the objects")?;
            let paths: Vec<_> = chunk.into_iter().map(|object| object.location.to_string()).collect();
            for path in nobodys(&self.db, &paths).await? {
                remove(objects.as_ref(), &Path::from(path)).await?;
            }
        }
        Ok(())
    }
}

async fn remove(objects: &dyn ObjectStore, path: &Path) -> Result<()> {
    match objects.delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("deleting the object {path}")),
    }
}

struct Gone {
    digest: String,
    here: bool,
    object: Option<String>,
}

async fn delete(db: &PgPool, digests: &[String], now: DateTime<Utc>) -> Result<Vec<Gone>> {
    sqlx::query_as!(
        Gone,
        r#"
        delete from blob
         where digest = any($1) and created_at < $2
           and not exists (select from artifact where artifact.blob = blob.digest)
           and not exists (select from rendition where rendition.blob = blob.digest)
           and not exists (select from document_revision where definition ->> 'digest' = blob.digest)
           and not exists (select from file where file.blob = blob.digest)
           and not exists (select from workflow_version
                            where jsonb_path_exists(files, '$.* ? (@ == $digest)', jsonb_build_object('digest', blob.digest)))
        returning digest, bytes is not null as "here!", object
        "#,
        digests,
        now - GRACE,
    )
    .fetch_all(db)
    .await
    .context("deleting bytes that nobody names")
}

/// Which of these objects no row names.
async fn nobodys(db: &PgPool, paths: &[String]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select path as "path!" from unnest($1::text[]) as found (path)
         where not exists (select from blob where blob.digest = split_part(split_part(path, '/', 3), '.', 1)
                              and bytes is null
                              and coalesce(object, left(digest, 2) || '/' || substr(digest, 3, 2) || '/' || digest) = path)
        "#,
        paths,
    )
    .fetch_all(db)
    .await
    .context("looking for objects that nobody names")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use object_store::{PutPayload, local::LocalFileSystem};

    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::<Utc>::from_timestamp(1_775_000_000, 0).expect("an instant") + Duration::hours(hours)
    }

    async fn is_there(db: &PgPool, digest: &str) -> bool {
        sqlx::query_scalar("select exists (select from blob where digest = $1)")
            .bind(digest)
            .fetch_one(db)
            .await
            .unwrap()
    }

    async fn round(store: &Store, now: DateTime<Utc>) {
        let mut after = String::new();
        while let Some(last) = store.look_through(&after, now).await.unwrap() {
            after = last;
        }
        store.clear_objects(now).await.unwrap();
    }

    /// A run with an artifact of these bytes, with as little as the tables take.
    async fn artifact(db: &PgPool, digest: &str) {
        for statement in [
            "insert into workflow_version values ('w', 'w', '', '{}', '2026-01-01') on conflict do nothing",
            "insert into batch (name, enabled, created_at, changed_at) values ('b', true, '2026-01-01', '2026-01-01')
                 on conflict do nothing",
            "insert into \"user\" values ('u', 'u', 'user', '{}', '{}', false, true, '2026-01-01', '2026-01-01')
                 on conflict do nothing",
            "insert into batch_revision (batch, workflow, run_as, definition, created_at, created_by)
                 values ('b', 'w', 'u', '{}', '2026-01-01', 'u')",
            "insert into run (batch, revision, workflow_version, cause_kind, cause_key, business_date, run_as, attributes,
                              params, state, created_at)
                 select 'b', max(id), 'w', 'demand', max(id)::text, '2026-01-01', 'u', '{}', '{}', 'running', '2026-01-01'
                   from batch_revision",
        ] {
            sqlx::query(statement).execute(db).await.unwrap();
        }
        sqlx::query("insert into artifact (run, file, media_type, digest, size, created_at) select max(id), 'f', 'text/csv', $1, 1, '2026-01-01' from run")
            .bind(digest)
            .execute(db)
            .await
            .unwrap();
    }

    #[sqlx::test]
    async fn bytes_go_when_nobody_names_them_for_a_day(db: PgPool) {
        let store = Store::in_database(db.clone());
        let put = async |text: &'static str| store.put(&Bytes::from_static(text.as_bytes()), at(0)).await.unwrap();
        let [lost, sent, held, part] = [put("lost").await, put("sent").await, put("held").await, put("part").await];
        artifact(&db, &sent).await;
        sqlx::query("insert into document_revision (definition, created_at, created_by) values (jsonb_build_object('digest', $1::text), '2026-01-01', 'u')")
            .bind(&held)
            .execute(&db)
            .await
            .unwrap();
        sqlx::query(
            "insert into workflow_version values ('v', 'v', '', jsonb_build_object('a.typ', $1::text), '2026-01-01')",
        )
        .bind(&part)
        .execute(&db)
        .await
        .unwrap();

        round(&store, at(23)).await;
        assert!(is_there(&db, &lost).await, "it is too young");
        round(&store, at(25)).await;

        assert!(!is_there(&db, &lost).await);
        for named in [&sent, &held, &part] {
            assert!(is_there(&db, named).await);
        }
        sqlx::query("update artifact set purged_at = '2026-02-01'").execute(&db).await.unwrap();
        store.forget(std::slice::from_ref(&sent), at(25)).await.unwrap();
        assert!(!is_there(&db, &sent).await);
    }

    #[sqlx::test]
    async fn bytes_that_are_put_again_are_young_again(db: PgPool) {
        let folder = tempfile::tempdir().unwrap();
        let objects = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        for store in [Store::in_database(db.clone()), Store::in_objects(db.clone(), objects)] {
            let bytes = Bytes::from(format!("{store:?}"));
            let digest = store.put(&bytes, at(0)).await.unwrap();
            store.put(&bytes, at(20)).await.unwrap();
            round(&store, at(30)).await;
            assert_eq!(store.get(&digest).await.unwrap(), bytes);
            round(&store, at(45)).await;
            assert!(!is_there(&db, &digest).await);
            store.put(&bytes, at(46)).await.unwrap();
            assert_eq!(store.get(&digest).await.unwrap(), bytes, "they may come back");
        }
    }

    #[sqlx::test]
    async fn objects_go_with_their_rows_and_those_without_a_row_later(db: PgPool) {
        let folder = tempfile::tempdir().unwrap();
        let objects = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        let store = Store::in_objects(db.clone(), objects.clone());
        let now = Utc::now();
        let listed = async || objects.list(None).count().await;
        let sent = store.put(&Bytes::from_static(b"sent"), now).await.unwrap();
        store.put(&Bytes::from_static(b"lost"), now).await.unwrap();
        artifact(&db, &sent).await;
        objects.put(&Path::from("ab/cd/abcd.1"), PutPayload::from_static(b"nobody's")).await.unwrap();
        store.clear_objects(now).await.unwrap();
        assert_eq!(listed().await, 3, "all of them are young");

        round(&store, now + Duration::hours(25)).await;

        assert_eq!(listed().await, 1);
        assert_eq!(store.get(&sent).await.unwrap(), "sent");
    }
}
