//! Lookups: asking other nodes for a bulletin that this node does not hold.
//!
//! An expanding ring (Lv et al., "Search and replication in unstructured peer-to-peer networks",
//! 2002, section 4): first a few neighbours, then further and more, [`NODES_MAX`] in all. Unlike the
//! paper's, a ring has a budget of nodes besides its depth, so that what a question costs does not
//! depend on how many neighbours everybody has. The answer is the bulletin itself, in an ordinary
//! PUB frame; it travels back the way the question came, never to an address named in it, and is
//! checked and kept by everybody on that way.
//!
//! Invariant: a question is passed on at most once by each node, ends by itself within
//! [`Config::hop_timeout`] times its depth, and leaves nothing behind.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

use crate::draw;
use crate::id::{BulletinId, LinkId, ValueKey};
use crate::latest::Latest;
use crate::limits;
use crate::time::Mono;
use crate::wire::Frame;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Target {
    /// This bulletin.
    Id(BulletinId),
    /// The latest version of a value.
    Value(ValueKey),
}

impl Target {
    /// Whether a bulletin is what is looked for.
    fn is(&self, id: &BulletinId, value: Option<&ValueKey>) -> bool {
        match self {
            Self::Id(wanted) => wanted == id,
            Self::Value(wanted) => Some(wanted) == value,
        }
    }
}

/// How a lookup grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Neighbours asked by each node. Default 3: two may be away or know nothing.
    pub fan_out: usize,
    /// Longest wait for each hop of depth. Default 400 ms: there and back between continents, and a
    /// read from a disk. All rings together then take four seconds.
    pub hop_timeout: Duration,
    /// Lookups under way at once, our own and others'. Default 1,024.
    pub running_max: usize,
    /// Lookups under way at once for one neighbour. Default 64.
    pub running_per_link_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fan_out: 3,
            hop_timeout: Duration::from_millis(400),
            running_max: 1_024,
            running_per_link_max: 64,
        }
    }
}

/// Depth and nodes of each ring.
const RINGS: [(u8, u8); 3] = [(1, 3), (3, 15), (6, 46)];
/// Most nodes asked for one lookup: three, fifteen, and forty-six.
pub const NODES_MAX: u8 = 64;

const _: () = assert!(RINGS[0].1 + RINGS[1].1 + RINGS[2].1 == NODES_MAX);
const _: () = assert!(RINGS[2].0 == limits::LOOKUP_HOPS_MAX);
/// Most nodes that one of three neighbours may be told to ask: what is more is not asked.
const SHARE_MAX: u8 = 14;

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Say this to a neighbour.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Send the bulletin that was found to a neighbour.
    Pass {
        /// To whom.
        link: LinkId,
    },
    /// The bulletin that was found answers this lookup of ours.
    Found {
        /// Its number.
        number: u64,
    },
    /// Nobody had what this lookup of ours is for.
    Missing {
        /// Its number.
        number: u64,
    },
}

/// Who wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// This node's application, by the number it gave, and the ring that is being asked.
    Us(u64, usize),
    /// A neighbour.
    Link(LinkId),
}

/// A question under way.
#[derive(Debug, Clone)]
struct Running {
    target: Target,
    asker: Asker,
    /// Who was asked and has not answered.
    waiting: BTreeSet<LinkId>,
    due: Mono,
}

/// A question as it came from a neighbour.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Its number, drawn by who asked first.
    pub lookup: u64,
    /// How much further it may go: 1 asks the receiver alone.
    pub hops: u8,
    /// How many nodes may be asked beyond the receiver.
    pub budget: u8,
    /// What is looked for.
    pub target: Target,
}

/// The room.
#[derive(Debug, Clone)]
pub struct Lookups {
    config: Config,
    rng: ChaCha8Rng,
    running: BTreeMap<u64, Running>,
    /// Numbers that were seen lately.
    seen: Latest<u64, ()>,
}

impl Lookups {
    /// Numbers remembered so that no question goes round.
    const SEEN_MAX: usize = 4_096;

    /// No lookup at all.
    pub const fn new(config: Config, rng: ChaCha8Rng) -> Self {
        Self {
            config,
            rng,
            running: BTreeMap::new(),
            seen: Latest::new(Self::SEEN_MAX),
        }
    }

    /// Begins a lookup of our own, `number`, by asking some of `links`.
    pub fn begin(&mut self, number: u64, target: Target, links: &[LinkId], now: Mono) -> Vec<Fact> {
        self.ring(number, 0, target, links, now)
    }

    /// Takes a question from `link` that this node cannot answer, and passes it on to others of
    /// `links`, or says that nobody here knows.
    pub fn asked(
        &mut self,
        link: LinkId,
        question: Question,
        links: &[LinkId],
        now: Mono,
    ) -> Vec<Fact> {
        let Question {
            lookup,
            hops,
            budget,
            target,
        } = question;
        let budget = budget.min(SHARE_MAX);
        let is_new = self.note_seen(lookup);
        let asker = Asker::Link(link);
        let for_link = self
            .running
            .values()
            .filter(|running| running.asker == asker);
        let is_busy = self.running.len() >= self.config.running_max
            || for_link.count() >= self.config.running_per_link_max;
        if !is_new || is_busy || hops <= 1 || budget == 0 {
            return vec![done(link, lookup)];
        }
        let others: Vec<LinkId> = links
            .iter()
            .copied()
            .filter(|other| *other != link)
            .collect();
        let (facts, waiting) = self.ask(lookup, target, hops.saturating_sub(1), budget, &others);
        if waiting.is_empty() {
            return vec![done(link, lookup)];
        }
        let due = now.plus(
            self.config
                .hop_timeout
                .saturating_mul(u32::from(hops).saturating_sub(1)),
        );
        self.running.insert(
            lookup,
            Running {
                target,
                asker,
                waiting,
                due,
            },
        );
        facts
    }

