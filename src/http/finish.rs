//! What every answer gets: an id, a problem's body, headers that keep browsers careful, a line in the log.

use std::time::Instant;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{App, Problem};

/// Headers for every answer that does not set its own.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The header that carries the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Goes around every handler.
pub async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let begun = Instant::now();
    let response = next.run(request).await;
    let mut response = write(response, &app, &id).await;
    let status = response.status();
    app.metrics.answered(status, begun.elapsed());
    tracing::debug!(request.id = %id, %method, path, status = status.as_u16(), "answered a request");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    careful(response.headers_mut());
    response
}

/// Adds the headers that keep browsers careful, where they are not set otherwise.
pub fn careful(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
}

/// Gives a refusal its body. Those that the router makes by itself become problems here, too.
async fn write(mut response: Response, app: &App, id: &str) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => told(problem, id),
        None => {
            let body = std::mem::replace(response.body_mut(), Body::empty());
            Problem::new(status, detail(status, body, app).await)
        }
    };
    let Ok(body) = serde_json::to_vec(&problem) else { return response };
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"postbook\""));
    }
    *response.body_mut() = Body::from(body);
    response
}

/// Logs the fault behind a problem, and tells the caller where to find it.
fn told(problem: Problem, id: &str) -> Problem {
    let Some(cause) = &problem.cause else { return problem };
    tracing::error!(request.id = %id, "a request failed: {cause:#}");
    Problem { detail: format!("the fault was logged with the request id {id}; ask an administrator"), ..problem }
}

/// The longest text of the router's own that is handed on.
const LONGEST: usize = 4096;

async fn detail(status: StatusCode, body: Body, app: &App) -> String {
    match status {
        StatusCode::NOT_FOUND => "there is no such path; /api/docs lists what there is".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "the header `Allow` says which methods there are".to_owned(),
        StatusCode::PAYLOAD_TOO_LARGE => {
            let limit = app.body_limit;
            format!("the body is larger than {limit} bytes; send less, or raise `body_limit` in the section [http]")
        }
        _ => {
            let bytes = to_bytes(body, LONGEST).await.unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }
}
