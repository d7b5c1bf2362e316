//! What a settled tree does not bring: who is asked, and what is done with it when it has come.
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]

mod solo;

use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::config::Config;
use bruit_core::event::{Action, Command, Event, Verdict};
use bruit_core::id::{LinkId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::network::Network;
use bruit_core::time::Mono;
use bruit_core::wire::{Frame, IhaveEntry, encode_pub, kind};
use bruit_core::work::Price;
use solo::{Solo, sent};

const NOW_MS: u64 = 1_800_000_000_000;

/// A node in settled trees: the first of eight neighbours is its parent, and none is its child.
struct Node {
    solo: Solo,
    network: Network,
    links: [LinkId; 8],
    said: u64,
}

impl Node {
    fn new(trees: &[u64]) -> Self {
        let network = Network::new("repair", Price::FREE, None);
        let mut solo = Solo::new(&network, NOW_MS);
        let links = [(); 8].map(|()| solo.link());
        let mut node = Self {
            solo,
            network,
            links,
            said: 0,
        };
        for tree in std::iter::repeat_n(trees, 30).flatten().copied() {
            let bulletin = node.bulletin(64);
            node.push(node.links[0], tree, &bulletin);
            for link in node.links.into_iter().skip(1) {
                let roots = vec![tree];
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
        let wall = self.solo.now.wall;
        let header = Header::post(TopicId::of("news"), key.author_id(), &body, wall);
        Bulletin::sign(header, body.into(), self.network.id(), &key)
    }

    fn push(&mut self, link: LinkId, tree: u64, bulletin: &Bulletin) -> Vec<Action> {
        self.solo.frame(link, &encode_pub(tree, 3, bulletin))
    }

    fn announce(&mut self, link: LinkId, tree: u64, bulletin: &Bulletin) {
        let entries = vec![IhaveEntry {
            id: bulletin.id().short(),
            root_tag: tree,
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

    fn set_clock(&mut self, mono: Mono) {
        let passed = mono.since(self.solo.now.mono);
        self.solo.now.mono = mono;
        self.solo.now.wall = self.solo.now.wall.plus(passed);
    }
}

fn pushes(actions: &[Action]) -> usize {
    let pushed = |(_, what): &&(LinkId, u8)| *what == kind::PUB;
    sent(actions).iter().filter(pushed).count()
}

/// Who brings first what was asked for.
#[derive(Clone, Copy)]
enum By {
    Parent,
    Asked,
}

/// To how many neighbours a bulletin of `bytes` is pushed that had to be asked for, when `telling` of the seven
/// beside the parent said they have it.
fn pushed(by: By, bytes: usize, telling: usize) -> usize {
    let mut node = Node::new(&[7]);
    let bulletin = node.bulletin(bytes);
    for link in node.links.into_iter().skip(1).take(telling) {
        node.announce(link, 7, &bulletin);
    }
    let asked = sent(&node.wait(Duration::from_millis(100)));
    let grafts = asked.iter().filter(|(_, what)| *what == kind::GRAFT);
    assert!(grafts.count() > 1, "{asked:?}");
    let from = match by {
        By::Parent => node.links[0],
        By::Asked => node.links[1],
    };
    pushes(&node.push(from, 7, &bulletin))
}

#[test]
fn what_was_missing_around_us_too_is_pushed_to_all_who_have_not_told_of_it() {
    assert_eq!(pushed(By::Asked, 1_024, 1), 7);
    assert_eq!(pushed(By::Asked, 1_024, 3), 5);
}

/// Nobody but the parent, who has not choked us.
#[test]
fn what_was_merely_late_here_is_announced_and_so_is_what_is_large() {
    assert_eq!(pushed(By::Asked, 1_024, 4), 1);
    assert_eq!(pushed(By::Asked, 4_096, 1), 1);
}

/// What the parent brings after all is late by chance: pushing it to everybody made others late, and one alert
/// raised the next for as long as ten bulletins a second came.
#[test]
fn what_the_parent_brings_late_is_not_pushed_to_all() {
    assert_eq!(pushed(By::Parent, 1_024, 1), 0);
}

/// How many announcements follow at once what comes along a settled tree, after neighbours asked, one each time, for
/// what another tree should have brought them.
fn announced_after_questions(asking: impl Fn(&Node) -> Vec<LinkId>) -> usize {
    let mut node = Node::new(&[1, 5]);
    let bulletin = node.bulletin(64);
    node.push(node.links[0], 1, &bulletin);
    node.wait(Duration::from_secs(3));
    for link in asking(&node) {
        let ids = vec![bulletin.id().short()];
        let question = Frame::Graft {
            ids,
            roots: vec![1],
        };
        node.solo.frame(link, &question.encode());
    }
    let bulletin = node.bulletin(64);
    node.push(node.links[0], 5, &bulletin);
    let told = sent(&node.wait(Duration::from_millis(5)));
    told.iter().filter(|(_, what)| *what == kind::IHAVE).count()
}

#[test]
fn two_neighbours_that_had_to_ask_raise_an_alert_and_one_does_not() {
    let one = |node: &Node| vec![node.links[3]];
    let one_twice = |node: &Node| vec![node.links[3]; 2];
    let two = |node: &Node| vec![node.links[3], node.links[4]];
    assert_eq!(announced_after_questions(one), 0);
    assert_eq!(announced_after_questions(one_twice), 0);
    assert_eq!(announced_after_questions(two), 7);
}

/// To how many neighbours more what a tree brings is pushed after one, two and three other trees failed, a
/// tenth of a second and `pause` after each other.
fn pushed_after_failures(pause: Duration) -> [usize; 3] {
    let mut node = Node::new(&[1, 2, 3, 4, 5]);
    let bulletin = node.bulletin(64);
    assert_eq!(pushes(&node.push(node.links[0], 5, &bulletin)), 0, "calm");
    [1, 2, 3].map(|missing| {
        let bulletin = node.bulletin(4_096);
        node.announce(node.links[2], missing, &bulletin);
        node.wait(Duration::from_millis(100));
        node.push(node.links[2], missing, &bulletin);
        let bulletin = node.bulletin(64);
        let pushed = pushes(&node.push(node.links[0], 5, &bulletin));
        node.wait(pause);
        pushed
    })
}

#[test]
fn when_one_bulletin_after_the_other_is_missing_what_a_tree_brings_is_pushed_to_one_more() {
    assert_eq!(pushed_after_failures(Duration::from_millis(500)), [0, 0, 1]);
    assert_eq!(pushed_after_failures(Duration::ZERO), [0, 1, 1]);
}

/// A bulletin came, and while it was judged a neighbour linked up and compared what both hold. Then it was
/// taken; then the link joined the mesh. It had come before the link was there, so it was not announced to it,
/// and it was no part of the comparison: the neighbour waited for the next one, a minute or so. Found by
/// exploring the orders of events of four nodes.
#[test]
fn what_was_being_judged_when_a_link_came_up_is_announced_once_it_joins_the_mesh() {
    let mut node = Node::new(&[]);
    let (topic, timeout) = (TopicId::of("news"), Some(Duration::from_secs(10)));
    node.solo
        .feed(Event::Command(Command::Validate { topic, timeout }));
    let bulletin = node.bulletin(64);
    node.push(node.links[0], 7, &bulletin);
    node.wait(Duration::from_secs(1));
    let late = node.solo.connect();
    node.solo.greet(late, false);
    node.wait(Duration::from_secs(1));
    let (id, verdict) = (*bulletin.id(), Verdict::Accept);
    node.solo.feed(Event::Verdict { id, verdict });
    node.solo.frame(late, &Frame::Mesh { on: true }.encode());
    let told = sent(&node.wait(Duration::from_secs(1)));
    assert!(told.contains(&(late, kind::IHAVE)), "{told:?}");
}

#[test]
fn what_has_expired_takes_no_memory_any_more() {
    let mut node = Node::new(&[7]);
    let config = Config::new(node.network.clone());
    let taken = |node: &Node| {
        let fills = node.solo.engine.fills(&config);
        fills
            .into_iter()
            .find(|fill| fill.what == "recent bytes")
            .map(|fill| fill.used)
    };
    assert!(taken(&node) > Some(30 * 64));
    // They are valid for an hour, and outlive that by two minutes.
    let later = node.solo.now.mono.plus(Duration::from_mins(65));
    node.set_clock(later);
    node.solo.feed(Event::Wakeup);
    assert_eq!(taken(&node), Some(0));
}
