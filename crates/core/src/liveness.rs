//! Liveness: whether the neighbours are still there, without blaming them for our own pauses.
//!
//! SWIM (Das et al. 2002) restricted to link neighbours, with Lifeguard's local health (Dadgar et
//! al. 2018, §IV). Departures: what we find stays our own knowledge and is never gossiped; any frame
//! refutes, not only a special one; a helper's "no" also tells that we ourselves are heard, so it
//! keeps local health up and shortens suspicion; and after a late wakeup of ours nobody is accused
//! of the silence in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::id::{LinkId, NodeId};
use crate::limits;
use crate::membership::Group;
use crate::membership::draw;
use crate::membership::timers::Timers;
use crate::time::{Mono, Now, millis};
use crate::wire::Frame;

/// Round trips of which the shortest counts, before they are smoothed.
const FIRST_SAMPLES: u32 = 4;

/// How soon silence is noticed, and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// A link from which nothing was heard for this long is pinged. Default 5 s. Shorter notices
    /// sooner; every halving doubles the idle traffic (about 60 bytes of frames per ping).
    pub idle: Duration,
    /// A link that is never silent is pinged this often all the same: round trip, clock, floor and
    /// digest travel with pings alone. Default 15 s.
    pub refresh: Duration,
    /// Shortest wait for an answer. Default 500 ms, enough for one lost packet to be sent again.
    pub timeout_min: Duration,
    /// Wait for an answer, in round trips. Default 4.
    pub timeout_rtts: u32,
    /// Pings missed in a row before others are asked. Default 1.
    pub misses: u32,
    /// Neighbours of other groups asked for a second opinion. Default 3.
    pub helpers: usize,
    /// Local health at its worst multiplies waits by this. Default 8; 1 switches it off.
    pub health_max: u32,
    /// A wakeup this late is a pause of ours. Default 1 s.
    pub late: Duration,
    /// Shortest suspicion per decade of network size: with three helpers agreeing. Default 2 s.
    pub suspicion_min: Duration,
    /// Longest suspicion per decade of network size: when no helper answers. Default 6 s.
    pub suspicion_max: Duration,
    /// Times in a row that only others hear from the peer before the link is given up. Default 4.
    pub indirect_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(5),
            refresh: Duration::from_secs(15),
            timeout_min: Duration::from_millis(500),
            timeout_rtts: 4,
            misses: 1,
            helpers: limits::PROBE_HELPERS,
            health_max: 8,
            late: Duration::from_secs(1),
            suspicion_min: Duration::from_secs(2),
            suspicion_max: Duration::from_secs(6),
            indirect_max: 4,
        }
    }
}

/// What is wrong with a [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A duration is too short to keep a timer from running hot, or longer than a day.
    #[error("{field} of {got:?} is not within 10 ms to 1 day")]
    Time {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: Duration,
    },
    /// A number is outside its range.
    #[error("{field} of {got} is not within {min} to {max}")]
    Count {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: usize,
        /// Its lowest value.
        min: usize,
        /// Its highest value.
        max: usize,
    },
    /// The shortest suspicion is longer than the longest.
    #[error("suspicion_min of {min:?} exceeds suspicion_max of {max:?}")]
    Suspicion {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
}

impl Config {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// Names the first field out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, got) in [
            ("idle", self.idle),
            ("refresh", self.refresh),
            ("timeout_min", self.timeout_min),
            ("late", self.late),
            ("suspicion_min", self.suspicion_min),
            ("suspicion_max", self.suspicion_max),
        ] {
            if got < Duration::from_millis(10) || got > Duration::from_hours(24) {
                return Err(ConfigError::Time { field, got });
            }
        }
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        for (field, got, min, max) in [
            ("timeout_rtts", size(self.timeout_rtts), 1, 100),
            ("misses", size(self.misses), 1, 100),
            ("helpers", self.helpers, 0, limits::PROBE_HELPERS),
            ("health_max", size(self.health_max), 1, 64),
            ("indirect_max", size(self.indirect_max), 1, 100),
        ] {
            if got < min || got > max {
                return Err(ConfigError::Count {
                    field,
                    got,
                    min,
                    max,
                });
            }
        }
        let (min, max) = (self.suspicion_min, self.suspicion_max);
        if min > max {
            Err(ConfigError::Suspicion { min, max })
        } else {
            Ok(())
        }
    }
}

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

