//! Who got which message, when, over how many links.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bruit::BulletinId;
use bruit::view::Totals;

use super::events::{Reached, Summary, Wave, millis};
use super::world::{Arrival, Said};

/// A wave that has not reached everybody after this time is shown as it is.
const PATIENCE: Duration = Duration::from_secs(4);

/// Every message and where it came.
#[derive(Debug, Default)]
pub(super) struct Waves {
    /// In the order of their publication.
    messages: Vec<Message>,
    by_id: BTreeMap<BulletinId, usize>,
    /// What came before its publisher had the receipt, and what is nobody's of ours.
    early: Vec<Arrival>,
}

#[derive(Debug)]
struct Message {
    said: Said,
    begun: Instant,
    /// Nodes that lived when it was published, its publisher too, without those killed since.
    audience: BTreeSet<usize>,
    /// The first arrival at each node.
    arrivals: BTreeMap<usize, (u8, Instant)>,
    /// Its publisher was killed before any other node had it: nobody can be expected to get it.
    is_lost: bool,
    is_shown: bool,
}

impl Waves {
    pub(super) fn begin(&mut self, said: Said, live: &[usize]) {
        let publisher = said.node;
        self.by_id.insert(said.id, self.messages.len());
        self.messages.push(Message {
            said,
            begun: Instant::now(),
            audience: live.iter().copied().collect(),
            arrivals: BTreeMap::new(),
            is_lost: false,
            is_shown: false,
        });
        for arrival in std::mem::take(&mut self.early) {
            self.arrive(arrival);
        }
        if !live.contains(&publisher) {
            self.forget(publisher);
        }
    }

    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let Some(message) = self.by_id.get(&arrival.id) else {
            return self.early.push(arrival);
        };
        let message = &mut self.messages[*message];
        message.is_lost &= arrival.node == message.said.node;
        message
            .arrivals
            .entry(arrival.node)
            .or_insert((arrival.hops, arrival.at));
    }

    /// A node that was killed is not waited for, and what it gets later is caught up with. What it
    /// said and nobody else has counts again once somebody has it.
    pub(super) fn forget(&mut self, node: usize) {
        for message in &mut self.messages {
            if !message.arrivals.contains_key(&node) {
                message.audience.remove(&node);
            }
            let is_out = message.arrivals.keys().any(|other| *other != node);
            message.is_lost |= message.said.node == node && !is_out;
        }
    }

    /// Deliveries to `live` nodes that have not come about.
    pub(super) fn missing(&self, live: &[usize]) -> usize {
        let missing = |message: &Message| {
            live.iter()
                .filter(|node| !message.arrivals.contains_key(node))
                .count()
        };
        self.counted().map(missing).sum()
    }

    /// The messages that came out of their publisher.
    fn counted(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| !message.is_lost)
    }

    /// Waves that came to their end since the last call.
    pub(super) fn finished(&mut self) -> Vec<Wave> {
        let finished = self
            .messages
            .iter_mut()
            .filter(|message| !message.is_shown && message.is_finished());
        finished.map(Message::show).collect()
    }

    /// Ends every wave.
    pub(super) fn give_up(&mut self) {
        for message in &mut self.messages {
            message.begun = message.begun.checked_sub(PATIENCE).unwrap_or(message.begun);
        }
    }

    pub(super) fn summary(
        &self,
        live: &[usize],
        nodes: usize,
        totals: Totals,
        killed: usize,
        restarted: usize,
    ) -> Summary {
        let expected = self.counted().count() * live.len();
        let delivered = expected - self.missing(live);
        let mut delays: Vec<_> = self.messages.iter().flat_map(Message::delays).collect();
        delays.sort_unstable();
        let late = |message: &Message| {
            message
                .arrivals
                .keys()
                .filter(|node| !message.audience.contains(node))
                .count()
        };
        Summary {
            nodes,
            published: self.messages.len(),
            expected,
            delivered,
            delivery_ratio: ratio(delivered as u64, expected as u64),
            p50_ms: millis(quantile(&delays, 50)),
            p99_ms: millis(quantile(&delays, 99)),
            redundancy: ratio(totals.duplicates, totals.received),
            killed,
            restarted,
            caught_up: self.messages.iter().map(late).sum(),
        }
    }
}

impl Message {
    fn is_finished(&self) -> bool {
        let all = self
            .audience
            .iter()
            .all(|node| self.arrivals.contains_key(node));
        all || self.begun.elapsed() > PATIENCE
    }

    /// Arrivals at the others of its audience, the earliest first.
    fn others(&self) -> Vec<(usize, u8, Duration)> {
        let start = self.said.at;
        let others = self
            .arrivals
            .iter()
            .filter(|(node, _)| **node != self.said.node && self.audience.contains(node));
        let mut others: Vec<_> = others
            .map(|(node, (hops, at))| (*node, *hops, at.saturating_duration_since(start)))
            .collect();
        others.sort_by_key(|(_, _, delay)| *delay);
        others
    }

