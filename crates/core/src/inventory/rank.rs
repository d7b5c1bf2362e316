//! The rank of a held bulletin: what goes first when space is short.
//!
//! `log2(work) − log2(size + 64) − age / 7 d`, lowest first. Age is `now − created`, so as time
//! passes all ranks fall alike and their order stays: `log2(work) − log2(size + 64) + created / 7 d`
//! orders the same way and never changes. It is kept in whole numbers, one unit being a millisecond
//! of age, so that every machine evicts the same bulletin.

use crate::time::Wall;

/// Units of rank for a factor of two in work or size: the milliseconds of the half-life, seven days.
const HALVING: i64 = 7 * 24 * 3_600 * 1_000;
/// Binary places of [`log2_fixed`].
const PLACES: u32 = 16;

/// The order of eviction as a number that does not change with time; the lowest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(i64);

impl Rank {
    /// The rank of a bulletin with `bits` of work and `size_bytes` of content.
    pub(super) fn of(bits: u8, size_bytes: u32, created: Wall) -> Self {
        let work = i64::from(bits).saturating_mul(HALVING);
        let size = log2_fixed(u64::from(size_bytes).saturating_add(64)).saturating_mul(HALVING);
        let born = i64::try_from(created.as_millis()).unwrap_or(i64::MAX);
        Self(work.saturating_sub(size >> PLACES).saturating_add(born))
    }
}

/// `log2(value)` with [`PLACES`] binary places, rounded down; `value` is 1 to 2³³.
///
/// The places are found by squaring: whenever the square of the mantissa reaches two, the next place
/// is a one (Knuth, TAOCP 1, 1.2.2, exercise 25's method in base two).
fn log2_fixed(value: u64) -> i64 {
    let whole = value.checked_ilog2().unwrap_or(0);
    // The mantissa, 1 ≤ m < 2, with 31 binary places.
    let mut mantissa = (value << 31_u32.saturating_sub(whole.min(31))) >> whole.saturating_sub(31);
    let mut log = i64::from(whole);
    for _ in 0..PLACES {
        mantissa = mantissa.saturating_mul(mantissa) >> 31;
        log <<= 1;
        if mantissa >> 32 != 0 {
            mantissa >>= 1;
            log |= 1;
        }
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_has_sixteen_right_places() {
        for value in [
            64_u64,
            65,
            100,
            1_000,
            1_088,
            65_600,
            (1 << 32) + 63,
            1 << 32,
        ] {
            let exact = f64::from(u32::try_from(value >> 4).expect("small")).log2() + 4.0;
            let exact = if value % 16 == 0 {
                exact
            } else {
                precise(value)
            };
            let got = f64::from(i32::try_from(log2_fixed(value)).expect("small")) / 65_536.0;
            assert!(
                (got - exact).abs() < 2.0 / 65_536.0,
                "log2({value}) = {exact}, got {got}"
            );
        }
    }

    fn precise(value: u64) -> f64 {
        let high = f64::from(u32::try_from(value >> 16).expect("small"));
        let low = f64::from(u32::try_from(value & 0xffff).expect("small"));
        (high * 65_536.0 + low).log2()
    }

    #[test]
    fn a_bit_of_work_half_the_size_and_a_week_are_worth_the_same() {
        let week = std::time::Duration::from_hours(7 * 24);
        let then = Wall::from_millis(1_700_000_000_000);
        let base = Rank::of(20, 1_984, then);
        assert_eq!(Rank::of(21, 1_984, then.minus(week)), base);
        assert_eq!(Rank::of(20, 960, then.minus(week)), base);
        assert!(Rank::of(20, 1_985, then) < base);
        assert!(Rank::of(20, 1_984, then.plus(std::time::Duration::from_secs(1))) > base);
    }
}
