//! Nodes that do not do as they should. Each is an engine with an evil between it and the world: what the
//! engine is told and what it wants done go through it, and it may want things done of its own. Comparators know
//! one evil: they withhold.

mod addresses;
mod beacons;
mod censor;
mod clocks;
mod eclipse;
mod floors;
mod lie;
mod replay;
mod swarm;
mod tags;
mod withhold;

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::engine::{Actions, Engine};
use bruit_core::event::{Action, Event, Notice};
use bruit_core::id::{LinkId, NetworkId, NodeId};
use bruit_core::identity::SecretKey;
use bruit_core::time::{Mono, Now};
use bruit_core::wire::Frame;
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

pub use swarm::Swarm;
pub(crate) use withhold::Withholding;

use crate::behaviour::{Behaviour, tell};
use crate::world::Birth;

/// What an adversary does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evil {
    /// Relays nothing, and announces all the same.
    Withhold,
    /// Announces what does not exist, and relays nothing.
    Lie,
    /// Relays along trees that are not its own, and asks for trees that do not exist.
    Tags,
    /// Says that it is under the heaviest load.
    Floors,
    /// Speaks, on ever new links, for a part of the network that does not exist.
    Beacons,
    /// Says that it is an hour later than it is.
    Clocks,
    /// Tells of nodes that do not exist, on ever new links to its victims.
    Addresses,
    /// Relays everything but what its victims publish.
    Censor,
    /// Links to its victims, tells them of its like alone, and relays nothing.
    Eclipse,
    /// Sends again, to everybody, what was sent long ago.
    Replay,
}

impl Evil {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::Withhold,
        Self::Lie,
        Self::Tags,
        Self::Floors,
        Self::Beacons,
        Self::Clocks,
        Self::Addresses,
        Self::Censor,
        Self::Eclipse,
        Self::Replay,
    ];

    /// Its word in scenarios.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Withhold => "withhold",
            Self::Lie => "lie",
            Self::Tags => "tags",
            Self::Floors => "floors",
            Self::Beacons => "beacons",
            Self::Clocks => "clocks",
            Self::Addresses => "addresses",
            Self::Censor => "censor",
            Self::Eclipse => "eclipse",
            Self::Replay => "replay",
        }
    }

    /// The evil of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|evil| evil.as_str() == word)
    }

    /// Whether it is done to some nodes in particular.
    pub const fn has_victims(self) -> bool {
        matches!(self, Self::Addresses | Self::Censor | Self::Eclipse)
    }

    fn trick(self, swarm: &Swarm) -> Box<dyn Trick> {
        match self {
            Self::Withhold => Box::new(withhold::Withhold),
            Self::Lie => Box::new(lie::Lie),
            Self::Tags => Box::new(tags::Tags::default()),
            Self::Floors => Box::new(floors::Floors),
            Self::Beacons => Box::new(beacons::Beacons::default()),
            Self::Clocks => Box::new(clocks::Clocks),
            Self::Addresses => Box::new(addresses::Addresses::new(swarm.clone())),
            Self::Censor => Box::new(censor::Censor::new(swarm.clone())),
            Self::Eclipse => Box::new(eclipse::Eclipse::new(swarm.clone())),
            Self::Replay => Box::new(replay::Replay::default()),
        }
    }
}

/// What stands between an engine and the world.
trait Trick: Send {
    /// Hears what happens before the engine does; answers whether the engine may hear it.
    fn hear(&mut self, _event: &Event, _scene: &mut Scene<'_>) -> bool {
        true
    }

    /// Changes what the engine wants done.
    fn meddle(&mut self, _actions: &mut Actions, _scene: &mut Scene<'_>) {}

    /// How long it waits before it acts of its own again; none: it never does.
    fn pace(&self) -> Option<Duration> {
        None
    }

    /// Acts of its own: adds to what is to be done.
    fn act(&mut self, _scene: &mut Scene<'_>) {}
}

/// What a trick can see and use.
struct Scene<'a> {
    now: Now,
    key: &'a SecretKey,
    network: &'a NetworkId,
    /// Established links.
    links: &'a BTreeMap<LinkId, NodeId>,
    rng: &'a mut ChaCha8Rng,
    /// What is to be done besides what the engine wants.
    own: &'a mut Actions,
}

impl Scene<'_> {
    fn tell(&mut self, link: LinkId, frame: &Frame) {
        self.own.push(tell(link, frame));
    }

