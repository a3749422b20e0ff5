//! What stands behind the question mark of a path.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::Problem;

/// What a request asks for behind its question mark, as far as a `T` knows it.
#[derive(Debug)]
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        params(parts).map(Self)
    }
}

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
