//! Which addresses a webhook may go to: those of the public internet, and by no detour any other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far webhooks reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The public internet alone.
    Public,
    /// This machine too, where developers try them out.
    PublicAndLoopback,
}

/// Parts of the network of version 4 that are not the public internet: a first address, and how many bits are shared.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, and what is reserved behind it up to the broadcast address.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The one part of the network of version 6 that is public: whatever maps, embeds or translates an address of version 4 by a
/// prefix of its own (`::ffff:0:0/96`, `64:ff9b::/96`), the local parts and multicast lie outside.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Parts of that which are not: tunnels that end at an address of version 4 (Teredo, 6to4), protocols, documentation.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

impl Reach {
    /// Whether a webhook may go to an address.
    pub fn allows(self, address: IpAddr) -> bool {
        let on_this_machine = self == Self::PublicAndLoopback && address.is_loopback();
        on_this_machine || is_public(address)
    }
}

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|part| begins_v4(address, *part)),
        IpAddr::V6(address) => begins_v6(address, PUBLIC_V6) && !NOT_PUBLIC_V6.iter().any(|part| begins_v6(address, *part)),
    }
}

/// Whether an address begins as a part does.
fn begins_v4(address: Ipv4Addr, (first, bits): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ first.to_bits()).leading_zeros() >= bits
}

/// As [`begins_v4`].
fn begins_v6(address: Ipv6Addr, (first, bits): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ first.to_bits()).leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_internet_is_reached() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "41.90.64.1",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:80b::200e",
            "2001:4860:4860::8888",
            "2003::1",
        ] {
            assert!(Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn nothing_else_is_reached_in_whatever_form_it_is_written() {
        for address in [
            // Unspecified and "this network".
            "0.0.0.0",
            "0.1.2.3",
            "::",
            // Private.
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.168.255.255",
            "fc00::1",
            "fd12:3456::1",
            // Shared by carriers.
            "100.64.0.0",
            "100.127.255.255",
            // This machine.
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            // Link-local: among them the metadata of clouds.
            "169.254.169.254",
            "169.254.0.0",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fd00:ec2::254",
            // Protocols, documentation, benchmarks.
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "100::1",
            "2001:db8::1",
            "2001:2::1",
            "3fff::1",
            // Multicast, reserved, broadcast.
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "ff02::1",
            // An address of version 4 within one of version 6: mapped, compatible, NAT64, 6to4, Teredo.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        ] {
            assert!(!Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn this_machine_is_reached_where_that_is_allowed_and_nothing_more() {
        for (address, reached) in [
            ("127.0.0.1", true),
            ("127.8.8.8", true),
            ("::1", true),
            ("8.8.8.8", true),
            ("10.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(Reach::PublicAndLoopback.allows(address.parse().unwrap()), reached, "{address}");
        }
    }
}
