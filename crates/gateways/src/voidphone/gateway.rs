//! The gateway between modules, peers and bruit, as a state machine.
//!
//! Three sides say words: modules announce them, peers send them, bulletins hold them. Each word goes to
//! the other two sides once. Where modules subscribe to its type they are asked first, and the first vote
//! decides; where none does, it travels all the same.
//!
//! Invariant: what is known of a word is forgotten `suppress` after it was last heard of; what is kept of
//! a connection goes with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bruit::{AuthorId, Verdict};
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::ballots::{Ballot, Ballots, NoVote, Source};
use super::codec::{Frame, NOTIFICATION_DATA_MAX, PEER_DATA_MAX};
use super::events::{Action, ConnId, Event};
use super::peers::{Deed, Peers, Rules};
use super::word::{ANYWHERE, Word};
use crate::counters::Counters;
use crate::crossing::{Crossing, Turn};
use crate::foreign::ForeignId;
use crate::inside::Item;
use crate::recent::Recent;
use crate::running::Told;

/// Modules at a time.
pub(crate) const MODULES_MAX: usize = 256;
/// Types of data that modules subscribe to, all modules together: each is a topic that is validated.
pub(crate) const TYPES_MAX: usize = 256;
/// Words of which it is remembered what became of them.
const WORDS_MAX: usize = 65_536;

/// What became of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Modules are asked under this id.
    Asked(u16),
    /// It goes on.
    Passed,
    /// It does not.
    Stopped,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    fate: Fate,
    /// Whether peers were told.
    is_out: bool,
}

/// How the gateway behaves.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How long modules may take to vote.
    pub(crate) validation: Duration,
    /// How long a word is not taken again.
    pub(crate) suppress: Duration,
    /// Whether a module is told of what it announced itself.
    pub(crate) notify_announcer: bool,
    /// How it is among peers; none to have none.
    pub(crate) rules: Option<Rules>,
    /// Who signs what it publishes.
    pub(crate) author: AuthorId,
    /// 32 random bytes.
    pub(crate) seed: [u8; 32],
}

/// The gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    settings: Settings,
    /// The types each module subscribes to.
    modules: BTreeMap<ConnId, BTreeSet<u16>>,
    ballots: Ballots,
    peers: Option<Peers>,
    known: Recent<ForeignId, Known>,
    crossing: Crossing<Word>,
    chance: ChaCha8Rng,
    counters: Counters,
    actions: Vec<Action>,
}

impl Gateway {
    pub(crate) fn new(settings: Settings, counters: Counters, now: Instant) -> Self {
        let mut chance = ChaCha8Rng::from_seed(settings.seed);
        let [.., first, second] = chance.next_u64().to_be_bytes();
        Self {
            modules: BTreeMap::new(),
            ballots: Ballots::new(settings.validation, u16::from_be_bytes([first, second])),
            peers: settings.rules.clone().map(|rules| Peers::new(rules, now)),
            known: Recent::new(settings.suppress, WORDS_MAX),
            crossing: Crossing::new(settings.author, settings.suppress).hesitant(),
            chance,
            counters,
            actions: Vec::new(),
            settings,
        }
    }

