//! Making the two bulletins of a letter: the acknowledgement it encloses, and the one around it. Each is
//! signed by a key drawn for it and forgotten after.

use std::time::Duration;

use bruit_core::bulletin::Header;
use bruit_core::id::NetworkId;
use bruit_core::identity::SecretKey;
use bruit_core::letters::{Letter, SealError, acknowledgement, outside, topic, ttl_for, week};
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bytes::Bytes;
use rand_core::CryptoRng;

use super::desk::Sealing;

/// An acknowledgement is dated back by up to so much, so that its date does not name the letter.
const DATED_BACK_MAX: Duration = Duration::from_hours(1);

/// What is to be signed and paid for.
pub(crate) struct Unsigned {
    pub(crate) header: Header,
    pub(crate) content: Bytes,
    /// The key of its one-time author.
    pub(crate) key: SecretKey,
}

/// A key that signs one bulletin.
fn one_time(rng: &mut impl CryptoRng) -> SecretKey {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut());
    SecretKey::from_seed(&seed)
}

/// The acknowledgement a letter encloses.
pub(crate) fn enclosed(
    sealing: &Sealing,
    network: &Network,
    now: Wall,
    rng: &mut impl CryptoRng,
) -> Result<Unsigned, SealError> {
    let key = one_time(rng);
    let most = u64::try_from(DATED_BACK_MAX.as_millis()).unwrap_or(u64::MAX);
    let back = rng.next_u64().checked_rem(most).unwrap_or(0);
    let created = now.minus(Duration::from_millis(back));
    let (own, life) = (&sealing.reply, sealing.life);
    let (header, content) = acknowledgement(network, own, key.author_id(), created, life, rng)?;
    Ok(Unsigned {
        header,
        content,
        key,
    })
}

/// The letter's bulletin: `sender` signs inside, `enclosed` is the acknowledgement, signed and paid.
pub(crate) fn sealed(
    sealing: &Sealing,
    enclosed: Bytes,
    sender: &SecretKey,
    network: &NetworkId,
    now: Wall,
    rng: &mut impl CryptoRng,
) -> Result<Unsigned, SealError> {
    let key = one_time(rng);
    let letter = Letter {
        purpose: sealing.purpose,
        from: sealing.from,
        to: sealing.to,
        id: sealing.id,
        created: sealing.created,
        expires: now.plus(sealing.life),
        reply: sealing.reply,
        acknowledgement: enclosed,
        body: sealing.body.clone(),
    };
    let author = key.author_id();
    let content = letter.seal(network, &sealing.letterbox, sender, &author, rng)?;
    let topic = topic(&sealing.letterbox, week(now));
    Ok(Unsigned {
        header: outside(topic, author, &content, now, ttl_for(sealing.life)),
        content,
        key,
    })
}
