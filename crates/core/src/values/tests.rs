use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::draw;
use crate::id::AuthorId;
use crate::membership::tests::seed;

fn key(number: u8) -> ValueKey {
    ValueKey::of(&AuthorId::from_bytes([1; 32]), &[number])
}

fn id(number: u8) -> BulletinId {
    BulletinId::from_bytes([number; 32])
}

fn version(seq: u64, clears: bool) -> Version {
    Version {
        key: key(0),
        seq,
        clears,
    }
}

const SOON: Wall = Wall::from_millis(1_000_000);

/// What a node does with a version that arrives.
fn arrive(
    values: &mut Values,
    version: &Version,
    id: BulletinId,
    expires: Wall,
) -> Vec<BulletinId> {
    let is_held = values.judge(version, &id) != Ruling::Superseded;
    values.insert(version, id, expires, is_held)
}

fn header(kind: Kind, name: &[u8], parents: Vec<BulletinId>) -> Header {
    let author = AuthorId::from_bytes([1; 32]);
    let mut header = Header::post(crate::id::TopicId::of("values"), author, b"", SOON);
    header.kind = kind;
    header.name = name.to_vec();
    header.parents = parents;
    header
}

#[test]
fn only_named_values_files_and_tombstones_have_versions() {
    let clears = |kind, name: &[u8], parents| {
        Version::of(&header(kind, name, parents)).map(|version| version.clears)
    };
    assert_eq!(clears(Kind::POST, b"a", vec![]), None);
    assert_eq!(clears(Kind::VALUE, b"", vec![]), None);
    assert_eq!(clears(Kind::VALUE, b"a", vec![]), Some(true));
    assert_eq!(clears(Kind::MANIFEST, b"a", vec![]), Some(true));
    assert_eq!(clears(Kind::VALUE, b"a", vec![id(1)]), Some(false));
    assert_eq!(clears(Kind::TOMBSTONE, b"a", vec![id(1)]), Some(true));
}

#[test]
fn a_later_version_drops_an_earlier_one_and_the_earlier_one_does_not_come_back() {
    let mut values = Values::default();
    assert_eq!(arrive(&mut values, &version(1, true), id(1), SOON), vec![]);
    assert_eq!(values.judge(&version(2, true), &id(2)), Ruling::Newest);
    assert_eq!(
        arrive(&mut values, &version(2, true), id(2), SOON),
        vec![id(1)]
    );
    assert_eq!(values.judge(&version(1, true), &id(1)), Ruling::Superseded);
    assert_eq!(
        values.head(&key(0)).map(|head| (head.seq, head.id)),
        Some((2, id(2)))
    );
    assert_eq!(values.head(&key(1)), None);
}

#[test]
fn of_equal_counts_the_lower_id_wins_whichever_comes_first() {
    for order in [[3, 7], [7, 3]] {
        let mut values = Values::default();
        for number in order {
            arrive(&mut values, &version(5, true), id(number), SOON);
        }
        assert_eq!(
            values.head(&key(0)).map(|head| head.id),
            Some(id(3)),
            "{order:?}"
        );
        assert_eq!(values.judge(&version(5, true), &id(7)), Ruling::Superseded);
    }
}

#[test]
fn a_chain_keeps_what_it_goes_on_from_until_a_version_without_parent_or_a_tombstone() {
    let mut values = Values::default();
    for (seq, number) in [(1, 1), (2, 2), (3, 3)] {
        let dropped = arrive(&mut values, &version(seq, seq == 1), id(number), SOON);
        assert_eq!(dropped, vec![]);
    }
    assert_eq!(values.judge(&version(2, false), &id(9)), Ruling::Earlier);
    let dropped = arrive(&mut values, &version(4, true), id(4), SOON);
    assert_eq!(dropped, vec![id(1), id(2), id(3)]);
}

#[test]
fn a_value_is_remembered_until_its_last_version_has_been_over_for_minutes() {
    let mut values = Values::default();
    let late = SOON.plus(Duration::from_secs(500));
    arrive(&mut values, &version(1, true), id(1), late);
    arrive(&mut values, &version(2, true), id(2), SOON);
    assert_eq!(values.head(&key(0)).map(|head| head.until), Some(late));
    values.expire(late.plus(Duration::from_secs(239)));
    assert_eq!(values.judge(&version(1, true), &id(1)), Ruling::Superseded);
    values.expire(late.plus(Duration::from_mins(4)));
    assert!(values.is_empty());
    assert!(values.ending.is_empty() && values.versions.is_empty());
}

/// One version, drawn from so few that they meet.
fn drawn(rng: &mut ChaCha8Rng) -> (Version, BulletinId, Wall) {
    let number = u8::try_from(draw::below(rng, 16)).unwrap();
    // A bulletin's version and expiry are its own: both follow from its id.
    let version = Version {
        key: key(number % 2),
        seq: u64::from(number / 2 % 4),
        clears: number % 3 != 0,
    };
    let expires = Wall::from_millis(u64::from(number).wrapping_mul(7_919) % 1_000_000);
    (version, id(number), expires)
}

#[test]
fn every_order_and_every_repetition_of_the_same_versions_leads_to_the_same() {
    let mut rng = ChaCha8Rng::seed_from_u64(seed(1));
    for case in 0..100_000 {
        let count = 1 + draw::below(&mut rng, 8);
        let versions: Vec<_> = (0..count).map(|_| drawn(&mut rng)).collect();
        let mut shuffled = versions.clone();
        draw::shuffle(&mut rng, &mut shuffled);
        shuffled.push(versions[draw::below(&mut rng, count)]);
        let [one, other] = [&versions, &shuffled].map(|versions| {
            let mut values = Values::default();
            for (version, id, expires) in versions {
                arrive(&mut values, version, *id, *expires);
            }
            values
        });
        assert_eq!(one, other, "case {case}: {versions:?} and {shuffled:?}");
    }
}