/// Where a link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Heard from not long ago.
    Heard,
    /// Pinged.
    Waiting,
    /// Pinged in vain; helpers were asked, these have not answered.
    Asking {
        seq: u32,
        silent: BTreeSet<LinkId>,
        denied: u32,
    },
    /// Nobody heard of it; dead at this moment unless it speaks.
    Suspect { until: Mono },
}

#[derive(Debug, Clone)]
struct Link {
    peer: NodeId,
    group: Option<Group>,
    heard: Mono,
    /// The last ping, until its answer comes.
    ping: Option<(u32, Mono)>,
    state: State,
    misses: u32,
    indirect: u32,
    /// When it was last pinged.
    pinged: Mono,
    rtt: Option<Duration>,
    /// Round trips measured, up to [`FIRST_SAMPLES`].
    samples: u32,
    /// Its wall clock in milliseconds, and when it showed that.
    clock: Option<(i64, Mono)>,
    /// Probes this link asked us to run.
    probes: usize,
}

impl Link {
    /// Takes a measured round trip; returns the smoothed one. The first ones fall into the bustle of
    /// joining: of those the shortest counts.
    fn note_rtt(&mut self, sample: Duration) -> Duration {
        self.samples = self.samples.saturating_add(1);
        let rtt = self.rtt.map_or(sample, |rtt| {
            if self.samples <= FIRST_SAMPLES {
                return rtt.min(sample);
            }
            let old = rtt.saturating_mul(7);
            old.saturating_add(sample).checked_div(8).unwrap_or(sample)
        });
        self.rtt = Some(rtt);
        rtt
    }

    /// When a link that is well is pinged next.
    fn next_ping(&self, config: &Config) -> Mono {
        let idle = self.heard.plus(config.idle);
        idle.min(self.pinged.plus(config.refresh))
    }
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
    links: BTreeMap<LinkId, Link>,
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
            links: BTreeMap::new(),
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
        if !self.links.contains_key(&id) {
            return Vec::new();
        }
        let clock_ms = now.wall.as_millis();
        vec![Fact::Send {
            link: id,
            frame: Frame::Pong { seq, clock_ms },
        }]
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
        self.timers
            .set(Timer::Link(id), now.mono.plus(self.config.idle));
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

    /// A neighbour asks whether `target` is there: answers at once from what we heard in the last
    /// second, else pings it over our own link; without one we cannot tell.
    pub fn on_probe(&mut self, id: LinkId, seq: u32, target: &NodeId, now: Now) -> Vec<Fact> {
        let answer = |alive| {
            vec![Fact::Send {
                link: id,
                frame: Frame::Probed { seq, alive },
            }]
        };
        let Some(asker) = self.links.get(&id) else {
            return Vec::new();
        };
        let busy = asker.probes >= limits::PROBES_PER_LINK_MAX
            || self.probes.len() >= limits::PROBES_MAX
            || self.probes.contains_key(&(id, seq));
        let Some(target) = self.by_peer.get(target).copied() else {
            return answer(false);
        };
        let Some(link) = self.links.get(&target).filter(|_| !busy && target != id) else {
            return answer(false);
        };
        if now.mono.since(link.heard) < Duration::from_secs(1) {
            return answer(true);
        }
        let (wait, pinged) = (self.timeout(link), link.ping.is_some());
        self.probes.insert(
            (id, seq),
            Probe {
                target,
                since: now.mono,
            },
        );
        self.timers.set(Timer::Probe(id, seq), now.mono.plus(wait));
        if let Some(asker) = self.links.get_mut(&id) {
            asker.probes = asker.probes.saturating_add(1);
        }
        let mut facts = Vec::new();
        if !pinged {
            self.ping(target, now, &mut facts);
        }
        facts
    }

