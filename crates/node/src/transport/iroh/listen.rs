//! Where a node listens, and what to say when it cannot.

use std::fmt;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use iroh::endpoint::BindOpts;
use zeroize::Zeroize as _;

/// What a node needs to have links.
#[derive(Clone)]
pub struct IrohConfig {
    /// The Ed25519 secret key; its public key is the node's id.
    pub secret_key: [u8; 32],
    /// Where to listen. `[::]` listens on IPv4 as well, at the same port; port 0 takes a free one,
    /// another for each family.
    pub listen: Vec<SocketAddr>,
}

impl Drop for IrohConfig {
    fn drop(&mut self) {
        self.secret_key.zeroize();
    }
}

impl fmt::Debug for IrohConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohConfig")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// Why a node cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another program uses the port.
    #[error("cannot listen on {address}: the port is in use")]
    PortTaken {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The system refuses the address.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No address was given.
    #[error("no address to listen on")]
    NoAddress,
    /// The QUIC endpoint could not be made for another reason.
    #[error("cannot start QUIC: {0}")]
    Endpoint(String),
}

/// The sockets to bind: `[::]` brings `0.0.0.0` along, since iroh binds each family by itself.
///
/// The first socket of a family that is not on loopback sends to addresses no other socket is
/// near to; a socket beyond the first only answers, and sends to its own address.
pub(super) fn sockets(listen: &[SocketAddr]) -> Result<Vec<(SocketAddr, BindOpts)>, BindError> {
    let mut addresses = Vec::new();
    for address in listen {
        let dual = address.ip() == Ipv6Addr::UNSPECIFIED;
        if !dual || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() {
            addresses.push(*address);
        }
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        if dual && !listen.contains(&v4) {
            addresses.push(v4);
        }
    }
    if addresses.is_empty() {
        return Err(BindError::NoAddress);
    }
    addresses.sort_by_key(|address| address.ip().is_loopback());
    let mut defaults = [false; 2];
    let mut sockets: Vec<_> = addresses
        .into_iter()
        .map(|address| {
            let whole = if address.is_ipv4() { 32 } else { 128 };
            let options = BindOpts::default();
            if mem::replace(&mut defaults[usize::from(address.is_ipv4())], true) {
                (
                    address,
                    options.set_prefix_len(whole).set_is_default_route(false),
                )
            } else {
                (address, options)
            }
        })
        .collect();
    // iroh takes no further socket of a family after its default one.
    sockets.reverse();
    Ok(sockets)
}

/// Finds out which address could not be bound; iroh says only that one could not.
pub(super) fn explain(listen: &[(SocketAddr, BindOpts)], error: &str) -> BindError {
    for (address, _) in listen {
        match UdpSocket::bind(address) {
            Ok(_) => {}
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                return BindError::PortTaken { address: *address };
            }
            Err(source) => {
                return BindError::Address {
                    address: *address,
                    source,
                };
            }
        }
    }
    BindError::Endpoint(error.to_owned())
}
