//! The door for what the far side says by itself: `/callbacks/{account}`.
//!
//! Nobody logs in here: the account's driver says whether a call is from its far side. What is not leaves a number and
//! a line in the log, now and then, and nothing in the book. What is gets its answer when it is kept.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{App, Problem};
use crate::{
    channel::{Callback, Unheard},
    run::receipt::{self, Source},
};

/// The most bytes a call may have. Services send a few kilobytes.
pub(super) const LIMIT: usize = 1024 * 1024;

/// The shortest time between two lines in the log about calls that were turned away.
const QUIET: Duration = Duration::from_secs(60);

/// `GET` and `POST /callbacks/{account}`
pub(super) async fn callback(
    State(app): State<App>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let account = app.engine.channels.get(&name).ok_or_else(|| Problem::not_found("account", &name))?;
    let url = address(&app, &uri, &headers);
    let now = app.clock.now();
    let call = Callback { method: method.as_str(), url: &url, headers: &headers, body: &body, now };
    let heard = account.hear(&call).map_err(|unheard| turned_away(&app, account.name(), unheard))?;
    let raw = if body.is_empty() { uri.query().unwrap_or_default().as_bytes() } else { &body };
    receipt::receive(&app.engine, (Source::Callback, account.name()), heard.words, raw).await?;
    Ok(([(header::CONTENT_TYPE, heard.reply.media_type)], heard.reply.body).into_response())
}

/// The address as the far side called it: signatures may be over it.
fn address(app: &App, uri: &Uri, headers: &HeaderMap) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    if let Some(public) = &app.public {
        return format!("{public}{path}");
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{host}{path}")
}

fn turned_away(app: &App, account: &str, unheard: Unheard) -> Problem {
    let (kind, status) = match &unheard {
        Unheard::NotExpected => ("not_expected", StatusCode::NOT_FOUND),
        Unheard::Forged(_) => ("forged", StatusCode::FORBIDDEN),
        Unheard::Stale(_) => ("stale", StatusCode::FORBIDDEN),
        Unheard::Unreadable(_) => ("unreadable", StatusCode::BAD_REQUEST),
    };
    if let Some(others) = app.metrics.turned_away(kind, QUIET) {
        tracing::warn!(account, others, why = %unheard, "a call to an account's door was turned away");
    }
    let detail = match unheard {
        // Whoever made it up need not learn what gave it away.
        Unheard::Forged(_) | Unheard::Stale(_) => "the call is not believed".to_owned(),
        unheard => unheard.to_string(),
    };
    Problem::new(status, detail)
}
