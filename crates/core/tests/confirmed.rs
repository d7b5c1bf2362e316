//! Who confirms that a bulletin is kept: as many as its publisher waits for, whatever its tree.
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]

mod solo;

use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::event::{Action, Command, Event};
use bruit_core::id::{BulletinId, LinkId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::network::Network;
use bruit_core::wire::{Decode, Frame, Reader, encode_pub, kind};
use bruit_core::work::Price;
use solo::{Solo, sent};

const NOW_MS: u64 = 1_800_000_000_000;

fn network() -> Network {
    Network::new("confirmed", Price::FREE, None)
}

fn bulletin(number: u8) -> Bulletin {
    let key = SecretKey::from_seed(&[9; 32]);
    let body = vec![number; 100];
    let wall = bruit_core::time::Wall::from_millis(NOW_MS);
    let header = Header::post(TopicId::of("news"), key.author_id(), &body, wall);
    Bulletin::sign(header, body.into(), network().id(), &key)
}

/// The neighbours to which a bulletin is pushed.
fn pushed(actions: &[Action]) -> Vec<LinkId> {
    let frames = sent(actions);
    let pushes = frames.iter().filter(|(_, what)| *what == kind::PUB);
    pushes.map(|(link, _)| *link).collect()
}

/// The root tag of a pushed frame.
fn root_tag(actions: &[Action]) -> u64 {
    let tag = |action: &Action| match action {
        Action::Send { frame, .. } if frame.first() == Some(&kind::PUB) => {
            u64::decode(&mut Reader::new(frame.get(1..)?)).ok()
        }
        _ => None,
    };
    actions.iter().find_map(tag).expect("something is pushed")
}

/// Of a tree whose publisher has one child alone only that child would confirm, and who waited for three
/// waited for ever.
#[test]
fn a_bulletin_that_three_are_to_keep_is_pushed_to_three_though_the_tree_has_one_branch() {
    let mut solo = Solo::new(&network(), NOW_MS);
    let links = [(); 6].map(|()| solo.link());
    let publish = |solo: &mut Solo, number: u8, least: Option<u32>| {
        let bulletin = bulletin(number);
        if let Some(least) = least {
            let id = *bulletin.id();
            solo.feed(Event::Command(Command::Spread { id, least }));
        }
        solo.feed(Event::Command(Command::Publish(Box::new(bulletin))))
    };
    let actions = publish(&mut solo, 1, None);
    let tag = root_tag(&actions);
    for link in links.iter().skip(1) {
        let roots = vec![tag];
        solo.frame(*link, &Frame::Choke { roots }.encode());
    }
    assert_eq!(pushed(&publish(&mut solo, 2, None)), [links[0]]);
    let three = pushed(&publish(&mut solo, 3, Some(3)));
    assert_eq!(three.len(), 3, "{three:?}");
    assert!(
        three.contains(&links[0]),
        "the tree's branch is one of them"
    );
    assert_eq!(
        pushed(&publish(&mut solo, 4, Some(100))).len(),
        6,
        "all there are"
    );
    assert_eq!(
        pushed(&publish(&mut solo, 5, None)),
        [links[0]],
        "it is for one bulletin"
    );
}

/// What is confirmed to the neighbour that published it.
fn confirmed(actions: &[Action], publisher: LinkId) -> usize {
    let frames = sent(actions);
    let is_kept = |(link, what): &&(LinkId, u8)| *link == publisher && *what == kind::KEPT;
    frames.iter().filter(is_kept).count()
}

fn wait(solo: &mut Solo, time: Duration) -> Vec<Action> {
    let end = solo.now.mono.plus(time);
    let mut actions = Vec::new();
    while let Some(due) = solo.engine.next_wakeup().filter(|due| *due <= end) {
        solo.now.mono = due.max(solo.now.mono);
        actions.extend(solo.feed(Event::Wakeup));
    }
    solo.now.mono = end;
    actions
}

/// The publisher's own copy comes after a relay's: it is confirmed all the same, whether the disk was
/// quicker or not, and once.
#[test]
fn a_copy_of_the_publisher_is_confirmed_also_when_a_relays_was_quicker() {
    for is_synced_first in [true, false] {
        let mut solo = Solo::new(&network(), NOW_MS);
        let relay = solo.link();
        let publisher = solo.link_that_wants_kept();
        let bulletin = bulletin(1);
        let persist = |solo: &mut Solo| {
            let ids: Vec<BulletinId> = vec![*bulletin.id()];
            solo.feed(Event::Persisted { ids })
        };
        let mut actions = solo.frame(relay, &encode_pub(7, 1, &bulletin));
        if is_synced_first {
            actions.extend(persist(&mut solo));
        }
        actions.extend(solo.frame(publisher, &encode_pub(7, 0, &bulletin)));
        if !is_synced_first {
            actions.extend(persist(&mut solo));
        }
        actions.extend(wait(&mut solo, Duration::from_secs(1)));
        assert_eq!(confirmed(&actions, publisher), 1, "{is_synced_first}");
        assert_eq!(confirmed(&actions, relay), 0);
    }
}
