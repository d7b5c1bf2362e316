//! Seeds: registries where newcomers find the network, and what they may be believed.
//!
//! A node asks all seeds of its list and registers with more than half of them (`visits`); a seed keeps what
//! is registered for a lease, and drops it early only when its own probes fail (`registry`); whom one seed
//! alone names is not linked to while there is a choice (`named`). After the seeds of the "P2P messaging"
//! exercise; the departures stand in those files.
//!
//! Invariant: a seed never decides about anybody. One of n cannot remove a node that is there, since what is
//! registered elsewhere stays; nor can a report, since it only has a seed look for itself. Without any seed
//! the network goes on: nothing else waits for this room.

mod config;
mod named;
mod registry;
mod visits;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

pub use config::{Config, ConfigError};
pub use registry::LeaseView;
pub use visits::{SeedState, SeedView};

use named::{Believed, Named};
use registry::{Admission, Errand, Registry};
use visits::Visits;

use crate::id::{LinkId, NodeId};
use crate::intake::Verified;
use crate::limits;
use crate::link::PeerAddress;
use crate::membership::{Group, Teller};
use crate::record::Record;
use crate::time::{Mono, Now, earliest};
use crate::wire::Frame;

/// What is to be done, or to be told to another room.
#[derive(Debug, Clone)]
pub enum Fact {
    /// Link to a seed for a moment; answered by [`Seeds::linked`] or [`Seeds::unreachable`].
    Visit(PeerAddress),
    /// Find out whether a node is there; answered by [`Seeds::alive`] if it is.
    Probe(PeerAddress),
    /// Send a frame.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Check a record's signature; answered by [`Seeds::on_record`].
    Verify {
        /// Who sent it.
        link: LinkId,
        /// What.
        record: Record,
    },
    /// Take this node into the address book.
    Learn(Box<Verified<Record>>, Teller),
    /// A registered node did not answer our own probes: its record is dropped.
    Dropped(NodeId),
    /// Seeds were told that a node is dead.
    Reported {
        /// Who was told.
        seed: NodeId,
        /// Who is dead.
        nodes: Vec<NodeId>,
    },
    /// The peer broke the protocol.
    Misbehaved {
        /// On which link.
        link: LinkId,
        /// How.
        how: &'static str,
    },
}

/// Why a record is being verified.
#[derive(Debug, Clone)]
enum Check {
    /// Its node registers it, with this token; it may be dialled there.
    Registration([u8; 16], Group, Vec<SocketAddr>),
    /// A seed named it.
    Named(NodeId, Teller),
}

/// The room.
#[derive(Debug, Clone)]
pub struct Seeds {
    config: Config,
    rng: ChaCha8Rng,
    registry: Registry,
    visits: Visits,
    named: Named,
    /// When those whom one seed alone named are looked at.
    settle: Option<Mono>,
    checking: BTreeMap<(LinkId, NodeId, u64), Check>,
}

impl Seeds {
    /// The room without any seed. `config` must be valid.
    pub fn new(config: Config, rng: ChaCha8Rng) -> Self {
        Self {
            config,
            rng,
            registry: Registry::default(),
            visits: Visits::default(),
            named: Named::default(),
            settle: None,
            checking: BTreeMap::new(),
        }
    }

    // As a node that has seeds.

    /// Takes the list of seeds, or more addresses of those on it.
    pub fn set(&mut self, seeds: Vec<PeerAddress>, now: Now) {
        self.visits.set(seeds, &mut self.rng, now.mono);
    }

    /// Links are few, or the network may be split: the seeds are asked at once.
    pub fn hurry(&mut self, now: Now) {
        self.visits.hurry(now.mono);
    }

    /// A link with `peer` is established; says what there is to say to a seed.
    pub fn linked(&mut self, link: LinkId, peer: &NodeId, own: Option<&Record>) -> Vec<Fact> {
        let mut facts = Vec::new();
        for frame in self.visits.greet(peer, own) {
            if let Frame::Report { nodes } = &frame {
                let (seed, nodes) = (*peer, nodes.clone());
                facts.push(Fact::Reported { seed, nodes });
            }
            facts.push(Fact::Send { link, frame });
        }
        facts
    }

