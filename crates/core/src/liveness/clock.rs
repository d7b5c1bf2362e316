//! What the neighbours' clocks say of ours.

use super::Liveness;
use crate::id::LinkId;
use crate::time::{Now, millis};

impl Liveness {
    /// A neighbour's clock, from any frame that carries one.
    pub fn clock_sample(&mut self, id: LinkId, clock_ms: u64, now: Now) {
        if let Some(link) = self.links.get_mut(&id) {
            let way = link
                .rtt
                .and_then(|rtt| rtt.checked_div(2))
                .unwrap_or_default();
            let theirs = i64::try_from(clock_ms.saturating_add(millis(way))).unwrap_or(i64::MAX);
            link.clock = Some((theirs, now.mono));
        }
    }

    /// How far the median neighbour's clock is ahead of ours at `now`, in milliseconds, and how many
    /// neighbours told theirs. What they told runs on by our monotonic clock, so that a jump of our
    /// wall clock shows at once.
    pub fn clock_offset_ms(&self, now: Now) -> Option<(i64, usize)> {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let ours = signed(now.wall.as_millis());
        let clocks = self.links.values().filter_map(|link| link.clock);
        let mut offsets: Vec<i64> = clocks
            .map(|(theirs, shown)| {
                let since = signed(millis(now.mono.since(shown)));
                theirs.saturating_add(since).saturating_sub(ours)
            })
            .collect();
        offsets.sort_unstable();
        let median = offsets.get(offsets.len().saturating_sub(1) / 2).copied();
        median.map(|median| (median, offsets.len()))
    }
}
