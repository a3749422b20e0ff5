//! What stands behind the question mark of a path.

use axum::{extract::Query, http::request::Parts};
use serde::de::DeserializeOwned;

use super::Problem;

/// The parameters of a request that a `T` knows.
///
/// # Errors
/// When one of them is written twice, or cannot be read.
pub(super) fn params<T: DeserializeOwned>(parts: &Parts) -> Result<T, Problem> {
    Query::try_from_uri(&parts.uri).map(|Query(query)| query).map_err(|fault| {
        let text = fault.body_text();
        let fault = text.rsplit(": ").next().unwrap_or_default();
        Problem::at("query", format!("{fault}; write each parameter once, percent-encoded"))
    })
}
