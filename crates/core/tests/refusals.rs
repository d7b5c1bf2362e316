//! What is refused before it costs a signature check, and what asymmetry work buys.
//!
//! Times are compared within one run, so that they hold on a slow and busy machine: the quickest of
//! many measurements on either side.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests look at the clock and count small things"
)]

mod golden;
mod solo;

use std::time::{Duration, Instant};

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::event::{Action, Event};
use bruit_core::id::{BulletinId, LinkId, TopicId};
use bruit_core::identity::Claim;
use bruit_core::limits;
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bruit_core::wire::{Frame, kind};
use bruit_core::work::{Price, Search, Stamp};
use bytes::Bytes;
use golden::NOW_MS;
use solo::{Solo, sent};

fn network() -> Network {
    Network::new("priced", Price::new(1), None)
}

/// A bulletin of 1 KiB, paid for; `number` makes it another one.
fn bulletin(network: &Network, number: u32, change: impl Fn(&mut Header)) -> Bulletin {
    let key = golden::key(1);
    let mut content = vec![0; 1_024];
    content[..4].copy_from_slice(&number.to_be_bytes());
    let now = Wall::from_millis(NOW_MS);
    let mut header = Header::post(TopicId::of("news"), key.author_id(), &content, now);
    header.ttl_s = 300;
    change(&mut header);
    golden::paid(
        Bulletin::sign(header, content.into(), network.id(), &key),
        network,
    )
}

fn pub_frame(bulletin: Bulletin) -> Bytes {
    Frame::Pub {
        root_tag: 1,
        hops: 0,
        bulletin: Box::new(bulletin),
    }
    .encode()
}

/// Work of exactly one bit less than the bulletin claims.
fn one_bit_short(mut bulletin: Bulletin) -> Bulletin {
    let claimed = bulletin.stamp.bits;
    let zeros = |stamp: &Stamp, id: &BulletinId| {
        let text = [
            b"pow1",
            id.as_bytes().as_slice(),
            &[0, stamp.bits],
            &stamp.nonce.to_be_bytes(),
        ];
        let first = *blake3::hash(&text.concat())
            .as_bytes()
            .first_chunk()
            .expect("32 bytes");
        u64::from_be_bytes(first).leading_zeros()
    };
    let wanted = u32::from(claimed) - 1;
    let stamps = (0..).map(|nonce| Stamp {
        bits: claimed,
        nonce,
    });
    let short = stamps
        .into_iter()
        .find(|stamp| zeros(stamp, bulletin.id()) == wanted);
    bulletin.stamp = short.expect("there are many");
    bulletin
}

/// A frame to be refused: which counter tells, and how to make the `number`th.
type Case = (&'static str, &'static str, fn(u32) -> Bytes);

fn cases() -> Vec<Case> {
    vec![
        ("one bit short", "work", |number| {
            pub_frame(one_bit_short(bulletin(&network(), number, |_| {})))
        }),
        ("stamp of another bulletin", "work", |number| {
            let mut stolen = bulletin(&network(), number, |_| {});
            // One in 2¹¹ stolen stamps would do by luck: take the next one then.
            let mut thieves =
                (1_u32..).map(|next| bulletin(&network(), number + (next << 16), |_| {}).stamp);
            let id = *stolen.id();
            stolen.stamp = thieves
                .find(|stamp| !stamp.verify(&id))
                .expect("hardly any would do");
            pub_frame(stolen)
        }),
        ("one bit below the price", "price", |number| {
            let mut cheap = bulletin(&network(), number, |_| {});
            let bits = cheap.stamp.bits - 1;
            cheap.stamp = Search::new(*cheap.id(), bits, 0)
                .step(u32::MAX)
                .expect("few bits");
            pub_frame(cheap)
        }),
        ("work done long ago", "expired", |number| {
            let created = Wall::from_millis(NOW_MS - 300_000);
            pub_frame(bulletin(&network(), number, |header| {
                header.created = created;
            }))
        }),
        ("another network", "work", |number| {
            let other = Network::new("priced too", Price::new(1), None);
            // One in 2¹¹ would do by luck; the tag makes another id.
            let made =
                (0..=u8::MAX).map(|tag| bulletin(&other, number, |header| header.tag = vec![tag]));
            let frames = made.map(pub_frame);
            let mut foreign = frames.filter(|frame| {
                let Ok(Frame::Pub { bulletin, .. }) = Frame::decode(frame, network().id()) else {
                    unreachable!("its shape is good");
                };
                !bulletin.stamp.verify(bulletin.id())
            });
            foreign.next().expect("hardly any would do")
        }),
    ]
}

