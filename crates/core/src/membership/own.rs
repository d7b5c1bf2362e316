//! The own record: which addresses a node says it has, and when it says so anew.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::group::{Reach, is_dialable, reach_of};
use crate::id::NodeId;
use crate::limits;
use crate::record::{Record, RecordBody};
use crate::time::{Mono, Now};

/// Between two records at least this much time passes.
const PAUSE: Duration = Duration::from_secs(1);

/// What this node says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    listen: Vec<SocketAddr>,
    /// The record in force.
    pub(super) record: Option<Record>,
    /// The number of the last record asked for; rises over restarts.
    pub(super) seq: u64,
    /// Addresses and moment of the record last asked for.
    wanted: Vec<SocketAddr>,
    asked: Option<Mono>,
}

impl Own {
    /// Takes the addresses at which this node listens, best first.
    pub(super) fn listen(&mut self, mut addresses: Vec<SocketAddr>) {
        addresses.truncate(limits::LISTEN_MAX);
        self.listen = addresses;
    }

    /// The record to be signed, when `observed` addresses call for another than the last or that one
    /// is a third through its validity; else when to ask again.
    pub(super) fn due(
        &mut self,
        me: NodeId,
        observed: &[SocketAddr],
        ttl: Duration,
        now: Now,
    ) -> Result<RecordBody, Option<Mono>> {
        let addresses = self.choose(observed);
        if addresses.is_empty() {
            return Err(None);
        }
        if let Some(asked) = self.asked {
            let renew = asked.plus(ttl.checked_div(3).unwrap_or(ttl));
            let soonest = if addresses == self.wanted {
                renew
            } else {
                asked.plus(PAUSE)
            };
            if now.mono < soonest {
                return Err(Some(soonest));
            }
        }
        self.seq = self.seq.saturating_add(1).max(now.wall.as_millis());
        self.asked = Some(now.mono);
        self.wanted.clone_from(&addresses);
        Ok(RecordBody {
            node: me,
            seq: self.seq,
            expires: now.wall.plus(ttl),
            addresses,
            relay: String::new(),
        })
    }

    /// Whether `remote` is an address of this machine.
    pub(super) fn is_ours(&self, remote: Option<SocketAddr>) -> bool {
        let ip = |address: &SocketAddr| address.ip().to_canonical();
        remote.is_some_and(|remote| self.listen.iter().any(|listen| ip(listen) == ip(&remote)))
    }

    /// At most three: explicit addresses, then where peers see us, loopback only when there is
    /// nothing else.
    fn choose(&self, observed: &[SocketAddr]) -> Vec<SocketAddr> {
        let explicit = self.listen.iter().copied().filter(is_dialable);
        let mut candidates: Vec<SocketAddr> = Vec::new();
        for address in explicit
            .chain(self.credible(observed))
            .chain(self.fallback())
        {
            if !candidates.contains(&address) {
                candidates.push(address);
            }
        }
        let machine = |address: &SocketAddr| reach_of(address.ip()) == Reach::Machine;
        if !candidates.iter().all(machine) {
            candidates.retain(|address| !machine(address));
        }
        candidates.truncate(limits::ADDRESSES_MAX);
        candidates
    }

    /// Observed addresses with our own port, or on which two peers agree, most votes first.
    fn credible(&self, observed: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut votes: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for address in observed.iter().filter(|address| is_dialable(address)) {
            let address = SocketAddr::new(address.ip().to_canonical(), address.port());
            let count = votes.entry(address).or_default();
            *count = count.saturating_add(1);
        }
        let ours = |port: u16| self.listen.iter().any(|listen| listen.port() == port);
        let mut credible: Vec<_> = votes
            .into_iter()
            .filter(|(address, count)| *count >= 2 || ours(address.port()))
            .collect();
        credible.sort_by_key(|(address, count)| (std::cmp::Reverse(*count), *address));
        credible.into_iter().map(|(address, _)| address).collect()
    }

    /// Where other nodes of this machine find one that listens everywhere.
    fn fallback(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let wildcard = |address: &&SocketAddr| address.ip().is_unspecified() && address.port() != 0;
        self.listen.iter().filter(wildcard).map(|address| {
            let ip = match address.ip() {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            SocketAddr::new(ip, address.port())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn chosen(listen: &[&str], observed: &[&str]) -> Vec<SocketAddr> {
        let mut own = Own::default();
        own.listen(addresses(listen));
        own.choose(&addresses(observed))
    }

    #[test]
    fn nodes_that_listen_everywhere_find_each_other_on_one_machine() {
        assert_eq!(
            chosen(&["0.0.0.0:7001"], &[]),
            addresses(&["127.0.0.1:7001"])
        );
        assert_eq!(
            chosen(&["0.0.0.0:7001"], &["127.0.0.1:7001"]),
            addresses(&["127.0.0.1:7001"])
        );
    }

    #[test]
    fn loopback_is_left_out_once_there_is_anything_else() {
        assert_eq!(
            chosen(&["0.0.0.0:7001"], &["192.168.1.5:7001", "127.0.0.1:7001"]),
            addresses(&["192.168.1.5:7001"])
        );
    }

    #[test]
    fn an_observed_address_needs_our_port_or_two_witnesses() {
        let listen = ["0.0.0.0:7001"];
        assert_eq!(
            chosen(&listen, &["8.8.8.8:999"]),
            addresses(&["127.0.0.1:7001"])
        );
        assert_eq!(
            chosen(&listen, &["8.8.8.8:999", "[::ffff:8.8.8.8]:999"]),
            addresses(&["8.8.8.8:999"])
        );
    }

    #[test]
    fn explicit_addresses_come_first_and_three_are_enough() {
        let listen = ["1.1.1.1:1", "2.2.2.2:2", "0.0.0.0:3"];
        assert_eq!(
            chosen(&listen, &["4.4.4.4:3", "5.5.5.5:3"]),
            addresses(&["1.1.1.1:1", "2.2.2.2:2", "4.4.4.4:3"])
        );
    }

    #[test]
    fn the_number_rises_even_when_the_clock_steps_back() {
        let mut own = Own::default();
        own.listen(addresses(&["127.0.0.1:1"]));
        let me = NodeId::from_bytes([1; 32]);
        let ttl = Duration::from_hours(12);
        let at = |seconds: u64, wall: u64| Now {
            mono: Mono::ZERO.plus(Duration::from_secs(seconds)),
            wall: crate::time::Wall::from_millis(wall),
        };
        let first = own.due(me, &[], ttl, at(0, 5_000)).unwrap();
        assert_eq!(
            own.due(me, &[], ttl, at(1, 6_000)),
            Err(Some(at(4 * 3600, 0).mono))
        );
        let second = own.due(me, &[], ttl, at(4 * 3600, 10)).unwrap();
        assert!(second.seq > first.seq);
        assert_eq!(
            own.due(me, &addresses(&["8.8.8.8:1"]), ttl, at(4 * 3600, 10)),
            Err(Some(at(4 * 3600 + 1, 0).mono)),
            "another address, but not twice a second"
        );
    }
}
