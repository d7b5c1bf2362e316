//! What waits to be sent: queues per link, ordered by importance and price, sent within the
//! transport's credit (R8). So a slow link is known here, and nothing is dropped behind our back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::broadcast::Push;
use crate::id::{LinkId, ShortId};
use crate::link::Class;
use crate::link_map::LinkMap;
use crate::time::Mono;

/// How much may wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Frames waiting on one stream of a link. Default 512.
    pub frames_max: usize,
    /// Bytes waiting on one stream of a link. Default 1 MiB.
    pub bytes_max: usize,
    /// Bytes waiting on all links together. Default 64 MiB.
    pub total_bytes_max: usize,
    /// Chunks of large contents go only while no more than this waits in the transport, so that a bulletin that
    /// comes behind them does not wait long. Less costs throughput on fast links. Default 64 KiB.
    pub bulk_ahead_bytes: u64,
    /// A link whose oldest waiting bulletin is older is announced to only, until it has drained.
    /// Default 2 s.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            frames_max: 512,
            bytes_max: 1 << 20,
            total_bytes_max: 64 << 20,
            bulk_ahead_bytes: 64 << 10,
            patience: Duration::from_secs(2),
        }
    }
}

/// What the queues want done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Hand a frame to the transport.
    Send {
        /// On which link.
        link: LinkId,
        /// On which stream.
        class: Class,
        /// The frame.
        frame: Bytes,
    },
    /// A bulletin had to go: announce it instead.
    Dropped {
        /// To whom.
        link: LinkId,
        /// Which.
        id: ShortId,
        /// Along which tree it went.
        root_tag: u64,
    },
    /// The link's bulletins wait too long, or no longer.
    Slow {
        /// Which link.
        link: LinkId,
        /// Whether it is slow from now on.
        is_slow: bool,
    },
    /// A chunk of a large content was handed to the transport.
    BulkSent {
        /// On which link.
        link: LinkId,
    },
    /// The control queue is full: the peer does not read.
    Overflow {
        /// Which link.
        link: LinkId,
    },
}

/// A bulletin waiting in the relay queue, cheapest first, youngest first among equals.
type RelayKey = (crate::work::Density, std::cmp::Reverse<u64>);

#[derive(Debug, Clone)]
struct Waiting {
    id: ShortId,
    root_tag: u64,
    frame: Bytes,
    since: Mono,
}

