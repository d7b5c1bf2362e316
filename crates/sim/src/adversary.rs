//! Nodes that do not do as they should.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bruit_core::engine::{Actions, Engine};
use bruit_core::event::{Action, Event};
use bruit_core::id::NodeId;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::kind;
use bytes::Bytes;

use crate::behaviour::Behaviour;

/// Takes part in everything and, from a moment on, passes nothing on: what it should relay is announced,
/// as if others had been pushed to, and never sent, asked for or not.
#[derive(Debug)]
pub struct Withholder {
    engine: Engine,
    when: When,
}

/// When it withholds.
#[derive(Debug)]
enum When {
    From(Mono),
    While(Arc<AtomicBool>),
}

impl Withholder {
    /// A node that does as it should until `from`.
    pub const fn new(engine: Engine, from: Mono) -> Self {
        Self {
            engine,
            when: When::From(from),
        }
    }

    /// A node that does as it should unless `switch` is on.
    pub const fn switched(engine: Engine, switch: Arc<AtomicBool>) -> Self {
        Self {
            engine,
            when: When::While(switch),
        }
    }

    fn withholds(&self, now: Now) -> bool {
        match &self.when {
            When::From(from) => now.mono >= *from,
            When::While(switch) => switch.load(Ordering::Relaxed),
        }
    }

    /// Where a PUB frame says how many hops it has come.
    const HOPS_AT: usize = 9;

    fn is_relayed(frame: &Bytes) -> bool {
        frame.first() == Some(&kind::PUB) && frame.get(Self::HOPS_AT).is_some_and(|hops| *hops > 0)
    }
}

impl Behaviour for Withholder {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        let mut actions = self.engine.handle(event, now);
        if self.withholds(now) {
            actions.retain(|action| match action {
                Action::Send { frame, .. } => !Self::is_relayed(frame),
                _ => true,
            });
        }
        actions
    }

    fn next_wakeup(&self) -> Option<Mono> {
        self.engine.next_wakeup()
    }

    fn neighbours(&self) -> Vec<NodeId> {
        Behaviour::neighbours(&self.engine)
    }

    fn address_book(&self) -> Bytes {
        self.engine.address_book()
    }
}
