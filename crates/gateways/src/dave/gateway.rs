//! A full peer of dave's, as a state machine: datagrams in, datagrams and values out.
//!
//! It answers, passes on, asks and keeps as the original does. Unlike it:
//! - only addresses that answered a GETPEER of ours are told to others, passed on to, or sent a value; a
//!   stranger gets one empty datagram, and what it is owed when it answers;
//! - a value is passed on once, a question once for each who asks it, to peers that differ;
//! - the heart beats by time, whatever comes in;
//! - values in DAT are checked and kept, and so are our own;
//! - a value is valid as long as its bulletin: however often it is put again, it crosses once in that time;
//! - every table has a bound, and what is dropped is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bruit::AuthorId;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use super::codec::{DATAGRAM_BYTES_MAX, Dat, Message, Op, Work};
use super::config::Config;
use super::entering::{Entering, TooOften};
use super::peers::{Peers, Told};
use super::values::Values;
use super::work;
use crate::budget::Budget;
use crate::counters::Counters;
use crate::foreign::{ForeignId, System};
use crate::recent::Recent;

/// Questions of bruit's own at once.
pub const WANTED_MAX: usize = 1_024;
/// Values of bruit's own that are being spread at once.
pub const OUTGOING_MAX: usize = 4_096;
/// Values and questions of which is known that they were passed on.
const PASSED_MAX: usize = 1 << 16;
/// A value that was passed on is not again for this time.
const SET_AGAIN: Duration = Duration::from_mins(10);
/// A question of the same asker is not passed on again for this time.
const GET_AGAIN: Duration = Duration::from_millis(500);
/// One peer does not get the same value again for this time.
const DAT_AGAIN: Duration = Duration::from_secs(1);
/// How long bruit's own question is asked.
const WANTED_FOR: Duration = Duration::from_secs(30);
/// A value of ours does not go out at once, so that other gateways have the bulletin before they hear of it
/// in dave's network.
const HOLD: Duration = Duration::from_secs(1);
/// After it went to some peers it goes to others, since datagrams get lost.
const FURTHER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// Values of ours that are sent in one beat: a restart is no flood.
const SPREAD_AT_ONCE: usize = 8;
/// Values not worth keeping that are passed on per second, and at once.
const CHEAP: (u32, u32) = (32, 64);

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A datagram came.
    Datagram {
        /// From where.
        from: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A bulletin holds a value that came from dave's network, here or at another gateway.
    Held {
        /// The value.
        dat: Dat,
        /// Who signed the bulletin: a gateway.
        by: AuthorId,
        /// How old the bulletin is.
        age: Duration,
    },
    /// What was to be published could not be: it may come again.
    NotPublished(Work),
    /// A bulletin holds a value that is to go out.
    Put {
        /// The value.
        dat: Dat,
        /// How old the bulletin is.
        age: Duration,
    },
    /// Somebody in bruit's network asks for a value.
    Want(Work),
    /// Another gateway is there.
    Present(AuthorId),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a datagram.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Publish a value from dave's network.
    Publish(Dat),
    /// A value is in dave's network now: so many peers have been sent it.
    Spread {
        /// Its name.
        work: Work,
        /// Peers that were sent it.
        peers: usize,
    },
}

#[derive(Debug)]
struct Wanted {
    until: Instant,
    next: Instant,
    pause: Duration,
}

#[derive(Debug)]
struct Outgoing {
    dat: Dat,
    next: Instant,
    round: usize,
    told: Vec<SocketAddr>,
}

/// The peer.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    rng: ChaCha8Rng,
    peers: Peers,
    values: Values,
    me: AuthorId,
    entering: Entering,
    wanted: BTreeMap<Work, Wanted>,
    outgoing: BTreeMap<Work, Outgoing>,
    set: Recent<Work>,
    asked: Recent<(Work, SocketAddr)>,
    given: Recent<(Work, SocketAddr)>,
    cheap: Budget,
    beat: Instant,
    counters: Counters,
    actions: Vec<Action>,
}