    /// A helper says whether it heard from whom we asked about.
    pub fn on_probed(&mut self, id: LinkId, seq: u32, alive: bool, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Some(target) = self.asked.get(&seq).copied() else {
            return facts;
        };
        let Some(link) = self.links.get_mut(&target) else {
            return facts;
        };
        let spoke = link.ping.is_none_or(|(_, sent)| link.heard > sent);
        let State::Asking {
            seq: current,
            silent,
            denied,
        } = &mut link.state
        else {
            return facts;
        };
        if *current != seq || !silent.remove(&id) || spoke {
            return facts;
        }
        if alive {
            self.heard_indirectly(target, now, &mut facts);
            return facts;
        }
        *denied = denied.saturating_add(1);
        if silent.is_empty() {
            self.suspect(target, now, &mut facts);
        }
        facts
    }

    /// A neighbour's clock, from any frame that carries one.
    pub fn clock_sample(&mut self, id: LinkId, clock_ms: u64, now: Now) {
        if let Some(link) = self.links.get_mut(&id) {
            let way = link
                .rtt
                .and_then(|rtt| rtt.checked_div(2))
                .unwrap_or_default();
            let theirs = i64::try_from(clock_ms.saturating_add(millis(way))).unwrap_or(i64::MAX);
            link.clock = Some((theirs, now.mono));
        }
    }

    /// How far the median neighbour's clock is ahead of ours at `now`, in milliseconds, and how many
    /// neighbours told theirs. What they told runs on by our monotonic clock, so that a jump of our
    /// wall clock shows at once.
    pub fn clock_offset_ms(&self, now: Now) -> Option<(i64, usize)> {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let ours = signed(now.wall.as_millis());
        let clocks = self.links.values().filter_map(|link| link.clock);
        let mut offsets: Vec<i64> = clocks
            .map(|(theirs, shown)| {
                let since = signed(millis(now.mono.since(shown)));
                theirs.saturating_add(since).saturating_sub(ours)
            })
            .collect();
        offsets.sort_unstable();
        let median = offsets.get(offsets.len().saturating_sub(1) / 2).copied();
        median.map(|median| (median, offsets.len()))
    }

    /// Nodes in the network: suspicion lasts longer in a larger one.
    pub const fn size(&mut self, nodes: usize) {
        self.size = nodes;
    }