impl Waiting {
    const fn dropped(&self, link: LinkId) -> Fact {
        Fact::Dropped {
            link,
            id: self.id,
            root_tag: self.root_tag,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Queues {
    control_credit: u64,
    bulletins_credit: u64,
    control: VecDeque<Bytes>,
    control_bytes: usize,
    own: VecDeque<(Mono, Bytes)>,
    own_bytes: usize,
    relay: BTreeMap<RelayKey, Waiting>,
    bulletins_bytes: usize,
    /// The most credit there was: what is missing of it waits in the transport.
    bulletins_window: u64,
    /// Chunks of large contents: behind everything else. Who queues them waits for them to go.
    bulk: VecDeque<Bytes>,
    is_slow: bool,
    is_overflown: bool,
}

/// The queues of all links.
#[derive(Debug, Clone)]
pub struct Outbox {
    config: Config,
    links: LinkMap<Queues>,
    total_bytes: usize,
    arrivals: u64,
    dropped: u64,
}

impl Outbox {
    /// No links yet.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            links: LinkMap::new(),
            total_bytes: 0,
            arrivals: 0,
            dropped: 0,
        }
    }

    /// Opens the queues of a link with the transport's first credit.
    pub fn link_up(&mut self, link: LinkId, control_credit: u32, bulletins_credit: u32) {
        let queues = Queues {
            control_credit: control_credit.into(),
            bulletins_credit: bulletins_credit.into(),
            bulletins_window: bulletins_credit.into(),
            ..Queues::default()
        };
        self.links.insert(link, queues);
    }

    /// Drops what waits for a link that is gone.
    pub fn link_down(&mut self, link: LinkId) {
        if let Some(queues) = self.links.remove(&link) {
            let bulk = queues.bulk.iter().map(Bytes::len);
            let bytes = bulk.fold(queues.control_bytes, usize::saturating_add);
            let bytes = bytes.saturating_add(queues.bulletins_bytes);
            self.total_bytes = self.total_bytes.saturating_sub(bytes);
        }
    }

    /// The links of which anything is kept.
    pub fn held(&self) -> impl Iterator<Item = LinkId> {
        self.links.keys().copied()
    }

    /// Queues a frame that steers.
    pub fn control(&mut self, link: LinkId, frame: Bytes) -> Option<Fact> {
        let queues = self.links.get_mut(&link)?;
        if queues.control.is_empty() && take_credit(&mut queues.control_credit, &frame) {
            return Some(Fact::Send {
                link,
                class: Class::Control,
                frame,
            });
        }
        let bytes = queues.control_bytes.saturating_add(frame.len());
        if queues.control.len() >= self.config.frames_max || bytes > self.config.bytes_max {
            let first = !std::mem::replace(&mut queues.is_overflown, true);
            return first.then_some(Fact::Overflow { link });
        }
        queues.control_bytes = bytes;
        self.total_bytes = self.total_bytes.saturating_add(frame.len());
        queues.control.push_back(frame);
        None
    }

    /// Queues a frame of the bulletins stream that goes before all relayed bulletins. Answers
    /// whether there was room.
    pub fn own(&mut self, link: LinkId, frame: Bytes, now: Mono) -> (Vec<Fact>, bool) {
        let Some(queues) = self.links.get_mut(&link) else {
            return (Vec::new(), false);
        };
        if queues.own.is_empty()
            && queues.relay.is_empty()
            && take_credit(&mut queues.bulletins_credit, &frame)
        {
            return (
                vec![Fact::Send {
                    link,
                    class: Class::Bulletins,
                    frame,
                }],
                true,
            );
        }
        let own_bytes = queues.own_bytes.saturating_add(frame.len());
        if queues.own.len() >= self.config.frames_max || own_bytes > self.config.bytes_max {
            return (Vec::new(), false);
        }
        queues.own_bytes = own_bytes;
        queues.bulletins_bytes = queues.bulletins_bytes.saturating_add(frame.len());
        self.total_bytes = self.total_bytes.saturating_add(frame.len());
        queues.own.push_back((now, frame));
        // What is relayed gives way.
        let mut facts = self.shed(link);
        facts.extend(self.check_pace(link, now));
        (facts, true)
    }

    /// Queues a chunk of a large content: it goes when nothing else waits. [`Fact::BulkSent`] tells when it has
    /// gone; whoever queues has at most [`limits::CHUNKS_IN_HAND_MAX`](crate::limits::CHUNKS_IN_HAND_MAX) under
    /// way for each link.
    pub fn bulk(&mut self, link: LinkId, frame: Bytes) -> Vec<Fact> {
        let Some(queues) = self.links.get_mut(&link) else {
            return Vec::new();
        };
        self.total_bytes = self.total_bytes.saturating_add(frame.len());
        queues.bulk.push_back(frame);
        self.send_bulk(link)
    }

    /// Sends the chunks that may go now.
    fn send_bulk(&mut self, link: LinkId) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Some(queues) = self.links.get_mut(&link) else {
            return facts;
        };
        while let Some(frame) = queues.next_bulk(self.config.bulk_ahead_bytes) {
            self.total_bytes = self.total_bytes.saturating_sub(frame.len());
            let class = Class::Bulletins;
            facts.push(Fact::Send { link, class, frame });
            facts.push(Fact::BulkSent { link });
        }
        facts
    }

