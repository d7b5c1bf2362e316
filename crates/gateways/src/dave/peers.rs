//! Who is in dave's network, as far as this gateway has seen for itself.
//!
//! A peer is an address that has answered a GETPEER of ours. Whoever has not is a stranger: of it we keep
//! only when it was asked, and it gets nothing but that one empty datagram. So nobody can make us send a
//! value to one who does not take part, or fill the table with addresses of his choice.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;

use super::codec::Work;
use super::config::Config;
use crate::budget::Budget;
use crate::draw;

/// Peers at once.
pub(super) const PEERS_MAX: usize = 256;
/// Peers at one address that is not of this machine, at once.
pub(super) const PEERS_PER_IP_MAX: usize = 8;
/// Strangers that are remembered at once.
pub(super) const STRANGERS_MAX: usize = 2_048;
/// Values that wait until one stranger has answered.
pub(super) const OWED_MAX: usize = 8;
/// A stranger that others named is asked again after this time.
const NAMED_AGAIN: Duration = Duration::from_mins(5);
/// A stranger that sent us something is asked again after this time.
const SOURCE_AGAIN: Duration = Duration::from_secs(2);
/// An answer that comes later is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Answers and values that one peer gets per second, and at once.
const SENDS: (u32, u32) = (100, 200);
/// Answers that one stranger gets per second, and at once: an answer is longer than its question.
const STRANGER_SENDS: (u32, u32) = (2, 4);
/// With fewer peers than this, one is asked for more now and then.
const PEERS_WANTED: usize = 16;
/// How often it is.
const MORE_AGAIN: Duration = Duration::from_secs(2);

/// One that has answered.
#[derive(Debug)]
struct Peer {
    seen: Instant,
    asked: Option<Instant>,
    nping: u32,
    drop: u32,
    is_joined: bool,
    sends: Budget,
}

/// One that has not.
#[derive(Debug)]
struct Stranger {
    /// When it was last asked: an answer is expected.
    asked: Instant,
    /// Which values it gets when it answers.
    owed: Vec<Work>,
    replies: Budget,
}

/// The table.
#[derive(Debug)]
pub(super) struct Peers {
    join: Vec<(SocketAddr, Option<Instant>)>,
    own: Vec<SocketAddr>,
    table: BTreeMap<SocketAddr, Peer>,
    strangers: BTreeMap<SocketAddr, Stranger>,
    more: Option<Instant>,
}

fn since(earlier: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(earlier)
}

/// How we know an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It sent us something.
    Itself,
    /// Others named it.
    ByOthers,
}

impl Peers {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            join: config.join.iter().map(|peer| (*peer, None)).collect(),
            own: config.own.clone(),
            table: BTreeMap::new(),
            strangers: BTreeMap::new(),
            more: None,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many strangers are remembered.
    #[cfg(test)]
    pub(super) fn strangers(&self) -> usize {
        self.strangers.len()
    }

    /// Whether `address` has answered.
    pub(super) fn has(&self, address: &SocketAddr) -> bool {
        self.table.contains_key(address)
    }

    /// Whether `address` is ours.
    pub(super) fn is_own(&self, address: &SocketAddr) -> bool {
        self.own.contains(address)
    }

    /// A datagram came from `address`: it is there.
    pub(super) fn heard(&mut self, address: SocketAddr, now: Instant) {
        if let Some(peer) = self.table.get_mut(&address) {
            peer.seen = now;
            peer.nping = 0;
            peer.drop = 0;
        }
    }

    /// Whether `address` is to be asked if it takes part. It counts as asked then.
    pub(super) fn ask(&mut self, address: SocketAddr, told: Told, now: Instant) -> bool {
        if self.has(&address) || !self.is_possible(&address) {
            return false;
        }
        let again = match told {
            Told::Itself => SOURCE_AGAIN,
            Told::ByOthers => NAMED_AGAIN,
        };
        if let Some(stranger) = self.strangers.get_mut(&address) {
            let is_due = since(stranger.asked, now) >= again;
            if is_due {
                stranger.asked = now;
            }
            return is_due;
        }
        self.admit_stranger(now);
        let stranger = Stranger {
            asked: now,
            owed: Vec::new(),
            replies: Budget::new(STRANGER_SENDS.0, STRANGER_SENDS.1),
        };
        self.strangers.insert(address, stranger);
        true
    }

    /// Whether an address can be one of a peer.
    fn is_possible(&self, address: &SocketAddr) -> bool {
        let ip = address.ip();
        let is_for_many = match ip {
            IpAddr::V4(ip) => ip.is_broadcast() || ip.is_multicast(),
            IpAddr::V6(ip) => ip.is_multicast(),
        };
        address.port() != 0 && !ip.is_unspecified() && !is_for_many && !self.is_own(address)
    }

