//! Regions, and how far they are from each other: a square table of one-way delays, measured or worked out.

use std::sync::Arc;
use std::time::Duration;

/// One-way delays between regions. Copies share one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    count: usize,
    /// Row by row: from the region of the row to that of the column.
    delays: Arc<[Duration]>,
}

impl Regions {
    /// The table with these rows; none when they are none, or not as long as there are rows. Where a row meets
    /// its own column stands the delay within the region.
    pub fn of(rows: &[Vec<Duration>]) -> Option<Self> {
        let is_square = !rows.is_empty() && rows.iter().all(|row| row.len() == rows.len());
        is_square.then(|| Self {
            count: rows.len(),
            delays: rows.concat().into(),
        })
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The rows of the table.
    pub fn rows(&self) -> impl Iterator<Item = &[Duration]> {
        self.delays.chunks(self.count)
    }

    /// The way from one region to another.
    pub(crate) fn delay(&self, from: usize, to: usize) -> Duration {
        self.delays[from * self.count + to]
    }

    /// The shortest way there is.
    pub(crate) fn least(&self) -> Duration {
        self.delays.iter().copied().min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_square_and_says_both_ways() {
        let rows = |rows: &[&[u64]]| -> Vec<Vec<Duration>> {
            let row = |row: &&[u64]| row.iter().copied().map(Duration::from_millis).collect();
            rows.iter().map(row).collect()
        };
        for bad in [
            &[] as &[&[u64]],
            &[&[1, 2]],
            &[&[1], &[2]],
            &[&[1, 2], &[3]],
        ] {
            assert_eq!(Regions::of(&rows(bad)), None, "{bad:?}");
        }
        let good = rows(&[&[1, 20], &[30, 2]]);
        let regions = Regions::of(&good).unwrap();
        assert_eq!(regions.delay(0, 1), Duration::from_millis(20));
        assert_eq!(regions.delay(1, 0), Duration::from_millis(30));
        assert_eq!(regions.least(), Duration::from_millis(1));
        assert!(regions.rows().eq(good));
    }
}