    /// The smoothed round trip of a link.
    pub fn rtt(&self, id: LinkId) -> Option<Duration> {
        self.links.get(&id)?.rtt
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
                let due = link.next_ping(&self.config);
                if now.mono < due {
                    self.timers.set(Timer::Link(id), due);
                } else {
                    self.ping(id, now, facts);
                }
            }
            State::Waiting => {
                link.misses = link.misses.saturating_add(1);
                if link.misses < self.config.misses {
                    self.ping(id, now, facts);
                } else {
                    self.ask_helpers(id, now, facts);
                }
            }
            State::Asking { silent, .. } => {
                // Helpers that do not even say no tell of our own trouble.
                let missing = u32::try_from(silent.len()).unwrap_or(u32::MAX);
                self.worsen(missing);
                self.suspect(id, now, facts);
            }
            State::Suspect { until } if *until <= now.mono => {
                self.link_down(id);
                facts.push(Fact::Dead { link: id });
            }
            State::Suspect { .. } => self.remind(id, now, facts),
        }
    }

    /// After a pause of ours: whoever was to be judged gets a fresh chance to answer.
    fn forgive(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        match &mut link.state {
            State::Suspect { until } => {
                *until = (*until).max(now.mono.plus(self.config.suspicion_min));
                self.remind(id, now, facts);
            }
            State::Heard if now.mono.since(link.heard) < self.config.idle => {
                let due = link.next_ping(&self.config);
                self.timers.set(Timer::Link(id), due);
            }
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
            link.ping = Some((seq, now.mono));
            link.pinged = now.mono;
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

    /// Asks up to three neighbours, of other groups where there are some, to probe a silent one.
    fn ask_helpers(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let (target, group, wait) = (link.peer, link.group, self.timeout(link));
        let seq = link.ping.map_or(0, |(seq, _)| seq);
        let good = |other: &Link| matches!(other.state, State::Heard | State::Waiting);
        let mut others: Vec<(LinkId, Option<Group>)> = self
            .links
            .iter()
            .filter(|(other, link)| **other != id && good(link))
            .map(|(other, link)| (*other, link.group))
            .collect();
        draw::shuffle(&mut self.rng, &mut others);
        let mut groups = BTreeSet::from([group]);
        let (apart, near): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|(_, group)| group.is_none() || groups.insert(*group));
        let helpers: BTreeSet<LinkId> = apart
            .into_iter()
            .chain(near)
            .take(self.config.helpers)
            .map(|(helper, _)| helper)
            .collect();
        if helpers.is_empty() {
            self.worsen(1);
            self.suspect(id, now, facts);
            return;
        }
        let links = &self.links;
        self.asked.retain(|seq, about| {
            let state = links.get(about).map(|link| &link.state);
            matches!(state, Some(State::Asking { seq: current, .. }) if current == seq)
        });
        self.asked.insert(seq, id);
        for helper in &helpers {
            facts.push(Fact::Send {
                link: *helper,
                frame: Frame::Probe { seq, target },
            });
        }
        // A helper needs its own time for the answer, and the way to us and back.
        self.timers
            .set(Timer::Link(id), now.mono.plus(wait.saturating_mul(2)));
        if let Some(link) = self.links.get_mut(&id) {
            link.state = State::Asking {
                seq,
                silent: helpers,
                denied: 0,
            };
        }
    }

    /// Others hear from the peer, we do not: it is not dead, but the link is of no use for long.
    fn heard_indirectly(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.indirect = link.indirect.saturating_add(1);
        if link.indirect >= self.config.indirect_max {
            self.link_down(id);
            facts.push(Fact::Dead { link: id });
        } else {
            link.misses = 0;
            self.ping(id, now, facts);
        }
    }

    /// Nobody hears from the peer. It is told first, by a ping each second, so that it can refute.
    fn suspect(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let denied = match self.links.get(&id).map(|link| &link.state) {
            Some(State::Asking { denied, .. }) => *denied,
            _ => 0,
        };
        let until = now.mono.plus(self.suspicion(denied));
        if let Some(link) = self.links.get_mut(&id) {
            link.state = State::Suspect { until };
            facts.push(Fact::Suspect { link: id });
            self.remind(id, now, facts);
        }
    }

    fn remind(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        if let Some(Link {
            state: State::Suspect { until },
            ..
        }) = self.links.get(&id)
        {
            let next = now.mono.plus(Duration::from_secs(1)).min(*until);
            self.timers.set(Timer::Link(id), next);
            self.ping(id, now, facts);
        }
    }

    /// From 6·log₁₀ n seconds, when no helper could tell, down to 2·log₁₀ n when three deny, after
    /// Lifeguard's `log(denied + 1) / log(helpers + 1)`.
    fn suspicion(&self, denied: u32) -> Duration {
        let span = self
            .config
            .suspicion_max
            .saturating_sub(self.config.suspicion_min);
        let sure = match denied {
            0 => 0,
            1 => 500,
            2 => 792,
            _ => 1_000,
        };
        let cut = span
            .saturating_mul(sure)
            .checked_div(1_000)
            .unwrap_or_default();
        let decade = self.config.suspicion_max.saturating_sub(cut);
        let decades = thousandths_of_log10(self.size).max(1_000);
        decade
            .saturating_mul(decades)
            .checked_div(1_000)
            .unwrap_or(decade)
    }

    fn end_probe(&mut self, asker: LinkId, seq: u32, facts: &mut Vec<Fact>) {
        let Some(probe) = self.probes.remove(&(asker, seq)) else {
            return;
        };
        let heard = self.links.get(&probe.target).map(|link| link.heard);
        let alive = heard.is_some_and(|heard| heard > probe.since);
        if let Some(link) = self.links.get_mut(&asker) {
            link.probes = link.probes.saturating_sub(1);
            facts.push(Fact::Send {
                link: asker,
                frame: Frame::Probed { seq, alive },
            });
        }
    }

    fn worsen(&mut self, by: u32) {
        self.health = self.health.saturating_add(by).min(self.config.health_max);
    }
}

