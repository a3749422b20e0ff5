//! A folder of a web server: WebDAV (RFC 4918), or plain `PUT` where that is all there is.
//!
//! With WebDAV a file is written aside and moved, which replaces or refuses as it is asked to. With plain `PUT` it is the
//! server's affair whether others see half of it; nothing is overwritten unless it is asked to (`If-None-Match: *`, RFC
//! 9110, section 13.1.2). No redirect is followed.

mod answer;
mod put;

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::CONTENT_LENGTH};

pub(super) use put::Plain;

use self::answer::{refusal, unanswered};
use super::{
    Failure, Found, Moved,
    path::{folders, parent},
};

/// What stands in a path as it is (RFC 3986, section 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A folder, as it is addressed.
#[derive(Clone)]
pub(super) struct Web {
    /// With no slash at its end.
    pub base: String,
    pub user: String,
    pub password: String,
    /// Whether the server moves files (RFC 4918).
    pub moves: bool,
    pub client: reqwest::Client,
    /// How long any one answer may take, other than to a file.
    pub timeout: Duration,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Web {
    /// A folder below this one.
    pub(super) fn below(&self, path: &str) -> Self {
        Self { base: self.url(path.trim_start_matches('/')).trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// Asks for the folder, and whether we are let in.
    pub(super) async fn probe(&self) -> Result<(), Failure> {
        let answer = self.send(self.request(Method::OPTIONS, "")).await?;
        match answer.status() {
            status if status.is_success() || status == StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            _ => Err(refusal(&self.base, answer)),
        }
    }

    pub(super) async fn find(&self, path: &str) -> Result<Option<Found>, Failure> {
        let answer = self.send(self.request(Method::HEAD, path)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => {
                let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
                let stamp = header("etag").or(header("last-modified")).unwrap_or_default().to_owned();
                // A server that does not say is asked for the bytes.
                let size = header(CONTENT_LENGTH.as_str()).and_then(|size| size.parse().ok());
                let size = match size {
                    Some(size) => size,
                    None => self.read(path, u64::MAX - 1).await?.len() as u64,
                };
                Ok(Some(Found { name: path.to_owned(), size, stamp }))
            }
            _ => Err(refusal(&self.base, answer)),
        }
    }

    /// More than `limit` where there are more.
    pub(super) async fn read(&self, path: &str, limit: u64) -> Result<Bytes, Failure> {
        let mut answer =
            self.request(Method::GET, path).send().await.map_err(|error| unanswered(&self.base, &error))?;
        if !answer.status().is_success() {
            return Err(refusal(&self.base, answer));
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| unanswered(&self.base, &error))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > limit {
                break;
            }
        }
        Ok(bytes.freeze())
    }

    /// Puts a file there; false when `fresh` is asked for and there is one. Makes the folders above it when the server
    /// does not take it without: 409 by RFC 4918, section 9.7.1, and 500 by nginx.
    pub(super) async fn write(&self, path: &str, bytes: &Bytes, fresh: bool) -> Result<bool, Failure> {
        let mut answer = self.write_once(path, bytes, fresh).await?;
        let perhaps = [StatusCode::CONFLICT, StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR];
        if perhaps.contains(&answer.status()) && parent(path).is_some() {
            self.make_parent(path).await?;
            answer = self.write_once(path, bytes, fresh).await?;
        }
        match answer.status() {
            StatusCode::PRECONDITION_FAILED if fresh => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(refusal(&self.base, answer)),
        }
    }

    async fn write_once(&self, path: &str, bytes: &Bytes, fresh: bool) -> Result<Response, Failure> {
        // Said also of an empty file, which nginx refuses otherwise.
        let mut request = self.request(Method::PUT, path).header(CONTENT_LENGTH, bytes.len()).body(bytes.clone());
        if fresh {
            request = request.header("If-None-Match", "*");
        }
        request.send().await.map_err(|error| unanswered(&self.base, &error))
    }

    async fn make_parent(&self, path: &str) -> Result<(), Failure> {
        for folder in folders(path) {
            let answer = self.send(self.request(method(b"MKCOL"), &format!("{folder}/"))).await?;
            // 405: it is there (RFC 4918, section 9.3.1).
            if !answer.status().is_success() && answer.status() != StatusCode::METHOD_NOT_ALLOWED {
                return Err(refusal(&self.base, answer));
            }
        }
        Ok(())
    }

    /// RFC 4918, section 9.9.
    pub(super) async fn rename(&self, from: &str, to: &str, over: bool) -> Result<Moved, Failure> {
        let request = self.request(method(b"MOVE"), from).header("Destination", self.url(to));
        let answer = self.send(request.header("Overwrite", if over { "T" } else { "F" })).await?;
        match answer.status() {
            StatusCode::PRECONDITION_FAILED => Ok(Moved::Taken),
            StatusCode::NOT_FOUND => Ok(Moved::Gone),
            status if status.is_success() => Ok(Moved::Done),
            _ => Err(refusal(&self.base, answer)),
        }
    }

    /// Also when there is nothing to remove.
    async fn delete(&self, path: &str) -> Result<(), Failure> {
        let answer = self.send(self.request(Method::DELETE, path)).await?;
        match answer.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            _ => Err(refusal(&self.base, answer)),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, self.url(path));
        if self.user.is_empty() { request } else { request.basic_auth(&self.user, Some(&self.password)) }
    }

    /// Of requests that carry no file.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.timeout(self.timeout).send().await.map_err(|error| unanswered(&self.base, &error))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{}", self.base, utf8_percent_encode(path, PLAIN))
    }
}

/// A method of WebDAV.
fn method(name: &'static [u8]) -> Method {
    Method::from_bytes(name).expect("a method is letters")
}