    fn delays(&self) -> Vec<Duration> {
        self.others()
            .into_iter()
            .map(|(_, _, delay)| delay)
            .collect()
    }

    fn show(&mut self) -> Wave {
        self.is_shown = true;
        let others = self.others();
        let delays: Vec<_> = others.iter().map(|(_, _, delay)| *delay).collect();
        let reached = self
            .audience
            .iter()
            .filter(|node| self.arrivals.contains_key(node))
            .count();
        let arrivals = others.into_iter().map(|(node, hops, delay)| Reached {
            node,
            hops,
            ms: millis(delay),
        });
        Wave {
            id: self.said.id.to_string(),
            message: self.said.text.clone(),
            from: self.said.node,
            reached,
            of: self.audience.len(),
            p50_ms: millis(quantile(&delays, 50)),
            max_ms: millis(quantile(&delays, 100)),
            arrivals: arrivals.collect(),
        }
    }
}

/// The smallest of `sorted` that `percent` of them do not exceed; zero when there are none.
fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a demo counts far below 2⁵²")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(node: usize, byte: u8, at: Instant) -> Said {
        Said {
            at,
            node,
            id: BulletinId::from_bytes([byte; 32]),
            text: "hello".into(),
            bits: 18,
            work_ms: 1,
        }
    }

    fn arrival(node: usize, byte: u8, hops: u8, at: Instant) -> Arrival {
        Arrival {
            node,
            id: BulletinId::from_bytes([byte; 32]),
            hops,
            at,
        }
    }

    #[test]
    fn a_wave_is_measured_from_the_end_of_the_work() {
        let mut waves = Waves::default();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        // The publisher's receipt may come after its message arrived everywhere.
        waves.arrive(arrival(1, 7, 0, start));
        waves.arrive(arrival(3, 7, 2, after(9)));
        waves.begin(said(1, 7, start), &[1, 2, 3]);
        assert!(waves.finished().is_empty());
        waves.arrive(arrival(2, 7, 1, after(4)));
        waves.arrive(arrival(2, 7, 5, after(400))); // only the first arrival counts

        let [wave] = &waves.finished()[..] else {
            panic!("one wave")
        };
        let expected = [
            Reached {
                node: 2,
                hops: 1,
                ms: 4.0,
            },
            Reached {
                node: 3,
                hops: 2,
                ms: 9.0,
            },
        ];
        assert_eq!(wave.arrivals, expected);
        assert_eq!(
            (wave.reached, wave.of, wave.p50_ms, wave.max_ms),
            (3, 3, 4.0, 9.0)
        );
        assert!(waves.finished().is_empty(), "each wave is shown once");
    }

    #[test]
    fn what_a_node_catches_up_with_counts_as_delivered_but_not_as_delay() {
        let mut waves = Waves::default();
        let start = Instant::now();
        waves.begin(said(1, 7, start), &[1, 2, 3]);
        waves.arrive(arrival(1, 7, 0, start));
        waves.arrive(arrival(2, 7, 1, start + Duration::from_millis(2)));
        waves.forget(3); // killed before it came
        assert_eq!(waves.missing(&[1, 2, 3]), 1);
        waves.arrive(arrival(3, 7, 1, start + Duration::from_secs(5)));

        let totals = Totals {
            received: 4,
            duplicates: 1,
            ..Totals::default()
        };
        let summary = waves.summary(&[1, 2, 3], 3, totals, 1, 1);
        assert_eq!(
            (summary.expected, summary.delivered, summary.caught_up),
            (3, 3, 1)
        );
        assert_eq!((summary.p50_ms, summary.p99_ms), (2.0, 2.0));
        assert_eq!((summary.delivery_ratio, summary.redundancy), (1.0, 0.25));
    }

    /// A publisher that is killed with its message in its queues takes it along: nobody else can get
    /// it, and a demo that waited for it called that a lost delivery.
    #[test]
    fn what_died_with_its_publisher_is_expected_of_nobody_until_somebody_has_it() {
        let mut waves = Waves::default();
        let start = Instant::now();
        waves.begin(said(1, 7, start), &[1, 2, 3]);
        waves.arrive(arrival(1, 7, 0, start));
        waves.forget(1);
        assert_eq!(waves.missing(&[2, 3]), 0);
        waves.begin(said(1, 8, start), &[2, 3]); // its receipt came after its end
        assert_eq!(waves.missing(&[2, 3]), 0);

        waves.arrive(arrival(2, 7, 1, start));
        assert_eq!(waves.missing(&[2, 3]), 1);
    }

    #[test]
    fn quantiles_of_few_are_members_of_them() {
        let sorted: Vec<_> = (1..=4).map(Duration::from_millis).collect();
        assert_eq!(quantile(&sorted, 50), Duration::from_millis(2));
        assert_eq!(quantile(&sorted, 99), Duration::from_millis(4));
        assert_eq!(quantile(&[], 99), Duration::ZERO);
    }
}