    /// Tells every neighbour what `frame` makes.
    fn tell_all(&mut self, mut frame: impl FnMut(&mut ChaCha8Rng) -> Frame) {
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            let frame = frame(self.rng);
            self.tell(link, &frame);
        }
    }
}

/// A node that does as it should until it is time.
pub struct Adversary {
    engine: Engine,
    key: SecretKey,
    network: NetworkId,
    trick: Box<dyn Trick>,
    /// When it begins to be one.
    from: Mono,
    links: BTreeMap<LinkId, NodeId>,
    rng: ChaCha8Rng,
    /// When it acts of its own the next time.
    due: Option<Mono>,
}

impl Adversary {
    /// The node of `birth`, which does `evil` from a moment on, with all of `swarm`.
    pub fn new(birth: &Birth<'_>, evil: Evil, swarm: &Swarm, from: Mono) -> Self {
        Self::of(birth.engine(), birth, evil, swarm, from)
    }

    /// The same of a node that lives already.
    pub(crate) fn of(
        engine: Engine,
        birth: &Birth<'_>,
        evil: Evil,
        swarm: &Swarm,
        from: Mono,
    ) -> Self {
        let trick = evil.trick(swarm);
        let established = engine.links().into_iter().filter(|link| link.established);
        Self {
            due: trick.pace().map(|_| from),
            links: established.map(|link| (link.link, link.peer)).collect(),
            engine,
            key: birth.key.clone(),
            network: *birth.settings.config.network.id(),
            trick,
            from,
            rng: ChaCha8Rng::from_seed(birth.seed),
        }
    }

    /// Has `play` play the trick; answers what it wants done.
    fn play(&mut self, now: Now, play: impl FnOnce(&mut dyn Trick, &mut Scene<'_>)) -> Actions {
        let mut own = Actions::new();
        play(
            self.trick.as_mut(),
            &mut Scene {
                now,
                key: &self.key,
                network: &self.network,
                links: &self.links,
                rng: &mut self.rng,
                own: &mut own,
            },
        );
        own
    }

    fn note_links(&mut self, actions: &Actions) {
        for action in actions {
            match action {
                Action::Notice(Notice::Linked { link, peer }) => {
                    self.links.insert(*link, *peer);
                }
                Action::Notice(Notice::Unlinked { link, .. }) | Action::Close { link, .. } => {
                    self.links.remove(link);
                }
                _ => {}
            }
        }
    }

    fn is_due(&self, now: Mono) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

impl Behaviour for Adversary {
    fn handle(&mut self, event: Event, now: Now) -> Actions {
        let is_evil = now.mono >= self.from;
        let mut is_heard = true;
        let mut own = Actions::new();
        if is_evil {
            own = self.play(now, |trick, scene| is_heard = trick.hear(&event, scene));
        }
        let mut actions = if is_heard {
            self.engine.handle(event, now)
        } else {
            Actions::new()
        };
        self.note_links(&actions);
        if is_evil {
            own.extend(self.play(now, |trick, scene| trick.meddle(&mut actions, scene)));
        }
        if self.is_due(now.mono) {
            self.due = self.trick.pace().map(|pace| now.mono.plus(pace));
            if is_evil {
                own.extend(self.play(now, |trick, scene| trick.act(scene)));
            }
        }
        self.note_links(&own);
        actions.extend(own);
        actions
    }

    fn next_wakeup(&self) -> Option<Mono> {
        [self.engine.next_wakeup(), self.due]
            .into_iter()
            .flatten()
            .min()
    }

    fn neighbours(&self) -> Vec<NodeId> {
        Behaviour::neighbours(&self.engine)
    }

    fn address_book(&self) -> Bytes {
        self.engine.address_book()
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }
}

impl std::fmt::Debug for Adversary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adversary")
            .field("engine", &self.engine)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Lets `change` change every frame of `kind` that is to be sent.
fn change_sent(
    actions: &mut Actions,
    kind: u8,
    network: &NetworkId,
    mut change: impl FnMut(LinkId, &mut Frame),
) {
    for action in actions {
        let Action::Send { link, frame, .. } = action else {
            continue;
        };
        if frame.first() != Some(&kind) {
            continue;
        }
        if let Ok(mut decoded) = Frame::decode(frame, network) {
            change(*link, &mut decoded);
            *frame = decoded.encode();
        }
    }
}
