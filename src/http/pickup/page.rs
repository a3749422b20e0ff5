//! What people see of a link: its files, or why there are none. Plain pages without scripts, for any browser and any
//! way of reading.

use std::{sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::App;
use crate::{
    channel::offer::{in_words, until},
    run::pickup::{ClosedError, Room},
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// Why there is nothing to see.
#[derive(Debug)]
pub(super) enum Refusal {
    Closed(ClosedError),
    /// They tried many links that lead nowhere, and have to wait for so long.
    Guessing(Duration),
}

/// The files behind a link.
pub(super) fn room(app: &App, token: &str, room: &Room) -> Result<Response, Refusal> {
    let files = room.files.iter().map(|file| {
        json!({
            "name": file.name,
            "size": in_words(file.size),
            "form": format!("{token}/files/{}", file.position),
            "is_kept": file.is_kept,
        })
    });
    let title = if room.title.trim().is_empty() { "Files for you" } else { &room.title };
    let context = json!({
        "title": title,
        "files": files.collect::<Vec<_>>(),
        "until": until(room.expires_at),
        "closed": Value::Null,
    });
    written(app, StatusCode::OK, context)
}

/// Why the link leads nowhere, and what can be done.
pub(super) fn closed(app: &App, refusal: &Refusal) -> Response {
    let (status, title, text) = match refusal {
        Refusal::Closed(error) => words(error),
        Refusal::Guessing(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            "Please wait a minute",
            "Too many links that do not exist were tried from your network. Try again in a minute.".to_owned(),
        ),
    };
    if let Refusal::Closed(ClosedError::Fault(fault)) = refusal {
        tracing::error!("a file could not be fetched by its link: {fault:#}");
    }
    let context = json!({ "title": title, "files": [], "until": "", "closed": text });
    let mut response = written(app, status, context).unwrap_or_else(|_| status.into_response());
    if let Refusal::Guessing(wait) = refusal {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    response
}

fn words(error: &ClosedError) -> (StatusCode, &'static str, String) {
    match error {
        ClosedError::Unknown => (
            StatusCode::NOT_FOUND,
            "This link leads nowhere",
            "Perhaps a part of it was cut off. Copy the whole link from the message, or ask whoever sent it."
                .to_owned(),
        ),
        ClosedError::Expired(at) => (
            StatusCode::GONE,
            "This link has ended",
            format!("It worked until {}. Ask whoever sent it to send the files again.", until(*at)),
        ),
        ClosedError::Withdrawn => (
            StatusCode::GONE,
            "This link was withdrawn",
            "Whoever sent it does not offer the files any more. Ask them if you still need them.".to_owned(),
        ),
        ClosedError::Gone => (
            StatusCode::GONE,
            "This file is no longer kept",
            "It was deleted because of its age. Ask whoever sent it to send it again.".to_owned(),
        ),
        ClosedError::TooOften => (
            StatusCode::TOO_MANY_REQUESTS,
            "This link was used too often",
            "Its files were asked for so often that no more is given out. Ask whoever sent it for a new link."
                .to_owned(),
        ),
        ClosedError::Fault(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "This does not work just now",
            "It is not your fault. Try again in a few minutes; the link still works.".to_owned(),
        ),
    }
}

fn written(app: &App, status: StatusCode, mut context: Value) -> Result<Response, Refusal> {
    context["style"] = Value::from(STYLE);
    let page = app.engine.toolbox.expressions.render_html(PAGE, &context);
    let page = page.map_err(|error| Refusal::Closed(ClosedError::Fault(anyhow::Error::new(error))))?;
    let mut response = (status, Html(page)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy());
    Ok(response)
}

/// Nothing but the page itself, its own style, and its own forms.
fn policy() -> HeaderValue {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    policy.try_into().unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// Its page is written once the handler is done, see `around`.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::NOT_FOUND.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<ClosedError> for Refusal {
    fn from(error: ClosedError) -> Self {
        Self::Closed(error)
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(fault: anyhow::Error) -> Self {
        Self::Closed(ClosedError::Fault(fault))
    }
}
