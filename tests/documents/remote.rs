//! A report server that behaves and one that does not.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
use futures::stream;
use postbook::{
    document::{self, Document, Failure, Rendered, Toolbox},
    reason::Scope,
    secret::Credential,
    source::http::RemoteConfig,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::workbench::{LIMIT, context, files, no_database, renderer, toolbox};

/// What the server was asked: method, path with query, headers, body.
type Asked = Arc<Mutex<Vec<(String, String, HeaderMap, String)>>>;

struct Server {
    address: SocketAddr,
    asked: Asked,
}

/// Serves reports on a free port until the test ends.
async fn serve(pdf: Bytes, elsewhere: Option<SocketAddr>) -> Server {
    let asked = Asked::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let cut = pdf.slice(..pdf.len() / 2);
    let router = Router::new()
        .route("/report/{*path}", any(report))
        .with_state((asked.clone(), pdf))
        .route("/broken", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "no table\n  \"orders\" for s3cret") }))
        .route("/busy", get(|| async { (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "90")]) }))
        .route(
            "/down",
            get(|| async {
                let dates = [
                    (header::RETRY_AFTER, "Wed, 01 Apr 2026 06:01:30 GMT"),
                    (header::DATE, "Wed, 01 Apr 2026 06:01:00 GMT"),
                ];
                (StatusCode::SERVICE_UNAVAILABLE, dates)
            }),
        )
        .route("/none", get(|| async { StatusCode::NOT_FOUND }))
        .route("/login", get(|| async { ([(header::CONTENT_TYPE, "text/html")], "<form>") }))
        .route("/fake", get(|| async { ([(header::CONTENT_TYPE, "application/pdf")], "<html>not really") }))
        .route("/half", get(move || async { ([(header::CONTENT_TYPE, "application/pdf")], cut) }))
        .route("/flood", get(flood))
        .route("/slow", get(std::future::pending::<Response>))
        .route("/round", get(|| async { Redirect::to("/round") }))
        .route("/there", any(|| async { Redirect::temporary("/report/moved") }))
        .route(
            "/away",
            any(move || async move {
                let address = elsewhere.expect("the other server");
                Redirect::temporary(&format!("http://{address}/report/away"))
            }),
        )
        .route("/metadata", get(|| async { Redirect::to("http://169.254.169.254/latest") }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { address, asked }
}

async fn report(State((asked, pdf)): State<(Asked, Bytes)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 10_000).await.expect("a body");
    let body = String::from_utf8_lossy(&body).into_owned();
    asked.lock().expect("a lock").push((parts.method.to_string(), parts.uri.to_string(), parts.headers, body));
    ([(header::CONTENT_TYPE, "application/pdf")], pdf).into_response()
}

/// Never stops sending.
async fn flood() -> Response {
    let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024])));
    ([(header::CONTENT_TYPE, "application/pdf")], Body::from_stream(chunks)).into_response()
}

async fn pdf() -> Bytes {
    renderer()
        .render("m.typ", &files(&[("m.typ", "one #pagebreak() two")]), &context(), LIMIT)
        .await
        .expect("no fault")
        .expect("a PDF")
        .0
}

fn tools(allow: &[SocketAddr]) -> Toolbox {
    let allow = allow.iter().map(|address| address.to_string().parse().expect("an address")).collect();
    let secret = Credential::Password { user: "reports".to_owned(), password: "s3cret".to_owned() };
    toolbox(no_database(), &RemoteConfig { allow }, &[("reports", secret)])
}

fn document(remote: Value) -> Document {
    let mut whole = json!({ "name": "orders", "title": "Open orders", "kind": "remote", "media_type": "application/pdf", "timeout": 5 });
    whole.as_object_mut().expect("a map").extend(remote.as_object().expect("a map").clone());
    serde_json::from_value(whole).expect("a document")
}

async fn ask(toolbox: &Toolbox, remote: Value) -> Result<Rendered, Failure> {
    document::render(toolbox, &document(remote), &files(&[]), &context(), LIMIT).await.expect("no fault of ours")
}

