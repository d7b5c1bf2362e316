//! Work and price: what it costs to say something to everybody.
//!
//! The stamp's `bits` are inside the hashed text, so lucky work counts for nothing; the stamp is
//! outside the signature, so anyone may buy work for a bulletin. The minimum price has the shape of
//! Bitmessage's rule: it grows with the size and with the time a bulletin is to be kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::BulletinId;
use crate::wire::{Decode, DecodeError, Encode, Reader};

/// Bytes added to every bulletin's size in the price: what any bulletin costs its relays.
const SIZE_BASE: u64 = 1_000;
/// Seconds of validity that double the price of a bulletin that is hardly kept at all.
const TTL_UNIT_S: u64 = 65_536;
/// A shorter validity costs as much as this one.
const TTL_FLOOR_S: u64 = 300;

/// Proof of work for one bulletin: `[algo: u8][bits: u8][nonce: u64]`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Stamp {
    /// Leading zero bits the hash has, at least. 0 claims nothing.
    pub bits: u8,
    /// What was searched for.
    pub nonce: u64,
}

impl Stamp {
    /// Bytes of an encoded stamp.
    pub const BYTES: usize = 10;

    /// The one algorithm of this version: leading zero bits of a BLAKE3 hash.
    const ALGO: u8 = 0;

    /// Whether the work is done: `BLAKE3("pow1" ‖ id ‖ algo ‖ bits ‖ nonce)` begins with `bits`
    /// zero bits. One hash, about 0.1 µs.
    pub fn verify(&self, id: &BulletinId) -> bool {
        leading_zeros(&Self::hash(id, self.bits, self.nonce)) >= u32::from(self.bits)
    }

    fn hash(id: &BulletinId, bits: u8, nonce: u64) -> [u8; 32] {
        let mut text = [0; 46];
        let parts = [
            b"pow1".as_slice(),
            id.as_bytes(),
            &[Self::ALGO, bits],
            &nonce.to_be_bytes(),
        ];
        for (to, from) in text.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        *blake3::hash(&text).as_bytes()
    }
}

impl Encode for Stamp {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::ALGO);
        self.bits.encode(out);
        self.nonce.encode(out);
    }
}

impl Decode for Stamp {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            Self::ALGO => Ok(Self {
                bits: reader.u8()?,
                nonce: reader.u64()?,
            }),
            got => Err(DecodeError::Invalid {
                what: "stamp algorithm",
                got: got.into(),
            }),
        }
    }
}

fn leading_zeros(hash: &[u8; 32]) -> u32 {
    let mut zeros = 0_u32;
    for byte in hash {
        zeros = zeros.saturating_add(byte.leading_zeros());
        if *byte != 0 {
            break;
        }
    }
    zeros
}

/// A network's price: `W` of the minimum price, in expected trials per weighted byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Price(u32);

impl Price {
    /// The default: 1 KB for five minutes costs about 2.6·10⁵ trials, under 0.1 s of a core.
    pub const DEFAULT: Self = Self(128);
    /// No work is asked for.
    pub const FREE: Self = Self(0);

    /// The price `w`; 0 switches pricing off.
    pub const fn new(w: u32) -> Self {
        Self(w)
    }

    /// `W`.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Fewest stamp bits a bulletin of `size_bytes` content bytes and validity `ttl` may carry:
    /// `⌈log₂(W · (size + 1000) · (1 + ttl/65536))⌉`, ttl floored at 300 s.
    pub fn bits_min(self, size_bytes: u32, ttl: Duration) -> u8 {
        let trials = u128::from(self.0)
            .saturating_mul(weight(size_bytes, ttl).into())
            .div_ceil(u128::from(TTL_UNIT_S));
        log2_ceil(trials)
    }
}

/// `(size + 1000) · (65536 + ttl)`: how much of everybody's room a bulletin takes, times 65,536.
fn weight(size_bytes: u32, ttl: Duration) -> u64 {
    let seconds = ttl.as_secs().max(TTL_FLOOR_S).saturating_add(TTL_UNIT_S);
    u64::from(size_bytes)
        .saturating_add(SIZE_BASE)
        .saturating_mul(seconds)
}

/// `⌈log₂ value⌉`, 0 for 0 and 1.
fn log2_ceil(value: u128) -> u8 {
    let below = value.saturating_sub(1);
    u8::try_from(128_u32.saturating_sub(below.leading_zeros())).unwrap_or(128)
}

/// Trials paid per weighted byte, times 2³²: the order of relay queues, caches and fetches.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Density(u64);

