//! Who uses what is kept by name, so that it is not deleted under them.

use anyhow::{Context, Result};
use sqlx::PgConnection;

/// The batches in which an element of the list `part` has `name` as its `field`, in the order of their names.
pub(super) async fn by(db: &mut PgConnection, (part, field): (&str, &str), name: &str) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select batch.name
          from batch
          join batch_revision on batch_revision.id = batch.current
         where batch.deleted_at is null
           and batch_revision.definition -> $1::text @> jsonb_build_array(jsonb_build_object($2::text, $3::text))
         order by batch.name
        "#,
        part,
        field,
        name,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("looking for batches that use {field} {name}"))
}
