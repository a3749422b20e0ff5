//! What a caller is told when something cannot be done: RFC 9457 problems.
//!
//! Refusals say what to do about them. Faults say nothing but the request's id, under which the log has the whole
//! story. A handler gives a [`Problem`]; `finish` writes it out, once the request's id is known.

use std::sync::Arc;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::catalog::{Fault, Faults, shortened};

/// Why a request was not done.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Stable, for programs: `/problems/validation`.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation")]
    pub kind: String,
    #[schema(example = "The input is not valid")]
    pub title: String,
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong this time, and what can be done.
    pub detail: String,
    /// The places that are wrong, when it is the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<Fault>,
    #[serde(skip)]
    #[schema(ignore)]
    pub(super) cause: Option<Arc<anyhow::Error>>,
}

impl Problem {
    /// The problem that stands for `status`.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (kind, title) = meaning(status);
        Self {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: shortened(detail.into()),
            errors: Vec::new(),
            cause: None,
        }
    }

    /// There is no such thing, or none that the caller may see.
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} `{name}`"))
    }

    /// Something that is there stands in the way.
    pub fn conflict(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, detail.to_string())
    }

    /// One field is wrong.
    pub fn at(place: &str, text: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.add(place, text);
        faults.into()
    }
}

fn meaning(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        400 => ("malformed", "The request cannot be read"),
        401 => ("unauthenticated", "A valid token is needed"),
        403 => ("forbidden", "This token may not do that"),
        404 => ("not-found", "There is nothing here"),
        405 => ("method", "This cannot be done here"),
        409 => ("conflict", "Something stands in the way"),
        410 => ("gone", "It is no longer kept"),
        413 => ("too-large", "The request is too large"),
        415 => ("media-type", "The body has an unknown media type"),
        422 => ("validation", "The input is not valid"),
        503 => ("unavailable", "Not ready"),
        status if status < 500 => ("refused", "The request was refused"),
        _ => ("internal", "An internal fault"),
    }
}

impl From<Faults> for Problem {
    fn from(faults: Faults) -> Self {
        let errors = faults.into_inner();
        let detail = match errors.as_slice() {
            [one] if one.at.is_empty() => format!("the body {}", one.text),
            [one] => format!("{}: {}", one.at, one.text),
            more => format!("{} things are wrong; `errors` names each with its place and remedy", more.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(cause: anyhow::Error) -> Self {
        Self { cause: Some(Arc::new(cause)), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "") }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