    /// `peer` could not be dialled, or is gone before it answered.
    pub fn unreachable(&mut self, peer: &NodeId, now: Now) {
        self.visits
            .failed(peer, &self.config, &mut self.rng, now.mono);
    }

    /// A link is gone: what came over it is no longer waited for.
    pub fn link_down(&mut self, link: LinkId) {
        self.checking.retain(|(from, ..), _| *from != link);
    }

    /// A seed answers; `news` are those of its records that the address book lacks.
    pub fn on_lease(
        &mut self,
        (link, peer): (LinkId, NodeId),
        (token, lease, renew): ([u8; 16], Duration, Duration),
        (news, teller): (Vec<Record>, Teller),
        now: Now,
    ) -> Vec<Fact> {
        let spans = (lease, renew);
        let (config, rng) = (&self.config, &mut self.rng);
        let is_asked = self
            .visits
            .answered(&peer, &token, spans, config, rng, now.mono);
        if !is_asked {
            return Vec::new();
        }
        self.settle.get_or_insert(now.mono.plus(self.config.settle));
        news.into_iter()
            .filter_map(|record| self.check(link, record, Check::Named(peer, teller)))
            .collect()
    }

    /// A neighbour is dead, as far as we can tell: the seeds that keep our record are told. A seed, which may
    /// have taken it for alive when it was reported a moment ago, probes it.
    pub fn died(&mut self, node: NodeId, now: Now) -> Vec<Fact> {
        self.visits
            .died(node, &self.config, &mut self.rng, now.mono);
        let errand = self.registry.probe(&node, &self.config, now);
        errand.map(fact_of).into_iter().collect()
    }

    /// Whether `peer` is on the list of seeds.
    pub fn is_seed(&self, peer: &NodeId) -> bool {
        self.visits.is_seed(peer)
    }

    // As a seed.

    /// A node registers, or only asks. `addresses` are those of its record that may be dialled.
    pub fn on_register(
        &mut self,
        (link, peer, group): (LinkId, NodeId, Group),
        token: [u8; 16],
        record: Option<Record>,
        addresses: Vec<SocketAddr>,
        now: Now,
    ) -> Vec<Fact> {
        let Some(record) = record else {
            return vec![self.lease(link, &peer, token, false, now)];
        };
        if record.body.node != peer {
            let how = "registered another than itself";
            return vec![Fact::Misbehaved { link, how }];
        }
        // What cannot be dialled cannot be probed, and helps nobody.
        let admission = if addresses.is_empty() {
            Admission::Refused
        } else {
            self.registry.admit(&record, group, &self.config, now)
        };
        match admission {
            Admission::Renewed => {
                self.registry.alive(&peer);
                vec![self.lease(link, &peer, token, true, now)]
            }
            Admission::Refused => vec![self.lease(link, &peer, token, false, now)],
            Admission::Check => self
                .check(link, record, Check::Registration(token, group, addresses))
                .into_iter()
                .collect(),
        }
    }

    /// A node reports others dead: those that are registered here are probed.
    pub fn on_report(&mut self, peer: &NodeId, nodes: &[NodeId], now: Now) -> Vec<Fact> {
        let errands = nodes
            .iter()
            .filter_map(|node| self.registry.reported(peer, node, &self.config, now));
        errands.map(fact_of).collect()
    }

    /// `node` was heard of by ourselves.
    pub fn alive(&mut self, node: &NodeId) {
        self.registry.alive(node);
    }

