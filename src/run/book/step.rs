//! Steps.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::Piece;
use crate::{
    id::{ItemId, RunId, StepId, TransmissionId},
    run::StepState,
    workflow::Kind,
};

/// A step as doors show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Step {
    pub id: StepId,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    #[schema(value_type = Option<i64>)]
    pub item: Option<ItemId>,
    pub transmission: Option<TransmissionId>,
    pub state: StepState,
    pub due_at: DateTime<Utc>,
    pub tries: i32,
    pub reason: Option<Value>,
    pub changed_at: DateTime<Utc>,
}

/// The steps of a run in the order they were written.
///
/// # Errors
/// When the database cannot be read.
pub async fn steps(db: &PgPool, run: RunId, piece: Piece) -> Result<Vec<Step>> {
    sqlx::query_as!(
        Step,
        r#"
        select id as "id: StepId", name, kind as "kind: Kind", item as "item: ItemId",
               transmission as "transmission: TransmissionId", state as "state: StepState", due_at, tries, reason,
               changed_at
          from step
         where run = $1 and ($2::bigint is null or id > $2)
         order by id
         limit $3
        "#,
        run as RunId,
        piece.after,
        piece.limit,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the steps of run {run}"))
}
