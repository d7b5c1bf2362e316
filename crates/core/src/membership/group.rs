//! Address groups: what one owner of addresses can be expected to hold at once.
//!
//! Groups limit how much of a table one network operator can take. Loopback addresses never limit
//! each other (many nodes on one machine), private ones do not where the profile says so.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::id::NodeId;

/// Whoever shares a group counts as one neighbour where diversity is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// An IPv4 /16.
    V4([u8; 2]),
    /// An IPv6 /32.
    V6([u8; 4]),
    /// An address exempt from grouping: a group of its own.
    Exempt(SocketAddr),
    /// No address is known: a group of its own, by the first bytes of the node's id.
    Unknown([u8; 8]),
}

/// The smaller group that counts for inbound links: /24 of IPv4, /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subnet {
    V4([u8; 3]),
    V6([u16; 3]),
}

/// How far an address reaches. Addresses heard from afar that point at this machine or site are not
/// believed, or a stranger could make us knock at doors of our own network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// This machine.
    Machine,
    /// This site: private and link-local ranges.
    Site,
    /// Everywhere.
    World,
}

/// How far `ip` reaches.
pub(super) fn reach_of(ip: IpAddr) -> Reach {
    match ip.to_canonical() {
        ip if ip.is_loopback() => Reach::Machine,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() || is_shared(ip) => Reach::Site,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Reach::Site,
        _ => Reach::World,
    }
}

/// 100.64.0.0/10, between a provider and its customers.
const fn is_shared(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [100, 64..=127, ..])
}

/// Whether a packet could be sent there at all.
pub(super) fn is_dialable(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

fn is_exempt(ip: IpAddr, private_exempt: bool) -> bool {
    match reach_of(ip) {
        Reach::Machine => true,
        Reach::Site => private_exempt,
        Reach::World => false,
    }
}

/// The group of `address`, or of `peer` where there is none.
pub(super) fn group_of(address: Option<SocketAddr>, peer: &NodeId, private_exempt: bool) -> Group {
    let Some(address) = address else {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(peer.as_bytes()) {
            *to = *from;
        }
        return Group::Unknown(first);
    };
    let ip = address.ip().to_canonical();
    if is_exempt(ip, private_exempt) {
        return Group::Exempt(address);
    }
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            Group::V4([a, b])
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.octets();
            Group::V6([a, b, c, d])
        }
    }
}

/// The subnet that counts `address` among inbound links; none when it is exempt.
pub(super) fn subnet_of(address: Option<SocketAddr>, private_exempt: bool) -> Option<Subnet> {
    let ip = address?.ip().to_canonical();
    if is_exempt(ip, private_exempt) {
        return None;
    }
    Some(match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Subnet::V4([a, b, c])
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Subnet::V6([a, b, c])
        }
    })
}

/// Feeds a group to a hash, each kind with its own first byte.
pub(super) fn hash_group(hasher: &mut blake3::Hasher, group: Group) {
    match group {
        Group::V4(bytes) => hasher.update(&[4]).update(&bytes),
        Group::V6(bytes) => hasher.update(&[6]).update(&bytes),
        Group::Exempt(address) => {
            let ip = match address.ip() {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            hasher
                .update(&[0])
                .update(&ip)
                .update(&address.port().to_be_bytes())
        }
        Group::Unknown(bytes) => hasher.update(&[1]).update(&bytes),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(text: &str, private_exempt: bool) -> Group {
        let peer = NodeId::from_bytes([0; 32]);
        group_of(Some(text.parse().unwrap()), &peer, private_exempt)
    }

    #[test]
    fn groups_are_a_16_of_ipv4_and_a_32_of_ipv6() {
        assert_eq!(group("8.8.1.1:1", false), group("8.8.2.2:2", false));
        assert_ne!(group("8.8.1.1:1", false), group("8.9.1.1:1", false));
        assert_eq!(
            group("[2001:db8:1::]:1", false),
            group("[2001:db8:2::]:1", false)
        );
        assert_eq!(
            group("[::ffff:8.8.1.1]:1", false),
            group("8.8.1.1:1", false)
        );
    }

    #[test]
    fn loopback_is_always_exempt_and_private_ranges_by_profile() {
        assert_ne!(group("127.0.0.1:1", false), group("127.0.0.1:2", false));
        assert_eq!(group("10.0.0.1:1", false), group("10.0.0.2:1", false));
        assert_ne!(group("10.0.0.1:1", true), group("10.0.0.2:1", true));
        let subnet = |text: &str| subnet_of(Some(text.parse().unwrap()), false);
        assert_eq!(subnet("127.0.0.1:1"), None);
        assert_eq!(subnet("8.8.8.1:1"), subnet("8.8.8.9:4"));
        assert_ne!(subnet("8.8.8.1:1"), subnet("8.8.9.1:1"));
    }

    #[test]
    fn nobody_is_dialled_at_no_address_or_at_everybody() {
        for bad in [
            "0.0.0.0:1",
            "1.2.3.4:0",
            "224.0.0.1:5",
            "255.255.255.255:5",
            "[::]:1",
        ] {
            assert!(!is_dialable(&bad.parse().unwrap()), "{bad}");
        }
        assert!(is_dialable(&"127.0.0.1:1".parse().unwrap()));
    }
}