    fn lease(&self, link: LinkId, peer: &NodeId, token: [u8; 16], is_kept: bool, now: Now) -> Fact {
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX).max(1);
        let lease_s = if is_kept {
            seconds(self.config.lease)
        } else {
            0
        };
        let frame = Frame::Lease {
            token,
            lease_s,
            renew_s: seconds(self.registry.renew_after(&self.config)),
            records: self.registry.answer(peer, &token, now),
        };
        Fact::Send { link, frame }
    }

    // As both.

    fn check(&mut self, link: LinkId, record: Record, check: Check) -> Option<Fact> {
        let key = (link, record.body.node, record.body.seq);
        if self.checking.len() >= limits::NAMED_CHECKING_MAX || self.checking.contains_key(&key) {
            return None;
        }
        self.checking.insert(key, check);
        Some(Fact::Verify { link, record })
    }

    /// Takes a verified record if this room asked for it.
    ///
    /// # Errors
    /// Gives it back when it did not.
    pub fn on_record(
        &mut self,
        link: LinkId,
        record: Box<Verified<Record>>,
        now: Now,
    ) -> Result<Vec<Fact>, Box<Verified<Record>>> {
        let node = record.get().body.node;
        let key = (link, node, record.get().body.seq);
        match self.checking.remove(&key) {
            None => Err(record),
            Some(Check::Registration(token, group, addresses)) => {
                let record = record.into_inner();
                let place = (group, addresses);
                let is_kept = self.registry.insert(record, place, &self.config, now);
                Ok(vec![self.lease(link, &node, token, is_kept, now)])
            }
            Some(Check::Named(seed, teller)) => {
                let only = self.visits.is_single();
                let believed = self.named.insert(seed, *record, teller, only);
                Ok(believed.map(learn).into_iter().collect())
            }
        }
    }

    /// Does what is due. `is_alone`: linked to nobody but seeds.
    pub fn wakeup(&mut self, is_alone: bool, now: Now) -> Vec<Fact> {
        let errands = self.registry.wakeup(&self.config, now);
        let mut facts: Vec<Fact> = errands.into_iter().map(fact_of).collect();
        if self.settle.is_some_and(|due| due <= now.mono) {
            self.settle = None;
            if is_alone {
                facts.extend(self.named.believe().into_iter().map(learn));
            }
        }
        if self.visits.begins(&self.config, &mut self.rng, now.mono) {
            self.named.clear();
        }
        let due = self.visits.due(&self.config, &mut self.rng, now.mono);
        facts.extend(due.into_iter().map(Fact::Visit));
        facts
    }

    /// When [`Self::wakeup`] is due.
    pub fn next_wakeup(&self) -> Option<Mono> {
        earliest([
            self.registry.next_wakeup(),
            self.visits.next_wakeup(),
            self.settle,
        ])
    }

    /// Whether this node is a seed.
    pub const fn is_registry(&self) -> bool {
        self.config.registry
    }

    /// What this seed keeps, in the order of ids.
    pub fn leases(&self, now: Now) -> impl Iterator<Item = LeaseView> + '_ {
        self.registry.views(now)
    }

    /// The seeds of the list, in the order of ids.
    pub fn seeds(&self, now: Now) -> impl Iterator<Item = SeedView> + '_ {
        self.visits.views(now.mono)
    }

    /// The sizes of all tables.
    pub fn footprint(&self) -> Footprint {
        let (leases, probes) = self.registry.footprint();
        let (listed, reports) = self.visits.footprint();
        Footprint {
            leases,
            probes,
            listed,
            reports,
            named: self.named.len(),
            checking: self.checking.len(),
        }
    }
}

/// Sizes of the tables, for the guard of bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Records kept for others.
    pub leases: usize,
    /// Nodes under probe.
    pub probes: usize,
    /// Seeds of the list.
    pub listed: usize,
    /// Deaths that wait for one of them, at most.
    pub reports: usize,
    /// Records that one seed named.
    pub named: usize,
    /// Records being verified.
    pub checking: usize,
}

fn learn((record, teller): Believed) -> Fact {
    Fact::Learn(Box::new(record), teller)
}

fn fact_of(errand: Errand) -> Fact {
    match errand {
        Errand::Probe(address) => Fact::Probe(address),
        Errand::Dropped(node) => Fact::Dropped(node),
    }
}