impl Gateway {
    /// A peer that knows those of the configuration; `me` signs the bulletins it makes.
    pub fn new(config: Config, me: AuthorId, seed: u64, now: Instant) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            peers: Peers::new(&config),
            values: Values::default(),
            me,
            entering: Entering::new(me),
            wanted: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            set: Recent::new(SET_AGAIN, PASSED_MAX),
            asked: Recent::new(GET_AGAIN, PASSED_MAX),
            given: Recent::new(DAT_AGAIN, PASSED_MAX),
            cheap: Budget::new(CHEAP.0, CHEAP.1),
            beat: now,
            counters: Counters::default(),
            actions: Vec::new(),
            config,
        }
    }

    /// Takes one event at `now`; returns what to do, in order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Datagram { from, bytes } => self.on_datagram(from, &bytes, now),
            Event::Held { dat, by, age } => self.on_held(dat, by, age, now),
            Event::NotPublished(work) => self.entering.failed(&work),
            Event::Put { dat, age } => self.on_put(dat, age, now),
            Event::Want(work) => self.on_want(work, now),
            Event::Present(author) => self.entering.present(author, now),
        }
        std::mem::take(&mut self.actions)
    }

    /// Does what is due at `now`.
    pub fn wake(&mut self, now: Instant) -> Vec<Action> {
        if now >= self.beat {
            self.beat = now + self.config.period;
            for peer in self.peers.beat(&mut self.rng, &self.config, now) {
                self.send(peer, &Message::of(Op::GetPeer));
            }
        }
        for dat in self.entering.due(now) {
            self.publish(dat);
        }
        self.values.forget(now);
        self.ask_wanted(now);
        self.spread_outgoing(now);
        std::mem::take(&mut self.actions)
    }

    /// When to be woken. Nothing here is more urgent than a heartbeat.
    pub fn next_wake(&self) -> Instant {
        self.beat
    }

    /// What was done and dropped.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many peers have answered.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// How many values it can answer with.
    pub fn values(&self) -> usize {
        self.values.len()
    }

    /// The value of `work`, where it is here.
    pub fn value(&self, work: &Work) -> Option<&Dat> {
        self.values.get(work)
    }

    // From dave's network.

    fn on_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        self.counters.count("datagrams_in");
        if self.peers.is_own(&from) {
            self.counters.count("dropped_own");
            return;
        }
        let Ok(decoded) = Message::decode(bytes) else {
            self.counters.count("dropped_malformed");
            return;
        };
        self.counters
            .add("dropped_bad_address", number(decoded.bad_addresses));
        self.peers.heard(from, now);
        let message = decoded.message;
        if message.op == Op::Peer {
            self.on_peer(from, &message.peers, now);
        } else {
            self.ask(from, Told::Itself, now);
        }
        match message.op {
            Op::GetPeer => self.on_get_peer(from, now),
            Op::Peer => {}
            Op::SetDat => self.on_set(from, message, now),
            Op::GetDat => self.on_get(from, message, now),
            Op::Dat => self.on_dat(&message.dat, now),
        }
    }

    fn ask(&mut self, address: SocketAddr, told: Told, now: Instant) {
        if self.peers.ask(address, told, now) {
            self.send(address, &Message::of(Op::GetPeer));
        }
    }

    fn on_get_peer(&mut self, from: SocketAddr, now: Instant) {
        if !self.peers.may_send(&from, now) {
            self.counters.count("dropped_too_often");
            return;
        }
        let peers = self.peers.some(&mut self.rng, self.config.npeer, &[from]);
        let answer = Message {
            peers,
            ..Message::of(Op::Peer)
        };
        self.send(from, &answer);
    }

    /// Only an answer to a question of ours counts, and of it as many addresses as we would tell.
    fn on_peer(&mut self, from: SocketAddr, told: &[SocketAddr], now: Instant) {
        let Some(owed) = self.peers.answered(from, now) else {
            self.counters.count("dropped_unasked_peer");
            return;
        };
        for address in told.iter().take(self.config.npeer) {
            self.ask(*address, Told::ByOthers, now);
        }
        let excess = told.len().saturating_sub(self.config.npeer);
        self.counters.add("dropped_excess_peer", number(excess));
        for work in owed {
            self.give(from, work, now);
        }
    }

    fn on_set(&mut self, from: SocketAddr, message: Message, now: Instant) {
        let Some((work, zeros)) = self.paid(&message.dat) else {
            return;
        };
        if zeros < self.config.work_store.min(self.config.work_forward) {
            self.counters.count("dropped_cheap");
            return;
        }
        if zeros >= self.config.work_store {
            self.keep(work, &message.dat, now);
        }
        let is_far = message.peers.len() >= self.config.distance;
        if zeros < self.config.work_forward || is_far {
            return;
        }
        // What nobody keeps is passed on, as the original does, but not without end.
        if zeros < self.config.work_store && !self.cheap.take(now) {
            self.counters.count("dropped_cheap_forward");
            return;
        }
        if once(&mut self.set, work, now) {
            self.pass(from, message, self.config.fanout_set);
        }
    }

    fn on_get(&mut self, from: SocketAddr, message: Message, now: Instant) {
        let Ok(work) = Work::try_from(&message.dat.work[..]) else {
            self.counters.count("dropped_bad_work");
            return;
        };
        if self.values.get(&work).is_some() {
            let mut askers: Vec<_> = message.peers.iter().take(self.config.distance).collect();
            askers.push(&from);
            let askers: BTreeSet<_> = askers.into_iter().copied().collect();
            for asker in askers {
                self.answer(asker, work, now);
            }
            return;
        }
        let origin = *message.peers.first().unwrap_or(&from);
        let is_near = message.peers.len() < self.config.distance;
        if is_near && once(&mut self.asked, (work, origin), now) {
            self.pass(from, message, self.config.fanout_get);
        }
    }

    /// A value goes to one who asked and takes part; a stranger is asked first whether it does.
    fn answer(&mut self, to: SocketAddr, work: Work, now: Instant) {
        if self.peers.has(&to) {
            self.give(to, work, now);
            return;
        }
        self.ask(to, Told::ByOthers, now);
        if !self.peers.owe(to, work) {
            self.counters.count("dropped_stranger");
        }
    }

    fn give(&mut self, to: SocketAddr, work: Work, now: Instant) {
        let Some(dat) = self.values.get(&work).cloned() else {
            return;
        };
        if !once(&mut self.given, (work, to), now) {
            return;
        }
        if !self.peers.may_send(&to, now) {
            self.counters.count("dropped_too_often");
            return;
        }
        let message = Message {
            dat,
            ..Message::of(Op::Dat)
        };
        self.send(to, &message);
    }

    fn on_dat(&mut self, dat: &Dat, now: Instant) {
        let Some((work, zeros)) = self.paid(dat) else {
            return;
        };
        if self.wanted.contains_key(&work) || zeros >= self.config.work_store {
            self.keep(work, dat, now);
        } else {
            self.counters.count("dropped_cheap");
        }
    }

    /// The work of a value and its zero bytes, when they are right.
    fn paid(&mut self, dat: &Dat) -> Option<(Work, usize)> {
        let zeros = work::check(dat);
        let work = Work::try_from(&dat.work[..]);
        let paid = work.ok().zip(zeros.ok());
        if paid.is_none() {
            self.counters.count("dropped_bad_work");
        }
        paid
    }

    fn keep(&mut self, work: Work, dat: &Dat, now: Instant) {
        if self.values.get(&work).is_some() {
            self.counters.count("duplicates");
        } else {
            self.values.keep(work, dat.clone(), now);
        }
        if self.wanted.remove(&work).is_some() {
            self.let_in_again(work, dat.clone(), now);
        } else if let Some(dat) = self.entering.came(work, dat.clone(), now) {
            self.publish(dat);
        }
    }

    /// Lets in a value that somebody in bruit asks for.
    fn let_in_again(&mut self, work: Work, dat: Dat, now: Instant) {
        match self.entering.wanted(work, dat, now) {
            Ok(Some(dat)) => self.publish(dat),
            Ok(None) => {}
            Err(TooOften) => self.counters.count("dropped_again"),
        }
    }

    fn publish(&mut self, dat: Dat) {
        self.counters.count("crossed_in");
        self.actions.push(Action::Publish(dat));
    }

    /// Passes a message on to peers that have not had it, with the address it came from.
    fn pass(&mut self, from: SocketAddr, mut message: Message, fanout: usize) {
        message.peers.push(from);
        for to in self.peers.some(&mut self.rng, fanout, &message.peers) {
            self.send(to, &message);
        }
    }

    fn send(&mut self, to: SocketAddr, message: &Message) {
        let bytes = message.encode();
        if bytes.len() > DATAGRAM_BYTES_MAX {
            self.counters.count("dropped_too_long");
            return;
        }
        self.counters.count("datagrams_out");
        self.actions.push(Action::Send { to, bytes });
    }

    // From bruit's network.

    fn on_held(&mut self, dat: Dat, by: AuthorId, age: Duration, now: Instant) {
        if let Some((work, _)) = self.paid(&dat) {
            self.wanted.remove(&work);
            self.hold(work, dat, by, age, now);
        }
    }

    /// A value is in a bulletin that is so old: it is known and kept for as long as that is valid.
    fn hold(&mut self, work: Work, dat: Dat, by: AuthorId, age: Duration, now: Instant) {
        self.entering.held(work, by, age, now);
        let since = now.checked_sub(age).unwrap_or(now);
        self.values.keep(work, dat, since);
    }

    fn on_put(&mut self, dat: Dat, age: Duration, now: Instant) {
        let Some((work, zeros)) = self.paid(&dat) else {
            return;
        };
        self.hold(work, dat.clone(), self.me, age, now);
        if zeros < self.config.work_store {
            self.counters.count("dropped_cheap");
        } else if self.outgoing.len() >= OUTGOING_MAX {
            self.counters.count("dropped_outgoing_full");
        } else if once(&mut self.set, work, now) {
            self.counters.count("crossed_out");
            let outgoing = Outgoing {
                dat,
                next: now + HOLD,
                round: 0,
                told: Vec::new(),
            };
            self.outgoing.insert(work, outgoing);
        }
    }

    fn on_want(&mut self, work: Work, now: Instant) {
        if let Some(dat) = self.values.get(&work).cloned() {
            self.let_in_again(work, dat, now);
            return;
        }
        if self.wanted.len() >= WANTED_MAX {
            self.counters.count("dropped_wanted_full");
            return;
        }
        let wanted = Wanted {
            until: now + WANTED_FOR,
            next: now,
            pause: Duration::from_secs(1),
        };
        self.wanted.entry(work).or_insert(wanted);
        self.ask_wanted(now);
    }

    /// Asks for what is wanted, each time other peers, less and less often.
    fn ask_wanted(&mut self, now: Instant) {
        self.wanted.retain(|_, wanted| wanted.until > now);
        let mut due = Vec::new();
        for (work, wanted) in &mut self.wanted {
            if wanted.next <= now && self.peers.len() > 0 {
                wanted.next = now + wanted.pause;
                wanted.pause = wanted.pause * 3 / 2;
                due.push(*work);
            }
        }
        for work in due {
            let message = Message::get(&work);
            for to in self.peers.some(&mut self.rng, self.config.fanout_get, &[]) {
                self.send(to, &message);
            }
        }
    }

    /// Sends our values to peers, some at once and some a little later: datagrams get lost.
    fn spread_outgoing(&mut self, now: Instant) {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        let mut left = if self.peers.len() > 0 {
            SPREAD_AT_ONCE
        } else {
            0
        };
        outgoing.retain(|work, value| {
            if now >= value.next && left > 0 {
                left -= 1;
                self.spread_round(value, now);
            }
            let is_over = value.round > FURTHER.len();
            if is_over {
                let peers = value.told.len();
                self.actions.push(Action::Spread { work: *work, peers });
            }
            !is_over
        });
        self.outgoing = outgoing;
    }

    fn spread_round(&mut self, value: &mut Outgoing, now: Instant) {
        let fanout = self.config.fanout_set;
        let to = self.peers.some(&mut self.rng, fanout, &value.told);
        if to.is_empty() && value.told.is_empty() {
            // Nobody is there yet: it waits.
            return;
        }
        if let Some(pause) = FURTHER.get(value.round) {
            value.next = now + *pause;
        }
        value.round += 1;
        let message = Message {
            dat: value.dat.clone(),
            ..Message::of(Op::SetDat)
        };
        for to in to {
            self.send(to, &message);
            value.told.push(to);
        }
    }
}

/// What a value is called inside bruit: the end of its work, which is bound to all of its contents.
pub fn name(work: &Work) -> ForeignId {
    let mut bytes = [0; ForeignId::BYTES];
    bytes.copy_from_slice(&work[work.len() - ForeignId::BYTES..]);
    ForeignId::new(System::DAVE, bytes)
}

/// Remembers `key`; answers whether it was not remembered. Unlike [`Recent::insert`] it does not begin its
/// time anew.
fn once<K: Ord + Clone>(recent: &mut Recent<K>, key: K, now: Instant) -> bool {
    !recent.contains(&key, now) && recent.insert(key, (), now)
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
impl Gateway {
    /// How many strangers are remembered.
    pub(super) fn table_strangers(&self) -> usize {
        self.peers.strangers()
    }

    /// As if the values had been pushed out by others.
    pub(super) fn forget_values(&mut self) {
        self.values = Values::default();
    }
}
