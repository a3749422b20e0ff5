//! The door for those who fetch files by a link: `/pickup/{token}`.
//!
//! Nobody logs in here: who has the link has the files. Looking at the page is no download, because mail servers, chats
//! and browsers look at links before people do, some of them at every link on the page as well. So a file is asked for by
//! a form (`POST`), which only people press; the answer leads to an address of its own, which browsers take up again
//! where the line broke (`Range`). Links stand in no log, and who tries many that do not exist has to wait.

mod guess;
mod page;
mod range;
mod visitor;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use self::{page::Refusal, visitor::Visitor};
use super::{App, finish};
use crate::{
    channel::offer,
    run::pickup::{self, ClosedError, Download, Room},
};

pub use guess::Guesses;
pub(super) use visitor::Peer;

/// The most bytes of a request: a form without fields.
const LIMIT: usize = 4096;

/// The pages and files of links.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route("/pickup/{token}", get(look))
        .route("/pickup/{token}/files/{position}", post(ask))
        .route("/pickup/{token}/taken/{pass}", get(take))
        .layer(DefaultBodyLimit::max(LIMIT))
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// Goes around every handler: as other doors have it, but with nothing in the log.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let mut response = next.run(request).await;
    if let Some(refusal) = response.extensions_mut().remove::<Arc<Refusal>>() {
        response = page::closed(&app, &refusal);
    }
    app.metrics.answered(response.status(), begun.elapsed());
    finish::careful(response.headers_mut());
    response.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}

/// `GET /pickup/{token}`
async fn look(State(app): State<App>, visitor: Visitor, Path(token): Path<String>) -> Result<Response, Refusal> {
    let room = enter(&app, &visitor, &token).await?;
    page::room(&app, &token, &room)
}

/// `POST /pickup/{token}/files/{position}`
async fn ask(
    State(app): State<App>,
    visitor: Visitor,
    Path((token, position)): Path<(String, i32)>,
) -> Result<Response, Refusal> {
    let room = enter(&app, &visitor, &token).await?;
    let who = (visitor.address.as_str(), visitor.agent.as_str());
    let pass = pickup::ask(&app.engine, &room, position, who).await?;
    let there = format!("../taken/{pass}");
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, there)]).into_response())
}

/// `GET /pickup/{token}/taken/{pass}`
async fn take(
    State(app): State<App>,
    visitor: Visitor,
    Path((token, pass)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let room = enter(&app, &visitor, &token).await?;
    let pass = offer::of_link(&pass).ok_or(ClosedError::Unknown)?;
    let download = pickup::take(&app.engine, &room, &pass).await?;
    let tag = format!("\"{}\"", download.digest);
    let mut head = vec![
        (header::CONTENT_TYPE, kind(&download)),
        (header::CONTENT_DISPOSITION, disposition(&download.name)),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    let size = download.size;
    let Ok(range) = range::wanted(&headers, size, &tag) else {
        let whole = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, whole).into_response());
    };
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    if let Some(range) = &range {
        head.push((header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1)));
    }
    let range = range.unwrap_or(0..size);
    head.push((header::CONTENT_LENGTH, (range.end - range.start).to_string()));
    let bytes = match visitor.only_looks {
        true => Body::empty(),
        false => Body::from_stream(pickup::body(&app.engine, download, range).await?),
    };
    let mut response = (status, bytes).into_response();
    for (name, value) in head {
        let value = value.try_into().unwrap_or(HeaderValue::from_static("application/octet-stream"));
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Where the link leads, for somebody who has not tried too many that lead nowhere.
async fn enter(app: &App, visitor: &Visitor, token: &str) -> Result<Room, Refusal> {
    app.guesses.check(visitor.source).await?;
    let found = match offer::of_link(token) {
        Some(token) => pickup::room(&app.shelf.db, &token, app.clock.now()).await,
        None => Err(ClosedError::Unknown),
    };
    if matches!(found, Err(ClosedError::Unknown)) {
        app.guesses.missed(visitor.source).await;
    }
    Ok(found?)
}

/// The media type, if it is fit for a header. Browsers are told not to guess another.
fn kind(download: &Download) -> String {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    match plain(&download.media_type) {
        true => download.media_type.clone(),
        false => "application/octet-stream".to_owned(),
    }
}

/// Saved under `name`, not shown: RFC 6266 with the plain form for old programs.
fn disposition(name: &str) -> String {
    let plain =
        |letter: char| if letter.is_ascii_graphic() && !matches!(letter, '"' | '\\' | '%') { letter } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_saved_under_its_name_whatever_stands_in_it() {
        assert_eq!(disposition("plan.pdf"), "attachment; filename=\"plan.pdf\"; filename*=UTF-8''plan%2Epdf");
        let odd = disposition("a\"b\\ü\r\n.pdf");
        assert_eq!(odd, "attachment; filename=\"a_b____.pdf\"; filename*=UTF-8''a%22b%5C%C3%BC%0D%0A%2Epdf");
    }
}
