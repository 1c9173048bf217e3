//! Where a request comes from: the peer of the connection, or what a proxy that the operator trusts says of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::extract::ConnectInfo;
use http::request::Parts;

use crate::config::Network;

/// What proxies write into: each adds at the end the peer that it was asked by.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// It is said once that a header was not believed.
static SAID: Once = Once::new();

/// The address that a request comes from; none where it did not come over the network.
///
/// The header is read from its end, since what stands before was written by whoever asked: up to the first address that is no
/// trusted proxy's.
pub(super) fn client_address(parts: &Parts, trusted: &[Network]) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut client = peer.ip().to_canonical();
    if !is_trusted(client) && parts.headers.contains_key(FORWARDED_FOR) {
        SAID.call_once(|| tracing::warn!(proxy = %client, "an X-Forwarded-For is not believed: if this is your proxy, name it by EVOLVE_TRUSTED_PROXIES"));
    }
    let lines: Vec<&str> = parts.headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    let mut said = lines.iter().rev().flat_map(|line| line.rsplit(','));
    while is_trusted(client) {
        // What cannot be read is not passed over: the proxy itself stands for whoever is behind it.
        let Some(address) = said.next().and_then(|text| read(text.trim())) else { break };
        client = address;
    }
    Some(client)
}

/// Whether a request comes by a proxy that is believed.
pub(super) fn comes_by_proxy(parts: &Parts, trusted: &[Network]) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
    peer.is_some_and(|peer| trusted.iter().any(|network| network.holds(peer)))
}

/// An address, with a port or without.
fn read(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut request = http::Request::builder();
        for line in forwarded {
            request = request.header(FORWARDED_FOR, *line);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(&parts, &trusted).unwrap().to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_peer_counts_whatever_it_says() {
        assert_eq!(seen("192.0.2.7:1024", &[], &[]), "192.0.2.7");
        assert_eq!(seen("192.0.2.7:1024", &["198.51.100.1"], &[]), "192.0.2.7");
        assert_eq!(seen("192.0.2.7:1024", &["198.51.100.1"], &["10.0.0.0/8"]), "192.0.2.7");
        assert_eq!(seen("[::ffff:192.0.2.7]:1024", &[], &[]), "192.0.2.7");
    }

    #[test]
    fn behind_trusted_proxies_the_last_that_is_none_counts() {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"];
        for (forwarded, client) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            // What whoever asked wrote before it, is not believed.
            (&["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (&["203.0.113.9, 198.51.100.1, 10.0.0.2,10.0.0.3"], "198.51.100.1"),
            (&["203.0.113.9", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            (&["198.51.100.1:4711, [2001:db8::1]:80"], "198.51.100.1"),
            (&["2001:db9::1"], "2001:db9::1"),
            // Nobody but proxies, or what cannot be read: the last proxy that can.
            (&[], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&["10.0.0.2"], "10.0.0.2"),
            (&["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ] {
            assert_eq!(seen("10.0.0.1:1024", forwarded, &trusted), client, "{forwarded:?}");
        }
    }

    #[test]
    fn what_did_not_come_over_the_network_comes_from_nowhere() {
        let (parts, ()) = http::Request::new(()).into_parts();
        assert_eq!(client_address(&parts, &[]), None);
    }
}
