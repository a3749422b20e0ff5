//! What a report server answered: the document, or why it is none.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, DATE, HeaderName, RETRY_AFTER},
};

use super::{Request, failed, refused};
use crate::source::Failure;

/// How much of a refusal's text is shown, in characters.
const EXCERPT: usize = 200;

/// How much of a refusal's text is read to show that much, in bytes.
const EXCERPT_READ: usize = 4096;

/// Reads an answer that is no redirect.
pub(super) async fn read(mut response: Response, request: &Request) -> Result<Bytes, Failure> {
    if !response.status().is_success() {
        return Err(unsuccessful(response).await);
    }
    check_media_type(&response, request)?;
    let announced = response.content_length();
    if let Some(size) = announced.filter(|size| *size > request.limit) {
        return Err(too_big(&size.to_string(), request));
    }
    let mut bytes = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > limit(request) => {
                return Err(too_big(&format!("more than {}", request.limit), request));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes.freeze()),
            Err(_) => return Err(truncated(bytes.len(), announced)),
        }
    }
}

fn limit(request: &Request) -> usize {
    usize::try_from(request.limit).unwrap_or(usize::MAX)
}

fn too_big(size: &str, request: &Request) -> Failure {
    refused("http-too-big", format!("the server's answer has {size} bytes; the limit is {}", request.limit))
}

fn truncated(size: usize, announced: Option<u64>) -> Failure {
    let whole = announced.map(|size| format!(" of {size}")).unwrap_or_default();
    failed("http-truncated", format!("the server's answer broke off after {size}{whole} bytes"))
}

fn check_media_type(response: &Response, request: &Request) -> Result<(), Failure> {
    let Some(found) = header(response, CONTENT_TYPE) else {
        return Err(refused(
            "http-media-type",
            format!("the server does not say what it answered; expected {}", request.media_type),
        ));
    };
    if essence(found) == essence(&request.media_type) {
        return Ok(());
    }
    Err(refused("http-media-type", format!("the server answered with {found}; expected {}", request.media_type)))
}

fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A status that is no success. Servers that are busy or broken may be better later, others said no.
async fn unsuccessful(response: Response) -> Failure {
    let status = response.status();
    let after = retry_after(&response);
    let code = format!("http-{}", status.as_u16());
    let mut text = format!("the server answered {status}");
    if let Some(words) = excerpt(response).await {
        text = format!("{text}: {words}");
    }
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || passing.contains(&status) {
        Failure { after, ..failed(&code, text) }
    } else {
        refused(&code, text)
    }
}

/// How long the server wants to be left alone. A date is taken against the server's own clock.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = header(response, RETRY_AFTER)?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(header(response, DATE)?).ok()?;
    (then - now).to_std().ok()
}

/// The beginning of what a refusal says, when that is text to be read.
async fn excerpt(mut response: Response) -> Option<String> {
    let kind = essence(header(&response, CONTENT_TYPE)?);
    if kind != "text/plain" && !kind.ends_with("json") {
        return None;
    }
    let mut bytes = BytesMut::new();
    while let (true, Ok(Some(chunk))) = (bytes.len() < EXCERPT_READ, response.chunk().await) {
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&bytes);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
    (!line.is_empty()).then_some(line)
}

fn header(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}
