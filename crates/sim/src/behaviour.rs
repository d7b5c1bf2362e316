//! What a node does about what happens to it. The engine is one answer; comparators and adversaries
//! are others, on the same links, with the same frames.

use bruit_core::bulletin::Bulletin;
use bruit_core::engine::{Actions, Engine};
use bruit_core::event::{Action, Event};
use bruit_core::id::{LinkId, NodeId};
use bruit_core::link::Class;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::{Frame, encode_to_bytes};
use bytes::Bytes;

/// A state machine in the place of a node's engine.
pub trait Behaviour: Send {
    /// Takes one event; returns what to do, in order.
    fn handle(&mut self, event: Event, now: Now) -> Actions;

    /// When [`Event::Wakeup`] is wanted, if nothing else happens before.
    fn next_wakeup(&self) -> Option<Mono>;

    /// The neighbours it counts on.
    fn neighbours(&self) -> Vec<NodeId>;

    /// What it wants back after a restart, beside its bulletins.
    fn address_book(&self) -> Bytes;

    /// The engine in it, where there is one.
    fn engine(&self) -> Option<&Engine> {
        None
    }

    /// A copy that shares nothing with it, where there can be one.
    fn fork(&self) -> Option<Box<dyn Behaviour>> {
        None
    }
}

impl Behaviour for Engine {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        Engine::handle(self, event, now)
    }

    fn next_wakeup(&self) -> Option<Mono> {
        Engine::next_wakeup(self)
    }

    fn neighbours(&self) -> Vec<NodeId> {
        let links = self.links().into_iter();
        let established = links.filter(|link| link.established);
        established.map(|link| link.peer).collect()
    }

    fn address_book(&self) -> Bytes {
        Engine::address_book(self)
    }

    fn engine(&self) -> Option<&Engine> {
        Some(self)
    }

    fn fork(&self) -> Option<Box<dyn Behaviour>> {
        Some(Box::new(self.clone()))
    }
}

// What comparators do.

/// Sends a frame that steers.
pub(crate) fn tell(link: LinkId, frame: &Frame) -> Action {
    Action::Send {
        link,
        class: frame.class(),
        frame: frame.encode(),
    }
}

/// Sends a bulletin, encoded as a frame already.
pub(crate) const fn push(link: LinkId, frame: Bytes) -> Action {
    Action::Send {
        link,
        class: Class::Bulletins,
        frame,
    }
}

/// Hands a bulletin to the application, after so many hops.
pub(crate) fn deliver(bulletin: Bulletin, from: Option<NodeId>, hops: u8) -> Action {
    Action::Deliver {
        encoded: encode_to_bytes(&bulletin),
        bulletin: Box::new(bulletin),
        from,
        hops,
    }
}
