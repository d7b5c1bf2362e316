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
    quantile_of(sorted, q, sorted.len())
}

/// The same of `count` values, of which those that are not in `sorted` are above all that are: none where the
/// rank lies among these.
pub fn quantile_of(sorted: &[f64], q: f64, count: usize) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank within a slice"
    )]
    let rank = (q.clamp(0.0, 1.0) * count as f64).ceil() as usize;
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

/// One figure over several runs: of those that have it, and how many do not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median: of an even number of runs the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// Runs without it: what is timed there never came.
    #[serde(default)]
    pub missing: usize,
}

impl Spread {
    /// Of each run's value; none when no run has one.
    pub fn of(runs: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let runs: Vec<Option<f64>> = runs.into_iter().collect();
        let mut values: Vec<f64> = runs.iter().copied().flatten().collect();
        values.sort_by(f64::total_cmp);
        let upper = *values.get(values.len() / 2)?;
        let lower = values[(values.len() - 1) / 2];
        Some(Self {
            median: f64::midpoint(lower, upper),
            least: values[0],
            most: values[values.len() - 1],
            missing: runs.len() - values.len(),
        })
    }

    /// The largest value of any run, to be held to a bound: never is more than everything.
    pub const fn worst(&self) -> f64 {
        if self.missing > 0 {
            f64::INFINITY
        } else {
            self.most
        }
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
        let spread = |values: &[f64]| Spread::of(values.iter().copied().map(Some));
        let of = |median, least, most| {
            Some(Spread {
                median,
                least,
                most,
                missing: 0,
            })
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[7.0]), of(7.0, 7.0, 7.0));
        assert_eq!(spread(&[9.0, 1.0, 4.0]), of(4.0, 1.0, 9.0));
        assert_eq!(spread(&[9.0, 1.0, 4.0, 6.0]), of(5.0, 1.0, 9.0));
    }

    /// Story: of five runs four never mended, and the report showed the fifth as if it were all of them.
    #[test]
    fn runs_without_a_value_are_counted_and_worse_than_any_bound() {
        let one = Spread::of([None, Some(12.0), None, None, None]).unwrap();
        assert_eq!((one.median, one.most, one.missing), (12.0, 12.0, 4));
        assert!(one.worst() > f64::MAX);
        assert!((Spread::of([Some(3.0), Some(4.0)]).unwrap().worst() - 4.0).abs() < 1e-9);
        assert_eq!(Spread::of([None, None]), None);
    }

    #[test]
    fn what_never_came_is_above_all_that_did() {
        let came = [1.0, 2.0, 3.0];
        let of_six = |q| quantile_of(&came, q, 6);
        assert_eq!([of_six(0.1), of_six(0.5)], [Some(1.0), Some(3.0)]);
        assert_eq!([of_six(0.6), of_six(1.0)], [None, None]);
    }
}