#[tokio::test]
async fn a_report_is_asked_for_as_the_user_with_parameters_and_credentials() {
    let pdf = pdf().await;
    let server = serve(pdf.clone(), None).await;
    let rendered = ask(
        &tools(&[server.address]),
        json!({
            "url": format!("http://{}/report/{{{{ user.company }}}}", server.address),
            "method": "POST",
            "headers": { "X-Run-As": "{{ user.name }}" },
            "query": { "since": "{{ run_date - 1 month }}", "by": "a&b" },
            "body": "{\"company\": \"{{ user.company }}\"}",
            "secret": "reports",
            "file": "{{ document.title }} {{ business_date }}.pdf",
        }),
    )
    .await
    .expect("a report");

    assert_eq!((rendered.bytes, rendered.pages, rendered.file.as_str()), (pdf, Some(2), "Open orders 2026-04-01.pdf"));
    let asked = server.asked.lock().expect("a lock");
    let [(method, url, headers, body)] = asked.as_slice() else { panic!("one request, not {}", asked.len()) };
    assert_eq!(method, "POST");
    assert_eq!(url, "/report/M%C3%BCller%20%26%20Co?by=a%26b&since=2026-03-01");
    assert_eq!(headers["x-run-as"], "site-a");
    assert_eq!(headers["authorization"], "Basic cmVwb3J0czpzM2NyZXQ=");
    assert_eq!(body, "{\"company\": \"Müller & Co\"}");
}

#[tokio::test]
async fn what_goes_wrong_says_whether_it_may_pass() {
    let server = serve(pdf().await, None).await;
    let toolbox = tools(&[server.address]);
    for (path, again, scope, code, after, text) in [
        (
            "broken",
            true,
            Scope::Attempt,
            "http-500",
            None,
            "the server answered 500 Internal Server Error: no table \"orders\" for ***",
        ),
        ("busy", true, Scope::Attempt, "http-429", Some(90), "the server answered 429 Too Many Requests"),
        ("down", true, Scope::Attempt, "http-503", Some(30), "the server answered 503 Service Unavailable"),
        ("none", false, Scope::Document, "http-404", None, "the server answered 404 Not Found"),
        (
            "login",
            false,
            Scope::Document,
            "http-media-type",
            None,
            "the server answered with text/html; expected application/pdf",
        ),
        (
            "fake",
            false,
            Scope::Document,
            "pdf-unreadable",
            None,
            "the server's answer cannot be sent: it is not a PDF: it begins with `<html>not really`",
        ),
        (
            "flood",
            false,
            Scope::Document,
            "http-too-big",
            None,
            "the server's answer has more than 100000 bytes; the limit is 100000",
        ),
        ("round", false, Scope::Document, "http-redirect", None, "the server redirects more than 5 times"),
        (
            "metadata",
            false,
            Scope::Document,
            "http-address",
            None,
            "169.254.169.254 is the private address 169.254.169.254; an administrator can allow it with `[remote] allow = [\"169.254.169.254:80\"]`",
        ),
    ] {
        let remote =
            json!({ "url": format!("http://{}/{path}", server.address), "limit": 100_000, "secret": "reports" });
        let failure = ask(&toolbox, remote).await.expect_err(path);
        assert_eq!((failure.again, failure.reason.scope, failure.reason.code.as_str()), (again, scope, code), "{path}");
        assert_eq!(failure.after, after.map(Duration::from_secs), "{path}");
        assert_eq!(failure.reason.text, text);
    }
    let half =
        ask(&toolbox, json!({ "url": format!("http://{}/half", server.address) })).await.expect_err("half a PDF");
    assert!(
        half.reason.text.starts_with("the server's answer cannot be sent: it is a PDF that is cut off after"),
        "{half:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_slow_or_away_may_be_better_later() {
    let server = serve(Bytes::new(), None).await;
    let toolbox = tools(&[server.address, "127.0.0.1:1".parse().expect("an address")]);
    let slow = ask(&toolbox, json!({ "url": format!("http://{}/slow", server.address), "timeout": 1 }))
        .await
        .expect_err("slow");
    assert_eq!((slow.again, slow.reason.code.as_str()), (true, "http-timeout"));
    assert_eq!(slow.reason.text, "the server had not answered after 1 seconds");
    let away = ask(&toolbox, json!({ "url": "http://127.0.0.1:1/" })).await.expect_err("nobody there");
    assert_eq!((away.again, away.reason.code.as_str()), (true, "http-connect"));
    let cut = cut_off_server().await;
    let cut = ask(&tools(&[cut]), json!({ "url": format!("http://{cut}/") })).await.expect_err("cut off");
    assert_eq!((cut.again, cut.reason.text.as_str()), (true, "the server's answer broke off after 5 of 1000 bytes"));
}

/// Promises a thousand bytes and sends five.
async fn cut_off_server() -> SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.expect("a request");
        let _ = peer.read(&mut [0; 4096]).await.expect("a request");
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nContent-Length: 1000\r\n\r\n%PDF-";
        peer.write_all(answer).await.expect("written");
    });
    address
}