    /// Takes one event at `now`; answers what to do, in order.
    pub(crate) fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Module(conn) => self.on_module(conn),
            Event::Frame(conn, frame) if self.modules.contains_key(&conn) => {
                self.on_module_frame(conn, frame, now);
            }
            Event::Frame(conn, frame) => self.on_peer_frame(conn, frame, now),
            Event::Closed(conn) => self.on_closed(conn, now),
            Event::Heard {
                item,
                data_type,
                is_past,
            } => self.on_heard(&item, data_type, is_past, now),
            Event::Asked {
                question,
                item,
                data_type,
            } => self.on_asked(question, &item, data_type, now),
            Event::Present(gateway) => self.crossing.present(gateway, now),
            Event::Unpublished(name) => {
                self.counters.count("unpublished");
                self.crossing.failed(&name);
            }
            Event::Wakeup => self.on_wakeup(now),
            Event::Inbound {
                conn,
                remote,
                local,
            } => {
                self.with_peers(|peers, _| peers.on_inbound(conn, remote, local, now));
            }
            Event::Outbound {
                conn,
                address,
                local,
            } => {
                self.with_peers(|peers, _| peers.on_outbound(conn, address, local, now));
            }
            Event::Undialled(address) => self.with_peers(|peers, _| peers.on_undialled(address)),
            Event::Solved(conn, challenge) => {
                self.with_peers(|peers, _| peers.on_solved(conn, challenge, now));
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Wakeup`] has something to do.
    pub(crate) fn next_wakeup(&self) -> Option<Instant> {
        let peers = self.peers.as_ref().and_then(Peers::next_wakeup);
        let crossing = self.crossing.next_wakeup();
        [self.ballots.next_wakeup(), peers, crossing]
            .into_iter()
            .flatten()
            .min()
    }

    // Modules.

    fn on_module(&mut self, conn: ConnId) {
        if self.modules.len() >= MODULES_MAX {
            self.close(conn, "too_many_modules");
            return;
        }
        self.modules.insert(conn, BTreeSet::new());
        self.counters.count("module_connected");
    }

    fn on_module_frame(&mut self, conn: ConnId, frame: Frame, now: Instant) {
        match frame {
            Frame::Announce {
                ttl,
                data_type,
                data,
            } => self.on_announce(conn, ttl, data_type, data, now),
            Frame::Notify { data_type } => self.on_notify(conn, data_type),
            Frame::Validation { id, valid } => self.on_vote(conn, id, valid, now),
            _ => self.close(conn, "wrong_port"),
        }
    }

    fn on_notify(&mut self, conn: ConnId, data_type: u16) {
        let is_first = !self.has_subscriber(data_type);
        let types: BTreeSet<_> = self.modules.values().flatten().collect();
        if is_first && types.len() >= TYPES_MAX {
            self.close(conn, "too_many_types");
            return;
        }
        if let Some(types) = self.modules.get_mut(&conn)
            && types.insert(data_type)
        {
            self.counters.count("subscribed");
        }
        if is_first {
            self.actions.push(Action::Listen(data_type));
        }
    }

    fn on_announce(&mut self, conn: ConnId, ttl: u8, data_type: u16, data: Bytes, now: Instant) {
        self.counters.count("announced");
        let [.., first, second] = self.chance.next_u64().to_be_bytes();
        let word = Word {
            id: u16::from_be_bytes([first, second]),
            // 0 is without bound, 1 goes no further than here, and bruit is one hop.
            reach: ttl.checked_sub(1).unwrap_or(ANYWHERE),
            data_type,
            data,
        };
        self.actions.push(Action::Tell(told("announced", &word)));
        let except = (!self.settings.notify_announcer).then_some(conn);
        self.ask_or_pass(word, Source::Module(conn), except, now);
    }

    fn on_vote(&mut self, conn: ConnId, id: u16, valid: bool, now: Instant) {
        match self.ballots.vote(id, conn) {
            Ok(ballot) => {
                self.counters
                    .count(if valid { "accepted" } else { "rejected" });
                self.decide(ballot, valid, now);
            }
            Err(NoVote::Closed) => self.counters.count("vote_late"),
            Err(NoVote::NotAsked) => self.counters.count("vote_unasked"),
        }
    }

    fn on_closed(&mut self, conn: ConnId, now: Instant) {
        let Some(types) = self.modules.remove(&conn) else {
            self.with_peers(|peers, _| peers.on_closed(conn, now));
            return;
        };
        for data_type in types {
            if !self.has_subscriber(data_type) {
                self.actions.push(Action::Unlisten(data_type));
            }
        }
    }

    fn has_subscriber(&self, data_type: u16) -> bool {
        self.modules
            .values()
            .any(|types| types.contains(&data_type))
    }

    fn subscribers(&self, data_type: u16, except: Option<ConnId>) -> BTreeSet<ConnId> {
        let all = self
            .modules
            .iter()
            .filter(|(_, types)| types.contains(&data_type));
        all.map(|(conn, _)| *conn)
            .filter(|conn| Some(*conn) != except)
            .collect()
    }

    // Words.

    /// Asks the modules, or passes the word on where there are none to ask.
    fn ask_or_pass(&mut self, word: Word, source: Source, except: Option<ConnId>, now: Instant) {
        let name = word.name();
        let voters = self.subscribers(word.data_type, except);
        let is_askable = word.data.len() <= NOTIFICATION_DATA_MAX;
        if voters.is_empty() || !is_askable {
            if !voters.is_empty() {
                self.counters.count("too_big_for_modules");
            }
            self.remember(name, Fate::Passed, now);
            self.pass(word, source, now);
            return;
        }
        match self.notify(word, source, voters, now) {
            Some(id) => self.remember(name, Fate::Asked(id), now),
            // Whoever announces faster than modules vote is not passed on unseen.
            None => self.counters.count("too_many_ballots"),
        }
    }

    /// Tells `voters` of a word; answers the id they vote on.
    fn notify(
        &mut self,
        word: Word,
        source: Source,
        voters: BTreeSet<ConnId>,
        now: Instant,
    ) -> Option<u16> {
        let (data_type, data) = (word.data_type, word.data.clone());
        let id = self.ballots.open(word, source, voters.clone(), now)?;
        let frame = Frame::Notification {
            id,
            data_type,
            data,
        };
        self.counters.add("notified", count(voters.len()));
        self.send_to(voters, &frame);
        Some(id)
    }

    fn decide(&mut self, ballot: Ballot, is_good: bool, now: Instant) {
        // A word is dropped, and nobody is muted for it: who signed its bulletin speaks for many modules.
        let verdict = if is_good {
            Verdict::Accept
        } else {
            Verdict::Ignore
        };
        for question in &ballot.questions {
            self.actions.push(Action::Answer(*question, verdict));
        }
        if ballot.source == Source::Past {
            return;
        }
        let fate = if is_good { Fate::Passed } else { Fate::Stopped };
        self.remember(ballot.word.name(), fate, now);
        if is_good {
            self.pass(ballot.word, ballot.source, now);
        }
    }

    /// Passes a word on to the sides it did not come from.
    fn pass(&mut self, word: Word, source: Source, now: Instant) {
        match source {
            // At reach 0 it was for the modules here.
            Source::Module(_) if word.reach == 0 => {}
            Source::Module(conn) => {
                self.crossing.crossed(word.name(), None, now);
                self.publish(&word, Some(conn));
                self.tell_peers(&word, None, now);
            }
            Source::Peer(conn) => {
                self.tell_peers(&word, Some(conn), now);
                match self.crossing.came(word.name(), word, now) {
                    Turn::Now(word) => self.publish(&word, Some(conn)),
                    Turn::Later => self.counters.count("waits_for_turn"),
                    Turn::Known => self.counters.count("crossed_already"),
                }
            }
            // The node delivers it now, and peers are told with that.
            Source::Bruit | Source::Past => {}
        }
    }

    fn publish(&mut self, word: &Word, sender: Option<ConnId>) {
        self.counters.count("published");
        let (post, name) = (word.post(), word.name());
        self.actions.push(Action::Publish { post, name, sender });
    }

    fn tell_peers(&mut self, word: &Word, from: Option<ConnId>, now: Instant) {
        if let Some(known) = self.known.get(&word.name(), now) {
            known.is_out = true;
        }
        let Some(peers) = self.peers.as_mut().filter(|_| word.reach > 0) else {
            return;
        };
        if word.data.len() > PEER_DATA_MAX {
            self.counters.count("too_big_for_peers");
            return;
        }
        let targets = peers.targets(from, &mut self.chance, now);
        let frame = Frame::PeerNotification {
            ttl: word.reach,
            id: word.id,
            data_type: word.data_type,
            data: word.data.clone(),
        };
        self.counters.add("peers_told", count(targets.len()));
        self.send_to(targets, &frame);
        self.take_deeds();
    }

    fn remember(&mut self, name: ForeignId, fate: Fate, now: Instant) {
        let is_out = self.known.get(&name, now).is_some_and(|known| known.is_out);
        self.known.insert(name, Known { fate, is_out }, now);
    }

    // Bulletins.

    fn on_asked(&mut self, question: u64, item: &Item, data_type: u16, now: Instant) {
        let (word, _) = Word::of(item, data_type);
        let known = self.known.get(&word.name(), now).map(|known| known.fate);
        match known {
            Some(Fate::Asked(id)) if self.ballots.wait(id, question) => {}
            Some(Fate::Passed) => self.actions.push(Action::Answer(question, Verdict::Accept)),
            Some(Fate::Stopped) => self.actions.push(Action::Answer(question, Verdict::Ignore)),
            _ => self.ask_for_node(question, word, now),
        }
    }

    fn ask_for_node(&mut self, question: u64, word: Word, now: Instant) {
        let name = word.name();
        let voters = self.subscribers(word.data_type, None);
        if voters.is_empty() || word.data.len() > NOTIFICATION_DATA_MAX {
            self.actions.push(Action::Answer(question, Verdict::Accept));
            return;
        }
        // Without room the question stays unanswered, which the node takes as no opinion.
        match self.notify(word, Source::Bruit, voters, now) {
            Some(id) => {
                self.ballots.wait(id, question);
                self.remember(name, Fate::Asked(id), now);
            }
            None => self.counters.count("too_many_ballots"),
        }
    }

    fn on_heard(&mut self, item: &Item, data_type: u16, is_past: bool, now: Instant) {
        let (word, is_gateways) = Word::of(item, data_type);
        let name = word.name();
        self.crossing
            .crossed(name, is_gateways.then_some(item.author), now);
        if is_past {
            self.remember(name, Fate::Passed, now);
            self.tell_no_peer(&name, now);
            return;
        }
        let known = self.known.get(&name, now).copied();
        if known.is_none() {
            // Published here by somebody else than a module, or judged before modules subscribed.
            self.remember(name, Fate::Passed, now);
            let voters = self.subscribers(data_type, None);
            if word.data.len() <= NOTIFICATION_DATA_MAX && !voters.is_empty() {
                self.notify(word.clone(), Source::Past, voters, now);
            }
        }
        if !known.is_some_and(|known| known.is_out) {
            self.actions
                .push(Action::Tell(told("heard", &word).text("id", &item.id)));
            self.tell_peers(&word, None, now);
        }
    }

    fn tell_no_peer(&mut self, name: &ForeignId, now: Instant) {
        if let Some(known) = self.known.get(name, now) {
            known.is_out = true;
        }
    }

    // Peers.

    fn on_peer_frame(&mut self, conn: ConnId, frame: Frame, now: Instant) {
        match frame {
            Frame::PeerNotification {
                ttl,
                id,
                data_type,
                data,
            } => {
                let is_believed = self
                    .peers
                    .as_ref()
                    .is_some_and(|peers| peers.is_believed(conn));
                if !is_believed {
                    self.counters.count("stranger_notified");
                    return;
                }
                let reach = ttl.saturating_sub(1);
                self.on_peer_word(
                    conn,
                    Word {
                        id,
                        reach,
                        data_type,
                        data,
                    },
                    now,
                );
            }
            frame => self.with_peers(|peers, chance| peers.on_frame(conn, &frame, chance, now)),
        }
    }

    fn on_peer_word(&mut self, conn: ConnId, word: Word, now: Instant) {
        if self.known.contains(&word.name(), now) {
            self.counters.count("peer_word_known");
            return;
        }
        self.counters.count("peer_word_new");
        self.actions.push(Action::Tell(told("peer_word", &word)));
        self.ask_or_pass(word, Source::Peer(conn), None, now);
    }

    fn with_peers(&mut self, act: impl FnOnce(&mut Peers, &mut ChaCha8Rng)) {
        if let Some(peers) = &mut self.peers {
            act(peers, &mut self.chance);
        }
        self.take_deeds();
    }

    fn take_deeds(&mut self) {
        let deeds = self
            .peers
            .as_mut()
            .map(Peers::take_deeds)
            .unwrap_or_default();
        for deed in deeds {
            match deed {
                Deed::Send(conn, frame) => self.send(conn, &frame),
                Deed::Close(conn, reason) => self.close(conn, reason),
                Deed::Dial(address) => self.actions.push(Action::Dial(address)),
                Deed::Solve(conn, nonce) => self.actions.push(Action::Solve(conn, nonce)),
                Deed::Count(what) => self.counters.count(what),
                Deed::Member(address, is_new) => {
                    let event = if is_new {
                        "member_joined"
                    } else {
                        "member_left"
                    };
                    self.counters.count(event);
                    self.actions
                        .push(Action::Tell(Told::new(event).text("address", &address)));
                }
            }
        }
    }

    // Time, and the way out.

    fn on_wakeup(&mut self, now: Instant) {
        for ballot in self.ballots.overdue(now) {
            if ballot.source != Source::Past {
                self.counters.count("ignored");
            }
            self.decide(ballot, false, now);
        }
        for (_, word) in self.crossing.due(now) {
            self.publish(&word, None);
        }
        self.with_peers(|peers, _| peers.on_wakeup(now));
    }

    fn send(&mut self, conn: ConnId, frame: &Frame) {
        self.send_to([conn], frame);
    }

    /// Sends one frame to several, encoded once.
    fn send_to(&mut self, conns: impl IntoIterator<Item = ConnId>, frame: &Frame) {
        match frame.encode() {
            Ok(bytes) => {
                let sends = conns
                    .into_iter()
                    .map(|conn| Action::Send(conn, bytes.clone()));
                self.actions.extend(sends);
            }
            Err(error) => tracing::error!(%error, "a frame was not sent"),
        }
    }

    fn close(&mut self, conn: ConnId, reason: &'static str) {
        self.counters.count(reason);
        self.actions.push(Action::Close(conn));
    }

    /// Members over these connections, without their handshakes.
    #[cfg(test)]
    pub(crate) fn members_for_tests(&mut self, conns: &[u16], now: Instant) {
        for conn in conns {
            self.with_peers(|peers, _| peers.enrol_for_tests(ConnId((*conn).into()), *conn, now));
        }
        self.actions.clear();
    }

    /// How much is kept: modules, ballots, words, connections to peers and dials, for the bounds in tests.
    #[cfg(test)]
    pub(crate) fn footprint(&self) -> [usize; 5] {
        let (conns, dials) = self
            .peers
            .as_ref()
            .map(Peers::footprint)
            .unwrap_or_default();
        [
            self.modules.len(),
            self.ballots.len(),
            self.known.len(),
            conns,
            dials,
        ]
    }
}

fn told(event: &'static str, word: &Word) -> Told {
    Told::new(event)
        .number("data_type", word.data_type)
        .number("message_id", word.id)
        .number("size", count(word.data.len()))
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
