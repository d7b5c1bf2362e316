//! What passed in the last hour and the last day, in even steps: the charts of the dashboard.
//!
//! Invariant: memory is bounded by [`FINE_LEN`] and [`COARSE_LEN`] numbers of each name, and grows with
//! time only up to that.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bruit::Figures;

use crate::types::Series;

/// The names, in the order of a sample.
pub(crate) const NAMES: [&str; 16] = [
    "in_per_s",
    "out_per_s",
    "bytes_in_per_s",
    "bytes_out_per_s",
    "delivered_per_s",
    "duplicates_per_s",
    "refused_per_s",
    "links_in",
    "links_out",
    "queue_bytes",
    "rtt_p50_ms",
    "rtt_p90_ms",
    "store_bytes",
    "store_items",
    "floor_log2",
    "network_size",
];
/// One number for each name; NaN where there is none.
type Sample = [f32; NAMES.len()];

/// The steps of an hour.
const FINE_STEP_MS: u64 = 1_000;
const FINE_LEN: usize = 3_600;
/// The steps of a day.
const COARSE_STEP_MS: u64 = 10_000;
const COARSE_LEN: usize = 8_640;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    Hour,
    Day,
}

/// Both rings.
#[derive(Debug)]
pub(crate) struct Charts(Mutex<Rings>);

#[derive(Debug)]
struct Rings {
    fine: Ring,
    coarse: Ring,
    before: Option<Before>,
}

/// What had passed at the last sample.
#[derive(Debug, Clone, Copy)]
struct Before {
    at_ms: u64,
    delivered: u64,
    duplicates: u64,
    refused: u64,
}

impl Default for Charts {
    fn default() -> Self {
        Self(Mutex::new(Rings {
            fine: Ring::new(FINE_STEP_MS, FINE_LEN),
            coarse: Ring::new(COARSE_STEP_MS, COARSE_LEN),
            before: None,
        }))
    }
}

impl Charts {
    /// Keeps what the node counts at `now_ms`.
    pub(crate) fn note(&self, figures: &Figures, now_ms: u64) {
        let mut rings = self.rings();
        let after = Before {
            at_ms: now_ms,
            delivered: figures.metrics.delivered,
            duplicates: figures.metrics.duplicates,
            refused: refused(figures),
        };
        let sample = sample(figures, rings.before.replace(after), after);
        rings.fine.note(&sample, now_ms);
        rings.coarse.note(&sample, now_ms);
    }

    /// What is kept of `range`, from the step on that begins at `after_ms` or later.
    pub(crate) fn read(&self, range: Range, after_ms: u64) -> Series {
        let rings = self.rings();
        match range {
            Range::Hour => rings.fine.read(after_ms),
            Range::Day => rings.coarse.read(after_ms),
        }
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bulletins that were refused; those that were known already are no refusal.
fn refused(figures: &Figures) -> u64 {
    let drops = figures.metrics.drops.iter();
    let refused = drops.filter(|(reason, _)| *reason != "duplicate");
    refused.map(|(_, count)| count).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "seven digits are enough for a picture"
)]
fn sample(figures: &Figures, before: Option<Before>, after: Before) -> Sample {
    let per_s = |count: fn(&Before) -> u64| {
        before.map_or(f32::NAN, |before| {
            let passed = count(&after).saturating_sub(count(&before));
            let ms = after.at_ms.saturating_sub(before.at_ms).max(1);
            (passed as f64 * 1_000.0 / ms as f64) as f32
        })
    };
    let rtt = |part: f64| {
        let rank = (figures.rtts_ms.len() as f64 * part) as usize;
        let last = figures.rtts_ms.len().saturating_sub(1);
        figures
            .rtts_ms
            .get(rank.min(last))
            .map_or(f32::NAN, |rtt| *rtt as f32)
    };
    let status = &figures.status;
    [
        status.rates.in_per_s as f32,
        status.rates.out_per_s as f32,
        status.rates.bytes_in_per_s as f32,
        status.rates.bytes_out_per_s as f32,
        per_s(|at| at.delivered),
        per_s(|at| at.duplicates),
        per_s(|at| at.refused),
        status.links.inbound as f32,
        status.links.outbound as f32,
        figures.queued_bytes as f32,
        rtt(0.5),
        rtt(0.9),
        status.store.bytes as f32,
        status.store.items as f32,
        f32::from(status.price.floor_log2),
        status.network_size as f32,
    ]
}

/// Samples in even steps: the mean of those that fall into one.
#[derive(Debug)]
struct Ring {
    step_ms: u64,
    len: usize,
    steps: VecDeque<Sample>,
    /// The number of the last step since 1970.
    last: u64,
    /// How many samples each name of the last step is made of.
    counts: [u16; NAMES.len()],
}

impl Ring {
    const fn new(step_ms: u64, len: usize) -> Self {
        Self {
            step_ms,
            len,
            steps: VecDeque::new(),
            last: 0,
            counts: [0; NAMES.len()],
        }
    }

