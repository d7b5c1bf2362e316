//! A peer of the exercise, as a state machine: messages and answers of seeds in, messages and bulletins out.
//!
//! It registers, gossips, passes on, asks who is there and reports the dead as the original does. Unlike it:
//! - a port that a message names is no member before it has answered;
//! - an answer counts when it answers a question, and three questions must have gone without one;
//! - seeds are asked again, so that newcomers are known and a seed that forgot learns anew; in place of those that
//!   do not answer it registers with others;
//! - what bruit heard before it began is not said or passed on again;
//! - memory is bounded, and numbers go on as long as there are bulletins.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bruit::{AuthorId, BulletinId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use super::chosen::Chosen;
use super::codec::{Gossip, Message};
use super::config::Config;
use super::members::Members;
use crate::budget::Budget;
use crate::counters::Counters;
use crate::crossing::{Crossing, Turn};
use crate::foreign::{ForeignId, System};
use crate::recent::Recent;

/// How long a message is remembered.
const REMEMBER: Duration = Duration::from_hours(24);
/// Messages that are remembered.
const SEEN_MAX: usize = 1 << 16;
/// Bulletins that wait until there is a member.
pub const OUTGOING_MAX: usize = 256;
/// Other gateways' ports that are remembered, and for how long.
const GATEWAYS: (Duration, usize) = (crate::crossing::PRESENCE_KEEP, 64);
/// Bulletins older than this are not sent out when the gateway hears of them: it was away.
const OLD: Duration = Duration::from_mins(1);
/// Ports nobody knows that are answered and asked per second, and at once: whoever sends can name any.
const UNKNOWN: (u32, u32) = (8, 16);

/// Both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For timeouts.
    pub at: Instant,
    /// For stamps: seconds since 1970.
    pub seconds: u64,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message came.
    Message(Message),
    /// A seed listed these ports.
    Listed {
        /// Which, by its place in the configuration.
        seed: usize,
        /// The ports.
        ports: Vec<u16>,
    },
    /// A bulletin that stems from bruit.
    Native {
        /// Its id.
        id: BulletinId,
        /// How old it is.
        age: Duration,
        /// Whether it was made before the gateway began.
        is_past: bool,
    },
    /// A bulletin that a gateway made of a message.
    Crossed {
        /// The name it gives.
        id: ForeignId,
        /// Its contents.
        body: Vec<u8>,
        /// Who signed it.
        by: AuthorId,
        /// Whether it was made before the gateway began.
        is_past: bool,
    },
    /// What was to be published could not be.
    NotPublished(ForeignId),
    /// Another gateway is there, and stands in its network under this port.
    Present {
        /// Whose.
        author: AuthorId,
        /// Its port, where it says one.
        port: Option<u16>,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message to the peer of this port.
    Send {
        /// Whom to.
        port: u16,
        /// What.
        message: Message,
    },
    /// Send a message to a seed; ask it, where it answers.
    Seed {
        /// Which, by its place in the configuration.
        seed: usize,
        /// What.
        message: Message,
    },
    /// Publish a message.
    Publish {
        /// Its name.
        id: ForeignId,
        /// The message.
        gossip: Gossip,
    },
    /// Write down that a message came.
    Received(Gossip),
    /// Write down that a message of ours went out.
    Sent(Gossip),
    /// Write down who is there.
    Peers(Vec<u16>),
    /// Write down who has died.
    Died(u16),
}

/// The peer.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    ip: String,
    own: u16,
    rng: ChaCha8Rng,
    members: Members,
    /// The seeds it registers with.
    chosen: Chosen,
    seen: Recent<Gossip>,
    crossing: Crossing<Gossip>,
    gateways: Recent<u16>,
    outgoing: VecDeque<ForeignId>,
    unknown: Budget,
    made: u64,
    chatter: u64,
    next_gossip: Instant,
    next_liveness: Instant,
    next_seeds: Instant,
    counters: Counters,
    actions: Vec<Action>,
}

