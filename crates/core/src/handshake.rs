//! The handshake: two nodes find out whether they mean the same network before anything else is
//! said.
//!
//! Both send HELLO at once. In a private network both then prove that they know the secret, by a
//! keyed hash over both nonces and both ids; until that holds, nothing but HELLO and PROOF is
//! sent or heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::event::Difference;
use crate::id::{LinkId, NodeId};
use crate::network::{LinkEnd, Network};
use crate::time::Now;
use crate::wire::Frame;

/// The version of the protocol spoken here.
pub const VERSION: u16 = 1;

/// What a HELLO told, once the peer has proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// Who.
    pub peer: NodeId,
    /// Whether it wants to be told what we have synced.
    pub wants_kept: bool,
    /// Its wall clock, in milliseconds.
    pub clock_ms: u64,
    /// Where it sees us.
    pub observed: Option<SocketAddr>,
}

/// What came of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this and wait on.
    Send(Frame),
    /// The peer belongs to this network. The frame, if any, is still to be sent; then those that
    /// came early are to be taken.
    Done(Greeting, Option<Frame>, Vec<Bytes>),
    /// The peer belongs to another network.
    Stranger(NodeId, Difference),
    /// The peer breaks the protocol.
    Misbehaved(&'static str),
    /// Nothing to do yet.
    Wait,
}

#[derive(Debug, Clone)]
struct Pending {
    us: LinkEnd,
    peer: NodeId,
    them: Option<(LinkEnd, Greeting)>,
    proved: Option<[u8; 32]>,
    early: Vec<Bytes>,
    early_bytes: usize,
}

/// The handshakes under way. A link's state dies when the handshake ends or the link does.
#[derive(Debug, Clone)]
pub struct Handshakes {
    me: NodeId,
    network: Network,
    wants_kept: bool,
    rng: ChaCha8Rng,
    pending: BTreeMap<LinkId, Pending>,
}

impl Handshakes {
    /// Bytes kept of a link before its handshake ends: a stream's whole window.
    const EARLY_BYTES_MAX: usize = 256 * 1_024;
    /// Frames kept of a link before its handshake ends.
    const EARLY_MAX: usize = 1_024;

    /// Handshakes of `me` in `network`.
    pub const fn new(me: NodeId, network: Network, wants_kept: bool, rng: ChaCha8Rng) -> Self {
        Self {
            me,
            network,
            wants_kept,
            rng,
            pending: BTreeMap::new(),
        }
    }

    /// Begins: returns the HELLO to send. `remote` is where we see the peer.
    pub fn begin(
        &mut self,
        link: LinkId,
        peer: NodeId,
        remote: Option<SocketAddr>,
        now: Now,
    ) -> Frame {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        let us = LinkEnd { id: self.me, nonce };
        self.pending.insert(
            link,
            Pending {
                us,
                peer,
                them: None,
                proved: None,
                early: Vec::new(),
                early_bytes: 0,
            },
        );
        Frame::Hello {
            version: VERSION,
            features: 0,
            name_hash: self.network.name_hash(),
            price: self.network.price().get(),
            private: self.network.is_private(),
            network: *self.network.id(),
            wants_kept: self.wants_kept,
            nonce,
            clock_ms: now.wall.as_millis(),
            observed: remote,
        }
    }

    /// The links of which anything is kept.
    pub fn held(&self) -> impl Iterator<Item = LinkId> {
        self.pending.keys().copied()
    }

    /// Forgets `link`.
    pub fn end(&mut self, link: LinkId) {
        self.pending.remove(&link);
    }

    /// Keeps a frame of the bulletins stream for the end of the handshake. The two streams of a link
    /// have no order between them: what a peer says after its HELLO may overtake it. Answers whether
    /// there was room.
    pub fn hold(&mut self, link: LinkId, frame: &Bytes) -> bool {
        let Some(pending) = self.pending.get_mut(&link) else {
            return false;
        };
        let bytes = pending.early_bytes.saturating_add(frame.len());
        if bytes > Self::EARLY_BYTES_MAX || pending.early.len() >= Self::EARLY_MAX {
            return false;
        }
        pending.early_bytes = bytes;
        pending.early.push(frame.clone());
        true
    }

    /// Takes a frame of a link that has not proved itself yet.
    pub fn on_frame(&mut self, link: LinkId, frame: &Frame) -> Step {
        let Some(pending) = self.pending.get_mut(&link) else {
            return Step::Wait;
        };
        let step = match frame {
            Frame::Hello { .. } if pending.them.is_none() => {
                on_hello(&self.network, pending, frame)
            }
            Frame::Proof { mac } if pending.proved.is_none() => {
                pending.proved = Some(*mac);
                Step::Wait
            }
            _ => return Step::Misbehaved("spoke before its handshake"),
        };
        match step {
            Step::Send(_) | Step::Wait => self.conclude(link, step),
            done => done,
        }
    }

    /// Ends the handshake when everything needed is here.
    fn conclude(&mut self, link: LinkId, step: Step) -> Step {
        let Some(pending) = self.pending.get(&link) else {
            return step;
        };
        let Some((them, greeting)) = pending.them else {
            return step;
        };
        if let Some(expected) = self.network.proof(&them, &pending.us) {
            match pending.proved {
                None => return step,
                Some(mac) if mac != expected => {
                    return Step::Stranger(pending.peer, Difference::Secret);
                }
                Some(_) => {}
            }
        }
        let early = self
            .pending
            .remove(&link)
            .map(|pending| pending.early)
            .unwrap_or_default();
        match step {
            Step::Send(frame) => Step::Done(greeting, Some(frame), early),
            _ => Step::Done(greeting, None, early),
        }
    }
}

