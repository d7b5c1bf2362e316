//! A node of the simple gossip, as a state machine: datagrams and bulletins in, datagrams and bulletins out.
//!
//! Each message is passed on once, to all neighbours but the one it came from, without a pause. Unlike the
//! original, which knows the last message only, it remembers an hour of them; it passes nothing on that
//! would harm an original; and it hears neighbours alone, each of them up to a rate. That others feed the same
//! network is no reason to pass less on: a gateway may be the only way between two of its neighbours.
//!
//! The stamp of a bulletin that goes out is the second it was made in, so that every gateway makes the same
//! message of it, and none takes it for a foreign one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bruit::AuthorId;

use super::codec::{CodecError, Message, Stamp};
use crate::budget::Budget;
use crate::counters::Counters;
use crate::crossing::{Crossing, Turn};
use crate::foreign::{ForeignId, System};
use crate::recent::Recent;

/// How long a message is remembered: as long as a post is valid.
const REMEMBER: Duration = bruit::POST_TTL;
/// Messages that are remembered.
const SEEN_MAX: usize = 1 << 16;
/// A bulletin does not go out at once, so that other gateways have it before they hear the message.
const HOLD: Duration = Duration::from_secs(1);
/// Bulletins that wait to go out; more are dropped, and counted.
pub const OUTGOING_MAX: usize = 4_096;
/// A message goes round at a second for each hop and more: so long do other gateways wait whether they hear
/// it, before they send it themselves.
const OUT_STEP: Duration = Duration::from_secs(10);
/// Bulletins older than this are not sent out when the gateway hears of them: it was away. Nor are messages that crossed
/// longer ago passed on when they come: they have been round.
const OLD: Duration = Duration::from_mins(1);
/// Messages that are heard from one neighbour per second, and at once: its address can be forged.
const NEIGHBOUR: (u32, u32) = (1_000, 2_000);
/// The same for all together.
const ALL: (u32, u32) = (4_000, 8_000);

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
    /// A bulletin that stems from bruit.
    Native {
        /// Its contents.
        body: Vec<u8>,
        /// When it was made, in milliseconds since 1970.
        created_ms: u64,
        /// How old it is.
        age: Duration,
        /// It went out before this gateway was started.
        has_passed: bool,
    },
    /// A bulletin that a gateway made of a message.
    Crossed {
        /// The name it gives.
        id: ForeignId,
        /// Its contents.
        body: Vec<u8>,
        /// Who signed it.
        by: AuthorId,
        /// How old it is.
        age: Duration,
    },
    /// What was to be published could not be.
    NotPublished(ForeignId),
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
    /// Publish a message.
    Publish {
        /// Its name.
        id: ForeignId,
        /// The message.
        message: Message,
    },
    /// A bulletin made then is in the simple network, or is about to be: it must not go out again.
    Passed {
        /// In milliseconds since 1970.
        created_ms: u64,
    },
    /// A bulletin went out as this message.
    Sent(Message),
}

/// The node.
#[derive(Debug)]
pub struct Gateway {
    neighbours: Vec<(SocketAddr, Budget)>,
    all: Budget,
    /// What was passed on.
    seen: Recent<ForeignId>,
    /// Bulletins that stem from bruit, and when they were made.
    native: Recent<ForeignId, u64>,
    crossing: Crossing<Message>,
    outgoing: Vec<(Instant, Message)>,
    out: Crossing<Message>,
    counters: Counters,
    actions: Vec<Action>,
}

impl Gateway {
    /// A node with these neighbours; with none, everybody is heard. `me` signs the bulletins it makes.
    pub fn new(neighbours: Vec<SocketAddr>, me: AuthorId) -> Self {
        let mut different: Vec<(SocketAddr, Budget)> = Vec::new();
        for neighbour in neighbours {
            // As the address that its datagrams come from is read.
            let neighbour = SocketAddr::new(neighbour.ip().to_canonical(), neighbour.port());
            if different.iter().all(|(other, _)| *other != neighbour) {
                different.push((neighbour, Budget::new(NEIGHBOUR.0, NEIGHBOUR.1)));
            }
        }
        Self {
            neighbours: different,
            all: Budget::new(ALL.0, ALL.1),
            seen: Recent::new(REMEMBER, SEEN_MAX),
            native: Recent::new(REMEMBER, SEEN_MAX),
            crossing: Crossing::new(me, REMEMBER),
            outgoing: Vec::new(),
            out: Crossing::new(me, REMEMBER).patient(OUT_STEP),
            counters: Counters::default(),
            actions: Vec::new(),
        }
    }

    /// Takes one event at `now`; returns what to do, in order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Datagram { from, bytes } => self.on_datagram(from, &bytes, now),
            Event::Native {
                body,
                created_ms,
                age,
                has_passed,
            } => self.on_native(&body, created_ms, has_passed || age > OLD, now),
            Event::Crossed { id, body, by, age } => self.on_crossed(id, &body, by, age, now),
            Event::NotPublished(id) => self.crossing.failed(&id),
            Event::Present(author) => {
                self.crossing.present(author, now);
                self.out.present(author, now);
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// Does what is due at `now`.
    pub fn wake(&mut self, now: Instant) -> Vec<Action> {
        for (id, message) in self.crossing.due(now) {
            self.publish(id, message);
        }
        let (due, later) = std::mem::take(&mut self.outgoing)
            .into_iter()
            .partition(|(due, _)| *due <= now);
        self.outgoing = later;
        let due: Vec<(Instant, Message)> = due;
        for (_, message) in due {
            if let Turn::Now(message) = self.out.came(name(&message), message, now) {
                self.send_out(message, now);
            }
        }
        for (_, message) in self.out.due(now) {
            self.send_out(message, now);
        }
        std::mem::take(&mut self.actions)
    }

    /// When to be woken; none when nothing waits.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let outgoing = self.outgoing.iter().map(|(due, _)| *due).min();
        let nexts = [
            outgoing,
            self.crossing.next_wakeup(),
            self.out.next_wakeup(),
        ];
        nexts.into_iter().flatten().min()
    }

