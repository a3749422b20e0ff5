//! Where a redirect leads, and what may go along.

use reqwest::{Method, Response, StatusCode, Url, header::LOCATION};

use super::refused;
use crate::source::Failure;

/// How many redirects are followed.
pub(super) const MOST: usize = 5;

/// One request of a chain of redirects.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Method,
    /// Whether credentials and headers go along: only to the server they were meant for.
    pub(super) trusted: bool,
    pub(super) with_body: bool,
}

/// The next hop, or `None` when `response` is the answer.
pub(super) fn next(hop: &Hop, response: &Response) -> Result<Option<Hop>, Failure> {
    let status = response.status();
    let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let is_redirect =
        keeps_method || matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER);
    let Some(location) = response.headers().get(LOCATION).filter(|_| is_redirect) else {
        return Ok(None);
    };
    let fault = |text: &str| refused("http-redirect", format!("the server answered {status} and {text}"));
    let url = location.to_str().ok().and_then(|location| hop.url.join(location).ok());
    let url = url.ok_or_else(|| fault("does not say where to go"))?;
    if hop.url.scheme() == "https" && url.scheme() != "https" {
        return Err(fault("leads from an encrypted address to one that is not"));
    }
    let same_server = url.origin() == hop.url.origin();
    if keeps_method && hop.with_body && !same_server {
        return Err(fault("leads to another server with what was meant for this one"));
    }
    let method = if keeps_method { hop.method.clone() } else { Method::GET };
    Ok(Some(Hop { url, method, trusted: hop.trusted && same_server, with_body: keeps_method && hop.with_body }))
}