impl Density {
    /// The density of `bits` of work on a bulletin of `size_bytes` kept for `ttl`.
    pub fn of(bits: u8, size_bytes: u32, ttl: Duration) -> Self {
        // (trials << 32) / (weight >> 16), exact in 128 bits up to 79 bits of work.
        let trials = 1_u128
            .checked_shl(u32::from(bits.min(79)).saturating_add(48))
            .unwrap_or(0);
        let density = trials
            .checked_div(weight(size_bytes, ttl).into())
            .unwrap_or(0);
        Self(u64::try_from(density).unwrap_or(u64::MAX))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// `⌊log₂⌋` of the price `W` this density would just meet: the unit of a node's floor.
    pub fn log2(self) -> u8 {
        let log = 63_u32
            .saturating_sub(self.0.leading_zeros().min(63))
            .saturating_sub(32);
        u8::try_from(log).unwrap_or(0)
    }
}

/// The search for a stamp, in steps of as many trials as the caller can spare.
///
/// # Examples
/// ```
/// # use bruit_core::{id::BulletinId, work::Search};
/// let id = BulletinId::from_bytes([7; 32]);
/// let mut search = Search::new(id, 8, 0);
/// let stamp = loop {
///     if let Some(stamp) = search.step(1_000) {
///         break stamp;
///     }
/// };
/// assert!(stamp.verify(&id));
/// ```
#[derive(Debug, Clone)]
pub struct Search {
    id: BulletinId,
    bits: u8,
    nonce: u64,
}

impl Search {
    /// Searches `bits` of work for `id`, beginning at `nonce`. Searchers working side by side start
    /// far apart.
    pub const fn new(id: BulletinId, bits: u8, nonce: u64) -> Self {
        Self { id, bits, nonce }
    }

    /// Tries at most `trials` nonces, about 0.1 µs each; returns the stamp when found.
    pub fn step(&mut self, trials: u32) -> Option<Stamp> {
        for _ in 0..trials {
            let stamp = Stamp {
                bits: self.bits,
                nonce: self.nonce,
            };
            if stamp.verify(&self.id) {
                return Some(stamp);
            }
            self.nonce = self.nonce.wrapping_add(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: BulletinId = BulletinId::from_bytes([3; 32]);

    #[test]
    fn minimum_price_has_the_documented_figures() {
        // 1 KB for 5 min: 128 · 2024 · 1.0046 = 2.6·10⁵ trials = 18 bits.
        assert_eq!(Price::DEFAULT.bits_min(1_024, Duration::from_mins(5)), 18);
        // 1 KB for 28 days: 128 · 2024 · 37.9 = 9.8·10⁶ trials = 24 bits.
        assert_eq!(
            Price::DEFAULT.bits_min(1_024, Duration::from_hours(28 * 24)),
            24
        );
        assert_eq!(Price::FREE.bits_min(65_536, Duration::from_hours(1)), 0);
    }

    #[test]
    fn a_shorter_life_than_five_minutes_is_not_cheaper() {
        let price = Price::DEFAULT;
        assert_eq!(
            price.bits_min(0, Duration::ZERO),
            price.bits_min(0, Duration::from_mins(5))
        );
    }

    #[test]
    fn lucky_work_counts_for_nothing() {
        let mut search = Search::new(ID, 8, 0);
        let stamp = search.step(100_000);
        let nonce = stamp.expect("one in 256 nonces has eight bits").nonce;
        let zeros = leading_zeros(&Stamp::hash(&ID, 8, nonce));
        let claimed_later = Stamp {
            bits: u8::try_from(zeros).expect("small") + 1,
            nonce,
        };
        assert!(
            !claimed_later.verify(&ID),
            "the claim is part of the hashed text"
        );
    }

    #[test]
    fn a_stamp_is_worth_nothing_on_another_bulletin() {
        let mut search = Search::new(ID, 12, 0);
        let stamp = search.step(u32::MAX).expect("2¹² trials are enough");
        assert!(stamp.verify(&ID));
        assert!(!stamp.verify(&BulletinId::from_bytes([4; 32])));
    }

    #[test]
    fn density_orders_by_work_for_the_room_taken() {
        let minute = Duration::from_mins(1);
        assert!(Density::of(20, 1_024, minute) > Density::of(19, 1_024, minute));
        assert!(Density::of(20, 1_024, minute) > Density::of(20, 10_240, minute));
        assert!(Density::of(20, 0, minute) > Density::of(20, 0, Duration::from_hours(99)));
        assert!(Density::of(255, 0, minute) >= Density::of(79, 0, minute));
        // A bulletin that just pays W = 128 has a floor of at least 2⁷.
        let bits = Price::DEFAULT.bits_min(1_024, minute);
        assert_eq!(Density::of(bits, 1_024, minute).log2(), 7);
    }
}
