//! The ready-paid acknowledgement: a bulletin that the sender of a letter makes, signs and pays for,
//! and that its recipient merely publishes.
//!
//! From outside it is a letter of the smallest size, to the sender's own bucket. Whoever publishes it
//! checks it as the network will, so that nobody can have other things published for them.

use std::time::Duration;

use bytes::Bytes;
use rand_core::CryptoRng;

use crate::bulletin::{Bulletin, Header};
use crate::id::{AuthorId, ContentId};
use crate::identity::Claim;
use crate::limits;
use crate::network::Network;
use crate::time::Wall;
use crate::wire::DecodeError;

use super::sealed::{Context, SEALED_BYTES_MIN, SEALED_OVERHEAD};
use super::{Letterbox, OutsideError, SealError, check_outside, outside, topic, ttl_for, week};

/// Why an enclosed acknowledgement is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcknowledgementError {
    /// It is no bulletin.
    #[error("it is no bulletin: {0}")]
    Malformed(#[from] DecodeError),
    /// It is no acknowledgement.
    #[error("it is no acknowledgement: {0}")]
    Outside(#[from] OutsideError),
    /// It is larger than an acknowledgement.
    #[error("its {got} bytes exceed an acknowledgement's")]
    TooLarge {
        /// Bytes of its content.
        got: usize,
    },
    /// It is not valid now.
    #[error("it is not valid now")]
    Time,
    /// Its work does not pay for it.
    #[error("its {got} bits of work are short of {need}")]
    Work {
        /// Bits it claims.
        got: u8,
        /// Bits it needs.
        need: u8,
    },
    /// Its content is not the one it names.
    #[error("its content is not the one it names")]
    Content,
    /// Its signature is wrong.
    #[error("its signature is wrong")]
    Signature,
}

/// The header and content of an acknowledgement by the one-time `author`, in the bucket of the
/// sender's `own` letterbox. It is valid for twice as long as the letter, `life`.
///
/// # Errors
/// [`SealError::Key`] when our own letter key is none: our own mistake.
pub fn acknowledgement(
    network: &Network,
    own: &Letterbox,
    author: AuthorId,
    created: Wall,
    life: Duration,
    rng: &mut impl CryptoRng,
) -> Result<(Header, Bytes), SealError> {
    let context = Context {
        network: network.id(),
        code: &own.code,
        author: &author,
    };
    // Nobody opens it: what it says is that it is there.
    let nothing = [0; SEALED_BYTES_MIN - SEALED_OVERHEAD];
    let sealed = context.seal(&own.key, &nothing, rng);
    let sealed = Bytes::from(sealed.ok_or(SealError::Key)?);
    let ttl = ttl_for(ttl_for(life).saturating_mul(2));
    let topic = topic(own, week(created));
    Ok((outside(topic, author, &sealed, created, ttl), sealed))
}

/// The bulletin in `bytes`, if it is an acknowledgement that the network will take at `now`.
///
/// # Errors
/// The letter's sender's fault: says what the network would refuse, or would not be an
/// acknowledgement.
pub fn check_acknowledgement(
    bytes: &Bytes,
    network: &Network,
    now: Wall,
) -> Result<Bulletin, AcknowledgementError> {
    let bulletin = Bulletin::decode(bytes, network.id())?;
    let header = &bulletin.header;
    check_outside(header)?;
    if bulletin.content.len() != SEALED_BYTES_MIN {
        let got = bulletin.content.len();
        return Err(AcknowledgementError::TooLarge { got });
    }
    if header.created > now.plus(limits::FUTURE_MAX) || header.expires() <= now {
        return Err(AcknowledgementError::Time);
    }
    let need = network.price().bits_min(header.size_bytes, header.ttl());
    let got = bulletin.stamp.bits;
    if got < need || (need > 0 && !bulletin.stamp.verify(bulletin.id())) {
        return Err(AcknowledgementError::Work { got, need });
    }
    if ContentId::of(&bulletin.content) != header.content_id {
        return Err(AcknowledgementError::Content);
    }
    let claim = Claim {
        key: header.author.as_bytes(),
        message: &header.signed_text(network.id()),
        signature: &bulletin.signature,
    };
    if claim.verify() {
        Ok(bulletin)
    } else {
        Err(AcknowledgementError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::super::{BucketBits, DeliveryCode, LetterSecret};
    use super::*;
    use crate::id::TopicId;
    use crate::identity::SecretKey;
    use crate::wire::encode_to_bytes;
    use crate::work::{Price, Stamp};

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);
    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn network(price: u32) -> Network {
        Network::new("test", Price::new(price), None)
    }

    fn key() -> SecretKey {
        SecretKey::from_seed(&[0x77; 32])
    }

    fn own() -> Letterbox {
        Letterbox {
            key: LetterSecret::from_bytes(&[1; 32]).public(),
            code: DeliveryCode::from_bytes([2; 16]),
            bits: BucketBits::default(),
        }
    }

    fn made(network: &Network) -> Bulletin {
        let mut rng = ChaCha8Rng::from_seed([3; 32]);
        let (header, content) =
            acknowledgement(network, &own(), key().author_id(), NOW, WEEK, &mut rng)
                .expect("our key is one");
        Bulletin::sign(header, content, network.id(), &key())
    }

    fn check(
        bulletin: &Bulletin,
        network: &Network,
        now: Wall,
    ) -> Result<(), AcknowledgementError> {
        check_acknowledgement(&encode_to_bytes(bulletin), network, now).map(drop)
    }

    #[test]
    fn acknowledgement_is_a_letter_of_the_smallest_size_that_outlives_its_own() {
        let network = network(0);
        let bulletin = made(&network);
        assert_eq!(check(&bulletin, &network, NOW), Ok(()));
        assert_eq!(bulletin.content.len(), 256);
        assert_eq!(bulletin.header.ttl(), 2 * WEEK);
        assert_eq!(encode_to_bytes(&bulletin).len(), 458);
        let later = NOW.plus(WEEK);
        assert_eq!(check(&bulletin, &network, later), Ok(()));
        let over = NOW.plus(2 * WEEK);
        let early = NOW.minus(limits::FUTURE_MAX + Duration::from_millis(1));
        for wrong in [over, early] {
            let time = Err(AcknowledgementError::Time);
            assert_eq!(check(&bulletin, &network, wrong), time);
        }
    }

    /// A letter's sender cannot have the recipient publish something else for them.
    #[test]
    fn what_is_no_acknowledgement_is_not_published() {
        let network = network(0);
        let good = made(&network);
        let sign = |header, content| Bulletin::sign(header, content, network.id(), &key());
        let post = Bytes::from_static(b"buy this");
        let header = Header::post(TopicId::of("news"), key().author_id(), &post, NOW);
        assert!(matches!(
            check(&sign(header, post), &network, NOW),
            Err(AcknowledgementError::Outside(_))
        ));
        let large = Bytes::from(vec![1; 1_024]);
        let header = outside(good.header.topic, key().author_id(), &large, NOW, WEEK);
        let got = 1_024;
        let too_large = Err(AcknowledgementError::TooLarge { got });
        assert_eq!(check(&sign(header, large), &network, NOW), too_large);

        let mut swapped = good.clone();
        swapped.content = Bytes::from(vec![1; 256]);
        let content = Err(AcknowledgementError::Content);
        assert_eq!(check(&swapped, &network, NOW), content);
        let other = Bulletin::sign(
            good.header.clone(),
            good.content.clone(),
            self::network(1).id(),
            &key(),
        );
        let signature = Err(AcknowledgementError::Signature);
        assert_eq!(check(&other, &network, NOW), signature);
        let cut = encode_to_bytes(&good).slice(..200);
        assert!(matches!(
            check_acknowledgement(&cut, &network, NOW),
            Err(AcknowledgementError::Malformed(_))
        ));
    }

    #[test]
    fn acknowledgement_that_is_not_paid_for_is_not_published() {
        let network = network(1);
        let mut bulletin = made(&network);
        let need = network.price().bits_min(256, 2 * WEEK);
        assert!(need > 0);
        let (got, short) = (0, AcknowledgementError::Work { got: 0, need });
        assert_eq!(bulletin.stamp.bits, got);
        assert_eq!(check(&bulletin, &network, NOW), Err(short));
        // Claimed and not done.
        let claimed = |nonce| Stamp { bits: need, nonce };
        let id = *bulletin.id();
        let idle = (0..1_000)
            .find(|nonce| !claimed(*nonce).verify(&id))
            .unwrap();
        bulletin.stamp = claimed(idle);
        assert!(check(&bulletin, &network, NOW).is_err());
        let paid = (0..1 << 24)
            .find(|nonce| claimed(*nonce).verify(&id))
            .unwrap();
        bulletin.stamp = claimed(paid);
        assert_eq!(check(&bulletin, &network, NOW), Ok(()));
    }
}