    /// Queues a bulletin. When there is no room the cheapest goes, perhaps this one.
    pub fn push(&mut self, push: Push, now: Mono) -> Vec<Fact> {
        let Push {
            link,
            id,
            root_tag,
            density,
            own,
            frame,
        } = push;
        if own {
            let (facts, queued) = self.own(link, frame, now);
            return if queued {
                facts
            } else {
                vec![Fact::Dropped { link, id, root_tag }]
            };
        }
        let Some(queues) = self.links.get_mut(&link) else {
            return Vec::new();
        };
        if queues.own.is_empty()
            && queues.relay.is_empty()
            && take_credit(&mut queues.bulletins_credit, &frame)
        {
            return vec![Fact::Send {
                link,
                class: Class::Bulletins,
                frame,
            }];
        }
        self.arrivals = self.arrivals.wrapping_add(1);
        let bytes = frame.len();
        queues.bulletins_bytes = queues.bulletins_bytes.saturating_add(bytes);
        self.total_bytes = self.total_bytes.saturating_add(bytes);
        let key = (density, std::cmp::Reverse(self.arrivals));
        queues.relay.insert(
            key,
            Waiting {
                id,
                root_tag,
                frame,
                since: now,
            },
        );
        let mut facts = self.shed(link);
        facts.extend(self.check_pace(link, now));
        facts
    }

    /// Lets the cheapest bulletins of `link` go until its queue is within bounds.
    fn shed(&mut self, link: LinkId) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Some(queues) = self.links.get_mut(&link) else {
            return facts;
        };
        while queues.relay.len() > self.config.frames_max
            || queues.bulletins_bytes > self.config.bytes_max
        {
            let Some(waiting) = queues.take_cheapest() else {
                break;
            };
            self.total_bytes = self.total_bytes.saturating_sub(waiting.frame.len());
            facts.push(waiting.dropped(link));
        }
        while self.total_bytes > self.config.total_bytes_max {
            // Those with the longest queues pay, not who happens to be sent to now.
            let longest = self
                .links
                .iter_mut()
                .filter(|(_, queues)| !queues.relay.is_empty());
            let longest = longest.max_by_key(|(_, queues)| queues.bulletins_bytes);
            let Some((link, waiting)) =
                longest.and_then(|(link, queues)| Some((*link, queues.take_cheapest()?)))
            else {
                break;
            };
            self.total_bytes = self.total_bytes.saturating_sub(waiting.frame.len());
            facts.push(waiting.dropped(link));
        }
        self.dropped = self
            .dropped
            .saturating_add(u64::try_from(facts.len()).unwrap_or(0));
        facts
    }

    /// Tells when a link begins or ceases to be slow.
    fn check_pace(&mut self, link: LinkId, now: Mono) -> Option<Fact> {
        let queues = self.links.get_mut(&link)?;
        let own = queues.own.front().map(|(since, _)| *since);
        let relayed = queues.relay.values().map(|waiting| waiting.since);
        let oldest = relayed.chain(own).min();
        let is_slow = match oldest {
            Some(since) => queues.is_slow || now.since(since) > self.config.patience,
            None => false,
        };
        (is_slow != queues.is_slow).then(|| {
            queues.is_slow = is_slow;
            Fact::Slow { link, is_slow }
        })
    }

    /// Takes more credit from the transport and sends what it allows.
    pub fn credit(&mut self, link: LinkId, class: Class, bytes: u32, now: Mono) -> Vec<Fact> {
        let Some(queues) = self.links.get_mut(&link) else {
            return Vec::new();
        };
        let mut facts = Vec::new();
        let mut sent = 0_usize;
        match class {
            Class::Control => {
                queues.control_credit = queues.control_credit.saturating_add(bytes.into());
                while let Some(frame) = queues.control.front() {
                    if !take_credit(&mut queues.control_credit, frame) {
                        break;
                    }
                    let Some(frame) = queues.control.pop_front() else {
                        break;
                    };
                    sent = sent.saturating_add(frame.len());
                    facts.push(Fact::Send { link, class, frame });
                }
                queues.control_bytes = queues.control_bytes.saturating_sub(sent);
            }
            Class::Bulletins => {
                queues.bulletins_credit = queues.bulletins_credit.saturating_add(bytes.into());
                queues.bulletins_window = queues.bulletins_window.max(queues.bulletins_credit);
                while let Some(frame) = queues.next_bulletin() {
                    sent = sent.saturating_add(frame.len());
                    facts.push(Fact::Send { link, class, frame });
                }
                queues.bulletins_bytes = queues.bulletins_bytes.saturating_sub(sent);
            }
        }
        self.total_bytes = self.total_bytes.saturating_sub(sent);
        if class == Class::Bulletins {
            facts.extend(self.send_bulk(link));
        }
        facts.extend(self.check_pace(link, now));
        facts
    }

    /// Bytes waiting on all links.
    pub const fn total_bytes(&self) -> usize {
        self.total_bytes
    }

    /// Bulletins that had to go so far.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether bulletins made here would wait on half of the links or more, those not counted that
    /// keep everything waiting: publishers are told.
    pub fn is_backed_up(&self) -> bool {
        let half = self.config.bytes_max / 2;
        let brisk = self.links.values().filter(|queues| !queues.is_slow);
        let (mut all, mut full) = (0_usize, 0_usize);
        for queues in brisk {
            all = all.saturating_add(1);
            let waits = queues.own_bytes > half
                || queues.own.len().saturating_mul(2) > self.config.frames_max;
            full = full.saturating_add(usize::from(waits));
        }
        if all == 0 {
            return !self.links.is_empty();
        }
        full.saturating_mul(2) >= all
    }
}