#[tokio::test]
async fn private_addresses_are_asked_only_when_allowed() {
    let server = serve(pdf().await, None).await;
    let nothing_allowed = tools(&[]);
    for host in [
        format!("127.0.0.1:{}", server.address.port()),
        format!("localhost:{}", server.address.port()),
        format!("[::ffff:127.0.0.1]:{}", server.address.port()),
        format!("2130706433:{}", server.address.port()),
    ] {
        let failure =
            ask(&nothing_allowed, json!({ "url": format!("http://{host}/report/x") })).await.expect_err(&host);
        assert_eq!((failure.again, failure.reason.code.as_str()), (false, "http-address"), "{failure:?}");
    }
    let allowed = tools(&[server.address]);
    ask(&allowed, json!({ "url": format!("http://localhost:{}/report/x", server.address.port()) }))
        .await
        .expect("allowed by its address");
    assert_eq!(server.asked.lock().expect("a lock").len(), 1);
}

#[tokio::test]
async fn credentials_stay_with_the_server_they_are_for() {
    let pdf = pdf().await;
    let other = serve(pdf.clone(), None).await;
    let server = serve(pdf, Some(other.address)).await;
    let toolbox = tools(&[server.address, other.address]);
    let remote = |path: &str, more: Value| {
        let mut remote = json!({ "url": format!("http://{}/{path}", server.address), "secret": "reports", "headers": { "X-Key": "k" } });
        remote.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        remote
    };

    ask(&toolbox, remote("there", json!({ "method": "POST", "body": "b" })))
        .await
        .expect("redirected on the same server");
    ask(&toolbox, remote("away", json!({}))).await.expect("redirected to another server");
    let with_body =
        ask(&toolbox, remote("away", json!({ "method": "POST", "body": "b" }))).await.expect_err("not with a body");

    assert_eq!(with_body.reason.code, "http-redirect");
    let same = server.asked.lock().expect("a lock");
    assert_eq!((same[0].0.as_str(), same[0].3.as_str()), ("POST", "b"));
    assert!(same[0].2.contains_key("authorization") && same[0].2.contains_key("x-key"));
    let strange = other.asked.lock().expect("a lock");
    assert_eq!(strange.len(), 1);
    assert!(!strange[0].2.contains_key("authorization") && !strange[0].2.contains_key("x-key"));
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_says_why() {
    let toolbox = tools(&[]);
    for (remote, text) in [
        (
            json!({ "url": "{{ user.company }}/x" }),
            "`M%C3%BCller%20%26%20Co/x` is no URL (relative URL without a base); mark a part that holds a whole address with `| safe`",
        ),
        (json!({ "url": "file:///etc/passwd" }), "the URL begins with `file:`; only http and https are asked"),
        (json!({ "url": "http://u:p@h/" }), "the URL holds a login; put it into a secret"),
        (
            json!({ "url": "http://h/{{ params.nothing }}" }),
            "the URL of the request cannot be filled in: line 1: `params.nothing` is not defined",
        ),
        (json!({ "url": "http://h/", "secret": "other" }), "there is no secret `other` in the configuration"),
        (
            json!({ "url": "http://192.0.2.1/", "headers": { "X-A": "a\r\nX-B: b" } }),
            "the header `X-A` has a line break or another sign that no header can hold",
        ),
    ] {
        let failure = ask(&toolbox, remote).await.expect_err(text);
        assert_eq!((failure.again, failure.reason.text.as_str()), (false, text));
    }
}
