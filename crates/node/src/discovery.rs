//! Nodes of the local network, found by multicast DNS (RFC 6762 and 6763): off unless asked for.
//!
//! A node tells its id, its port and a hash of its network, and listens for others that do. What it hears is a
//! hint and no more: who answers must prove to be that node, of the same network. Invariant: without
//! [`crate::Config::discover`] nothing here runs, and no packet leaves.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bruit_core::id::{NetworkId, NodeId};
use bruit_core::limits;
use bruit_core::link::PeerAddress;
use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::driver::Order;
use crate::node::WeakNode;

/// What nodes are called among the services of a local network.
const SERVICE: &str = "_bruit._udp.local.";
/// The properties of a service: a node's id, and the first bytes of its network's.
const ID: &str = "id";
const NETWORK: &str = "net";
/// Characters of an id in the name of a service, of which DNS takes 63.
const NAME_CHARS: usize = 32;
/// Links from which on those found are left to the protocol's own ways.
const LINKS_ENOUGH: u64 = 4;
/// Nodes joined for being found here, at most.
const FOUND_MAX: usize = 64;
/// How often the end of the node is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a node tells of itself.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) id: NodeId,
    pub(crate) network: NetworkId,
    pub(crate) listen: Vec<SocketAddr>,
}

/// Tells of the node and looks for others until it ends. What keeps that from working is logged: a node is
/// none the worse for it.
pub(crate) fn start(node: WeakNode, own: Own) {
    match open(&own) {
        Ok((daemon, found)) => {
            tokio::spawn(async move {
                look(&node, &own, &found).await;
                if let Err(error) = daemon.shutdown() {
                    debug!(%error, "the search of the local network had ended");
                }
            });
        }
        Err(error) => warn!(%error, "cannot look for nodes of the local network"),
    }
}

fn open(own: &Own) -> mdns_sd::Result<(ServiceDaemon, Receiver<ServiceEvent>)> {
    let daemon = ServiceDaemon::new()?;
    if let Some(listen) = own.listen.first() {
        daemon.register(service(own, *listen)?)?;
    }
    let found = daemon.browse(SERVICE)?;
    Ok((daemon, found))
}

/// The node as a service. One that listens everywhere has the addresses of all interfaces.
fn service(own: &Own, listen: SocketAddr) -> mdns_sd::Result<ServiceInfo> {
    let id = own.id.to_string();
    let name: String = id.chars().take(NAME_CHARS).collect();
    let properties = [(ID, id), (NETWORK, network_text(&own.network))];
    let host = format!("bruit-{name}.local.");
    let everywhere = own.listen.iter().any(|at| at.ip().is_unspecified());
    let ips: Vec<IpAddr> = own
        .listen
        .iter()
        .map(SocketAddr::ip)
        .filter(|ip| !ip.is_unspecified())
        .collect();
    let port = listen.port();
    let info = ServiceInfo::new(SERVICE, &name, &host, &ips[..], port, &properties[..])?;
    Ok(if everywhere {
        info.enable_addr_auto()
    } else {
        info
    })
}

/// Enough of a network's id to know it again.
fn network_text(network: &NetworkId) -> String {
    network.to_string().chars().take(NAME_CHARS).collect()
}

/// Joins those found, until the node ends.
async fn look(node: &WeakNode, own: &Own, found: &Receiver<ServiceEvent>) {
    let mut joined = BTreeSet::new();
    loop {
        let event = timeout(LOOK_EVERY, found.recv_async()).await;
        let Some(node) = node.get().filter(|node| !node.has_ended()) else {
            return;
        };
        match event {
            Err(_) => {}
            Ok(Err(error)) => {
                warn!(%error, "the search of the local network has ended");
                return;
            }
            Ok(Ok(ServiceEvent::ServiceResolved(service))) => {
                let Some(peer) = peer(&service, own) else {
                    continue;
                };
                let links = node
                    .status()
                    .await
                    .map_or(0, |status| status.links.inbound + status.links.outbound);
                if links >= LINKS_ENOUGH || joined.len() >= FOUND_MAX {
                    continue;
                }
                if joined.insert(peer.id) {
                    info!(peer = %peer.id, "found a node on the local network");
                    node.order(Order::Join(vec![peer], oneshot::channel().0))
                        .await;
                }
            }
            Ok(Ok(event)) => debug!(?event, "the local network"),
        }
    }
}

/// The node that a service tells of, if it is another one of our network.
fn peer(service: &ResolvedService, own: &Own) -> Option<PeerAddress> {
    let id: NodeId = service.get_property_val_str(ID)?.parse().ok()?;
    let network = service.get_property_val_str(NETWORK)?;
    if id == own.id || network != network_text(&own.network) {
        return None;
    }
    let port = service.get_port();
    let ips = service.get_addresses().iter().map(ScopedIp::to_ip_addr);
    let mut addresses: Vec<SocketAddr> = ips
        .filter(|ip| !is_scoped(*ip))
        .map(|ip| SocketAddr::new(ip, port))
        .collect();
    // IPv4 first; the order of a hash set is none.
    addresses.sort_unstable();
    addresses.truncate(limits::ADDRESSES_MAX);
    (!addresses.is_empty()).then_some(PeerAddress { id, addresses })
}

/// Whether an address means nothing without its interface.
fn is_scoped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(byte: u8, network: u8) -> Own {
        Own {
            id: NodeId::from_bytes([byte; 32]),
            network: NetworkId::from_bytes([network; 32]),
            listen: vec![([10, 0, 0, byte], 7_447).into()],
        }
    }

    fn told(of: &Own) -> ResolvedService {
        let service = service(of, of.listen[0]).expect("it can be told");
        service.as_resolved_service()
    }

    #[test]
    fn a_node_that_is_told_of_is_another_of_the_same_network() {
        let (mine, other) = (own(1, 7), own(2, 7));
        let found = peer(&told(&other), &mine).expect("another of ours");
        assert_eq!(found.id, other.id);
        assert_eq!(found.addresses, other.listen);
        assert_eq!(peer(&told(&mine), &mine), None, "oneself");
        assert_eq!(peer(&told(&own(3, 8)), &mine), None, "a stranger");
    }
}