impl Gateway {
    /// A peer at `ip` and `own` port; `me` signs the bulletins it makes.
    pub fn new(
        config: Config,
        ip: String,
        own: u16,
        me: AuthorId,
        seed: u64,
        now: Instant,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let seeds = config.seeds.len();
        let chosen = Chosen::new(seeds, &mut rng);
        Self {
            ip,
            own,
            rng,
            members: Members::new(own),
            chosen,
            seen: Recent::new(REMEMBER, SEEN_MAX),
            crossing: Crossing::new(me, REMEMBER),
            gateways: Recent::new(GATEWAYS.0, GATEWAYS.1),
            outgoing: VecDeque::new(),
            unknown: Budget::new(UNKNOWN.0, UNKNOWN.1),
            made: 0,
            chatter: 0,
            next_gossip: now + config.interval,
            next_liveness: now + config.liveness,
            next_seeds: now,
            counters: Counters::default(),
            actions: Vec::new(),
            config,
        }
    }

    /// Counts with these counters from now on.
    pub fn count_with(&mut self, counters: Counters) {
        self.counters = counters;
    }

    /// Takes one event at `now`; returns what to do, in order.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        match event {
            Event::Message(message) => self.on_message(&message, now),
            Event::Listed { seed, ports } => self.on_listed(seed, &ports, now),
            Event::Native { is_past: true, .. } => self.counters.count("known_from_before"),
            Event::Native { id, age, .. } => self.on_native(&id, age, now),
            Event::Crossed {
                id,
                body,
                by,
                is_past,
            } => self.on_crossed(id, &body, by, is_past, now),
            Event::NotPublished(id) => self.crossing.failed(&id),
            Event::Present { author, port } => {
                self.crossing.present(author, now.at);
                if let Some(port) = port.filter(|port| *port != self.own) {
                    self.gateways.insert(port, (), now.at);
                }
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// Does what is due at `now`.
    pub fn wake(&mut self, now: Now) -> Vec<Action> {
        for (id, gossip) in self.crossing.due(now.at) {
            self.publish(id, gossip);
        }
        if now.at >= self.next_seeds {
            self.ask_seeds(now);
        }
        if now.at >= self.next_liveness {
            self.ask_members(now);
        }
        if now.at >= self.next_gossip {
            self.next_gossip = now.at + self.config.interval;
            if self.chatter < self.config.messages && !self.members.is_empty() {
                self.chatter += 1;
                self.gossip(now);
            }
        }
        self.flush(now);
        std::mem::take(&mut self.actions)
    }

    /// When to be woken.
    pub fn next_wakeup(&self) -> Instant {
        let own = self.next_gossip.min(self.next_liveness);
        let own = own.min(self.next_seeds);
        self.crossing.next_wakeup().map_or(own, |due| own.min(due))
    }

    /// What was done and dropped.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    // Seeds and members.

    fn ask_seeds(&mut self, now: Now) {
        self.next_seeds = now.at + self.config.liveness;
        for seed in self.chosen.round(&mut self.rng) {
            let message = Message::Register { port: self.own };
            self.actions.push(Action::Seed { seed, message });
        }
        for seed in 0..self.config.seeds.len() {
            let message = Message::ListRequest;
            self.actions.push(Action::Seed { seed, message });
        }
    }

    fn on_listed(&mut self, seed: usize, ports: &[u16], now: Now) {
        let is_chosen = self.chosen.answered(seed);
        for port in ports {
            self.members.list(*port, now.at);
        }
        if is_chosen && !ports.contains(&self.own) {
            let message = Message::Register { port: self.own };
            self.actions.push(Action::Seed { seed, message });
        }
        self.flush(now);
    }

    fn ask_members(&mut self, now: Now) {
        self.next_liveness = now.at + self.config.liveness;
        let misses = self.config.misses;
        let (ask, dead) = self.members.round(now.seconds, misses, now.at);
        for port in dead {
            self.counters.count("died");
            self.actions.push(Action::Died(port));
            for seed in self.chosen.all() {
                let message = Message::Dead {
                    ip: self.ip.clone(),
                    port,
                    seconds: now.seconds,
                    reporter: self.own,
                };
                self.actions.push(Action::Seed { seed, message });
            }
        }
        self.actions.push(Action::Peers(ask.clone()));
        for port in ask {
            self.ask(port, now);
        }
    }

    fn ask(&mut self, port: u16, now: Now) {
        let message = Message::Request {
            seconds: now.seconds,
            port: self.own,
        };
        self.actions.push(Action::Send { port, message });
    }

    /// A message names a port that is no member: it is asked, if there is room for that.
    fn name(&mut self, port: u16, now: Now) {
        if self.members.has(port) || port == self.own {
            return;
        }
        if !self.unknown.take(now.at) {
            self.counters.count("dropped_unknown_port");
        } else if self.members.name(port, now.seconds, now.at) {
            self.ask(port, now);
        }
    }

    // Messages.

    fn on_message(&mut self, message: &Message, now: Now) {
        self.counters.count("messages_in");
        match *message {
            Message::Gossip(gossip) => self.on_gossip(gossip, now),
            Message::Request { seconds, port } => self.on_request(seconds, port, now),
            Message::Reply {
                seconds,
                requester,
                port,
            } => {
                let is_ours = requester == self.own;
                if !is_ours || !self.members.answered(port, seconds, now.at) {
                    self.counters.count("dropped_unasked_reply");
                }
            }
            Message::Register { .. } | Message::ListRequest | Message::Dead { .. } => {
                self.counters.count("dropped_for_seeds");
            }
        }
    }

    fn on_request(&mut self, seconds: u64, port: u16, now: Now) {
        if port == self.own {
            return;
        }
        let is_member = self.members.has(port);
        if !is_member && !self.unknown.take(now.at) {
            self.counters.count("dropped_unknown_port");
            return;
        }
        let message = Message::Reply {
            seconds,
            requester: port,
            port: self.own,
        };
        self.actions.push(Action::Send { port, message });
        self.name(port, now);
    }

    fn on_gossip(&mut self, gossip: Gossip, now: Now) {
        let is_seen = self.seen.contains(&gossip, now.at);
        if gossip.origin == self.own || is_seen {
            self.counters.count("duplicates");
            return;
        }
        self.seen.insert(gossip, (), now.at);
        self.actions.push(Action::Received(gossip));
        for port in self.members.ports() {
            if port != gossip.origin {
                let message = Message::Gossip(gossip);
                self.actions.push(Action::Send { port, message });
            }
        }
        self.name(gossip.origin, now);
        // What another gateway says there stands for a bulletin, or for nothing.
        if self.gateways.contains(&gossip.origin, now.at) {
            return;
        }
        let id = name(&gossip);
        if let Turn::Now(gossip) = self.crossing.came(id, gossip, now.at) {
            self.publish(id, gossip);
        }
    }

    fn publish(&mut self, id: ForeignId, gossip: Gossip) {
        self.counters.count("crossed_in");
        self.actions.push(Action::Publish { id, gossip });
    }

    /// Says the next number.
    fn gossip(&mut self, now: Now) {
        self.made += 1;
        let gossip = Gossip {
            origin: self.own,
            seconds: now.seconds,
            count: self.made,
        };
        self.seen.insert(gossip, (), now.at);
        for port in self.members.some(&mut self.rng, self.config.neighbours) {
            let message = Message::Gossip(gossip);
            self.actions.push(Action::Send { port, message });
        }
        self.actions.push(Action::Sent(gossip));
    }

    // From bruit.

    /// Of several gateways one says a number for a bulletin: the others could not tell that it was said.
    fn on_native(&mut self, id: &BulletinId, age: Duration, now: Now) {
        let id = ForeignId::of(System::P2P_MESSAGING, b"n", &[id.as_bytes()]);
        if age > OLD || !self.crossing.is_first(&id, now.at) {
            return;
        }
        if self.outgoing.len() >= OUTGOING_MAX {
            self.counters.count("dropped_outgoing_full");
            return;
        }
        self.outgoing.push_back(id);
        self.flush(now);
    }

    fn flush(&mut self, now: Now) {
        if self.members.is_empty() {
            return;
        }
        while self.outgoing.pop_front().is_some() {
            self.counters.count("crossed_out");
            self.gossip(now);
        }
    }

    fn on_crossed(&mut self, id: ForeignId, body: &[u8], by: AuthorId, is_past: bool, now: Now) {
        let text = [b"1133:", body].concat();
        let max = super::codec::PEER_BYTES_MAX;
        match Message::decode(&text, max) {
            Ok(Message::Gossip(gossip)) if name(&gossip) == id => {
                self.crossing.crossed(id, Some(by), now.at);
                // An earlier run or somebody else passed it on then. Of what is new each gateway passes on what it
                // hears out there.
                if is_past {
                    self.counters.count("known_from_before");
                    self.seen.insert(gossip, (), now.at);
                }
            }
            _ => self.counters.count("dropped_false_name"),
        }
    }
}

/// What a message is called inside bruit.
pub fn name(gossip: &Gossip) -> ForeignId {
    ForeignId::of(System::P2P_MESSAGING, &[], &[gossip.to_string().as_bytes()])
}

#[cfg(test)]
mod tests;
