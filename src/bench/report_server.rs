//! A report server whose every answer is another one of the same size, made without effort: a number nobody else has,
//! then the same noise.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use axum::{Router, body::Body, extract::Path, http::header, response::IntoResponse, routing::get};
use bytes::Bytes;
use futures::stream;
use rand::Rng;

use crate::config::Size;

/// The media type of its answers; not compressed in archives, as PDFs are not.
pub(super) const MEDIA_TYPE: &str = "application/octet-stream";

/// How many digits the number of an answer has.
const DIGITS: usize = 10;

/// Starts it on loopback, with answers of `size` to `/NUMBER`. It ends with the process.
pub(super) async fn start(size: Size) -> Result<SocketAddr> {
    let noise = usize::try_from(size.0)?.checked_sub(DIGITS);
    let mut noise =
        vec![0; noise.with_context(|| format!("files of less than {DIGITS} bytes cannot all be different"))?];
    rand::rng().fill_bytes(&mut noise);
    let noise = Bytes::from(noise);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("opening a report server")?;
    let address = listener.local_addr().context("asking for the report server's address")?;
    let router = Router::new().route("/{number}", get(move |path| answer(path, noise.clone())));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn answer(Path(number): Path<u32>, noise: Bytes) -> impl IntoResponse {
    let number = Bytes::from(format!("{number:0DIGITS$}"));
    let pieces = stream::iter([number, noise].map(Ok::<_, std::convert::Infallible>));
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(pieces))
}
