//! What a link is to everybody who speaks of one: direction, class of stream, reason it closed.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;

/// Who opened a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// They dialled us.
    In,
    /// We dialled them.
    Out,
}

/// The two long-lived streams of a link. Control overtakes bulletins, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Small frames that steer: at most `limits::CONTROL_FRAME_BYTES_MAX` each.
    Control,
    /// Frames that carry content: at most `limits::DATA_FRAME_BYTES_MAX` each.
    Bulletins,
}

/// Why a link closed, as told to the peer with the close. The number is the QUIC error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer left without a word, or could not be reached any more.
    Dead,
    /// No free slot here.
    Full,
    /// The peer broke the protocol.
    Score,
    /// The node stops, or unlinks on request.
    Quit,
    /// Another link between the same two nodes stays.
    Duplicate,
    /// Another network: name, secret or price differ.
    WrongNetwork,
    /// The peer does not read what it is sent.
    Slow,
}

impl CloseReason {
    /// Every reason, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Dead,
        Self::Full,
        Self::Score,
        Self::Quit,
        Self::Duplicate,
        Self::WrongNetwork,
        Self::Slow,
    ];

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Dead => 0,
            Self::Full => 1,
            Self::Score => 2,
            Self::Quit => 3,
            Self::Duplicate => 4,
            Self::WrongNetwork => 5,
            Self::Slow => 6,
        }
    }

    /// The reason of a code; an unknown code counts as `Dead`.
    pub fn from_code(code: u64) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| u64::from(reason.code()) == code)
            .unwrap_or(Self::Dead)
    }

    /// The word for logs and outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Full => "full",
            Self::Score => "score",
            Self::Quit => "quit",
            Self::Duplicate => "duplicate",
            Self::WrongNetwork => "wrong-network",
            Self::Slow => "slow",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a node can be dialled: who it must prove to be, and at most three places to find it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PeerAddress {
    /// The identity the peer proves while connecting.
    pub id: NodeId,
    /// IP addresses and UDP ports.
    pub addresses: Vec<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_its_code() {
        for reason in CloseReason::ALL {
            assert_eq!(CloseReason::from_code(reason.code().into()), reason);
        }
        assert_eq!(CloseReason::from_code(u64::MAX), CloseReason::Dead);
    }
}
