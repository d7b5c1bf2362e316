//! What is brought in a file: checked like what neighbours send, announced and not pushed.
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]

mod golden;
mod solo;

use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::event::{Action, Command, Event, Notice, Published, Refusal, Verdict};
use bruit_core::id::TopicId;
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bruit_core::wire::{Frame, kind};
use bruit_core::work::Price;
use golden::NOW_MS;
use solo::{Solo, sent};

fn network() -> Network {
    Network::new("carried", Price::new(0), None)
}

fn bulletin(content: &'static [u8]) -> Bulletin {
    let key = golden::key(1);
    let now = Wall::from_millis(NOW_MS);
    let header = Header::post(TopicId::of("news"), key.author_id(), content, now);
    Bulletin::sign(header, content.into(), network().id(), &key)
}

fn import(solo: &mut Solo, bulletin: &Bulletin) -> Vec<Action> {
    solo.feed(Event::Command(Command::Import(Box::new(bulletin.clone()))))
}

fn outcomes(actions: &[Action]) -> Vec<Published> {
    let outcome = |action: &Action| match action {
        Action::Notice(Notice::Imported { result, .. }) => Some(*result),
        _ => None,
    };
    actions.iter().filter_map(outcome).collect()
}

fn delivered(actions: &[Action]) -> usize {
    let is_delivery = |action: &&Action| matches!(action, Action::Deliver { from: None, .. });
    actions.iter().filter(is_delivery).count()
}

#[test]
fn what_is_brought_is_delivered_once_and_announced_not_pushed() {
    let mut solo = Solo::new(&network(), NOW_MS);
    let link = solo.link();
    solo.frame(link, &Frame::Mesh { on: true }.encode());
    let one = bulletin(b"one");
    let mut actions = import(&mut solo, &one);
    assert_eq!(delivered(&actions), 1);
    assert!(matches!(
        outcomes(&actions)[..],
        [Published::Accepted { .. }]
    ));
    for _ in 0..20 {
        solo.now.mono = solo.now.mono.plus(Duration::from_millis(100));
        actions.extend(solo.feed(Event::Wakeup));
    }
    let kinds: Vec<u8> = sent(&actions).into_iter().map(|(_, kind)| kind).collect();
    assert!(!kinds.contains(&kind::PUB), "{kinds:?}");
    assert!(kinds.contains(&kind::IHAVE), "{kinds:?}");
    let again = import(&mut solo, &one);
    assert_eq!(
        (delivered(&again), outcomes(&again)),
        (0, vec![Published::Known])
    );
}

#[test]
fn what_is_bad_or_too_old_is_refused_and_blames_nobody() {
    let mut solo = Solo::new(&network(), NOW_MS);
    solo.link();
    let mut forged = bulletin(b"one");
    forged.content = bytes::Bytes::from_static(b"two");
    let actions = import(&mut solo, &forged);
    assert_eq!(outcomes(&actions), [Published::Refused(Refusal::Signature)]);
    assert!(!solo::closes(&actions));
    let good = import(&mut solo, &bulletin(b"one"));
    assert_eq!(
        delivered(&good),
        1,
        "a forged copy is no obstacle to the good one"
    );

    let mut late = Solo::new(&network(), NOW_MS + 3_600_000);
    let actions = import(&mut late, &bulletin(b"one"));
    assert_eq!(outcomes(&actions), [Published::Refused(Refusal::Expired)]);
}

/// What a validator was to judge had no sender, and was forgotten when it was accepted.
#[test]
fn a_validator_judges_what_is_brought() {
    for (verdict, count) in [(Verdict::Accept, 1), (Verdict::Ignore, 0)] {
        let mut solo = Solo::new(&network(), NOW_MS);
        let one = bulletin(b"one");
        solo.feed(Event::Command(Command::Validate {
            topic: one.header.topic,
            timeout: Some(Duration::from_secs(5)),
        }));
        let actions = import(&mut solo, &one);
        assert_eq!(
            (delivered(&actions), outcomes(&actions)),
            (0, vec![Published::Queued])
        );
        let judged = solo.feed(Event::Verdict {
            id: *one.id(),
            verdict,
        });
        assert_eq!(delivered(&judged), count, "{verdict:?}");
    }
}
