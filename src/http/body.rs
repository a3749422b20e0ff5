//! Bodies and names in paths, read so that everything wrong with them is told.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Problem, json};
use crate::catalog::{Faults, read};

/// A JSON body, with what is wrong with its types.
#[derive(Debug)]
pub struct Body<T>(pub T, pub Faults);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let value = json(request, state).await?;
        let mut faults = Faults::default();
        let read = read(value, &mut faults);
        Ok(Self(read, faults))
    }
}

/// A JSON body that may be left out, when nothing has to be said.
#[derive(Debug)]
pub struct MaybeBody<T>(pub T, pub Faults);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let is_json = is(request.headers(), "application/json");
        let bytes = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let mut faults = Faults::default();
        let value =
            if bytes.is_empty() { Value::Null } else { parse(&bytes, is_json).map_err(IntoResponse::into_response)? };
        let read = if value.is_null() { T::default() } else { read(value, &mut faults) };
        Ok(Self(read, faults))
    }
}

/// Any JSON body.
pub(super) async fn json<S: Send + Sync>(request: Request, state: &S) -> Result<Value, Response> {
    let is_json = is(request.headers(), "application/json");
    let bytes = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
    parse(&bytes, is_json).map_err(IntoResponse::into_response)
}

fn parse(bytes: &[u8], is_json: bool) -> Result<Value, Problem> {
    if !is_json {
        let detail = "send JSON with the header `Content-Type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    json::read(bytes).map_err(|fault| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read as JSON in UTF-8: {fault}"))
    })
}

/// Whether the body is said to be of `media_type`.
pub(super) fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let written = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    written.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}

/// The one name in a path.
#[derive(Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        // Names are one line; the database could not even be asked for some others.
        if name.chars().any(char::is_control) {
            return Err(Problem::new(StatusCode::NOT_FOUND, "there is nothing of that name").into_response());
        }
        Ok(Self(name))
    }
}

/// The one number in a path.
#[derive(Debug)]
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Name(name) = Name::from_request_parts(parts, state).await?;
        let id =
            name.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, format!("nothing has the number `{name}`")));
        id.map(Self).map_err(IntoResponse::into_response)
    }
}

/// The name in the path wins, and the body may leave it out or repeat it.
pub(super) fn named(path: String, body: &mut Option<String>, faults: &mut Faults) {
    if let Some(written) = body.as_ref().filter(|written| **written != path) {
        faults.add("name", format!("is `{written}`, but the path says `{path}`; leave it out, or make them the same"));
    }
    *body = Some(path);
}
