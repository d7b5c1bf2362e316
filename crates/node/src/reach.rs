//! Where others can reach this node: its own addresses, the likeliest first.
//!
//! An endpoint that listens everywhere has the address of every interface, those of bridges for
//! containers among them, and names them in no order. The one the system would use for a packet to
//! the internet is the one others most likely reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::posted::Posted;

/// Documentation addresses (RFC 5737, RFC 3849): on the default route, and nobody's.
const ELSEWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        9,
    ),
];

/// The addresses as they were last told.
pub(crate) type Addresses = Posted<Vec<SocketAddr>>;

/// `addresses`, best first: of the default routes, then others, then those of this machine alone.
pub(crate) fn best_first(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if addresses.len() < 2 {
        return addresses;
    }
    let routes: Vec<_> = ELSEWHERE.into_iter().filter_map(route_to).collect();
    sorted(addresses, &routes)
}

fn sorted(mut addresses: Vec<SocketAddr>, routes: &[IpAddr]) -> Vec<SocketAddr> {
    addresses.sort_by_key(|address| rank(address.ip(), routes));
    addresses
}

fn rank(ip: IpAddr, routes: &[IpAddr]) -> u8 {
    match ip {
        ip if routes.contains(&ip) => 0,
        ip if ip.is_loopback() => 3,
        // Only on its own link, and only with a scope.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 2,
        _ => 1,
    }
}

/// Which of our addresses a packet to `there` would come from. Connecting a datagram socket looks up
/// the route and sends nothing.
fn route_to(there: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match there {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(there).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_routes_come_first_and_loopback_last() {
        let at = |texts: &[&str]| -> Vec<SocketAddr> {
            texts
                .iter()
                .map(|text| text.parse().expect("an address"))
                .collect()
        };
        let found = at(&[
            "127.0.0.1:1",
            "[fe80::1]:1",
            "172.17.0.1:1",
            "192.168.1.7:1",
            "[2001:db8::7]:1",
        ]);
        let routes = ["192.168.1.7".parse().expect("an address")];
        let expected = at(&[
            "192.168.1.7:1",
            "172.17.0.1:1",
            "[2001:db8::7]:1",
            "[fe80::1]:1",
            "127.0.0.1:1",
        ]);
        assert_eq!(sorted(found, &routes), expected);
    }
}
