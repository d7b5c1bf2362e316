//! Letters on the wire: what the frames around them tell.
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]

mod solo;

use std::collections::BTreeSet;

use bruit_core::bulletin::{Bulletin, Header, Kind};
use bruit_core::event::{Action, Command, Event};
use bruit_core::id::TopicId;
use bruit_core::identity::SecretKey;
use bruit_core::letters::{Letterbox, TTL_MIN, outside};
use bruit_core::network::Network;
use bruit_core::wire::{Frame, kind};
use bruit_core::work::Price;
use bytes::Bytes;
use solo::Solo;

/// The tags with which a bulletin goes out.
fn tags(actions: &[Action], network: &Network) -> BTreeSet<u64> {
    let tag = |action: &Action| match action {
        Action::Send { frame, .. } if frame.first() == Some(&kind::PUB) => {
            match Frame::decode(frame, network.id()) {
                Ok(Frame::Pub { root_tag, .. }) => Some(root_tag),
                other => panic!("{other:?}"),
            }
        }
        _ => None,
    };
    actions.iter().filter_map(tag).collect()
}

/// All that a node publishes within an epoch has one root tag, which every relay sees: with it a letter
/// would have been known as written by whom the posts beside it are.
#[test]
fn root_tag_of_a_letter_is_its_own() {
    let network = Network::new("letters", Price::FREE, None);
    let mut solo = Solo::new(&network, 1_800_000_000_000);
    for _ in 0..3 {
        solo.link();
    }
    let mut publish = |bulletin| {
        let command = Command::Publish(Box::new(bulletin));
        let tags = tags(&solo.feed(Event::Command(command)), &network);
        assert_eq!(tags.len(), 1, "it goes out with one tag");
        tags.first().copied()
    };
    let post = |body: &'static [u8]| {
        let key = SecretKey::from_seed(&[1; 32]);
        let wall = bruit_core::time::Wall::from_millis(1_800_000_000_000);
        let header = Header::post(TopicId::of("news"), key.author_id(), body, wall);
        Bulletin::sign(header, Bytes::from_static(body), network.id(), &key)
    };
    let letter = |number: u8| {
        let key = SecretKey::from_seed(&[number; 32]);
        let wall = bruit_core::time::Wall::from_millis(1_800_000_000_000);
        let content = Bytes::from(vec![number; 256]);
        let topic = TopicId::from_bytes([0; 32]);
        let header = outside(topic, key.author_id(), &content, wall, TTL_MIN);
        Bulletin::sign(header, content, network.id(), &key)
    };
    let letterbox = |number: u8| {
        let key = SecretKey::from_seed(&[number; 32]);
        let wall = bruit_core::time::Wall::from_millis(1_800_000_000_000);
        let content = Bytes::from(vec![number; Letterbox::BYTES]);
        let topic = TopicId::of("values");
        let mut header = Header::post(topic, key.author_id(), &content, wall);
        header.kind = Kind::VALUE;
        header.name = Letterbox::NAME.as_bytes().to_vec();
        header.seq = 1;
        Bulletin::sign(header, content, network.id(), &key)
    };
    let first = publish(post(b"one"));
    assert_eq!(publish(post(b"two")), first, "posts share the node's tag");
    let (one, two) = (publish(letter(2)), publish(letter(3)));
    let (three, four) = (publish(letterbox(4)), publish(letterbox(5)));
    let all = BTreeSet::from([first, one, two, three, four]);
    assert_eq!(all.len(), 5, "{all:?}");
    assert_eq!(publish(post(b"three")), first, "the node keeps its tag");
}
