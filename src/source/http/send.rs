//! The request as it goes out.

use reqwest::{
    Method, RequestBuilder, Url,
    header::{HeaderName, HeaderValue},
};

use super::{Request, redirect::Hop, unsendable};
use crate::{secret::Credential, source::Failure};

/// The first request of a chain, if it can be made at all.
pub(super) fn first_hop(request: &Request) -> Result<Hop, Failure> {
    let mut url = Url::parse(&request.url).map_err(|error| {
        unsendable(&format!(
            "`{}` is no URL ({error}); mark a part that holds a whole address with `| safe`",
            request.url
        ))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unsendable(&format!("the URL begins with `{}:`; only http and https are asked", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unsendable("the URL holds a login; put it into a secret"));
    }
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    let method = Method::from_bytes(request.method.as_bytes());
    let method = method.map_err(|_| unsendable(&format!("`{}` is no method", request.method)))?;
    Ok(Hop { url, method, trusted: true, with_body: request.body.is_some() })
}

/// Puts headers, credentials and body on, as far as they may go along on `hop`.
pub(super) fn fill(mut builder: RequestBuilder, request: &Request, hop: &Hop) -> Result<RequestBuilder, Failure> {
    builder = builder.header("accept", &request.media_type);
    if hop.trusted {
        for (name, value) in &request.headers {
            let (name, value) = header(name, value)?;
            builder = builder.header(name, value);
        }
        builder = match &request.secret {
            Some(Credential::Password { user, password }) => builder.basic_auth(user, Some(password)),
            Some(Credential::Token { token }) => builder.bearer_auth(token),
            Some(Credential::Header { header: name, value }) => {
                let (name, value) = header(name, value)?;
                builder.header(name, value)
            }
            None => builder,
        };
    }
    Ok(match &request.body {
        Some(body) if hop.with_body => builder.body(body.clone()),
        _ => builder,
    })
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
    let (Ok(name), Ok(value)) = parsed else {
        return Err(unsendable(&format!(
            "the header `{name}` has a line break or another sign that no header can hold"
        )));
    };
    Ok((name, value))
}
