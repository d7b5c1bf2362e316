//! One engine and the peers a test plays: every check and signature is answered at once.
#![allow(
    dead_code,
    reason = "every test file that takes this in uses its part of it"
)]

use std::net::SocketAddr;

use bruit_core::config::Config;
use bruit_core::engine::Engine;
use bruit_core::event::{Action, Event, Notice};
use bruit_core::id::{LinkId, NodeId};
use bruit_core::identity::SecretKey;
use bruit_core::link::{CloseReason, Direction};
use bruit_core::network::Network;
use bruit_core::time::{Mono, Now, Wall};
use bruit_core::wire::Frame;
use bytes::Bytes;

/// An engine whose driver is the test.
pub(crate) struct Solo {
    /// The engine.
    pub(crate) engine: Engine,
    /// What its clocks show.
    pub(crate) now: Now,
    key: SecretKey,
    network: Network,
    links: u64,
}

impl Solo {
    /// An engine of `network` at `wall_ms`.
    pub(crate) fn new(network: &Network, wall_ms: u64) -> Self {
        let mut config = Config::new(network.clone());
        config.membership.private_exempt = true;
        let config = config.validate().expect("the defaults are valid");
        let key = SecretKey::from_seed(&[0x51; 32]);
        let mut solo = Self {
            engine: Engine::new(key.node_id(), config, [0x52; 32]),
            now: Now {
                mono: Mono::from_micros(1_000_000),
                wall: Wall::from_millis(wall_ms),
            },
            key,
            network: network.clone(),
            links: 0,
        };
        solo.feed(Event::Addresses(vec![loopback(7_447)]));
        solo
    }

    /// Hands over an event, answers every check and signature, and returns all actions.
    pub(crate) fn feed(&mut self, event: Event) -> Vec<Action> {
        let mut events = vec![event];
        let mut all = Vec::new();
        while let Some(event) = events.pop() {
            for action in self.engine.handle(event, self.now) {
                match &action {
                    Action::Verify { job, check } => {
                        events.push(Event::Verified {
                            job: *job,
                            good: check.holds(),
                        });
                    }
                    Action::Sign { job, message } => {
                        let signature = self.key.sign(message);
                        events.push(Event::Signed {
                            job: *job,
                            signature,
                        });
                    }
                    _ => {}
                }
                all.push(action);
            }
        }
        all
    }

    /// A frame from the peer of `link`.
    pub(crate) fn frame(&mut self, link: LinkId, frame: &Bytes) -> Vec<Action> {
        self.feed(Event::Frame {
            link,
            frame: frame.clone(),
        })
    }

    /// A new peer dials; nothing was said yet.
    pub(crate) fn connect(&mut self) -> LinkId {
        self.links += 1;
        let mut peer = [0xf0; 32];
        peer[..8].copy_from_slice(&self.links.to_be_bytes());
        let link = LinkId::new(self.links);
        self.feed(Event::LinkUp {
            link,
            peer: NodeId::from_bytes(peer),
            direction: Direction::In,
            remote: Some(loopback(9_000)),
            control_credit: u32::MAX,
            bulletins_credit: u32::MAX,
        });
        link
    }

    /// A new peer dials, greets and puts the link into its mesh.
    pub(crate) fn link(&mut self) -> LinkId {
        self.greeted(false)
    }

    /// A new peer that wants to know what of its bulletins is kept here.
    pub(crate) fn link_that_wants_kept(&mut self) -> LinkId {
        self.greeted(true)
    }

    fn greeted(&mut self, wants_kept: bool) -> LinkId {
        let link = self.connect();
        self.greet(link, wants_kept);
        self.frame(link, &Frame::Mesh { on: true }.encode());
        link
    }

    /// The peer of `link` greets.
    pub(crate) fn greet(&mut self, link: LinkId, wants_kept: bool) {
        let hello = Frame::Hello {
            version: 1,
            features: 0,
            name_hash: self.network.name_hash(),
            price: self.network.price().get(),
            private: false,
            network: *self.network.id(),
            wants_kept,
            nonce: [7; 32],
            clock_ms: self.now.wall.as_millis(),
            observed: None,
        };
        let actions = self.frame(link, &hello.encode());
        let linked = |action: &Action| matches!(action, Action::Notice(Notice::Linked { .. }));
        assert!(actions.iter().any(linked), "{actions:?}");
    }

    /// The connection of `link` is gone.
    pub(crate) fn unlink(&mut self, link: LinkId) {
        self.feed(Event::LinkDown {
            link,
            reason: CloseReason::Score,
            by_peer: false,
        });
    }
}

/// Whether the engine closes a link.
pub(crate) fn closes(actions: &[Action]) -> bool {
    actions
        .iter()
        .any(|action| matches!(action, Action::Close { .. }))
}

/// The kinds of the frames sent.
pub(crate) fn sent(actions: &[Action]) -> Vec<(LinkId, u8)> {
    let kind = |action: &Action| match action {
        Action::Send { link, frame, .. } => Some((*link, *frame.first()?)),
        _ => None,
    };
    actions.iter().filter_map(kind).collect()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
