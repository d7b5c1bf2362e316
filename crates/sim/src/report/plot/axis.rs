//! Axes: linear, or logarithmic where values spread; marks at round numbers.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// An axis over positive numbers and zero.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    least: f64,
    most: f64,
    is_log: bool,
    marks: Vec<f64>,
}

/// Marks of a linear axis, about.
const MARKS: f64 = 6.0;
/// From this ratio of the largest to the smallest value on, an axis is logarithmic.
const SPREAD: f64 = 20.0;

impl Axis {
    /// An axis from zero, or along powers of ten where `values` spread far.
    pub(super) fn of(values: &[f64]) -> Self {
        let positive = values.iter().copied().filter(|value| *value > 0.0);
        let least = positive.fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        let has_zero = values.contains(&0.0);
        if most / least >= SPREAD && !has_zero {
            Self::logarithmic(least, most)
        } else {
            Self::linear(most)
        }
    }

    /// From zero to a little above `most`.
    pub(super) fn linear(most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = round_step(most / MARKS);
        let last = (most / step * (1.0 - 1e-9)).ceil();
        Self {
            least: 0.0,
            most: last * step,
            is_log: false,
            marks: counted(last).map(|number| number * step).collect(),
        }
    }

    fn logarithmic(least: f64, most: f64) -> Self {
        let (low, high) = (least.log10().floor(), most.log10().ceil());
        // Over few decades there is room for marks between the powers.
        let steps: &[f64] = if high - low <= 3.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let powers = counted(high - low).map(|number| 10.0_f64.powf(low + number));
        let marks: Vec<f64> = powers
            .flat_map(|power| steps.iter().map(move |step| step * power))
            .collect();
        let below = marks.iter().copied().filter(|mark| *mark <= least * 1.0001);
        let above = marks.iter().copied().filter(|mark| *mark >= most * 0.9999);
        let (least, most) = (
            below.fold(f64::MIN_POSITIVE, f64::max),
            above.fold(f64::INFINITY, f64::min),
        );
        let within = |mark: &f64| *mark >= least && *mark <= most;
        Self {
            least,
            most,
            is_log: true,
            marks: marks.into_iter().filter(within).collect(),
        }
    }

    /// How far along it a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.least, self.most);
        if self.is_log {
            (value / self.least).ln() / (self.most / self.least).ln()
        } else {
            (value - self.least) / (self.most - self.least)
        }
    }
}

/// 0 to `last`.
fn counted(last: f64) -> impl Iterator<Item = f64> {
    (0..=u16::MAX)
        .map(f64::from)
        .take_while(move |number| *number <= last)
}

/// The least of 1, 2, 5, 10, 20, 50, … that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10.0_f64.powf(step.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let enough = |round: &&f64| **round * power >= step * (1.0 - 1e-9);
    steps.iter().find(enough).unwrap_or(&10.0) * power
}

/// A number as it stands at a mark: no more digits than it needs.
pub(super) fn number(value: f64) -> String {
    let digits = if value == 0.0 {
        0
    } else {
        // Two that count.
        let below = 1.0 - value.abs().log10().floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a handful of digits"
        )]
        let digits = below.clamp(0.0, 9.0) as usize;
        digits
    };
    let text = format!("{value:.digits$}");
    let text = match text.split_once('.') {
        Some((whole, rest)) => match rest.trim_end_matches('0') {
            "" => whole.to_owned(),
            rest => format!("{whole}.{rest}"),
        },
        None => text,
    };
    grouped(&text)
}

/// Thousands apart.
fn grouped(text: &str) -> String {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "a pixel")]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let length = f64::from(limit.1 - limit.0);
        limit.0 + (self.place(*value) * length).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.least..self.most
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        number(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(values: &[f64]) -> Vec<String> {
        Axis::of(values).marks.iter().copied().map(number).collect()
    }

    #[test]
    fn marks_are_round_and_take_in_every_value() {
        assert_eq!(marks(&[3.0, 10.0]), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(
            marks(&[0.0, 0.0033]),
            ["0", "0.001", "0.002", "0.003", "0.004"]
        );
        assert_eq!(marks(&[0.0, 0.0]).len(), 6);
        assert_eq!(
            marks(&[30.0, 900.0]),
            ["20", "50", "100", "200", "500", "1,000"]
        );
        assert_eq!(
            marks(&[0.1, 10_000.0]),
            ["0.1", "1", "10", "100", "1,000", "10,000"]
        );
    }

    #[test]
    fn values_lie_where_they_belong() {
        let linear = Axis::of(&[2.0, 10.0]);
        assert_eq!(linear.map(&5.0, (0, 100)), 50);
        let log = Axis::of(&[1.0, 100.0]);
        assert_eq!(log.map(&10.0, (0, 100)), 50);
        assert_eq!(log.map(&10.0, (100, 0)), 50);
        assert_eq!(log.map(&0.0, (0, 100)), 0);
    }
}