/// Times of the engine's answers, quickest first.
fn refuse(reason: &str, frames: Vec<Bytes>) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut solo = Solo::new(&network(), NOW_MS);
    for (count, frame) in (1_u64..).zip(frames) {
        let link = solo.link();
        let checks = solo.engine.metrics().checks;
        let (event, now) = (Event::Frame { link, frame }, solo.now);
        let begin = Instant::now();
        let actions = solo.engine.handle(event, now);
        times.push(begin.elapsed());
        assert!(
            !actions
                .iter()
                .any(|action| matches!(action, Action::Verify { .. }))
        );
        assert_eq!(solo.engine.metrics().checks, checks, "{reason}");
        assert_eq!(
            solo.engine.metrics().drops.get(reason),
            Some(&count),
            "{reason}"
        );
        assert_eq!(solo.engine.inventory().counts().seen, 0);
        solo.unlink(link);
    }
    times.sort_unstable();
    times
}

/// The cost of one signature check, quickest and median of many.
fn check_time() -> (Duration, Duration) {
    let signed = bulletin(&network(), 0, |_| {});
    let message = signed.header.signed_text(network().id());
    let key = *signed.header.author.as_bytes();
    let claim = Claim {
        key: &key,
        message: &message,
        signature: &signed.signature,
    };
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let begin = Instant::now();
            assert!(claim.verify());
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times[0], times[times.len() / 2])
}

#[test]
fn work_that_was_not_done_for_this_is_refused_for_less_than_a_tenth_of_a_signature_check() {
    for (what, reason, make) in cases() {
        let frames: Vec<Bytes> = (0..60).map(make).collect();
        let (check, check_median) = check_time();
        let times = refuse(reason, frames);
        let (quickest, median) = (times[0], times[times.len() / 2]);
        println!(
            "{what}: refused in {quickest:.2?} (median {median:.2?}); a signature check takes \
             {check:.2?} (median {check_median:.2?})"
        );
        assert!(
            quickest * 10 <= check,
            "{what}: {quickest:?} against {check:?}"
        );
    }
}

#[test]
fn finding_a_stamp_costs_ten_thousand_times_what_checking_it_does() {
    let ids = (0_u8..25).map(|number| BulletinId::from_bytes(*blake3::hash(&[number]).as_bytes()));
    let bits = Price::DEFAULT.bits_min(1_024, Duration::from_mins(5));
    let mut solves = Vec::new();
    let mut stamps = Vec::new();
    for id in ids {
        let begin = Instant::now();
        let stamp = Search::new(id, bits, 0)
            .step(u32::MAX)
            .expect("2³² trials find 18 bits");
        solves.push(begin.elapsed());
        stamps.push((id, stamp));
    }
    solves.sort_unstable();
    let rounds = 4_000_u32;
    let begin = Instant::now();
    for _ in 0..rounds {
        for (id, stamp) in &stamps {
            assert!(std::hint::black_box(stamp).verify(std::hint::black_box(id)));
        }
    }
    let check = begin.elapsed() / rounds / u32::try_from(stamps.len()).expect("25");
    let (p50, p99) = (solves[solves.len() / 2], solves[solves.len() - 1]);
    println!("{bits} bits: solve p50 {p50:.1?}, p99 (slowest of 25) {p99:.1?}; check {check:?}");
    assert!(check * 10_000 <= p50, "{check:?} against {p50:?}");
}

