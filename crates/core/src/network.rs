//! A network: who hears whom. Nodes of another name, price or secret are strangers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{NetworkId, NodeId};
use crate::work::Price;

/// What makes two nodes neighbours: the same name, price and, where there is one, secret.
///
/// The secret itself is not kept, only the key derived from it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    id: NetworkId,
    name: String,
    price: Price,
    proof_key: Option<[u8; 32]>,
}

impl Network {
    /// The network `name` of the price `W`; with a secret it is private.
    ///
    /// `id = BLAKE3("net" ‖ name length: u64 ‖ name ‖ W: u32 ‖ secret?)`
    ///
    /// # Examples
    /// ```
    /// # use bruit_core::{network::Network, work::Price};
    /// let open = Network::new("main", Price::DEFAULT, None);
    /// let private = Network::new("main", Price::DEFAULT, Some(b"thirty-two random bytes"));
    /// assert_ne!(open.id(), private.id());
    /// ```
    pub fn new(name: &str, price: Price, secret: Option<&[u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
        hasher
            .update(b"net")
            .update(&length.to_be_bytes())
            .update(name.as_bytes());
        hasher.update(&price.get().to_be_bytes());
        let proof_key = secret.map(|secret| {
            hasher.update(secret);
            let mut key = blake3::Hasher::new();
            *key.update(b"proof").update(secret).finalize().as_bytes()
        });
        let id = NetworkId::from_bytes(*hasher.finalize().as_bytes());
        Self {
            id,
            name: name.to_owned(),
            price,
            proof_key,
        }
    }

    /// The id that is part of every signature, bulletin id and stamp.
    pub const fn id(&self) -> &NetworkId {
        &self.id
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash of the name alone, by which two nodes tell why they are strangers.
    pub fn name_hash(&self) -> [u8; 16] {
        let mut short = [0; 16];
        for (to, from) in short
            .iter_mut()
            .zip(blake3::hash(self.name.as_bytes()).as_bytes())
        {
            *to = *from;
        }
        short
    }

    /// The price.
    pub const fn price(&self) -> Price {
        self.price
    }

    /// Whether a secret is needed.
    pub const fn is_private(&self) -> bool {
        self.proof_key.is_some()
    }

    /// Proof that `prover` knows the secret, for this one link: a keyed hash over both nonces and
    /// both ids. `None` in an open network.
    pub fn proof(&self, prover: &LinkEnd, verifier: &LinkEnd) -> Option<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_keyed(&self.proof_key?);
        for end in [prover, verifier] {
            hasher.update(end.id.as_bytes()).update(&end.nonce);
        }
        Some(*hasher.finalize().as_bytes())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("price", &self.price)
            .field("private", &self.is_private())
            .finish_non_exhaustive()
    }
}

/// One side of a link while it proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkEnd {
    /// Whose side.
    pub id: NodeId,
    /// Its nonce for this link.
    pub nonce: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_price_and_secret_each_make_another_network() {
        let networks = [
            Network::new("main", Price::DEFAULT, None),
            Network::new("main2", Price::DEFAULT, None),
            Network::new("main", Price::FREE, None),
            Network::new("main", Price::DEFAULT, Some(b"a")),
            Network::new("main", Price::DEFAULT, Some(b"b")),
        ];
        for (at, one) in networks.iter().enumerate() {
            assert!(
                networks[at + 1..]
                    .iter()
                    .all(|other| other.id() != one.id())
            );
        }
    }

    #[test]
    fn a_proof_cannot_be_sent_back_nor_used_on_another_link() {
        let network = Network::new("main", Price::DEFAULT, Some(b"secret"));
        let a = LinkEnd {
            id: NodeId::from_bytes([1; 32]),
            nonce: [3; 32],
        };
        let b = LinkEnd {
            id: NodeId::from_bytes([2; 32]),
            nonce: [4; 32],
        };
        let proof = network.proof(&a, &b).expect("private");
        assert_ne!(Some(proof), network.proof(&b, &a));
        assert_ne!(
            Some(proof),
            network.proof(
                &a,
                &LinkEnd {
                    nonce: [5; 32],
                    ..b
                }
            )
        );
        assert_eq!(
            Network::new("main", Price::DEFAULT, None).proof(&a, &b),
            None
        );
    }

    #[test]
    fn debug_does_not_print_the_key() {
        let network = Network::new("main", Price::DEFAULT, Some(b"secret"));
        assert!(!format!("{network:?}").contains("proof_key"));
    }
}