    fn note(&mut self, sample: &Sample, now_ms: u64) {
        let step = now_ms / self.step_ms;
        let ahead = step.checked_sub(self.last);
        match ahead.map(|ahead| usize::try_from(ahead).unwrap_or(usize::MAX)) {
            Some(0) if !self.steps.is_empty() => {}
            Some(ahead) if ahead < self.len => {
                for _ in 0..ahead.max(1) {
                    self.push([f32::NAN; NAMES.len()]);
                }
            }
            // So long away, or a clock that was set back: what was kept has no place any more.
            _ => {
                self.steps.clear();
                self.push([f32::NAN; NAMES.len()]);
            }
        }
        self.last = step;
        let Some(kept) = self.steps.back_mut() else {
            return;
        };
        for ((kept, new), count) in kept.iter_mut().zip(sample).zip(&mut self.counts) {
            if !new.is_nan() {
                *count = count.saturating_add(1);
                let mean = if kept.is_nan() { 0.0 } else { *kept };
                *kept = mean + (new - mean) / f32::from(*count);
            }
        }
    }

    fn push(&mut self, step: Sample) {
        if self.steps.len() >= self.len {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
        self.counts = [0; NAMES.len()];
    }

    fn read(&self, after_ms: u64) -> Series {
        let length = u64::try_from(self.steps.len()).unwrap_or(u64::MAX);
        let first = (self.last + 1).saturating_sub(length);
        let begin = first
            .max(after_ms.div_ceil(self.step_ms))
            .min(self.last + 1);
        let skipped = usize::try_from(begin - first).unwrap_or(usize::MAX);
        let column = |at: usize| {
            let steps = self.steps.iter().skip(skipped);
            let numbers =
                steps.map(|step| step.get(at).copied().filter(|number| number.is_finite()));
            numbers.collect()
        };
        let named = NAMES.iter().enumerate();
        let series: BTreeMap<_, _> = named
            .map(|(at, name)| ((*name).to_owned(), column(at)))
            .collect();
        Series {
            begin_ms: begin * self.step_ms,
            step_ms: self.step_ms,
            series,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: f32) -> Sample {
        [number; NAMES.len()]
    }

    fn numbers(ring: &Ring, after_ms: u64) -> (u64, Vec<Option<f32>>) {
        let series = ring.read(after_ms);
        let lengths = series.series.values().map(Vec::len);
        assert_eq!(lengths.clone().max(), lengths.min());
        (series.begin_ms, series.series["in_per_s"].clone())
    }

    #[test]
    fn a_step_is_the_mean_of_its_samples_and_a_pause_is_null() {
        let mut ring = Ring::new(10, 5);
        for (at, number) in [(1_000, 1.0), (1_005, 3.0), (1_010, 4.0), (1_039, 5.0)] {
            ring.note(&sample(number), at);
        }
        let expected = vec![Some(2.0), Some(4.0), None, Some(5.0)];
        assert_eq!(numbers(&ring, 0), (1_000, expected));
        assert_eq!(numbers(&ring, 1_011), (1_020, vec![None, Some(5.0)]));
        assert_eq!(numbers(&ring, 1_031), (1_040, vec![]));
        assert_eq!(numbers(&ring, 9_999), (1_040, vec![]));
    }

    #[test]
    fn a_ring_keeps_the_latest_and_a_clock_that_jumps_begins_anew() {
        let mut ring = Ring::new(10, 3);
        for step in 0..10_u16 {
            ring.note(&sample(f32::from(step)), 10 * u64::from(step));
        }
        let last = vec![Some(7.0), Some(8.0), Some(9.0)];
        assert_eq!(numbers(&ring, 0), (70, last));
        ring.note(&sample(1.0), 20);
        assert_eq!(numbers(&ring, 0), (20, vec![Some(1.0)]));
        ring.note(&sample(2.0), 9_000);
        assert_eq!(numbers(&ring, 0), (9_000, vec![Some(2.0)]));
    }

    #[test]
    fn a_day_takes_less_than_a_mebibyte() {
        let bytes = (FINE_LEN + COARSE_LEN) * size_of::<Sample>();
        assert!(bytes < 1 << 20, "{bytes}");
    }
}
