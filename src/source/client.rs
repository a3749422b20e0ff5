//! HTTP as a client: what all who ask have in common.

use reqwest::{Client, ClientBuilder, redirect::Policy};
use rustls::ClientConfig;

/// A client that asks whom it is told to ask, and once: no proxy, no redirect and no second try of its own.
pub(crate) fn builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(concat!("postbook/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
}
