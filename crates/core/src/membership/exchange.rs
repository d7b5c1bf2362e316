//! Addresses: asking for them, giving them, believing them.

use std::net::SocketAddr;
use std::time::Duration;

use super::book::{Entry, Inserted, Told, usable};
use super::group::{Reach, group_of, reach_of};
use super::links::{Link, Role};
use super::{Fact, Membership, Timer};
use crate::id::{LinkId, NodeId};
use crate::intake::Verified;
use crate::limits;
use crate::record::Record;
use crate::time::{Mono, Now};
use crate::wire::Frame;

/// Records a link may have verified at once, in thousandths, and per second: 0.1.
pub(super) const BURST: u64 = 16_000;
const PER_SECOND: u64 = 100;
/// A book larger than this is shown in parts.
const WHOLE_BOOK: usize = 64;
/// The part shown to one requester group, per cent.
const PART: usize = 23;
/// How long a requester group is shown the same part, in seconds.
const PART_SECONDS: u64 = 24 * 3_600;
/// A record that is being verified is not verified again within this time.
const CHECKING: Duration = Duration::from_secs(5);
/// An answer may come in parts for so long: whoever links up shortly after the question belongs to it.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Records gather for so long before one is chosen to be dialled, or the first of an answer would
/// take every slot.
const GATHER: Duration = Duration::from_millis(50);
/// A link beyond our slots is closed so long after its question was answered.
const COURTESY_TIME: Duration = Duration::from_millis(500);

/// By whom a record came, and how near its addresses may lie. Good for longer than the link.
#[derive(Debug, Clone, Copy)]
pub struct Teller(Told);

impl Membership {
    /// A neighbour asks for addresses.
    pub fn on_peers_req(&mut self, id: LinkId, now: Now) -> Vec<Fact> {
        let soonest = self
            .config
            .exchange_interval
            .saturating_mul(4)
            .checked_div(5);
        let Some(link) = self
            .links
            .get_mut(id)
            .filter(|link| link.established.is_some())
        else {
            return Vec::new();
        };
        if link
            .answered
            .is_some_and(|at| now.mono.since(at) < soonest.unwrap_or_default())
        {
            return Vec::new();
        }
        link.answered = Some(now.mono);
        let (peer, courtesy) = (link.peer, link.role == Role::Courtesy);
        let group = group_of(link.remote, &peer, self.config.private_exempt);
        let mut hasher = blake3::Hasher::new_keyed(self.book.key());
        super::group::hash_group(hasher.update(b"part"), group);
        let records = self.shown(&peer, hasher, now);
        if let Some(link) = self.links.get_mut(id) {
            link.owed = limits::RECORDS_MAX.saturating_sub(records.len());
        }
        if courtesy {
            self.timers
                .set(Timer::Link(id), now.mono.plus(COURTESY_TIME));
        }
        if records.is_empty() {
            return Vec::new();
        }
        vec![Fact::Send {
            link: id,
            frame: Frame::Peers { records },
        }]
    }

    /// At most 16 records of responsive peers; of a large book always the same few for one group of
    /// requesters, so that nobody reads the whole by asking often.
    fn shown(&mut self, requester: &NodeId, mut part: blake3::Hasher, now: Now) -> Vec<Record> {
        let large = self.book.len() > WHOLE_BOOK;
        let share = self.book.len().saturating_mul(PART) / 100;
        let most = if large {
            share.min(limits::RECORDS_MAX)
        } else {
            limits::RECORDS_MAX
        };
        if large {
            let period = now.mono.since(Mono::ZERO).as_secs() / PART_SECONDS;
            part.update(&period.to_be_bytes());
        } else {
            let mut fresh = [0; 32];
            rand_core::Rng::fill_bytes(&mut self.rng, &mut fresh);
            part.update(&fresh);
        }
        // A neighbour was met when its link was established, or when its record came after that. Ranks come first:
        // an entry is touched only if it may be among the few.
        let rank = |id: &NodeId| *part.clone().update(id.as_bytes()).finalize().as_bytes();
        let met = self.book.met().filter(|id| *id != requester);
        let mut ranked: Vec<([u8; 32], &NodeId)> = met.map(|id| (rank(id), id)).collect();
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        ranked
            .into_iter()
            .filter_map(|(_, id)| Some((id, self.book.get(id)?)))
            .filter(|(id, entry)| self.is_shown(id, entry, now))
            .map(|(_, entry)| entry.record.clone())
            .take(most)
            .collect()
    }

    /// Whether we tell others of `id`: its record holds and we know it to be there.
    fn is_advertised(&self, id: &NodeId, now: Now) -> bool {
        let entry = self.book.get(id);
        entry.is_some_and(|entry| self.is_shown(id, entry, now))
    }

    /// The same of what the book has of `id`.
    fn is_shown(&self, id: &NodeId, entry: &Entry, now: Now) -> bool {
        entry.record.body.expires > now.wall
            && match self.links.of_peer(id).and_then(|link| self.links.get(link)) {
                Some(link) => link.established.is_some() && !link.suspect,
                None => entry.is_responsive(self.config.responsive, now),
            }
    }

    /// Asks a neighbour for addresses.
    pub(super) fn ask(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        if let Some(link) = self.links.get_mut(id) {
            link.asked = Some(now.mono);
            link.expected = limits::RECORDS_MAX;
            link.allowance = (BURST, now.mono);
            facts.push(Fact::Send {
                link: id,
                frame: Frame::PeersReq,
            });
        }
    }

