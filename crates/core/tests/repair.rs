//! What a settled tree does not bring: who is asked, and what is done with it when it has come.
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]

mod solo;

use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::event::{Action, Event};
use bruit_core::id::{LinkId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bruit_core::wire::{Frame, IhaveEntry, encode_pub, kind};
use bruit_core::work::Price;
use solo::{Solo, sent};

const TAG: u64 = 7;
const NOW_MS: u64 = 1_800_000_000_000;

/// A node in a settled tree: the first of eight neighbours is its parent, and none is its child.
struct Node {
    solo: Solo,
    network: Network,
    links: Vec<LinkId>,
    said: u64,
}

impl Node {
    fn new() -> Self {
        let network = Network::new("repair", Price::FREE, None);
        let mut solo = Solo::new(&network, NOW_MS);
        let links: Vec<LinkId> = (0..8).map(|_| solo.link()).collect();
        let mut node = Self {
            solo,
            network,
            links,
            said: 0,
        };
        for _ in 0..30 {
            let bulletin = node.bulletin(64);
            node.push(node.links[0], &bulletin);
            for link in node.links[1..].to_vec() {
                let roots = vec![TAG];
                node.solo.frame(link, &Frame::Choke { roots }.encode());
            }
            node.wait(Duration::from_secs(1));
        }
        node
    }

    fn bulletin(&mut self, bytes: usize) -> Bulletin {
        self.said += 1;
        let key = SecretKey::from_seed(&[9; 32]);
        let mut body = self.said.to_be_bytes().to_vec();
        body.resize(bytes, 0);
        let wall = Wall::from_millis(self.solo.now.wall.as_millis());
        let header = Header::post(TopicId::of("news"), key.author_id(), &body, wall);
        Bulletin::sign(header, body.into(), self.network.id(), &key)
    }

    fn push(&mut self, link: LinkId, bulletin: &Bulletin) -> Vec<Action> {
        self.solo.frame(link, &encode_pub(TAG, 3, bulletin))
    }

    fn announce(&mut self, link: LinkId, bulletin: &Bulletin) {
        let entries = vec![IhaveEntry {
            id: bulletin.id().short(),
            root_tag: TAG,
        }];
        self.solo.frame(link, &Frame::Ihave { entries }.encode());
    }

    /// Lets time pass; returns what was done meanwhile.
    fn wait(&mut self, time: Duration) -> Vec<Action> {
        let end = self.solo.now.mono.plus(time);
        let mut actions = Vec::new();
        while let Some(due) = self.solo.engine.next_wakeup().filter(|due| *due <= end) {
            self.set_clock(due.max(self.solo.now.mono));
            actions.extend(self.solo.feed(Event::Wakeup));
        }
        self.set_clock(end);
        actions
    }

    fn set_clock(&mut self, mono: bruit_core::time::Mono) {
        let passed = mono.since(self.solo.now.mono).as_millis();
        let passed = u64::try_from(passed).expect("a short time");
        self.solo.now.mono = mono;
        self.solo.now.wall = Wall::from_millis(self.solo.now.wall.as_millis() + passed);
    }
}

/// To how many neighbours a bulletin of `bytes` is pushed that had to be asked for, when the parent failed
/// and `telling` of the other seven said they have it.
fn pushed(bytes: usize, telling: usize) -> usize {
    let mut node = Node::new();
    let bulletin = node.bulletin(bytes);
    for link in node.links[1..=telling].to_vec() {
        node.announce(link, &bulletin);
    }
    let asked = sent(&node.wait(Duration::from_millis(100)));
    let grafts = asked.iter().filter(|(_, what)| *what == kind::GRAFT);
    assert!(grafts.count() > 1, "{asked:?}");
    let actions = node.push(node.links[1], &bulletin);
    let pushes = sent(&actions);
    let pushes = pushes.iter().filter(|(_, what)| *what == kind::PUB);
    pushes.count()
}

#[test]
fn what_was_missing_around_us_too_is_pushed_to_all_who_have_not_told_of_it() {
    assert_eq!(pushed(1_024, 1), 7);
    assert_eq!(pushed(1_024, 3), 5);
}

/// Nobody but the parent, who has not choked us.
#[test]
fn what_was_merely_late_here_is_announced_and_so_is_what_is_large() {
    assert_eq!(pushed(1_024, 4), 1);
    assert_eq!(pushed(4_096, 1), 1);
}
