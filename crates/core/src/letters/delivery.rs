//! Delivery topics: the buckets letters are published in.
//!
//! The topic is a hash of letterbox and week of which only the leading bits are told, so that many
//! recipients share it and others share it next week. Who relays a letter learns its bucket, and that
//! is all there is to learn from the topic.

use crate::id::TopicId;
use crate::time::Wall;

use super::Letterbox;

/// Milliseconds of a week.
const WEEK_MS: u64 = 7 * 24 * 3_600 * 1_000;

/// The week of a moment: whole weeks since 1970-01-01.
pub fn week(moment: Wall) -> u64 {
    moment.as_millis() / WEEK_MS
}

/// The topic of letters to `letterbox` that are made in `week`: the first `bits` bits of
/// `BLAKE3("dlv" ‖ letter key ‖ code ‖ week: u64)`, and zeros.
pub fn topic(letterbox: &Letterbox, week: u64) -> TopicId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"dlv").update(letterbox.key.as_bytes());
    hasher
        .update(letterbox.code.as_bytes())
        .update(&week.to_be_bytes());
    let mut left = u32::from(letterbox.bits.get());
    let mut topic = [0; 32];
    for (to, from) in topic.iter_mut().zip(hasher.finalize().as_bytes()) {
        let told = left.min(8);
        left = left.saturating_sub(told);
        let kept = u8::MAX.checked_shl(8_u32.saturating_sub(told)).unwrap_or(0);
        *to = from & kept;
    }
    TopicId::from_bytes(topic)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{BucketBits, DeliveryCode, LetterKey};
    use super::*;

    fn letterbox(number: u32, bits: BucketBits) -> Letterbox {
        let hash = blake3::hash(&number.to_be_bytes());
        let mut code = [0; 16];
        code.copy_from_slice(&hash.as_bytes()[..16]);
        Letterbox {
            key: LetterKey::from_bytes(*hash.as_bytes()),
            code: DeliveryCode::from_bytes(code),
            bits,
        }
    }

    #[test]
    fn topic_is_the_documented_hash_cut_to_its_bits() {
        let bits = BucketBits::new(11).unwrap();
        let letterbox = letterbox(1, bits);
        let text = [
            b"dlv".as_slice(),
            letterbox.key.as_bytes(),
            letterbox.code.as_bytes(),
            &2_900_u64.to_be_bytes(),
        ];
        let hash = blake3::hash(&text.concat());
        let mut expected = [0; 32];
        expected[0] = hash.as_bytes()[0];
        expected[1] = hash.as_bytes()[1] & 0b1110_0000;
        assert_eq!(topic(&letterbox, 2_900).as_bytes(), &expected);
        let all = Letterbox {
            bits: BucketBits::default(),
            ..letterbox
        };
        assert_eq!(topic(&all, 2_900).as_bytes(), &[0; 32]);
    }

    #[test]
    fn every_bucket_of_ten_thousand_recipients_has_64_of_them_each_week() {
        let recipients = 10_000_u32;
        let bits = BucketBits::for_network(recipients.into());
        for week in 2_900..2_904 {
            let mut buckets = BTreeMap::new();
            for number in 0..recipients {
                *buckets
                    .entry(topic(&letterbox(number, bits), week))
                    .or_insert(0_u32) += 1;
            }
            assert_eq!(buckets.len(), 1 << bits.get());
            let fewest = buckets.values().min().unwrap();
            assert!(*fewest >= 64, "{fewest}");
        }
    }

    #[test]
    fn a_week_has_seven_days() {
        assert_eq!(week(Wall::from_millis(WEEK_MS - 1)), 0);
        assert_eq!(week(Wall::from_millis(WEEK_MS)), 1);
    }
}