impl Queues {
    /// The next frame of the bulletins stream for which there is credit: own first, then the
    /// dearest, then the oldest.
    fn take_cheapest(&mut self) -> Option<Waiting> {
        let (_, waiting) = self.relay.pop_first()?;
        self.bulletins_bytes = self.bulletins_bytes.saturating_sub(waiting.frame.len());
        Some(waiting)
    }

    /// The next chunk, when nothing else waits and little of what was sent does.
    fn next_bulk(&mut self, ahead: u64) -> Option<Bytes> {
        if !self.own.is_empty() || !self.relay.is_empty() {
            return None;
        }
        let bytes = wire_bytes(self.bulk.front()?);
        let under_way = self.bulletins_window.saturating_sub(self.bulletins_credit);
        if under_way > 0 && under_way.saturating_add(bytes) > ahead {
            return None;
        }
        self.bulletins_credit = self.bulletins_credit.checked_sub(bytes)?;
        self.bulk.pop_front()
    }

    fn next_bulletin(&mut self) -> Option<Bytes> {
        if let Some((_, frame)) = self.own.front() {
            let (_, frame) = take_credit(&mut self.bulletins_credit, frame)
                .then(|| self.own.pop_front())
                .flatten()?;
            self.own_bytes = self.own_bytes.saturating_sub(frame.len());
            return Some(frame);
        }
        let entry = self.relay.last_entry()?;
        take_credit(&mut self.bulletins_credit, &entry.get().frame).then(|| entry.remove().frame)
    }
}

/// Bytes of a frame on the wire, its length prefix included.
fn wire_bytes(frame: &Bytes) -> u64 {
    u64::try_from(frame.len())
        .unwrap_or(u64::MAX)
        .saturating_add(4)
}