    /// Makes room for one stranger: the one asked longest ago goes.
    fn admit_stranger(&mut self, now: Instant) {
        if self.strangers.len() < STRANGERS_MAX {
            return;
        }
        self.strangers
            .retain(|_, stranger| since(stranger.asked, now) < NAMED_AGAIN);
        if self.strangers.len() >= STRANGERS_MAX {
            let oldest = self.strangers.iter().min_by_key(|(_, s)| s.asked);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.strangers.remove(&oldest);
            }
        }
    }

    /// A PEER came from `address`: whether one was expected, and the works of the values it is owed.
    pub(super) fn answered(&mut self, address: SocketAddr, now: Instant) -> Option<Vec<Work>> {
        if let Some(peer) = self.table.get_mut(&address) {
            let asked = peer.asked.take()?;
            return (since(asked, now) < ANSWER_WITHIN).then(Vec::new);
        }
        let stranger = self.strangers.get(&address)?;
        if since(stranger.asked, now) >= ANSWER_WITHIN || !self.has_room(address) {
            return None;
        }
        let stranger = self.strangers.remove(&address)?;
        let peer = Peer {
            seen: now,
            asked: None,
            nping: 0,
            drop: 0,
            is_joined: self.join.iter().any(|(joined, _)| *joined == address),
            sends: Budget::new(SENDS.0, SENDS.1),
        };
        self.table.insert(address, peer);
        Some(stranger.owed)
    }

    fn has_room(&self, address: SocketAddr) -> bool {
        let of_ip = self.table.keys().filter(|peer| peer.ip() == address.ip());
        let is_free = address.ip().is_loopback() || of_ip.count() < PEERS_PER_IP_MAX;
        let is_joined = self.join.iter().any(|(joined, _)| *joined == address);
        is_joined || (self.table.len() < PEERS_MAX && is_free)
    }

    /// The stranger gets the value of `work` when it answers in time; answers whether that is noted.
    pub(super) fn owe(&mut self, address: SocketAddr, work: Work) -> bool {
        let Some(stranger) = self.strangers.get_mut(&address) else {
            return false;
        };
        let is_new = !stranger.owed.contains(&work);
        if is_new && stranger.owed.len() < OWED_MAX {
            stranger.owed.push(work);
            return true;
        }
        !is_new
    }

    /// Whether `address` may get one more answer now.
    pub(super) fn may_send(&mut self, address: &SocketAddr, now: Instant) -> bool {
        match (self.table.get_mut(address), self.strangers.get_mut(address)) {
            (Some(peer), _) => peer.sends.take(now),
            (None, Some(stranger)) => stranger.replies.take(now),
            (None, None) => false,
        }
    }

    /// Up to `most` random peers that are not among `besides`.
    pub(super) fn some(
        &self,
        rng: &mut ChaCha8Rng,
        most: usize,
        besides: &[SocketAddr],
    ) -> Vec<SocketAddr> {
        let others = self.table.iter().filter(|(at, _)| !besides.contains(at));
        // The original tells of one again whenever its count of questions begins anew.
        let responsive = others.filter(|(_, peer)| peer.drop == 0 && peer.nping <= 1);
        draw::some(rng, responsive.map(|(at, _)| *at).collect(), most)
    }

    /// One beat of the heart: whom to ask. Counts those that do not answer, and gives up those that have not
    /// for long.
    pub(super) fn beat(
        &mut self,
        rng: &mut ChaCha8Rng,
        config: &Config,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let mut asked = self.beat_joined(config, now);
        let again = config.period * config.tolerance;
        let silent = self.table.iter().filter(|(_, peer)| {
            let is_asked = peer.asked.is_some_and(|asked| since(asked, now) < again);
            !is_asked && since(peer.seen, now) > config.silence()
        });
        let silent = silent.map(|(address, _)| *address).collect();
        for address in draw::some(rng, silent, 1) {
            if let Some(peer) = self.table.get_mut(&address) {
                peer.nping += 1;
                peer.asked = Some(now);
                asked.push(address);
            }
        }
        asked.extend(self.beat_more(rng, now));
        for peer in self.table.values_mut() {
            if peer.nping > config.tolerance && !peer.is_joined {
                peer.drop += 1;
                peer.nping = 0;
            }
        }
        self.table
            .retain(|_, peer| peer.is_joined || peer.drop <= 2 * config.drop);
        asked
    }

    /// With few peers, one of them is asked for others even though it is not silent.
    fn beat_more(&mut self, rng: &mut ChaCha8Rng, now: Instant) -> Vec<SocketAddr> {
        if self.table.len() >= PEERS_WANTED
            || self.more.is_some_and(|more| since(more, now) < MORE_AGAIN)
        {
            return Vec::new();
        }
        self.more = Some(now);
        let chosen = self.some(rng, 1, &[]);
        for address in &chosen {
            if let Some(peer) = self.table.get_mut(address) {
                peer.asked = Some(now);
            }
        }
        chosen
    }

    /// Those of the configuration that have not answered yet are asked as often as a silent peer.
    fn beat_joined(&mut self, config: &Config, now: Instant) -> Vec<SocketAddr> {
        let mut due = Vec::new();
        for (address, asked) in &mut self.join {
            let is_due = asked.is_none_or(|asked| since(asked, now) > config.silence());
            if is_due && !self.table.contains_key(address) && !self.own.contains(address) {
                *asked = Some(now);
                due.push(*address);
            }
        }
        for address in &due {
            if !self.ask(*address, Told::Itself, now)
                && let Some(stranger) = self.strangers.get_mut(address)
            {
                stranger.asked = now;
            }
        }
        due
    }
}
