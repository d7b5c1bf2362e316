//! A node of k98kurz/gossip, as a state machine: datagrams and bulletins in, datagrams and bulletins out.
//!
//! A message is believed when it is for us, fresh, paid for, signed, not heard before, and sealed to us, in
//! this order: the cheapest first. Unlike the original:
//! - a message counts once, however often it is paid for anew, and none comes from the future;
//! - a bulletin's content must be the one that was paid for, and is passed on once, whatever its nonce;
//! - expiry is heeded on the way in and in what is kept;
//! - what cannot be opened or read is counted, and ends nothing.
//!
//! Every gateway makes the same bulletin of theirs from one of bruit's, to the byte, so that their nodes, which
//! know a bulletin by its header, hear it once.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bruit::AuthorId;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::codec::{Bulletin, DATAGRAM_BYTES_MAX, MESSAGE_HEADER_BYTES, Message, Said, content_id};
use super::config::Config;
use super::identity::{Address, Identity, SEAL_BYTES};
use crate::counters::Counters;
use crate::crossing::{Crossing, Turn};
use crate::foreign::{ForeignId, System};
use crate::recent::Recent;

/// How long a message is fresh, in seconds.
pub const MESSAGE_TTL_S: u32 = 300;
/// How long a bulletin is, in seconds.
pub const BULLETIN_TTL_S: u32 = 3_600;
/// How far others' clocks may be ahead, in seconds.
pub const AHEAD_S: u32 = 120;
/// How long messages and bulletins are remembered: a message that is paid for anew is fresh again.
const REMEMBER: Duration = Duration::from_hours(24);
/// How many are remembered.
const SEEN_MAX: usize = 1 << 16;
/// Nodes that are known at once.
pub const PEERS_MAX: usize = 256;
/// Bulletins that are kept for others.
const HELD_MAX: usize = 1_024;
/// Bytes of the longest content: more does not fit into a message.
pub const CONTENT_BYTES_MAX: usize = DATAGRAM_BYTES_MAX
    - MESSAGE_HEADER_BYTES
    - SEAL_BYTES
    - 1
    - super::codec::BULLETIN_HEADER_BYTES;
/// Bytes of the longest words.
pub const WORDS_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - MESSAGE_HEADER_BYTES - SEAL_BYTES;
/// Headers in one answer.
const HEADERS_MAX: usize = 64;
/// A bulletin of bruit's does not go out at once, so that other gateways have it before they hear it.
const HOLD: Duration = Duration::from_secs(1);
/// Bulletins that wait to go out; more are dropped, and counted.
pub const OUTGOING_MAX: usize = 1_024;
/// Bulletins older than this are not sent out when the gateway hears of them: it was away.
const OLD_S: u32 = 60;
/// Bulletins that are paid for before anything else is looked at.
const OUT_AT_ONCE: usize = 4;

/// Both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For timeouts.
    pub at: Instant,
    /// For stamps: seconds since 1970.
    pub seconds: u32,
}

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
        /// The topic it names.
        topic: [u8; 32],
        /// Its contents.
        content: Vec<u8>,
        /// When it was made, in seconds since 1970.
        made: u32,
    },
    /// A bulletin that a gateway made of one of theirs.
    Crossed {
        /// The name it gives.
        id: ForeignId,
        /// The topic it names, where that is known.
        topic: Option<[u8; 32]>,
        /// Its contents.
        content: Vec<u8>,
        /// Who signed it.
        by: AuthorId,
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
    /// Publish a bulletin.
    Publish {
        /// Its name.
        id: ForeignId,
        /// The bulletin.
        bulletin: Bulletin,
    },
    /// A bulletin of bruit's went out, to so many nodes.
    Sent {
        /// Its topic.
        topic: [u8; 32],
        /// Nodes.
        peers: usize,
    },
    /// A node of theirs has words for us.
    Heard {
        /// Who.
        from: Address,
        /// What.
        words: Vec<u8>,
    },
}

/// Why words are not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSaid {
    /// Nobody knows where the node is.
    #[error("the gateway has not heard of that node since it was started; name it with --join")]
    UnknownNode,
    /// The address is no key, so that nothing can be sealed to it.
    #[error("that address is no key")]
    NoKey,
    /// It would be read as something else.
    #[error(
        "a message there must not be empty, nor begin with a byte from 0 to 10: those are operations"
    )]
    Operation,
    /// A datagram has no room for it.
    #[error("a message of {got} bytes exceeds {max}")]
    TooLong {
        /// Its bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
}

