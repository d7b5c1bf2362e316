//! The outside of a letter: the header that everybody sees.
//!
//! Kind, topic, size and validity are all it tells, each of few values; the moment is that of its
//! making to the second. Letters and acknowledgements have the same outside.

use std::time::Duration;

use crate::bulletin::{Header, Kind};
use crate::id::{AuthorId, ContentId, TopicId};
use crate::limits;
use crate::time::Wall;

use super::SEALED_SIZES;

/// The shortest validity of a letter's bulletin: 21 h. The others are this one doubled up to five
/// times, which is [`limits::TTL_MAX`].
pub const TTL_MIN: Duration = Duration::from_hours(21);

/// How often [`TTL_MIN`] is doubled at most.
const DOUBLINGS: u32 = 5;

/// Milliseconds of the second that moments are cut to.
const SECOND_MS: u64 = 1_000;

/// Why a header is no letter's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header has a {0} no letter has")]
pub struct OutsideError(&'static str);

/// The shortest validity of a letter's bulletin that covers `wanted`; the longest when none does.
pub fn ttl_for(wanted: Duration) -> Duration {
    validities()
        .find(|ttl| *ttl >= wanted)
        .unwrap_or(limits::TTL_MAX)
}

fn validities() -> impl Iterator<Item = Duration> {
    (0..=DOUBLINGS).map(|times| TTL_MIN.saturating_mul(1_u32.checked_shl(times).unwrap_or(1)))
}

/// The header of a letter with this sealed `content`.
///
/// # Panics
/// When the content has no letter's size, or the validity is no letter's: our own mistakes.
pub fn outside(
    topic: TopicId,
    author: AuthorId,
    content: &[u8],
    created: Wall,
    ttl: Duration,
) -> Header {
    let created = created.as_millis();
    let whole = created.saturating_sub(created.checked_rem(SECOND_MS).unwrap_or(0));
    let header = Header {
        kind: Kind::LETTER,
        flags: 0,
        ttl_s: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
        created: Wall::from_millis(whole),
        topic,
        content_id: ContentId::of(content),
        author,
        seq: 0,
        size_bytes: u32::try_from(content.len()).unwrap_or(u32::MAX),
        name: Vec::new(),
        tag: Vec::new(),
        parents: Vec::new(),
    };
    assert_eq!(check_outside(&header), Ok(()), "made as a letter");
    header
}

/// Whether a header tells no more than a letter's may.
///
/// # Errors
/// Names the field that tells more.
pub fn check_outside(header: &Header) -> Result<(), OutsideError> {
    let size = usize::try_from(header.size_bytes).ok();
    let created = header.created.as_millis();
    let rules = [
        ("kind", header.kind == Kind::LETTER),
        ("flag", header.flags == 0),
        ("validity", validities().any(|ttl| ttl == header.ttl())),
        ("moment", created.checked_rem(SECOND_MS) == Some(0)),
        ("count", header.seq == 0),
        (
            "size",
            size.is_some_and(|size| SEALED_SIZES.contains(&size)),
        ),
        ("name", header.name.is_empty()),
        ("tag", header.tag.is_empty()),
        ("parent", header.parents.is_empty()),
    ];
    match rules.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(OutsideError(field)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BulletinId;

    #[test]
    fn validities_are_six_and_the_shortest_that_covers_is_taken() {
        let all: Vec<_> = validities().map(|ttl| ttl.as_secs() / 3_600).collect();
        assert_eq!(all, [21, 42, 84, 168, 336, 672]);
        assert_eq!(ttl_for(Duration::ZERO), TTL_MIN);
        assert_eq!(ttl_for(TTL_MIN), TTL_MIN);
        assert_eq!(ttl_for(Duration::from_hours(22)), Duration::from_hours(42));
        assert_eq!(ttl_for(Duration::MAX), limits::TTL_MAX);
    }

    #[test]
    fn header_that_tells_more_is_no_letters() {
        let author = AuthorId::from_bytes([3; 32]);
        let good = outside(
            TopicId::from_bytes([0; 32]),
            author,
            &[0; 1_024],
            Wall::from_millis(1_800_000_000_777),
            TTL_MIN,
        );
        assert_eq!(good.created.as_millis(), 1_800_000_000_000);
        let wrong: [fn(&mut Header); 9] = [
            |header| header.kind = Kind::POST,
            |header| header.flags = 1,
            |header| header.ttl_s += 1,
            |header| header.created = Wall::from_millis(1_800_000_000_001),
            |header| header.seq = 1,
            |header| header.size_bytes = 1_025,
            |header| header.name = b"a".to_vec(),
            |header| header.tag = b"a".to_vec(),
            |header| header.parents = vec![BulletinId::from_bytes([1; 32])],
        ];
        for change in wrong {
            let mut header = good.clone();
            change(&mut header);
            assert!(check_outside(&header).is_err(), "{header:?}");
        }
    }
}
