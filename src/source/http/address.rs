//! Which addresses may be asked.
//!
//! Addresses that are reached only from inside (this machine, the local network, a cloud's metadata) are refused
//! unless the configuration names them: otherwise whoever may write a URL could read what only this server can.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;
use serde::Deserialize;

/// Networks that no stranger could reach.
const INSIDE: [&str; 17] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "100::/64",
];

/// An address, a network or one port of an address that may be asked although it is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Allowed {
    net: IpNet,
    port: Option<u16>,
}

/// Why a text is not an [`Allowed`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address that could be allowed; write `127.0.0.1:8081`, `10.0.0.7` or `10.0.0.0/8`")]
pub struct AllowedError(String);

impl FromStr for Allowed {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { net: address.ip().into(), port: Some(address.port()) });
        }
        let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(|net| Self { net, port: None }).map_err(|_| AllowedError(text.to_owned()))
    }
}

impl TryFrom<String> for Allowed {
    type Error = AllowedError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Allowed {
    fn covers(&self, address: SocketAddr) -> bool {
        self.net.contains(&address.ip()) && self.port.is_none_or(|port| port == address.port())
    }
}

/// Whether `address` may be asked.
pub(super) fn is_permitted(address: SocketAddr, allow: &[Allowed]) -> bool {
    let address = unwrapped(address);
    !is_inside(address.ip()) || allow.iter().any(|allowed| allowed.covers(address))
}

/// `address` as it has to be allowed.
pub(super) fn unwrapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(plain(address.ip()), address.port())
}

/// The IPv4 address that an IPv6 one only wraps (mapped, or by NAT64 and 6to4).
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else {
        return ip;
    };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::from([a, b, c, d])
        }
        _ => Ipv6Addr::to_canonical(&v6),
    }
}

fn is_inside(ip: IpAddr) -> bool {
    INSIDE.iter().any(|net| net.parse::<IpNet>().is_ok_and(|net| net.contains(&ip)))
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.net.addr(), port).fmt(f),
            None => self.net.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(address: &str, allow: &[&str]) -> bool {
        let allow: Vec<Allowed> = allow.iter().map(|text| text.parse().expect("an allowed address")).collect();
        is_permitted(address.parse().expect("an address"), &allow)
    }

    #[test]
    fn addresses_inside_are_refused_however_they_are_written() {
        for address in [
            "127.0.0.1:80",
            "127.8.8.8:80",
            "10.1.2.3:80",
            "172.31.0.1:80",
            "192.168.1.1:80",
            "169.254.169.254:80",
            "0.0.0.0:80",
            "100.64.0.1:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "[::1]:80",
            "[::]:80",
            "[fc00::1]:80",
            "[fe80::1]:80",
            "[::ffff:127.0.0.1]:80",
            "[::ffff:10.0.0.1]:80",
            "[64:ff9b::7f00:1]:80",
            "[2002:7f00:1::]:80",
        ] {
            assert!(!permitted(address, &[]), "{address}");
        }
        for address in ["93.184.216.34:80", "[2606:2800:220:1::1]:443", "172.32.0.1:80", "[::ffff:93.184.216.34]:80"] {
            assert!(permitted(address, &[]), "{address}");
        }
    }

    #[test]
    fn an_address_is_told_as_it_can_be_allowed() {
        for address in ["[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:80"] {
            let told = unwrapped(address.parse().expect("an address")).to_string();
            assert!(permitted(address, &[&told]), "{address}: {told}");
        }
    }

    #[test]
    fn what_is_allowed_is_no_wider_than_it_says() {
        assert!(permitted("127.0.0.1:8081", &["127.0.0.1:8081"]));
        assert!(permitted("[::ffff:127.0.0.1]:8081", &["127.0.0.1:8081"]));
        assert!(!permitted("127.0.0.1:8082", &["127.0.0.1:8081"]));
        assert!(!permitted("127.0.0.2:8081", &["127.0.0.1:8081"]));
        assert!(permitted("10.200.0.1:1", &["10.0.0.0/8"]));
        assert!(permitted("10.0.0.7:1", &["10.0.0.7"]));
        assert!(!permitted("10.0.0.8:1", &["10.0.0.7"]));
        assert!("localhost:80".parse::<Allowed>().is_err());
    }
}
