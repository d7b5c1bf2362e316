//! Liveness: whether the neighbours are still there, without blaming them for our own pauses.
//!
//! SWIM (Das et al. 2002) restricted to link neighbours, with Lifeguard's local health (Dadgar et
//! al. 2018, §IV). Departures: what we find stays our own knowledge and is never gossiped; any frame
//! refutes, not only a special one; a helper's "no" also tells that we ourselves are heard, so it
//! keeps local health up and shortens suspicion; and after a late wakeup of ours nobody is accused
//! of the silence in between.

mod clock;
mod config;
mod link;
mod probe;
mod suspicion;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::id::{LinkId, NodeId};
use crate::link_map::LinkMap;
use crate::membership::Group;
use crate::membership::timers::Timers;
use crate::time::{Mono, Now};
use crate::wire::Frame;

pub use config::{Config, ConfigError};
pub use link::Suspicion;

use link::{Link, State};

/// What is to be done, or to be told to another room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Send a ping; the engine adds clock, floor and digest.
    Ping {
        /// To whom.
        link: LinkId,
        /// Comes back in the answer.
        seq: u32,
    },
    /// Send a frame.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// A round trip was measured; the smoothed value.
    Rtt {
        /// On which link.
        link: LinkId,
        /// The smoothed round trip.
        rtt: Duration,
    },
    /// A ping was not answered in time.
    Missed {
        /// Which link.
        link: LinkId,
        /// How many in a row.
        misses: u32,
    },
    /// Nobody hears from the peer: route around it.
    Suspect {
        /// Which link.
        link: LinkId,
    },
    /// The suspicion was wrong.
    Alive {
        /// Which link.
        link: LinkId,
    },
    /// Close the link, as dead. The room has forgotten it already.
    Dead {
        /// Which link.
        link: LinkId,
    },
}

/// A probe run for a neighbour.
#[derive(Debug, Clone, Copy)]
struct Probe {
    target: LinkId,
    since: Mono,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Link(LinkId),
    Probe(LinkId, u32),
}

/// The room.
#[derive(Debug, Clone)]
pub struct Liveness {
    config: Config,
    rng: ChaCha8Rng,
    links: LinkMap<Link>,
    by_peer: BTreeMap<NodeId, LinkId>,
    /// By who asked, and its number.
    probes: BTreeMap<(LinkId, u32), Probe>,
    /// Whom we asked helpers about, by the number of the question.
    asked: BTreeMap<u32, LinkId>,
    timers: Timers<Timer>,
    /// From 1, healthy, up to `health_max`.
    health: u32,
    size: usize,
}

impl Liveness {
    /// The room without any link. `config` must be valid.
    pub fn new(config: Config, rng: ChaCha8Rng) -> Self {
        Self {
            config,
            rng,
            links: LinkMap::new(),
            by_peer: BTreeMap::new(),
            probes: BTreeMap::new(),
            asked: BTreeMap::new(),
            timers: Timers::new(),
            health: 1,
            size: 1,
        }
    }

    /// A link is established. Pings it at once, to learn round trip and clock.
    pub fn link_up(
        &mut self,
        id: LinkId,
        peer: NodeId,
        group: Option<Group>,
        now: Now,
    ) -> Vec<Fact> {
        let link = Link {
            peer,
            group,
            heard: now.mono,
            ping: None,
            state: State::Heard,
            misses: 0,
            indirect: 0,
            pinged: now.mono,
            pings: 0,
            patience: self.config.idle,
            pause: self.config.refresh,
            rtt: None,
            samples: 0,
            clock: None,
            probes: 0,
        };
        self.links.insert(id, link);
        self.by_peer.insert(peer, id);
        let mut facts = Vec::new();
        self.ping(id, now, &mut facts);
        facts
    }