    /// What was done and dropped.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn on_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        self.counters.count("datagrams_in");
        if let Err(reason) = self.admit(from, now) {
            self.counters.count(reason);
            return;
        }
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.counters.count(match error {
                    CodecError::TooLong { .. } => "dropped_too_long",
                    CodecError::TooShort { .. } => "dropped_too_short",
                    CodecError::NotAscii => "dropped_not_ascii",
                    CodecError::Stamp => "dropped_bad_stamp",
                });
                return;
            }
        };
        let id = name(&message);
        // Somebody sent it out, so this gateway passes it on and need not.
        self.out.crossed(id, Some(self.out.me()), now);
        self.outgoing.retain(|(_, waiting)| *waiting != message);
        if self.seen.insert(id, (), now) {
            self.note_passed(&id, now);
            self.pass(&message, Some(from));
        } else {
            self.counters.count("duplicates");
        }
        if let Turn::Now(message) = self.crossing.came(id, message, now) {
            self.publish(id, message);
        }
    }

    /// Whether a datagram from there is heard, or why not.
    fn admit(&mut self, from: SocketAddr, now: Instant) -> Result<(), &'static str> {
        let is_for_all = self.neighbours.is_empty();
        let mut neighbours = self.neighbours.iter_mut();
        let has_room = match neighbours.find(|(neighbour, _)| *neighbour == from) {
            Some((_, budget)) => budget.take(now),
            None if is_for_all => true,
            None => return Err("dropped_stranger"),
        };
        if has_room && self.all.take(now) {
            Ok(())
        } else {
            Err("dropped_too_often")
        }
    }

    /// Tells when a bulletin was made that is in the simple network now.
    fn note_passed(&mut self, id: &ForeignId, now: Instant) {
        if let Some(created_ms) = self.native.get(id, now).copied() {
            self.actions.push(Action::Passed { created_ms });
        }
    }

    /// Sends a message to all neighbours but the one it came from.
    fn pass(&mut self, message: &Message, from: Option<SocketAddr>) {
        let bytes = message.encode();
        let to = self.neighbours.iter().map(|(to, _)| *to);
        for to in to.filter(|to| Some(*to) != from) {
            let bytes = bytes.clone();
            self.counters.count("datagrams_out");
            self.actions.push(Action::Send { to, bytes });
        }
    }

    fn publish(&mut self, id: ForeignId, message: Message) {
        self.counters.count("crossed_in");
        self.actions.push(Action::Publish { id, message });
    }

    fn on_native(&mut self, body: &[u8], created_ms: u64, is_over: bool, now: Instant) {
        let stamp = Stamp::of_millis(created_ms).ok_or(CodecError::Stamp);
        let message = match stamp.and_then(|stamp| Message::new(stamp, body)) {
            Ok(message) => message,
            Err(error) => {
                self.counters.count(match error {
                    CodecError::NotAscii => "dropped_out_not_ascii",
                    _ => "dropped_out_too_big",
                });
                return;
            }
        };
        let id = name(&message);
        self.crossing.crossed(id, Some(self.crossing.me()), now);
        let is_new = self.native.insert(id, created_ms, now);
        if is_over {
            self.seen.insert(id, (), now);
        } else if !is_new || self.seen.contains(&id, now) {
            self.counters.count("dropped_out_duplicate");
        } else if self.outgoing.len() >= OUTGOING_MAX {
            self.counters.count("dropped_outgoing_full");
        } else {
            self.outgoing.push((now + HOLD, message));
        }
    }

    fn on_crossed(
        &mut self,
        id: ForeignId,
        body: &[u8],
        by: AuthorId,
        age: Duration,
        now: Instant,
    ) {
        let head = id.as_bytes()[..4].try_into().unwrap_or_default();
        let stamp = Stamp::from_seconds(u32::from_be_bytes(head));
        let is_true = Message::new(stamp, body).is_ok_and(|message| name(&message) == id);
        if !is_true {
            self.counters.count("dropped_false_name");
            return;
        }
        self.crossing.crossed(id, Some(by), now);
        // What this gateway published it had passed on, before it was started anew perhaps.
        if by == self.crossing.me() || age > OLD {
            self.seen.insert(id, (), now);
        }
    }

    fn send_out(&mut self, message: Message, now: Instant) {
        let id = name(&message);
        self.counters.count("crossed_out");
        self.seen.insert(id, (), now);
        self.note_passed(&id, now);
        self.pass(&message, None);
        self.actions.push(Action::Sent(message));
    }
}

/// What a message is called inside bruit: its stamp can be read from it, and it is bound to both parts.
pub fn name(message: &Message) -> ForeignId {
    let head = message.stamp().seconds().to_be_bytes();
    ForeignId::of(System::SIMPLE, &head, &[message.text().as_bytes()])
}

#[cfg(test)]
mod tests;
