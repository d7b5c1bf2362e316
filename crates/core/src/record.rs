//! The node record: what a node says of itself, and the only thing anyone may say of a node.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::{NetworkId, NodeId};
use crate::identity::{SecretKey, Signature};
use crate::limits;
use crate::link::PeerAddress;
use crate::time::Wall;
use crate::wire::{Decode, DecodeError, Encode, Reader, encode_list};

/// What a node signs about itself.
///
/// ```text
/// ver: u8 = 1 | node: 32 | seq: u64 | expires_ms: u64 | addresses: [u16 ≤ 3][address] | relay_len: u8 | relay
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordBody {
    /// Who.
    pub node: NodeId,
    /// Rises with each new record; the highest counts.
    pub seq: u64,
    /// When it ceases to count, at most [`limits::RECORD_TTL_MAX`] ahead.
    pub expires: Wall,
    /// Where to dial, best first, at most [`limits::ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
    /// The node's relay, empty when it has none.
    pub relay: String,
}

impl RecordBody {
    const VERSION: u8 = 1;

    /// What is signed: `"rec1" ‖ network_id ‖ body`.
    pub fn signed_text(&self, network: &NetworkId) -> Vec<u8> {
        let mut text = Vec::with_capacity(192);
        text.extend_from_slice(b"rec1");
        network.encode(&mut text);
        self.encode(&mut text);
        text
    }
}

impl Encode for RecordBody {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::VERSION);
        self.node.encode(out);
        self.seq.encode(out);
        self.expires.as_millis().encode(out);
        encode_list(&self.addresses, out);
        out.push(u8::try_from(self.relay.len()).expect("bounded when it was made"));
        out.extend_from_slice(self.relay.as_bytes());
    }
}

impl Decode for RecordBody {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.u8()?;
        if version != Self::VERSION {
            return Err(DecodeError::Invalid {
                what: "record version",
                got: version.into(),
            });
        }
        let node = NodeId::decode(reader)?;
        let seq = reader.u64()?;
        let expires = Wall::from_millis(reader.u64()?);
        let addresses = reader.list("addresses", limits::ADDRESSES_MAX)?;
        let relay_len = usize::from(reader.u8()?);
        let relay = std::str::from_utf8(reader.take(relay_len)?)
            .map_err(|_| DecodeError::Invalid {
                what: "relay text",
                got: 0,
            })?
            .to_owned();
        Ok(Self {
            node,
            seq,
            expires,
            addresses,
            relay,
        })
    }
}

/// A signed node record: `[body][signature: 64]`. Whether the signature holds is for intake to find
/// out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What the node says.
    pub body: RecordBody,
    /// The node's word for it.
    pub signature: Signature,
}

impl Record {
    /// Signs `body` for `network`.
    pub fn sign(body: RecordBody, network: &NetworkId, key: &SecretKey) -> Self {
        let signature = key.sign(&body.signed_text(network));
        Self { body, signature }
    }

    /// Where the node can be dialled.
    pub fn address(&self) -> PeerAddress {
        PeerAddress {
            id: self.body.node,
            addresses: self.body.addresses.clone(),
        }
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        self.body.encode(out);
        self.signature.as_bytes().encode(out);
    }
}

impl Decode for Record {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            body: RecordBody::decode(reader)?,
            signature: Signature::from_bytes(reader.array()?),
        })
    }
}

/// The partition beacon: one node's signed word that it is on this side in this minute.
///
/// `[node: 32][minute: u64][signature: 64]`, signed text `"bea1" ‖ network_id ‖ node ‖ minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beacon {
    /// Who speaks.
    pub node: NodeId,
    /// Whole minutes since the epoch.
    pub minute: u64,
    /// Its word for it.
    pub signature: Signature,
}

impl Beacon {
    /// What is signed.
    pub fn signed_text(node: &NodeId, minute: u64, network: &NetworkId) -> Vec<u8> {
        let mut text = b"bea1".to_vec();
        network.encode(&mut text);
        node.encode(&mut text);
        minute.encode(&mut text);
        text
    }

    /// The order among beacons of one minute: the lowest speaks for its side.
    pub fn rank(&self) -> [u8; 32] {
        Self::rank_of(&self.node, self.minute)
    }

    /// `BLAKE3(node ‖ minute)`
    pub fn rank_of(node: &NodeId, minute: u64) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(node.as_bytes()).update(&minute.to_be_bytes());
        *hasher.finalize().as_bytes()
    }
}

impl Encode for Beacon {
    fn encode(&self, out: &mut Vec<u8>) {
        self.node.encode(out);
        self.minute.encode(out);
        self.signature.as_bytes().encode(out);
    }
}

impl Decode for Beacon {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node: NodeId::decode(reader)?,
            minute: reader.u64()?,
            signature: Signature::from_bytes(reader.array()?),
        })
    }
}
