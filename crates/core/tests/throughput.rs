//! How fast an engine takes bulletins, against what checking their signatures alone would cost.
//!
//! Both are measured in turns within one run, so that a busy machine slows both.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests look at the clock and count small things"
)]

mod golden;
mod solo;

use std::time::{Duration, Instant};

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::event::{Action, Check, Event, JobId};
use bruit_core::id::{LinkId, TopicId};
use bruit_core::identity::{Keys, verify_batch};
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bruit_core::wire::Frame;
use bruit_core::work::Price;
use bytes::Bytes;
use golden::NOW_MS;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use solo::Solo;

/// Signatures the driver checks together.
const BATCH: usize = 64;
/// Bulletins in a turn.
const TURN: usize = 512;
const TURNS: usize = 6;
/// Times all of them come again in a turn.
const PASSES: u32 = 16;

fn network() -> Network {
    Network::new("throughput", Price::new(1), None)
}

/// Bulletins of 1 KiB by eight authors, all signed and paid for, as PUB frames.
fn frames(count: usize) -> Vec<Bytes> {
    let network = network();
    let make = |number: usize| {
        let key = golden::key(u8::try_from(number % 8).expect("a few authors") + 1);
        let mut content = vec![0x5a; 1_024];
        content[..8].copy_from_slice(&number.to_be_bytes());
        let now = Wall::from_millis(NOW_MS);
        let header = Header::post(TopicId::of("news"), key.author_id(), &content, now);
        let header = Header {
            ttl_s: 300,
            ..header
        };
        let signed = Bulletin::sign(header, content.into(), network.id(), &key);
        let bulletin = Box::new(golden::paid(signed, &network));
        Frame::Pub {
            root_tag: 1,
            hops: 1,
            bulletin,
        }
        .encode()
    };
    (0..count).map(make).collect()
}

/// An engine with one link that sends and three more in its mesh.
fn engine() -> (Solo, LinkId) {
    let mut solo = Solo::new(&network(), NOW_MS);
    let from = solo.link();
    for _ in 0..3 {
        solo.link();
    }
    (solo, from)
}

/// The driver's part: checks what is waiting, together, and tells the engine.
fn answer(solo: &mut Solo, waiting: &mut Vec<(JobId, Box<Check>)>, rng: &mut ChaCha8Rng) -> usize {
    let claims: Vec<_> = waiting.iter().map(|(_, check)| check.claim()).collect();
    let good = verify_batch(&claims, &mut Keys::default(), rng);
    let mut delivered = 0;
    for ((job, check), good) in waiting.drain(..).zip(good) {
        let good = good && check.content_holds();
        let actions = solo.engine.handle(Event::Verified { job, good }, solo.now);
        delivered += actions
            .iter()
            .filter(|a| matches!(a, Action::Deliver { .. }))
            .count();
    }
    delivered
}

/// Takes `frames` from the wire to delivery; returns how many were delivered.
fn accept(solo: &mut Solo, from: LinkId, frames: &[Bytes], rng: &mut ChaCha8Rng) -> usize {
    let (mut waiting, mut delivered) = (Vec::with_capacity(BATCH), 0);
    for frame in frames {
        let event = Event::Frame {
            link: from,
            frame: frame.clone(),
        };
        for action in solo.engine.handle(event, solo.now) {
            if let Action::Verify { job, check } = action {
                waiting.push((job, check));
            }
        }
        if waiting.len() == BATCH {
            delivered += answer(solo, &mut waiting, rng);
        }
    }
    delivered + answer(solo, &mut waiting, rng)
}

/// Checks the signatures of `frames` one by one and does nothing else.
fn raw(frames: &[Bytes]) -> Duration {
    let network = network();
    let bulletins: Vec<Bulletin> = frames
        .iter()
        .map(|frame| match Frame::decode(frame, network.id()) {
            Ok(Frame::Pub { bulletin, .. }) => *bulletin,
            other => unreachable!("{other:?}"),
        })
        .collect();
    let checks: Vec<Check> = bulletins
        .iter()
        .map(|bulletin| Check {
            key: *bulletin.header.author.as_bytes(),
            message: bulletin.header.signed_text(network.id()).into(),
            signature: bulletin.signature,
            content: None,
        })
        .collect();
    let begin = Instant::now();
    assert!(checks.iter().all(|check| check.claim().verify()));
    begin.elapsed()
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// The middle of an odd or even number of figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[test]
fn one_core_accepts_three_quarters_of_what_it_could_verify_one_by_one() {
    let frames = frames(TURN * TURNS);
    let (mut solo, from) = engine();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut ratios = Vec::new();
    for turn in frames.chunks(TURN) {
        let alone = raw(turn);
        let begin = Instant::now();
        assert_eq!(accept(&mut solo, from, turn, &mut rng), TURN);
        let path = begin.elapsed();
        println!(
            "signatures alone {:.0}/s, accepted {:.0}/s",
            per_second(TURN, alone),
            per_second(TURN, path)
        );
        ratios.push(alone.as_secs_f64() / path.as_secs_f64());
    }
    assert_eq!(solo.engine.inventory().counts().held, frames.len());
    let ratio = median(ratios);
    println!("accept path: {ratio:.2} × the rate of signature checks alone");
    assert!(ratio >= 0.75, "{ratio:.2}");
}

/// Feeds known bulletins from a neighbour that has not sent them before: one that repeats itself
/// is cut off.
fn again(solo: &mut Solo, frames: &[Bytes]) -> Duration {
    let link = solo.link();
    let begin = Instant::now();
    for frame in frames {
        let event = Event::Frame {
            link,
            frame: frame.clone(),
        };
        let actions = solo.engine.handle(event, solo.now);
        assert!(
            !actions
                .iter()
                .any(|action| { matches!(action, Action::Verify { .. } | Action::Deliver { .. }) })
        );
    }
    let time = begin.elapsed();
    solo.unlink(link);
    time
}

#[test]
fn duplicates_are_twenty_times_cheaper_than_a_signature_and_none_is_checked() {
    let frames = frames(TURN);
    let (mut solo, from) = engine();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    assert_eq!(accept(&mut solo, from, &frames, &mut rng), TURN);
    let checks = solo.engine.metrics().checks;
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let alone = raw(&frames);
        let path: Duration = (0..PASSES).map(|_| again(&mut solo, &frames)).sum();
        let path = path / PASSES;
        rates.push(per_second(TURN, path));
        ratios.push(alone.as_secs_f64() / path.as_secs_f64());
    }
    assert_eq!(
        solo.engine.metrics().checks,
        checks,
        "a known id is never checked again"
    );
    let copies = TURN as u64 * TURNS as u64 * u64::from(PASSES);
    assert_eq!(solo.engine.metrics().duplicates, copies);
    let (ratio, rate) = (median(ratios), median(rates));
    println!("duplicates: {rate:.0}/s, {ratio:.1} × the rate of signature checks");
    assert!(ratio >= 20.0, "{ratio:.1}");
}