/// A bulletin of bruit's that is to go out.
#[derive(Debug)]
struct Outgoing {
    due: Instant,
    topic: [u8; 32],
    content: Vec<u8>,
    made: u32,
}

/// The node.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    identity: Identity,
    rng: ChaCha20Rng,
    peers: BTreeMap<Address, SocketAddr>,
    messages: Recent<[u8; 32]>,
    bulletins: Recent<ForeignId>,
    held: Vec<Bulletin>,
    crossing: Crossing<Bulletin>,
    outgoing: VecDeque<Outgoing>,
    counters: Counters,
    actions: Vec<Action>,
}

impl Gateway {
    /// A node with these keys; `me` signs the bulletins it makes, `seed` is secret.
    pub fn new(config: Config, identity: Identity, me: AuthorId, seed: [u8; 32]) -> Self {
        Self {
            rng: ChaCha20Rng::from_seed(seed),
            peers: config.join.iter().copied().collect(),
            messages: Recent::new(REMEMBER, SEEN_MAX),
            bulletins: Recent::new(REMEMBER, SEEN_MAX),
            held: Vec::new(),
            crossing: Crossing::new(me, REMEMBER),
            outgoing: VecDeque::new(),
            counters: Counters::default(),
            actions: Vec::new(),
            config,
            identity,
        }
    }

