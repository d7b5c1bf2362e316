//! Order statistics and what is made of several runs.

use serde::{Deserialize, Serialize};

/// The value below which the share `q` of `sorted` lies: the nearest rank, a member of `sorted`.
/// None of nothing.
///
/// # Examples
/// ```
/// assert_eq!(bruit_sim::stats::quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.0));
/// ```
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank within a slice"
    )]
    let rank = (q.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Several quantiles and the mean of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Summary {
    /// Of `values`; none when there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let count = values.len() as f64;
        Some(Self {
            count: values.len(),
            mean: values.iter().sum::<f64>() / count,
            p50: quantile(&values, 0.5)?,
            p99: quantile(&values, 0.99)?,
            max: *values.last()?,
        })
    }
}

/// One figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median: of an even number of runs the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of `values`; none when there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let upper = *values.get(values.len() / 2)?;
        let lower = values[(values.len() - 1) / 2];
        Some(Self {
            median: f64::midpoint(lower, upper),
            least: values[0],
            most: values[values.len() - 1],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (q, value) in [
            (0.0, 1.0),
            (0.01, 1.0),
            (0.5, 50.0),
            (0.99, 99.0),
            (1.0, 100.0),
        ] {
            assert_eq!(quantile(&hundred, q), Some(value), "{q}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
    }

    #[test]
    fn a_summary_does_not_mind_the_order() {
        let summary = Summary::of(vec![3.0, 1.0, 2.0]).unwrap();
        let expected = Summary {
            count: 3,
            mean: 2.0,
            p50: 2.0,
            p99: 3.0,
            max: 3.0,
        };
        assert_eq!(summary, expected);
        assert_eq!(Summary::of(Vec::new()), None);
    }

    #[test]
    fn a_spread_has_the_middle_and_the_ends() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        let of = |median, least, most| {
            Some(Spread {
                median,
                least,
                most,
            })
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[7.0]), of(7.0, 7.0, 7.0));
        assert_eq!(spread(&[9.0, 1.0, 4.0]), of(4.0, 1.0, 9.0));
        assert_eq!(spread(&[9.0, 1.0, 4.0, 6.0]), of(5.0, 1.0, 9.0));
    }
}