/// Compares a HELLO with what we are; answers with our proof where one is needed.
fn on_hello(ours: &Network, pending: &mut Pending, hello: &Frame) -> Step {
    let Frame::Hello {
        version,
        name_hash,
        price,
        private,
        network,
        wants_kept,
        nonce,
        clock_ms,
        observed,
        ..
    } = hello
    else {
        return Step::Wait;
    };
    let difference = if *version != VERSION {
        Some(Difference::Version {
            ours: VERSION,
            theirs: *version,
        })
    } else if *name_hash != ours.name_hash() {
        Some(Difference::Name)
    } else if *price != ours.price().get() {
        Some(Difference::Price {
            ours: ours.price().get(),
            theirs: *price,
        })
    } else if *private != ours.is_private() {
        Some(Difference::Private {
            ours: ours.is_private(),
        })
    } else if network != ours.id() {
        Some(Difference::Secret)
    } else {
        None
    };
    if let Some(difference) = difference {
        return Step::Stranger(pending.peer, difference);
    }
    let them = LinkEnd {
        id: pending.peer,
        nonce: *nonce,
    };
    let greeting = Greeting {
        peer: pending.peer,
        wants_kept: *wants_kept,
        clock_ms: *clock_ms,
        observed: *observed,
    };
    pending.them = Some((them, greeting));
    match ours.proof(&pending.us, &them) {
        Some(mac) => Step::Send(Frame::Proof { mac }),
        None => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;
    use crate::work::Price;

    const LINK: LinkId = LinkId::new(1);

    fn node(number: u8, network: &Network) -> Handshakes {
        let rng = ChaCha8Rng::from_seed([number; 32]);
        Handshakes::new(NodeId::from_bytes([number; 32]), network.clone(), true, rng)
    }

    /// Runs both sides until neither has more to say; returns the last step of each.
    fn meet(a: &Network, b: &Network) -> (Step, Step) {
        let (mut a, mut b) = (node(1, a), node(2, b));
        let mut to_b = vec![a.begin(LINK, NodeId::from_bytes([2; 32]), None, Now::default())];
        let mut to_a = vec![b.begin(LINK, NodeId::from_bytes([1; 32]), None, Now::default())];
        let (mut last_a, mut last_b) = (Step::Wait, Step::Wait);
        while !to_a.is_empty() || !to_b.is_empty() {
            for frame in std::mem::take(&mut to_b) {
                last_b = b.on_frame(LINK, &frame);
                to_a.extend(reply(&last_b));
            }
            for frame in std::mem::take(&mut to_a) {
                last_a = a.on_frame(LINK, &frame);
                to_b.extend(reply(&last_a));
            }
        }
        (last_a, last_b)
    }

    fn reply(step: &Step) -> Option<Frame> {
        match step {
            Step::Send(frame) | Step::Done(_, Some(frame), _) => Some(frame.clone()),
            _ => None,
        }
    }

    #[test]
    fn nodes_of_one_network_find_each_other_with_and_without_a_secret() {
        for secret in [None, Some(b"secret".as_slice())] {
            let network = Network::new("main", Price::DEFAULT, secret);
            let (a, b) = meet(&network, &network);
            assert!(matches!(a, Step::Done(greeting, ..) if greeting.wants_kept));
            assert!(matches!(b, Step::Done(..)));
        }
    }

    #[test]
    fn strangers_are_told_what_differs() {
        let ours = Network::new("main", Price::DEFAULT, None);
        let cases = [
            (Network::new("test", Price::DEFAULT, None), Difference::Name),
            (
                Network::new("main", Price::FREE, None),
                Difference::Price {
                    ours: 128,
                    theirs: 0,
                },
            ),
            (
                Network::new("main", Price::DEFAULT, Some(b"s")),
                Difference::Private { ours: false },
            ),
        ];
        for (theirs, difference) in cases {
            let (a, _) = meet(&ours, &theirs);
            assert_eq!(a, Step::Stranger(NodeId::from_bytes([2; 32]), difference));
        }
    }

    #[test]
    fn a_stolen_network_id_without_the_secret_proves_nothing() {
        let network = Network::new("main", Price::DEFAULT, Some(b"secret"));
        let mut node = node(1, &network);
        let us = node.begin(LINK, NodeId::from_bytes([2; 32]), None, Now::default());
        assert!(matches!(
            node.on_frame(LINK, &us),
            Step::Send(Frame::Proof { .. })
        ));
        let step = node.on_frame(LINK, &Frame::Proof { mac: [0; 32] });
        assert_eq!(
            step,
            Step::Stranger(NodeId::from_bytes([2; 32]), Difference::Secret)
        );
    }

    #[test]
    fn anything_else_before_the_handshake_is_misbehaviour() {
        let network = Network::new("main", Price::DEFAULT, None);
        let mut node = node(1, &network);
        node.begin(LINK, NodeId::from_bytes([2; 32]), None, Now::default());
        assert!(matches!(
            node.on_frame(LINK, &Frame::PeersReq),
            Step::Misbehaved(_)
        ));
    }
}