    /// Asks those it knows for what it missed on its topics.
    pub fn begin(&mut self, now: Now) -> Vec<Action> {
        let peers: Vec<_> = self.peers.clone().into_iter().collect();
        for topic in self.config.topics.clone() {
            for (address, to) in &peers {
                self.say(*address, *to, &Said::AskHeaders { topic }, now);
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// Takes one event at `now`; returns what to do, in order.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        match event {
            Event::Datagram { from, bytes } => self.on_datagram(from, &bytes, now),
            Event::Native {
                topic,
                content,
                made,
            } => self.on_native(topic, content, made, now),
            Event::Crossed {
                id,
                topic,
                content,
                by,
            } => self.on_crossed(id, topic, &content, by, now),
            Event::NotPublished(id) => self.crossing.failed(&id),
            Event::Present(author) => self.crossing.present(author, now.at),
        }
        std::mem::take(&mut self.actions)
    }

    /// Does what is due at `now`.
    pub fn wake(&mut self, now: Now) -> Vec<Action> {
        for (id, bulletin) in self.crossing.due(now.at) {
            self.publish(id, bulletin);
        }
        let is_due = |first: &Outgoing| first.due <= now.at;
        for _ in 0..OUT_AT_ONCE {
            if self.outgoing.front().is_some_and(is_due)
                && let Some(outgoing) = self.outgoing.pop_front()
            {
                self.send_out(outgoing, now);
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// Says words to a node of theirs.
    ///
    /// # Errors
    /// When it cannot be done: the sender's to know.
    pub fn say_words(
        &mut self,
        to: &Address,
        words: &[u8],
        now: Now,
    ) -> Result<Vec<Action>, NotSaid> {
        let said = Said::decode(words).map_err(|_| NotSaid::Operation)?;
        if !matches!(said, Said::Words(_)) {
            return Err(NotSaid::Operation);
        }
        let (got, max) = (words.len(), WORDS_BYTES_MAX);
        if got > max {
            return Err(NotSaid::TooLong { got, max });
        }
        let at = *self.peers.get(to).ok_or(NotSaid::UnknownNode)?;
        self.say(*to, at, &said, now);
        let actions = std::mem::take(&mut self.actions);
        self.counters.count("letters_out");
        (!actions.is_empty())
            .then_some(actions)
            .ok_or(NotSaid::NoKey)
    }

    /// When to be woken; none when nothing waits.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let outgoing = self.outgoing.front().map(|first| first.due);
        let nexts = [outgoing, self.crossing.next_wakeup()];
        nexts.into_iter().flatten().min()
    }

    /// What was done and dropped.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// This node's address.
    pub const fn address(&self) -> &Address {
        self.identity.address()
    }

    // From their network.

    fn on_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Now) {
        self.counters.count("datagrams_in");
        let (src, opened) = match self.open(bytes, now) {
            Ok(opened) => opened,
            Err(reason) => {
                self.counters.count(reason);
                return;
            }
        };
        if self.peers.len() < PEERS_MAX || self.peers.contains_key(&src) {
            self.peers.insert(src, from);
        }
        let Ok(said) = Said::decode(&opened) else {
            self.counters.count("dropped_malformed");
            return;
        };
        match said {
            Said::Forward(bulletin) => self.on_bulletin(bulletin, Some(src), now),
            Said::Deliver(bulletin) | Said::Content(bulletin) => {
                self.on_bulletin(bulletin, None, now);
            }
            Said::AskHeaders { topic } => {
                let is_told = |held: &&Bulletin| held.topic == topic && is_fresh(held.ts, now);
                let headers = self
                    .held
                    .iter()
                    .filter(is_told)
                    .rev()
                    .take(HEADERS_MAX)
                    .map(Bulletin::header);
                let said = Said::Headers(headers.collect());
                self.say(src, from, &said, now);
            }
            Said::Headers(headers) => self.on_headers(src, from, &headers, now),
            Said::AskContent { topic, content_id } => {
                let is_it = |held: &&Bulletin| {
                    held.topic == topic && held.content_id == content_id && is_fresh(held.ts, now)
                };
                if let Some(bulletin) = self.held.iter().find(is_it).cloned() {
                    self.say(src, from, &Said::Content(bulletin), now);
                }
            }
            Said::Unused(_) => self.counters.count("dropped_unused"),
            Said::Words(words) => {
                let from = src;
                self.actions.push(Action::Heard { from, words });
            }
        }
    }

    /// The sender and the opened body of a message that is to be believed, or why it is not.
    fn open(&mut self, bytes: &[u8], now: Now) -> Result<(Address, Vec<u8>), &'static str> {
        let message = Message::decode(bytes).map_err(|_| "dropped_malformed")?;
        if message.dst != *self.identity.address() || message.src == message.dst {
            return Err("dropped_not_for_us");
        }
        if now.seconds > message.ts.saturating_add(MESSAGE_TTL_S) {
            return Err("dropped_old");
        }
        if message.ts > now.seconds.saturating_add(AHEAD_S) {
            return Err("dropped_from_the_future");
        }
        let name = content_id(&message.signed_text());
        if self.messages.contains(&name, now.at) {
            return Err("dropped_again");
        }
        if message.difficulty() < self.config.message_difficulty {
            return Err("dropped_cheap");
        }
        if !message.is_signed() {
            return Err("dropped_unsigned");
        }
        self.messages.insert(name, (), now.at);
        let opened = self.identity.open(&message.body);
        opened
            .map(|opened| (message.src, opened))
            .ok_or("dropped_not_sealed_to_us")
    }

    /// A bulletin came; `forward` is whom it came from when it is to be passed on.
    fn on_bulletin(&mut self, bulletin: Bulletin, forward: Option<Address>, now: Now) {
        if !is_fresh(bulletin.ts, now) {
            self.counters.count("dropped_expired");
            return;
        }
        if !bulletin.is_whole() || bulletin.content.len() > CONTENT_BYTES_MAX {
            self.counters.count("dropped_forged");
            return;
        }
        let id = name(&bulletin.topic, &bulletin.content);
        if self.bulletins.contains(&id, now.at) {
            self.counters.count("duplicates");
            return;
        }
        if bulletin.difficulty() < self.config.bulletin_difficulty {
            self.counters.count("dropped_cheap");
            return;
        }
        self.bulletins.insert(id, (), now.at);
        self.hold(bulletin.clone(), now);
        if let Some(from) = forward {
            self.spread(&bulletin, Some(from), now);
        }
        if let Turn::Now(bulletin) = self.crossing.came(id, bulletin, now.at) {
            self.publish(id, bulletin);
        }
    }

    /// Asks for what is told of and not here.
    fn on_headers(&mut self, src: Address, from: SocketAddr, headers: &[[u8; 72]], now: Now) {
        for header in headers.iter().take(HEADERS_MAX) {
            let Ok(bulletin) = Bulletin::decode(header) else {
                self.counters.count("dropped_malformed");
                continue;
            };
            let (topic, content_id) = (bulletin.topic, bulletin.content_id);
            let is_it = |held: &Bulletin| held.topic == topic && held.content_id == content_id;
            let is_ours = self.config.topics.contains(&topic);
            let is_paid = || bulletin.difficulty() >= self.config.bulletin_difficulty;
            let is_new = !self.held.iter().any(is_it);
            if is_new && is_ours && is_fresh(bulletin.ts, now) && is_paid() {
                let said = Said::AskContent { topic, content_id };
                self.say(src, from, &said, now);
            }
        }
    }

    fn hold(&mut self, bulletin: Bulletin, now: Now) {
        self.held.retain(|held| is_fresh(held.ts, now));
        if self.held.len() >= HELD_MAX {
            self.held.remove(0);
        }
        self.held.push(bulletin);
    }

    /// Sends a bulletin to all nodes but the one it came from; answers to how many.
    fn spread(&mut self, bulletin: &Bulletin, besides: Option<Address>, now: Now) -> usize {
        let said = Said::Forward(bulletin.clone());
        let peers = self.peers.clone().into_iter();
        let peers: Vec<_> = peers
            .filter(|(address, _)| Some(*address) != besides)
            .collect();
        for (address, to) in &peers {
            self.say(*address, *to, &said, now);
        }
        peers.len()
    }

    fn say(&mut self, dst: Address, to: SocketAddr, said: &Said, now: Now) {
        let mut ephemeral = [0; 32];
        self.rng.fill_bytes(&mut ephemeral);
        // As the original, it begins to count somewhere in the first 65,536.
        let start = self.rng.next_u32() & 0xffff;
        let bits = self.config.message_difficulty;
        let text = said.encode();
        let made = Message::make(
            &self.identity,
            &dst,
            &text,
            &ephemeral,
            now.seconds,
            start,
            bits,
        );
        match made.map(|message| message.encode()) {
            Some(bytes) if bytes.len() <= DATAGRAM_BYTES_MAX => {
                self.counters.count("datagrams_out");
                self.actions.push(Action::Send { to, bytes });
            }
            Some(_) => self.counters.count("dropped_too_long"),
            None => self.counters.count("dropped_no_key"),
        }
    }

    fn publish(&mut self, id: ForeignId, bulletin: Bulletin) {
        self.counters.count("crossed_in");
        self.actions.push(Action::Publish { id, bulletin });
    }

    // From bruit's network.

    fn on_native(&mut self, topic: [u8; 32], content: Vec<u8>, made: u32, now: Now) {
        let id = name(&topic, &content);
        self.crossing.crossed(id, None, now.at);
        if now.seconds > made.saturating_add(OLD_S) {
            return;
        }
        if content.len() > CONTENT_BYTES_MAX {
            self.counters.count("dropped_out_too_big");
        } else if self.bulletins.contains(&id, now.at) {
            self.counters.count("dropped_out_duplicate");
        } else if self.outgoing.len() >= OUTGOING_MAX {
            self.counters.count("dropped_outgoing_full");
        } else {
            self.bulletins.insert(id, (), now.at);
            self.outgoing.push_back(Outgoing {
                due: now.at + HOLD,
                topic,
                content,
                made,
            });
        }
    }

    /// Time and first nonce are the bulletin's own, so that other gateways make the same of it.
    fn send_out(&mut self, outgoing: Outgoing, now: Now) {
        let Outgoing {
            topic,
            content,
            made,
            ..
        } = outgoing;
        // As the original, it begins to count somewhere in the first 65,536.
        let [first, second, ..] = content_id(&content);
        let start = u16::from_be_bytes([first, second]).into();
        let bits = self.config.bulletin_difficulty;
        let bulletin = Bulletin::make(topic, content, made, start, bits);
        self.hold(bulletin.clone(), now);
        let peers = self.spread(&bulletin, None, now);
        self.counters.count("crossed_out");
        self.actions.push(Action::Sent { topic, peers });
    }

    /// A name whose topic we do not know cannot be checked; it is believed until we do, since its tag is
    /// compared with what the item itself gives.
    fn on_crossed(
        &mut self,
        id: ForeignId,
        topic: Option<[u8; 32]>,
        content: &[u8],
        by: AuthorId,
        now: Now,
    ) {
        if topic.is_some_and(|topic| name(&topic, content) != id) {
            self.counters.count("dropped_false_name");
            return;
        }
        self.crossing.crossed(id, Some(by), now.at);
    }
}

fn is_fresh(ts: u32, now: Now) -> bool {
    let is_early = ts > now.seconds.saturating_add(AHEAD_S);
    !is_early && now.seconds <= ts.saturating_add(BULLETIN_TTL_S)
}

/// What a bulletin is called inside bruit.
pub fn name(topic: &[u8; 32], content: &[u8]) -> ForeignId {
    ForeignId::of(System::K98KURZ, &[], &[topic, content])
}

#[cfg(test)]
mod tests;
