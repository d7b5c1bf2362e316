//! What a neighbour can have a node do by looking for what was dropped there.
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]

mod solo;

use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header, Kind};
use bruit_core::event::{Action, Command, Event, Verdict};
use bruit_core::id::{BulletinId, LinkId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::lookups::Target;
use bruit_core::network::Network;
use bruit_core::wire::{Frame, encode_pub};
use bruit_core::work::Price;
use solo::Solo;

const NOW_MS: u64 = 1_800_000_000_000;

/// A node with two neighbours, one of which looks for things and has them.
struct Node {
    solo: Solo,
    seeker: LinkId,
}

impl Node {
    fn new() -> Self {
        let mut solo = Solo::new(&network(), NOW_MS);
        let seeker = solo.link();
        // Whom the node asks in turn, so that it goes on looking.
        solo.link();
        Self { solo, seeker }
    }

    fn bulletin(&self, body: &'static [u8], change: impl Fn(&mut Header)) -> Bulletin {
        let key = SecretKey::from_seed(&[9; 32]);
        let topic = TopicId::of("news");
        let mut header = Header::post(topic, key.author_id(), body, self.solo.now.wall);
        change(&mut header);
        Bulletin::sign(header, body.into(), network().id(), &key)
    }

    fn value(&self, seq: u64) -> Bulletin {
        self.bulletin(b"a value", |header| {
            header.kind = Kind::VALUE;
            header.name = b"name".to_vec();
            header.seq = seq;
        })
    }

    fn push(&mut self, bulletin: &Bulletin) -> Vec<Action> {
        self.solo.frame(self.seeker, &encode_pub(7, 1, bulletin))
    }

    fn look_for(&mut self, id: BulletinId) {
        let lookup = Frame::Lookup {
            lookup: 1,
            hops: 3,
            budget: 32,
            target: Target::Id(id),
        };
        self.solo.frame(self.seeker, &lookup.encode());
        let looks = |fill: &bruit_core::engine::Fill| fill.what == "lookups" && fill.used == 1;
        let config = bruit_core::config::Config::new(network());
        assert!(
            self.solo.engine.fills(&config).iter().any(looks),
            "it looks"
        );
    }
}

fn network() -> Network {
    Network::new("looked for", Price::FREE, None)
}

fn count(actions: &[Action], is: impl Fn(&Action) -> bool) -> usize {
    actions.iter().filter(|action| is(action)).count()
}

fn is_keep(action: &Action) -> bool {
    matches!(action, Action::Keep { .. })
}

#[test]
fn what_the_validator_did_not_accept_is_not_kept_because_somebody_looks_for_it() {
    let mut node = Node::new();
    let (topic, timeout) = (TopicId::of("news"), Some(Duration::from_secs(10)));
    node.solo
        .feed(Event::Command(Command::Validate { topic, timeout }));
    let bulletin = node.bulletin(b"hm", |_| {});
    assert_eq!(count(&node.push(&bulletin), is_keep), 0);
    let (id, verdict) = (*bulletin.id(), Verdict::Ignore);
    node.solo.feed(Event::Verdict { id, verdict });
    node.look_for(id);
    assert_eq!(count(&node.push(&bulletin), is_keep), 0);
}

#[test]
fn what_was_dropped_is_kept_again_where_nobody_judges() {
    let mut node = Node::new();
    let bulletin = node.bulletin(b"hm", |_| {});
    let (topic, timeout) = (TopicId::of("news"), Some(Duration::from_secs(10)));
    node.solo
        .feed(Event::Command(Command::Validate { topic, timeout }));
    node.push(&bulletin);
    let (id, verdict) = (*bulletin.id(), Verdict::Ignore);
    node.solo.feed(Event::Verdict { id, verdict });
    let timeout = None;
    node.solo
        .feed(Event::Command(Command::Validate { topic, timeout }));
    node.look_for(id);
    assert_eq!(count(&node.push(&bulletin), is_keep), 1);
}

#[test]
fn what_is_superseded_is_not_checked_again_because_somebody_looks_for_it() {
    let mut node = Node::new();
    let [old, new] = [1, 2].map(|seq| node.value(seq));
    node.push(&old);
    node.push(&new);
    node.look_for(*old.id());
    for _ in 0..10 {
        let actions = node.push(&old);
        let is_check = |action: &Action| matches!(action, Action::Verify { .. });
        assert_eq!(count(&actions, is_check), 0);
    }
}
