//! What a gateway to the exercise can be told. The defaults are the original's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// As what the gateway stands in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// A peer, which needs seeds.
    #[default]
    Peer,
    /// The seeds.
    Seed,
    /// Both.
    Both,
}

/// How to stand in a network of the exercise.
#[derive(Debug, Clone)]
pub struct Config {
    /// As what.
    pub role: Role,
    /// Where the seeds are; those that a seed listens on.
    pub seeds: Vec<SocketAddr>,
    /// Messages that the gateway makes on its own. Default 10; 0 for none.
    pub messages: u64,
    /// Time between two of them. Default 5 s.
    pub interval: Duration,
    /// Time between two questions whether a peer is there. Default 13 s.
    pub liveness: Duration,
    /// Questions without an answer until a peer counts as dead. Default 3.
    pub misses: u32,
    /// Peers that a message of our own goes to. Default 4.
    pub neighbours: usize,
    /// The folder for `output_PORT.txt` and `output_seed.txt`; none for none.
    pub output: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: Role::default(),
            seeds: Vec::new(),
            messages: 10,
            interval: Duration::from_secs(5),
            liveness: Duration::from_secs(13),
            misses: 3,
            neighbours: 4,
            output: None,
        }
    }
}

/// A file of seeds is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedsError {
    /// Not as many addresses as ports.
    #[error("seed_ips has {ips} entries and seed_ports {ports}")]
    Lengths {
        /// Addresses.
        ips: usize,
        /// Ports.
        ports: usize,
    },
    /// An address that is none.
    #[error("the seed's address {0:?} is no IP address")]
    Ip(String),
}

/// The seeds of an original's `config.json`: `{"seed_ips": […], "seed_ports": […]}`.
///
/// # Errors
/// What is wrong with it: the user's to mend.
pub fn seeds(ips: &[String], ports: &[u16]) -> Result<Vec<SocketAddr>, SeedsError> {
    if ips.len() != ports.len() {
        let (ips, ports) = (ips.len(), ports.len());
        return Err(SeedsError::Lengths { ips, ports });
    }
    let seed = |(ip, port): (&String, &u16)| {
        let parsed: Option<IpAddr> = match ip.as_str() {
            "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            text => text.parse().ok(),
        };
        let parsed = parsed.ok_or_else(|| SeedsError::Ip(ip.clone()))?;
        Ok(SocketAddr::new(parsed, *port))
    };
    ips.iter().zip(ports).map(seed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_file_names_seeds() {
        let ips = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let found = seeds(&ips, &[6101, 6102]).unwrap();
        assert_eq!(found[1], "127.0.0.1:6102".parse().unwrap());
        let (ips_n, ports) = (2, 1);
        assert_eq!(
            seeds(&ips, &[6101]),
            Err(SeedsError::Lengths { ips: ips_n, ports })
        );
        let wrong = ["seed.example".to_owned()];
        let error = SeedsError::Ip(wrong[0].clone());
        assert_eq!(seeds(&wrong, &[1]), Err(error));
    }
}
