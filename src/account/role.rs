//! What people may do.

use serde::{Deserialize, Serialize};

/// What a user, or a token, may do; a greater one may do all that a smaller one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Role {
    /// Sees what runs as them.
    User,
    /// Sees everything; starts, stops, retries and settles.
    Operator,
    /// Changes batches, documents, users and all the rest.
    Admin,
}