    /// A link is gone.
    pub fn link_down(&mut self, id: LinkId) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        if self.by_peer.get(&link.peer) == Some(&id) {
            self.by_peer.remove(&link.peer);
        }
        self.timers.clear(Timer::Link(id));
        let own: Vec<(LinkId, u32)> = self
            .probes
            .range((id, 0)..=(id, u32::MAX))
            .map(|(key, _)| *key)
            .collect();
        for (asker, seq) in own {
            self.probes.remove(&(asker, seq));
            self.timers.clear(Timer::Probe(asker, seq));
        }
    }

    /// A frame of any kind arrived. Cheap: one look-up; a fact only when it refutes a suspicion.
    pub fn heard(&mut self, id: LinkId, now: Now) -> Option<Fact> {
        let link = self.links.get_mut(&id)?;
        link.heard = now.mono;
        if !matches!(link.state, State::Suspect { .. }) {
            return None;
        }
        link.state = State::Heard;
        link.misses = 0;
        link.indirect = 0;
        self.timers
            .set(Timer::Link(id), now.mono.plus(self.config.idle));
        Some(Fact::Alive { link: id })
    }

    /// A neighbour asks whether we are there.
    pub fn on_ping(&mut self, id: LinkId, seq: u32, now: Now) -> Vec<Fact> {
        let Some(link) = self.links.get(&id) else {
            return Vec::new();
        };
        let clock_ms = now.wall.as_millis();
        let mut facts = vec![Fact::Send {
            link: id,
            frame: Frame::Pong { seq, clock_ms },
        }];
        if link.asks_back(&self.config, now.mono) {
            self.ping(id, now, &mut facts);
        } else if link.state == State::Heard {
            // Two that are idle ask each other in turns: whoever was asked has no reason to wake up for it.
            let due = link.next_ping();
            self.timers.set(Timer::Link(id), due);
        }
        facts
    }

    /// An answer to a ping arrived.
    pub fn on_pong(&mut self, id: LinkId, seq: u32, clock_ms: u64, now: Now) -> Vec<Fact> {
        let mut facts: Vec<Fact> = self.heard(id, now).into_iter().collect();
        let Some(link) = self.links.get_mut(&id) else {
            return facts;
        };
        let Some((_, sent)) = link.ping.filter(|(asked, _)| *asked == seq) else {
            return facts;
        };
        let sample = now.mono.since(sent);
        let rtt = link.note_rtt(sample);
        link.ping = None;
        link.misses = 0;
        link.indirect = 0;
        link.state = State::Heard;
        let due = link.next_ping();
        self.timers.set(Timer::Link(id), due);
        self.health = self.health.saturating_sub(1).max(1);
        self.clock_sample(id, clock_ms, now);
        facts.push(Fact::Rtt { link: id, rtt });
        let answered = |(_, probe): &(_, &Probe)| probe.target == id;
        let waiting: Vec<(LinkId, u32)> = self
            .probes
            .iter()
            .filter(answered)
            .map(|(key, _)| *key)
            .collect();
        for (asker, seq) in waiting {
            self.timers.clear(Timer::Probe(asker, seq));
            self.end_probe(asker, seq, &mut facts);
        }
        facts
    }

    /// Nodes in the network: suspicion lasts longer in a larger one.
    pub const fn size(&mut self, nodes: usize) {
        self.size = nodes;
    }

    /// The smoothed round trip of a link.
    pub fn rtt(&self, id: LinkId) -> Option<Duration> {
        self.links.get(&id)?.rtt
    }

    /// Why the peer of a link is suspected, if it is.
    pub fn suspicion(&self, id: LinkId, now: Now) -> Option<Suspicion> {
        match &self.links.get(&id)?.state {
            State::Suspect {
                since,
                denied,
                silent,
                ..
            } => Some(Suspicion {
                age: now.mono.since(*since),
                denied: denied.clone(),
                silent: *silent,
            }),
            _ => None,
        }
    }

    /// When anything was last heard on a link.
    pub fn last_heard(&self, id: LinkId) -> Option<Mono> {
        self.links.get(&id).map(|link| link.heard)
    }

    /// Our own health: 1 is good; waits for answers are multiplied by it.
    pub const fn local_health(&self) -> u32 {
        self.health
    }

    /// Links, probes for neighbours and deadlines held.
    pub fn footprint(&self) -> (usize, usize, usize) {
        (self.links.len(), self.probes.len(), self.timers.len())
    }

    /// The links of which anything is kept.
    pub fn held(&self) -> impl Iterator<Item = LinkId> {
        let by_peer = self.by_peer.values();
        self.links.keys().chain(by_peer).copied()
    }

    /// When [`Self::wakeup`] is due.
    pub fn next_wakeup(&self) -> Option<Mono> {
        self.timers.first()
    }

    /// Does what is due. A wakeup that comes late worsens local health and accuses nobody: what
    /// would have refuted may still wait behind this very event.
    pub fn wakeup(&mut self, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        let late = self
            .timers
            .first()
            .map_or(Duration::ZERO, |due| now.mono.since(due));
        let paused = late >= self.config.late;
        if paused {
            self.worsen(u32::try_from(late.as_secs()).unwrap_or(u32::MAX).max(1));
        }
        while let Some((timer, _)) = self.timers.pop(now.mono) {
            match timer {
                Timer::Link(id) if paused => self.forgive(id, now, &mut facts),
                Timer::Link(id) => self.on_deadline(id, now, &mut facts),
                Timer::Probe(asker, seq) => self.end_probe(asker, seq, &mut facts),
            }
        }
        facts
    }

    fn on_deadline(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let pinged = link.ping.map(|(_, sent)| sent);
        if pinged.is_some_and(|sent| link.heard > sent) && link.state != State::Heard {
            // Any frame is as good as the answer; only the round trip stays unknown.
            link.state = State::Heard;
            link.ping = None;
            link.misses = 0;
            link.indirect = 0;
        }
        match &link.state {
            State::Heard => {
                let due = link.next_ping();
                if now.mono < due {
                    self.timers.set(Timer::Link(id), due);
                } else {
                    self.ping(id, now, facts);
                }
            }
            State::Waiting => self.missed(id, now, facts),
            State::Missed => self.ping(id, now, facts),
            State::Asking { .. } => {
                // Helpers that do not even say no tell of our own trouble, or of everybody's.
                self.worsen(1);
                self.suspect(id, now, facts);
                self.doubt(now, facts);
            }
            State::Suspect { until, .. } if *until <= now.mono => {
                self.link_down(id);
                facts.push(Fact::Dead { link: id });
            }
            State::Suspect { .. } => self.remind(id, now, facts),
        }
    }

    /// A ping was not answered in time: others are asked, or it is pinged again.
    fn missed(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.misses = link.misses.saturating_add(1);
        let misses = link.misses;
        facts.push(Fact::Missed { link: id, misses });
        let due = link.pinged.plus(self.config.miss_pause);
        if misses >= self.config.misses {
            self.ask_helpers(id, now, facts);
        } else if due > now.mono {
            link.state = State::Missed;
            self.timers.set(Timer::Link(id), due);
        } else {
            self.ping(id, now, facts);
        }
    }

    /// Pings everybody not heard of just now: when many die at once, the next is found out before its
    /// turn comes.
    fn doubt(&mut self, now: Now, facts: &mut Vec<Fact>) {
        let is_quiet = |link: &Link| {
            link.state == State::Heard && now.mono.since(link.heard) >= self.config.timeout_min
        };
        let quiet = self.links.iter().filter(|(_, link)| is_quiet(link));
        let quiet: Vec<LinkId> = quiet.map(|(id, _)| *id).collect();
        for id in quiet {
            self.ping(id, now, facts);
        }
    }

    /// After a pause of ours: whoever was to be judged gets a fresh chance to answer.
    fn forgive(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let due = link.next_ping();
        match &mut link.state {
            State::Suspect { until, .. } => {
                *until = (*until).max(now.mono.plus(self.config.suspicion_min));
                self.remind(id, now, facts);
            }
            State::Heard if now.mono < due => self.timers.set(Timer::Link(id), due),
            _ => self.ping(id, now, facts),
        }
    }

    /// Asks a link whether it is there, and expects the answer in time.
    fn ping(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let seq = self.rng.next_u32();
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let wait = self.timeout(link);
        if let Some(link) = self.links.get_mut(&id) {
            link.note_ping(seq, &self.config, &mut self.rng, now.mono);
            if !matches!(link.state, State::Suspect { .. }) {
                link.state = State::Waiting;
                self.timers.set(Timer::Link(id), now.mono.plus(wait));
            }
        }
        facts.push(Fact::Ping { link: id, seq });
    }

    fn timeout(&self, link: &Link) -> Duration {
        let rtts = link
            .rtt
            .unwrap_or_default()
            .saturating_mul(self.config.timeout_rtts);
        rtts.max(self.config.timeout_min)
            .saturating_mul(self.health)
    }

    /// Nobody hears from the peer. It is told first, by a ping each second, so that it can refute.
    fn suspect(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let (denied, silent) = match self.links.get(&id).map(|link| &link.state) {
            Some(State::Asking { denied, silent, .. }) => (denied.clone(), silent.len()),
            _ => (Vec::new(), 0),
        };
        let until = now.mono.plus(self.suspicion_time(denied.len()));
        if let Some(link) = self.links.get_mut(&id) {
            link.state = State::Suspect {
                since: now.mono,
                until,
                denied,
                silent,
            };
            facts.push(Fact::Suspect { link: id });
            self.remind(id, now, facts);
        }
    }

    fn remind(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        if let Some(Link {
            state: State::Suspect { until, .. },
            ..
        }) = self.links.get(&id)
        {
            let next = now.mono.plus(Duration::from_secs(1)).min(*until);
            self.timers.set(Timer::Link(id), next);
            self.ping(id, now, facts);
        }
    }

    fn worsen(&mut self, by: u32) {
        self.health = self.health.saturating_add(by).min(self.config.health_max);
    }
}