fn take_credit(credit: &mut u64, frame: &Bytes) -> bool {
    match credit.checked_sub(wire_bytes(frame)) {
        Some(left) => {
            *credit = left;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::work::Density;

    const LINK: LinkId = LinkId::new(1);

    fn outbox(credit: u32) -> Outbox {
        let config = Config {
            frames_max: 3,
            ..Config::default()
        };
        let mut outbox = Outbox::new(config);
        outbox.link_up(LINK, credit, credit);
        outbox
    }

    fn push(number: u8, bits: u8) -> Push {
        Push {
            link: LINK,
            id: ShortId::from_bytes([number; 16]),
            root_tag: 1,
            density: Density::of(bits, 1_000, Duration::ZERO),
            own: false,
            frame: vec![number; 100].into(),
        }
    }

    fn sent(facts: &[Fact]) -> Vec<u8> {
        facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Send { frame, .. } => frame.first().copied(),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_chunk_waits_for_bulletins_and_for_what_was_sent_before() {
        let mut outbox = Outbox::new(Config::default());
        outbox.link_up(LINK, 200_000, 200_000);
        let chunk = |number: u8| Bytes::from(vec![number; 16_000]);
        // What is ahead of a bulletin that comes now is bounded, however much credit there is.
        let gone: Vec<u8> = (1..=9)
            .flat_map(|n| sent(&outbox.bulk(LINK, chunk(n))))
            .collect();
        assert_eq!(gone, [1, 2, 3, 4]);
        assert_eq!(sent(&outbox.push(push(20, 1), Mono::ZERO)), [20]);
        let facts = outbox.credit(LINK, Class::Bulletins, 32_112, Mono::ZERO);
        assert_eq!(sent(&facts), [5, 6]);
        let told = facts
            .iter()
            .filter(|fact| **fact == Fact::BulkSent { link: LINK });
        assert_eq!(told.count(), 2);
        // A bulletin that waits for credit goes before any chunk.
        let mut outbox = Outbox::new(Config::default());
        outbox.link_up(LINK, 17_000, 17_000);
        assert_eq!(sent(&outbox.bulk(LINK, chunk(1))), [1]);
        assert_eq!(sent(&outbox.bulk(LINK, chunk(2))), []);
        let mut waits = push(21, 1);
        waits.frame = vec![21; 2_000].into();
        assert_eq!(sent(&outbox.push(waits, Mono::ZERO)), []);
        let facts = outbox.credit(LINK, Class::Bulletins, 16_004, Mono::ZERO);
        assert_eq!(sent(&facts), [21]);
        let facts = outbox.credit(LINK, Class::Bulletins, 2_004, Mono::ZERO);
        assert_eq!(sent(&facts), [2]);
        outbox.link_down(LINK);
        assert_eq!(outbox.total_bytes(), 0);
    }

    #[test]
    fn nothing_is_sent_beyond_credit_and_the_dearest_goes_first() {
        let mut outbox = outbox(104);
        assert_eq!(sent(&outbox.push(push(1, 10), Mono::ZERO)), [1]);
        assert_eq!(sent(&outbox.push(push(2, 10), Mono::ZERO)), []);
        assert_eq!(sent(&outbox.push(push(3, 20), Mono::ZERO)), []);
        assert_eq!(sent(&outbox.push(push(4, 10), Mono::ZERO)), []);
        let facts = outbox.credit(LINK, Class::Bulletins, 208, Mono::ZERO);
        assert_eq!(sent(&facts), [3, 2]);
        assert_eq!(outbox.total_bytes(), 100);
    }

    #[test]
    fn the_cheapest_is_dropped_and_named_when_the_queue_is_full() {
        let mut outbox = outbox(0);
        for (number, bits) in [(1, 10), (2, 20), (3, 15)] {
            outbox.push(push(number, bits), Mono::ZERO);
        }
        let facts = outbox.push(push(4, 12), Mono::ZERO);
        let id = ShortId::from_bytes([1; 16]);
        assert_eq!(
            facts,
            [Fact::Dropped {
                link: LINK,
                id,
                root_tag: 1
            }]
        );
        assert_eq!(outbox.dropped(), 1);
    }

    #[test]
    fn a_link_is_slow_when_its_oldest_bulletin_waits_two_seconds_until_it_has_drained() {
        let mut outbox = outbox(0);
        outbox.push(push(1, 10), Mono::ZERO);
        let later = Mono::from_micros(2_100_000);
        let facts = outbox.push(push(2, 10), later);
        assert_eq!(
            facts,
            [Fact::Slow {
                link: LINK,
                is_slow: true
            }]
        );
        let facts = outbox.credit(LINK, Class::Bulletins, 10_000, later);
        assert!(facts.contains(&Fact::Slow {
            link: LINK,
            is_slow: false
        }));
    }

    #[test]
    fn a_full_control_queue_is_reported_once() {
        let mut outbox = outbox(0);
        for _ in 0..3 {
            assert_eq!(outbox.control(LINK, Bytes::from_static(b"x")), None);
        }
        let overflow = Some(Fact::Overflow { link: LINK });
        assert_eq!(outbox.control(LINK, Bytes::from_static(b"x")), overflow);
        assert_eq!(outbox.control(LINK, Bytes::from_static(b"x")), None);
    }

    #[test]
    fn own_bulletins_overtake_relayed_ones() {
        let mut outbox = outbox(0);
        outbox.push(push(1, 30), Mono::ZERO);
        outbox.push(
            Push {
                own: true,
                ..push(2, 1)
            },
            Mono::ZERO,
        );
        let facts = outbox.credit(LINK, Class::Bulletins, 10_000, Mono::ZERO);
        assert_eq!(sent(&facts), [2, 1]);
    }
}