/// 1,000 · log₁₀ `n`, within 3 %, in whole numbers so that every machine agrees.
fn thousandths_of_log10(n: usize) -> u32 {
    let n = u64::try_from(n.max(1))
        .unwrap_or(u64::MAX)
        .min(u64::from(u32::MAX));
    let whole = n.ilog2();
    let above = n.saturating_sub(1 << whole).saturating_mul(1_000) >> whole;
    let log2 = u64::from(whole).saturating_mul(1_000).saturating_add(above);
    u32::try_from(log2.saturating_mul(301) / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;
    use crate::time::Wall;

    fn at(millis: u64) -> Now {
        let mono = Mono::ZERO.plus(Duration::from_millis(millis));
        Now {
            mono,
            wall: Wall::from_millis(1_000_000 + millis),
        }
    }

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    const fn link(number: u64) -> LinkId {
        LinkId::new(number)
    }

    /// A room with links 1 to `links`, each with a round trip of 20 ms, at 20 ms.
    fn room(links: u8, config: Config) -> Liveness {
        let mut room = Liveness::new(config, ChaCha8Rng::seed_from_u64(7));
        for number in 1..=links {
            let id = link(number.into());
            let group = Some(Group::V4([number, number]));
            for fact in room.link_up(id, node(number), group, at(0)) {
                let Fact::Ping { link, seq } = fact else {
                    panic!("{fact:?}")
                };
                room.on_pong(link, seq, 0, at(20));
            }
        }
        room
    }

    /// Runs the room until `until`, answering every ping but those of `silent`, and every probe
    /// with `told`. Returns what happened, with its moment.
    fn run(
        room: &mut Liveness,
        until: u64,
        silent: &[u64],
        told: impl Fn(u64) -> Option<bool>,
    ) -> Vec<(u64, Fact)> {
        let mut log = Vec::new();
        let mut queue: BTreeMap<(u64, usize), Fact> = BTreeMap::new();
        let mut count = 0;
        loop {
            let wakeup = room
                .next_wakeup()
                .map_or(u64::MAX, |due| due.as_micros().div_ceil(1_000));
            let arrival = queue.keys().next().map_or(u64::MAX, |(time, _)| *time);
            let time = wakeup.min(arrival);
            if time > until {
                return log;
            }
            let facts = if arrival <= wakeup {
                match queue.pop_first().unwrap().1 {
                    Fact::Ping { link, seq } => {
                        room.on_pong(link, seq, at(time).wall.as_millis(), at(time))
                    }
                    Fact::Send {
                        link,
                        frame: Frame::Probe { seq, .. },
                    } => {
                        let mut facts: Vec<Fact> = room.heard(link, at(time)).into_iter().collect();
                        facts.extend(room.on_probed(
                            link,
                            seq,
                            told(link.number()).unwrap(),
                            at(time),
                        ));
                        facts
                    }
                    other => panic!("{other:?}"),
                }
            } else {
                room.wakeup(at(time))
            };
            for fact in facts {
                let answered = match &fact {
                    Fact::Ping { link, .. } => !silent.contains(&link.number()),
                    Fact::Send {
                        link,
                        frame: Frame::Probe { .. },
                    } => told(link.number()).is_some(),
                    _ => false,
                };
                if answered {
                    count += 1;
                    queue.insert((time + 20, count), fact.clone());
                }
                log.push((time, fact));
            }
        }
    }

    fn times(log: &[(u64, Fact)], wanted: impl Fn(&Fact) -> bool) -> Vec<u64> {
        log.iter()
            .filter(|(_, fact)| wanted(fact))
            .map(|(time, _)| *time)
            .collect()
    }

    const fn is_ping(fact: &Fact) -> bool {
        matches!(fact, Fact::Ping { .. })
    }

    const fn is_suspect(fact: &Fact) -> bool {
        matches!(fact, Fact::Suspect { .. })
    }

    const fn is_dead(fact: &Fact) -> bool {
        matches!(fact, Fact::Dead { .. })
    }

    #[test]
    fn the_shipped_settings_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
        let hot = Config {
            idle: Duration::ZERO,
            ..Config::default()
        };
        assert!(hot.validate().is_err());
    }

    #[test]
    fn an_idle_link_costs_one_ping_in_five_seconds() {
        let mut room = room(8, Config::default());
        let log = run(&mut room, 600_020, &[], |_| None);
        let pings = times(&log, is_ping).len();
        let bytes = pings * (39 + 13 + 2);
        println!(
            "10 min, 8 links: {pings} pings, {} B/s a link of frames",
            bytes / 600 / 8
        );
        assert!(pings <= 8 * 120);
        assert!(times(&log, is_suspect).is_empty());
        assert_eq!(room.local_health(), 1);
    }

    #[test]
    fn a_busy_link_is_pinged_every_fifteen_seconds_only_and_never_judged_by_it() {
        let mut room = room(1, Config::default());
        let mut pings = 0;
        for second in 1..=60 {
            assert_eq!(room.heard(link(1), at(second * 1_000)), None);
            let facts = room.wakeup(at(second * 1_000));
            assert!(
                facts.iter().all(|fact| matches!(fact, Fact::Ping { .. })),
                "{facts:?}"
            );
            pings += facts.len();
        }
        assert_eq!(pings, 4);
    }

    #[test]
    fn a_dead_neighbour_is_found_within_ten_seconds_when_helpers_agree() {
        let mut room = room(6, Config::default());
        room.size(16);
        let log = run(&mut room, 60_000, &[1], |_| Some(false));
        let (suspect, dead) = (times(&log, is_suspect), times(&log, is_dead));
        println!("suspect after {suspect:?} ms, dead after {dead:?} ms");
        assert_eq!((suspect.len(), dead.len()), (1, 1));
        assert!(dead[0] <= 10_000);
        assert_eq!(room.footprint().0, 5);
        assert_eq!(
            room.local_health(),
            1,
            "helpers answered: the fault is not ours"
        );
    }

    #[test]
    fn without_helpers_two_nodes_still_part() {
        let mut room = room(1, Config::default());
        let log = run(&mut room, 60_000, &[1], |_| None);
        assert!(times(&log, is_dead)[0] <= 12_000);
        assert_eq!(room.next_wakeup(), None);
    }

    #[test]
    fn the_suspect_is_told_and_any_frame_refutes() {
        let mut room = room(4, Config::default());
        let mut log = run(&mut room, 5_600, &[1], |_| Some(false));
        let told = log.split_off(log.iter().position(|(_, fact)| is_suspect(fact)).unwrap());
        assert!(matches!(told[1], (_, Fact::Ping { link, .. }) if link.number() == 1));
        assert_eq!(
            room.heard(link(1), at(5_700)),
            Some(Fact::Alive { link: link(1) })
        );
        assert_eq!(room.heard(link(1), at(5_701)), None, "told once");
    }

    #[test]
    fn a_neighbour_only_others_hear_is_not_suspected_but_the_link_is_given_up() {
        let mut room = room(6, Config::default());
        let log = run(&mut room, 60_000, &[1], |_| Some(true));
        assert!(times(&log, is_suspect).is_empty());
        let dead = times(&log, is_dead);
        assert_eq!(dead.len(), 1);
        assert!(dead[0] > 6_000);
    }

    #[test]
    fn helpers_come_from_other_groups_than_the_silent_one() {
        let mut room = room(0, Config::default());
        for number in 1..=20_u8 {
            let group = if number <= 10 {
                [1, 1]
            } else {
                [number, number]
            };
            room.link_up(
                link(number.into()),
                node(number),
                Some(Group::V4(group)),
                at(0),
            );
        }
        for number in 2..=20 {
            room.heard(link(number), at(100));
        }
        let log = run(&mut room, 600, &[1], |_| None);
        let helpers: Vec<u64> = log
            .iter()
            .filter_map(|(_, fact)| match fact {
                Fact::Send {
                    link,
                    frame: Frame::Probe { .. },
                } => Some(link.number()),
                _ => None,
            })
            .collect();
        assert_eq!(helpers.len(), 3);
        assert!(helpers.iter().all(|helper| *helper > 10), "{helpers:?}");
    }

    #[test]
    fn a_pause_of_ours_accuses_nobody() {
        let mut room = room(10, Config::default());
        run(&mut room, 10_000, &[], |_| None);
        let facts = room.wakeup(at(70_000));
        assert!(facts.iter().all(is_ping), "{facts:?}");
        assert_eq!(room.local_health(), 8);
        for fact in facts {
            let Fact::Ping { link, seq } = fact else {
                continue;
            };
            room.on_pong(link, seq, 0, at(70_020));
        }
        let log = run(&mut room, 200_000, &[], |_| None);
        assert!(times(&log, is_suspect).is_empty());
        assert_eq!(room.local_health(), 1, "answers in time heal");
    }

    #[test]
    fn local_health_stretches_the_wait_and_can_be_switched_off() {
        for (health_max, wait) in [(8, 4_000), (1, 500)] {
            let mut room = room(
                1,
                Config {
                    health_max,
                    ..Config::default()
                },
            );
            room.worsen(20);
            let facts = room.ask_for_test(link(1), at(1_000));
            assert!(is_ping(&facts[0]));
            assert_eq!(room.next_wakeup(), Some(at(1_000 + wait).mono));
        }
    }

    #[test]
    fn a_probe_uses_an_existing_link_or_answers_no() {
        let mut room = room(3, Config::default());
        let probed = |alive| Fact::Send {
            link: link(1),
            frame: Frame::Probed { seq: 9, alive },
        };
        assert_eq!(
            room.on_probe(link(1), 9, &node(77), at(500)),
            [probed(false)]
        );
        assert_eq!(
            room.on_probe(link(1), 9, &node(2), at(500)),
            [probed(true)],
            "just heard"
        );
        let asked = room.on_probe(link(1), 9, &node(2), at(3_000));
        let [Fact::Ping { link: target, seq }] = asked[..] else {
            panic!("{asked:?}")
        };
        assert_eq!(target, link(2));
        let answers = room.on_pong(target, seq, 0, at(3_020));
        assert!(answers.contains(&probed(true)), "{answers:?}");
        room.on_probe(link(1), 9, &node(3), at(3_100));
        let log = run(&mut room, 4_000, &[3], |_| None);
        assert!(log.contains(&(3_600, probed(false))), "{log:?}");
    }

    #[test]
    fn probes_for_others_are_bounded_and_die_with_the_asker() {
        let mut room = room(3, Config::default());
        for seq in 0..1_000 {
            room.on_probe(link(1), seq, &node(2), at(3_000));
        }
        assert_eq!(room.footprint().1, limits::PROBES_PER_LINK_MAX);
        room.link_down(link(1));
        assert_eq!(room.footprint(), (2, 0, 2));
    }

    #[test]
    fn the_median_clock_is_not_moved_by_one_liar() {
        let mut room = room(5, Config::default());
        for number in 1..=5_u64 {
            let lie = if number == 5 { 10_000_000 } else { number * 10 };
            let clock = at(1_000).wall.as_millis() + lie;
            room.clock_sample(link(number), clock - 10, at(1_000));
        }
        assert_eq!(room.clock_offset_ms(at(1_000)), Some((30, 5)));
        let mut later = at(61_000);
        assert_eq!(room.clock_offset_ms(later), Some((30, 5)), "clocks run");
        later.wall = Wall::from_millis(later.wall.as_millis() + 2_592_000_000);
        let jumped = room.clock_offset_ms(later);
        assert_eq!(
            jumped,
            Some((30 - 2_592_000_000, 5)),
            "a jump of ours shows at once"
        );
    }

    #[test]
    fn suspicion_grows_with_the_network_and_shrinks_with_witnesses() {
        let mut room = room(0, Config::default());
        assert_eq!(room.suspicion(3), Duration::from_secs(2));
        assert_eq!(room.suspicion(0), Duration::from_secs(6));
        room.size(10_000);
        let long = room.suspicion(0).as_millis();
        assert!((23_000..25_000).contains(&long), "{long}");
    }

    impl Liveness {
        fn ask_for_test(&mut self, id: LinkId, now: Now) -> Vec<Fact> {
            let mut facts = Vec::new();
            self.ping(id, now, &mut facts);
            facts
        }
    }
}