    /// Notes that nobody behind `link` knows the answer.
    pub fn done(&mut self, link: LinkId, lookup: u64, links: &[LinkId], now: Mono) -> Vec<Fact> {
        let Some(running) = self.running.get_mut(&lookup) else {
            return Vec::new();
        };
        running.waiting.remove(&link);
        if running.waiting.is_empty() {
            self.give_up(lookup, links, now)
        } else {
            Vec::new()
        }
    }

    /// Whether a lookup is under way for this bulletin.
    pub fn wants(&self, id: &BulletinId, value: Option<&ValueKey>) -> bool {
        self.running
            .values()
            .any(|running| running.target.is(id, value))
    }

    /// Takes note of a bulletin that passed every check: it may be what is looked for.
    pub fn found(&mut self, id: &BulletinId, value: Option<&ValueKey>) -> Vec<Fact> {
        self.running
            .extract_if(.., |_, running| running.target.is(id, value))
            .map(|(_, running)| match running.asker {
                Asker::Us(number, _) => Fact::Found { number },
                Asker::Link(link) => Fact::Pass { link },
            })
            .collect()
    }

    /// Forgets a link: what it asked, and what it was asked.
    pub fn link_down(&mut self, link: LinkId, links: &[LinkId], now: Mono) -> Vec<Fact> {
        self.running
            .retain(|_, running| running.asker != Asker::Link(link));
        let asked: Vec<u64> = self
            .running
            .iter()
            .filter(|(_, running)| running.waiting.contains(&link))
            .map(|(lookup, _)| *lookup)
            .collect();
        asked
            .into_iter()
            .flat_map(|lookup| self.done(link, lookup, links, now))
            .collect()
    }

    /// Gives up what has taken too long.
    pub fn wakeup(&mut self, links: &[LinkId], now: Mono) -> Vec<Fact> {
        let due: Vec<u64> = self
            .running
            .iter()
            .filter(|(_, running)| running.due <= now)
            .map(|(lookup, _)| *lookup)
            .collect();
        due.into_iter()
            .flat_map(|lookup| self.give_up(lookup, links, now))
            .collect()
    }

    /// When to call [`Lookups::wakeup`].
    pub fn next_wakeup(&self) -> Option<Mono> {
        self.running.values().map(|running| running.due).min()
    }

    /// Lookups under way.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Ends a question that got no answer: the next ring is asked, or whoever asked is told.
    fn give_up(&mut self, lookup: u64, links: &[LinkId], now: Mono) -> Vec<Fact> {
        match self.running.remove(&lookup) {
            None => Vec::new(),
            Some(Running {
                asker: Asker::Link(link),
                ..
            }) => vec![done(link, lookup)],
            Some(Running {
                asker: Asker::Us(number, ring),
                target,
                ..
            }) => self.ring(number, ring.saturating_add(1), target, links, now),
        }
    }

    /// Asks a ring of ours, or says that there is no further one.
    fn ring(
        &mut self,
        number: u64,
        ring: usize,
        target: Target,
        links: &[LinkId],
        now: Mono,
    ) -> Vec<Fact> {
        let missing = vec![Fact::Missing { number }];
        let Some((hops, budget)) = RINGS.get(ring).copied() else {
            return missing;
        };
        if self.running.len() >= self.config.running_max {
            return missing;
        }
        let lookup = self.rng.next_u64();
        self.note_seen(lookup);
        let (facts, waiting) = self.ask(lookup, target, hops, budget, links);
        if waiting.is_empty() {
            return missing;
        }
        let due = now.plus(self.config.hop_timeout.saturating_mul(u32::from(hops)));
        self.running.insert(
            lookup,
            Running {
                target,
                asker: Asker::Us(number, ring),
                waiting,
                due,
            },
        );
        facts
    }

    /// Puts a question to some of `links`, each with its share of the budget.
    fn ask(
        &mut self,
        lookup: u64,
        target: Target,
        hops: u8,
        budget: u8,
        links: &[LinkId],
    ) -> (Vec<Fact>, BTreeSet<LinkId>) {
        let most = self.config.fan_out.min(usize::from(budget));
        let asked = draw::some(&mut self.rng, links, most);
        let count = u8::try_from(asked.len()).unwrap_or(u8::MAX);
        let share = budget.saturating_sub(count).checked_div(count).unwrap_or(0);
        let facts = asked
            .iter()
            .map(|link| Fact::Send {
                link: *link,
                frame: Frame::Lookup {
                    lookup,
                    hops,
                    budget: share,
                    target,
                },
            })
            .collect();
        (facts, asked.into_iter().collect())
    }

    /// Remembers a number; answers whether it is new.
    fn note_seen(&mut self, lookup: u64) -> bool {
        let is_new = !self.seen.contains(&lookup);
        self.seen.insert(lookup, ());
        is_new
    }
}

const fn done(link: LinkId, lookup: u64) -> Fact {
    Fact::Send {
        link,
        frame: Frame::LookupDone { lookup },
    }
}
