//! Who fetches: where they are, and with what program.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, header, request::Parts},
};

use super::super::App;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Peer(pub SocketAddr);

/// Somebody who came by a link.
#[derive(Debug)]
pub(super) struct Visitor {
    /// Where they are, if that is known.
    pub source: Option<IpAddr>,
    /// The same in words.
    pub address: String,
    /// By their own words.
    pub agent: String,
    /// They want to know about it, and not have it.
    pub only_looks: bool,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let source = parts.extensions.get::<Peer>().map(|peer| source(peer.0.ip(), &parts.headers));
        Ok(Self {
            source,
            address: source.map_or_else(|| "somewhere".to_owned(), |address| address.to_string()),
            agent: agent(&parts.headers),
            only_looks: parts.method == Method::HEAD,
        })
    }
}

/// Where they are. A proxy on this machine says whom it brings, last in its header; anybody else could make that up.
fn source(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    if !peer.is_loopback() {
        return peer;
    }
    let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let last = last.and_then(|list| list.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    last.map_or(peer, |address| address.to_canonical())
}

fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
    let agent: String = agent.unwrap_or_default().chars().filter(|letter| !letter.is_control()).collect();
    if agent.is_empty() { "a program without a name".to_owned() } else { agent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let headers = |text: &str| HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), text.parse().unwrap())]);
        for (peer, forwarded, expected) in [
            ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
            ("::1", "2001:db8::1", "2001:db8::1"),
            ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
            ("127.0.0.1", "nonsense", "127.0.0.1"),
        ] {
            let found = source(peer.parse().unwrap(), &headers(forwarded));
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded}");
        }
    }
}