/// An engine with a link that sends and a link that would be told, and a bulletin fed to it.
fn fed(bulletin: Bulletin) -> (Solo, Vec<Action>, LinkId) {
    let mut solo = Solo::new(&network(), NOW_MS);
    let from = solo.link();
    let other = solo.link();
    let frame = pub_frame(bulletin);
    let mut actions = solo.frame(from, &frame);
    for _ in 0..8 {
        solo.now.mono = solo.now.mono.plus(Duration::from_millis(100));
        actions.extend(solo.feed(Event::Wakeup));
    }
    (solo, actions, other)
}

fn created(offset_ms: i64) -> impl Fn(&mut Header) {
    let at = NOW_MS.checked_add_signed(offset_ms).expect("near now");
    move |header: &mut Header| header.created = Wall::from_millis(at)
}

#[test]
fn a_clock_two_minutes_ahead_is_taken_and_one_more_second_is_not() {
    for (ahead_ms, taken) in [(120_000, true), (120_001, false), (121_000, false)] {
        let (solo, actions, other) = fed(bulletin(&network(), 1, created(ahead_ms)));
        let delivered = actions
            .iter()
            .any(|action| matches!(action, Action::Deliver { .. }));
        let told = sent(&actions)
            .iter()
            .any(|(link, kind)| *link == other && matches!(*kind, kind::PUB | kind::IHAVE));
        assert_eq!((delivered, told), (taken, taken), "{ahead_ms} ms ahead");
        let future = solo.engine.metrics().drops.get("future").copied();
        assert_eq!(future, (!taken).then_some(1), "{ahead_ms} ms ahead");
    }
}

#[test]
fn what_expired_a_millisecond_ago_or_lives_too_long_is_not_relayed() {
    let longest = u32::try_from(limits::TTL_MAX.as_secs()).expect("28 days");
    let cases: [(&str, Option<&str>, Bulletin); 5] = [
        (
            "one millisecond left",
            None,
            bulletin(&network(), 1, created(-299_999)),
        ),
        (
            "over now",
            Some("expired"),
            bulletin(&network(), 2, created(-300_000)),
        ),
        (
            "over since a millisecond",
            Some("expired"),
            bulletin(&network(), 3, created(-300_001)),
        ),
        (
            "longest life",
            None,
            bulletin(&network(), 4, |header| header.ttl_s = longest),
        ),
        (
            "longer life",
            Some("shape"),
            bulletin(&network(), 5, |header| header.ttl_s = longest + 1),
        ),
    ];
    for (what, dropped, bulletin) in cases {
        let (solo, actions, other) = fed(bulletin);
        let delivered = actions
            .iter()
            .any(|action| matches!(action, Action::Deliver { .. }));
        let told = sent(&actions)
            .iter()
            .any(|(link, kind)| *link == other && matches!(*kind, kind::PUB | kind::IHAVE));
        let good = dropped.is_none();
        assert_eq!((delivered, told), (good, good), "{what}");
        let reasons: Vec<&str> = solo
            .engine
            .metrics()
            .drops
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(reasons, dropped.into_iter().collect::<Vec<_>>(), "{what}");
        assert_eq!(solo.engine.metrics().checks > 0, good, "{what}");
    }
}

#[test]
fn the_same_bulletin_without_work_costs_its_sender_the_link_and_late_ones_do_not() {
    for (what, reason, make) in cases() {
        let mut solo = Solo::new(&network(), NOW_MS);
        let link = solo.link();
        let actions = solo.frame(link, &make(7));
        assert_eq!(solo::closes(&actions), reason != "expired", "{what}");
        assert!(sent(&actions).is_empty(), "{what}");
    }
}