    /// Records arrived. Returns those worth the cost of verifying, each at most once: asked for or
    /// the sender's own, within the link's allowance, valid, and news.
    pub fn on_peers(&mut self, id: LinkId, records: Vec<Record>, now: Now) -> Vec<Record> {
        self.checking
            .retain(|_, (_, since)| now.mono.since(*since) < CHECKING);
        let mut news = Vec::new();
        for record in records {
            let Some(link) = self
                .links
                .get_mut(id)
                .filter(|link| link.established.is_some())
            else {
                break;
            };
            let own = record.body.node == link.peer;
            if !own {
                if link.expected == 0 {
                    continue;
                }
                link.expected = link.expected.saturating_sub(1);
            }
            let reach = self.reach_of_link(id);
            if self.is_news(&record, reach, now) && self.spend(id, now) {
                let key = (record.body.node, record.body.seq);
                self.checking.insert(key, (record.signature, now.mono));
                if self.checking.len() > limits::CHECKING_MAX {
                    self.checking.pop_first();
                }
                news.push(record);
            }
        }
        news
    }

    fn is_news(&self, record: &Record, reach: Reach, now: Now) -> bool {
        let body = &record.body;
        let latest = now
            .wall
            .plus(limits::RECORD_TTL_MAX)
            .plus(limits::FUTURE_MAX);
        let is_checked = || {
            let checking = self.checking.get(&(body.node, body.seq));
            checking.is_some_and(|(signature, _)| *signature == record.signature)
        };
        body.node != self.me
            && body.expires > now.wall
            && body.expires <= latest
            && usable(record, reach).next().is_some()
            && !self.book.knows(&body.node, body.seq)
            && !is_checked()
    }

    /// Takes one record off the link's allowance; whether it had any left.
    fn spend(&mut self, id: LinkId, now: Now) -> bool {
        let Some(link) = self.links.get_mut(id) else {
            return false;
        };
        let (left, since) = link.allowance;
        let gained = now.mono.since(since).as_secs().saturating_mul(PER_SECOND);
        let left = left.saturating_add(gained).min(BURST);
        let enough = left >= 1_000;
        let since = if gained > 0 { now.mono } else { since };
        link.allowance = (
            if enough {
                left.saturating_sub(1_000)
            } else {
                left
            },
            since,
        );
        enough
    }

    /// How near addresses told on a link may lie.
    fn reach_of_link(&self, id: LinkId) -> Reach {
        let remote = self.links.get(id).and_then(|link| link.remote);
        if self.own.is_ours(remote) {
            return Reach::Machine;
        }
        remote.map_or(Reach::World, |remote: SocketAddr| reach_of(remote.ip()))
    }

    /// Whoever sends records on a link; none when it is gone.
    pub fn teller(&self, id: LinkId) -> Option<Teller> {
        let link = self.links.get(id)?;
        Some(Teller(Told {
            source: link.peer,
            source_group: group_of(link.remote, &link.peer, self.config.private_exempt),
            reach: self.reach_of_link(id),
        }))
    }

    /// Whether the address book would take `record` from `teller`, were it verified.
    pub fn would_learn(&self, record: &Record, teller: Teller, now: Now) -> bool {
        self.is_news(record, teller.0.reach, now)
    }

    /// The addresses of `record` that may be dialled when `teller` tells of it.
    pub fn dialable(&self, record: &Record, teller: Teller) -> Vec<SocketAddr> {
        usable(record, teller.0.reach).collect()
    }

    /// Takes a verified record.
    pub fn on_record(&mut self, id: LinkId, record: Verified<Record>, now: Now) -> Vec<Fact> {
        let node = record.get().body.node;
        let stranger = Teller(Told {
            source: node,
            source_group: group_of(None, &node, self.config.private_exempt),
            reach: Reach::World,
        });
        let teller = self.teller(id).unwrap_or(stranger);
        self.learn(record, teller, now)
    }

    /// The same, when the link may be gone.
    pub fn learn(&mut self, record: Verified<Record>, teller: Teller, now: Now) -> Vec<Fact> {
        self.start(now);
        let record = record.into_inner();
        let node = record.body.node;
        self.checking.remove(&(node, record.body.seq));
        let told = teller.0;
        let mut facts = Vec::new();
        if node == self.me || self.book.insert(record, told, now) == Inserted::Refused {
            return facts;
        }
        self.samplers.feed(node);
        if let Some(link) = self.links.of_peer(&node).and_then(|id| self.links.get(id))
            && link.established.is_some()
        {
            if link.direction == crate::link::Direction::Out {
                self.book.good(&node, now);
            } else {
                self.book.alive(&node, now);
            }
            self.complete_answers(&node, now, &mut facts);
        }
        if self.links.outbound() < self.target() {
            self.timers
                .set_earlier(Timer::Refill, now.mono.plus(GATHER));
        }
        self.check_rejoin(now);
        facts
    }

    /// Tells of a neighbour just learned to everybody whose recent question got a short answer: or
    /// of two nodes that join a third at once, neither would hear of the other until the next.
    fn complete_answers(&mut self, node: &NodeId, now: Now, facts: &mut Vec<Fact>) {
        if self.book.len() > WHOLE_BOOK || !self.is_advertised(node, now) {
            return;
        }
        let Some(record) = self.book.get(node).map(|entry| entry.record.clone()) else {
            return;
        };
        let recent = |at: Mono| now.mono.since(at) < ANSWER_TIME;
        let waits =
            |link: &Link| link.owed > 0 && link.peer != *node && link.answered.is_some_and(recent);
        let links = self.links.iter().filter(|(_, link)| waits(link));
        let links: Vec<LinkId> = links.map(|(id, _)| id).collect();
        for id in links {
            if let Some(link) = self.links.get_mut(id) {
                link.owed = link.owed.saturating_sub(1);
                let frame = Frame::Peers {
                    records: vec![record.clone()],
                };
                facts.push(Fact::Send { link: id, frame });
            }
        }
    }
}
