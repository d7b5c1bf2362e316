//! Who got which bulletin, when, after how many hops; and what it took.

use std::collections::BTreeMap;

use bruit_core::id::BulletinId;
use bruit_core::time::Mono;

use crate::numbers::Numbers;
use crate::stats::Summary;

/// Numbers a bulletin of this world, in the order of publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BulletinNumber(pub usize);

/// A copy is not there yet.
const NOT_YET: u32 = u32::MAX;

#[derive(Debug, Clone)]
struct Entry {
    id: BulletinId,
    publisher: usize,
    at: Mono,
    /// Microseconds until each node had it.
    after_us: Vec<u32>,
    hops: Vec<u8>,
}

/// What was sent and delivered so far, by all nodes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bulletins delivered that came over a link.
    pub deliveries: u64,
    /// Copies of bulletins that came over links.
    pub copies: u64,
    /// Frames that came over links.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Ids asked for, one by one.
    pub requests: u64,
}

impl Totals {
    /// What came since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            deliveries: self.deliveries - earlier.deliveries,
            copies: self.copies - earlier.copies,
            frames: self.frames - earlier.frames,
            bytes: self.bytes - earlier.bytes,
            requests: self.requests - earlier.requests,
        }
    }

    /// Copies beyond the first for each delivery (relative message redundancy, RMR).
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    pub fn redundancy(self) -> f64 {
        self.copies as f64 / self.deliveries.max(1) as f64 - 1.0
    }
}

/// A node delivered what it had delivered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Double {
    /// When it did.
    pub at: Mono,
    /// Which node.
    pub node: usize,
    /// What.
    pub bulletin: BulletinNumber,
}

/// The book of a world.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    numbers: Numbers,
    pub(crate) totals: Totals,
    pub(crate) bytes_by_kind: BTreeMap<u8, u64>,
    /// None, in a right world.
    doubles: Vec<Double>,
}

impl Ledger {
    pub(crate) fn publish(&mut self, id: BulletinId, publisher: usize, at: Mono, nodes: usize) {
        self.numbers.get_or_insert(id, self.entries.len());
        self.entries.push(Entry {
            id,
            publisher,
            at,
            after_us: vec![NOT_YET; nodes],
            hops: vec![0; nodes],
        });
    }

    pub(crate) fn deliver(&mut self, id: &BulletinId, node: usize, hops: u8, now: Mono) {
        if hops > 0 {
            self.totals.deliveries += 1;
        }
        // What an adversary made is nobody's publication.
        let Some(number) = self.numbers.get(id) else {
            return;
        };
        let entry = &mut self.entries[number];
        if entry.after_us[node] == NOT_YET {
            let after = now.since(entry.at).as_micros();
            entry.after_us[node] = u32::try_from(after).unwrap_or(NOT_YET - 1);
            entry.hops[node] = hops;
        } else {
            self.doubles.push(Double {
                at: now,
                node,
                bulletin: BulletinNumber(number),
            });
        }
    }

    /// Its number.
    pub fn number(&self, id: &BulletinId) -> Option<BulletinNumber> {
        self.numbers.get(id).map(BulletinNumber)
    }

    /// Its id.
    pub fn id(&self, bulletin: BulletinNumber) -> BulletinId {
        self.entries[bulletin.0].id
    }

    /// How many bulletins were published.
    pub const fn published(&self) -> usize {
        self.entries.len()
    }

    /// How many nodes have it, its publisher among them.
    pub fn reached(&self, bulletin: BulletinNumber) -> usize {
        let after = &self.entries[bulletin.0].after_us;
        after.iter().filter(|after| **after != NOT_YET).count()
    }

    /// Whether `node` has it.
    pub fn has(&self, bulletin: BulletinNumber, node: usize) -> bool {
        self.entries[bulletin.0].after_us[node] != NOT_YET
    }

    /// Who published it.
    pub fn publisher(&self, bulletin: BulletinNumber) -> usize {
        self.entries[bulletin.0].publisher
    }

    /// When it was published.
    pub fn published_at(&self, bulletin: BulletinNumber) -> Mono {
        self.entries[bulletin.0].at
    }

    /// After how many milliseconds `node` had it; none when it has not.
    pub fn delay_ms(&self, bulletin: BulletinNumber, node: usize) -> Option<f64> {
        let after = self.entries[bulletin.0].after_us[node];
        (after != NOT_YET).then(|| f64::from(after) / 1_000.0)
    }

    /// After how many milliseconds each node but the publisher had it, of those that have it.
    pub fn delays_ms(&self, bulletin: BulletinNumber) -> impl Iterator<Item = f64> {
        let entry = &self.entries[bulletin.0];
        let others = entry.after_us.iter().enumerate();
        let others = others.filter(|(node, after)| *node != entry.publisher && **after != NOT_YET);
        others.map(|(_, after)| f64::from(*after) / 1_000.0)
    }

    /// Delays of all deliveries of `bulletins`.
    pub fn delays(&self, bulletins: &[BulletinNumber]) -> Option<Summary> {
        Summary::of(
            bulletins
                .iter()
                .flat_map(|number| self.delays_ms(*number))
                .collect(),
        )
    }

    /// The most hops that any delivery of each of `bulletins` took, the mean: Plumtree's last delivery hop (LDH).
    /// The delivery that took them need not be the last in time.
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    pub fn last_hop(&self, bulletins: &[BulletinNumber]) -> f64 {
        let last = bulletins.iter().map(|number| {
            let entry = &self.entries[number.0];
            let got = entry.hops.iter().zip(&entry.after_us);
            let got = got.filter(|(_, after)| **after != NOT_YET);
            got.map(|(hops, _)| f64::from(*hops)).fold(0.0, f64::max)
        });
        last.sum::<f64>() / bulletins.len().max(1) as f64
    }

    /// What it took so far.
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Bytes that came over links, by kind of frame.
    pub const fn bytes_by_kind(&self) -> &BTreeMap<u8, u64> {
        &self.bytes_by_kind
    }

    /// How often a node delivered what it had delivered before.
    pub const fn doubles(&self) -> u64 {
        self.doubles.len() as u64
    }

    /// Each of these times.
    pub fn doubled(&self) -> &[Double] {
        &self.doubles
    }
}
