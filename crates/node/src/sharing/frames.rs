//! The question and the answer, as they travel: a version byte, then postcard.
//!
//! Bounds are checked on receipt: an answer names at most [`PEERS_MAX`] nodes and [`PASSED_MAX`] bulletins,
//! and fits a control frame.

use bruit_core::id::NodeId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Version of these frames; others are not read.
const VERSION: u8 = 1;
/// Nodes an answer names at most: the most links a node has, with some whose links are gone.
pub(super) const PEERS_MAX: usize = 80;
/// Bulletins an answer tells of at most.
pub(super) const PASSED_MAX: usize = 120;
/// Links a question passes at most.
pub(super) const HOPS_MAX: u8 = 24;

/// What is said between neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message {
    Ask(Ask),
    Tell(Tell),
}

/// The question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ask {
    /// Drawn by chance by whoever asks.
    pub(super) round: u64,
    /// Links it has passed.
    pub(super) hops: u8,
    /// Of how long ago to tell, in milliseconds.
    pub(super) window_ms: u32,
}

/// The answer of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tell {
    /// The round that was asked for.
    pub(super) round: u64,
    /// Who answers.
    pub(super) node: [u8; 32],
    /// The nodes it names, by their places from here on.
    pub(super) peers: Vec<[u8; 32]>,
    pub(super) links: Vec<Link>,
    pub(super) passed: Vec<Passed>,
}

/// A link of the node that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    /// The place of the node at the other end.
    pub(super) peer: u8,
    /// Whether the node that answers opened it.
    pub(super) is_dialled: bool,
    /// The last round trip, in microseconds.
    pub(super) rtt_us: Option<u32>,
}

/// A bulletin that came to the node that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Passed {
    /// The first half of its id.
    pub(super) id: [u8; 16],
    /// The place of the node that brought it; none when it was published there.
    pub(super) from: Option<u8>,
    pub(super) hops: u8,
    /// When, by the clock of the node that answers: microseconds since 1970.
    pub(super) at_us: u64,
}

impl Tell {
    /// The node at `place`.
    pub(super) fn peer(&self, place: u8) -> Option<NodeId> {
        let peer = self.peers.get(usize::from(place))?;
        Some(NodeId::from_bytes(*peer))
    }

    fn is_fine(&self) -> bool {
        let places = self.links.iter().map(|link| link.peer);
        let brought = self.passed.iter().filter_map(|passed| passed.from);
        self.peers.len() <= PEERS_MAX
            && self.links.len() <= PEERS_MAX
            && self.passed.len() <= PASSED_MAX
            && places
                .chain(brought)
                .all(|place| self.peer(place).is_some())
    }
}

impl Message {
    /// The frame's body.
    pub(super) fn encode(&self) -> Bytes {
        let body = postcard::to_allocvec(self).expect("plain data in memory is always written");
        let mut bytes = Vec::with_capacity(body.len() + 1);
        bytes.push(VERSION);
        bytes.extend(body);
        bytes.into()
    }

    /// Reads a frame's body; none when it is no message of this version within its bounds.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let (version, body) = body.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (message, rest) = postcard::take_from_bytes(body).ok()?;
        let is_fine = match &message {
            Self::Ask(ask) => ask.hops <= HOPS_MAX,
            Self::Tell(tell) => tell.is_fine(),
        };
        (is_fine && rest.is_empty()).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use bruit_core::limits;
    use proptest::prelude::*;

    use super::*;

    fn largest() -> Tell {
        let link = |peer| Link {
            peer,
            is_dialled: true,
            rtt_us: Some(u32::MAX),
        };
        let passed = Passed {
            id: [0xff; 16],
            from: Some(79),
            hops: 0xff,
            at_us: u64::MAX,
        };
        Tell {
            round: u64::MAX,
            node: [0xff; 32],
            peers: vec![[0xff; 32]; PEERS_MAX],
            links: (0..80).map(link).collect(),
            passed: vec![passed; PASSED_MAX],
        }
    }

    #[test]
    fn what_is_written_is_read_and_the_largest_answer_fits_a_control_frame() {
        let ask = Message::Ask(Ask {
            round: 7,
            hops: 3,
            window_ms: 1_000,
        });
        assert_eq!(Message::decode(&ask.encode()), Some(ask));
        let tell = Message::Tell(largest());
        let bytes = tell.encode();
        assert!(
            bytes.len() < limits::CONTROL_FRAME_BYTES_MAX,
            "{}",
            bytes.len()
        );
        assert_eq!(Message::decode(&bytes), Some(tell));
    }

    #[test]
    fn what_is_out_of_bounds_is_not_read() {
        let refused = |change: fn(&mut Tell)| {
            let mut tell = largest();
            change(&mut tell);
            Message::decode(&Message::Tell(tell).encode()).is_none()
        };
        assert!(!refused(|_| {}));
        assert!(refused(|tell| tell.peers.push([1; 32])));
        assert!(refused(|tell| tell.links.push(tell.links[0])));
        assert!(refused(|tell| tell.passed.push(tell.passed[0])));
        assert!(refused(|tell| tell.links[0].peer = 80));
        assert!(refused(|tell| tell.passed[0].from = Some(80)));
        let ask = |hops| {
            let ask = Ask {
                round: 7,
                hops,
                window_ms: 1,
            };
            Message::decode(&Message::Ask(ask).encode()).is_some()
        };
        assert!(ask(HOPS_MAX) && !ask(HOPS_MAX + 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::decode(&bytes);
        }
    }
}
