//! Words between modules, peers and bruit; and what went wrong in the original does not here.

use std::net::{Ipv4Addr, SocketAddrV4};

use bruit::{BulletinId, TopicId};

use super::*;
use crate::crossing::STEP;
use crate::inside::Post;
use crate::running::Detail;

const S: Duration = Duration::from_secs(1);
/// A solved puzzle, so that tests need not solve one.
const NONCE_SEED: [u8; 32] = [3; 32];

fn author(n: u8) -> AuthorId {
    AuthorId::from_bytes([n; 32])
}

fn item(post: &Post, by: u8, id: u8) -> Item {
    Item {
        id: BulletinId::from_bytes([id; 32]),
        topic: TopicId::of(&post.topic),
        author: author(by),
        is_own: false,
        created_ms: 0,
        tag: post.tag.clone().into_bytes(),
        body: post.body.clone(),
    }
}

struct World {
    gateway: Gateway,
    counters: Counters,
    now: Instant,
}

impl World {
    fn new(with_peers: bool) -> Self {
        let now = Instant::now();
        let rules = Rules {
            listen: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6001),
            bootstrappers: Vec::new(),
            cache_size: 10,
            degree: 30,
            p2p_ttl: 5,
        };
        let settings = Settings {
            validation: 5 * S,
            suppress: 60 * S,
            notify_announcer: false,
            rules: with_peers.then_some(rules),
            author: author(1),
            seed: NONCE_SEED,
        };
        let counters = Counters::default();
        let mut world = Self {
            gateway: Gateway::new(settings, counters.clone(), now),
            counters,
            now,
        };
        if with_peers {
            world.gateway.members_for_tests(&[100, 101, 102], now);
        }
        world
    }

    /// What follows from `event`, but for what is told.
    fn handle(&mut self, event: Event) -> Vec<Action> {
        let actions = self.gateway.handle(event, self.now).into_iter();
        actions
            .filter(|action| !matches!(action, Action::Tell(_)))
            .collect()
    }

    fn say(&mut self, conn: u64, frame: Frame) -> Vec<Action> {
        self.handle(Event::Frame(ConnId(conn), frame))
    }

    /// A module that subscribes to type 7.
    fn subscriber(&mut self, conn: u64) {
        self.handle(Event::Module(ConnId(conn)));
        self.say(conn, Frame::Notify { data_type: 7 });
    }

    fn announce(&mut self, conn: u64, ttl: u8, data: &'static [u8]) -> Vec<Action> {
        self.say(
            conn,
            Frame::Announce {
                ttl,
                data_type: 7,
                data: Bytes::from_static(data),
            },
        )
    }

    fn peer_says(&mut self, conn: u64, ttl: u8, id: u16, data: &'static [u8]) -> Vec<Action> {
        let data = Bytes::from_static(data);
        self.say(
            conn,
            Frame::PeerNotification {
                ttl,
                id,
                data_type: 7,
                data,
            },
        )
    }

    fn later(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.handle(Event::Wakeup)
    }
}

fn sent(actions: &[Action]) -> Vec<(u64, Frame)> {
    let sends = actions.iter().filter_map(|action| match action {
        Action::Send(conn, bytes) => Some((conn.0, bytes)),
        _ => None,
    });
    let decode = |bytes: &Bytes| {
        let mut decoder = super::super::codec::Decoder::default();
        decoder.feed(bytes);
        decoder.next_frame().unwrap().unwrap()
    };
    sends.map(|(conn, bytes)| (conn, decode(bytes))).collect()
}

fn published(actions: &[Action]) -> Vec<Post> {
    let posts = actions.iter().filter_map(|action| match action {
        Action::Publish { post, .. } => Some(post.clone()),
        _ => None,
    });
    posts.collect()
}

/// Who is notified under which id; the same for all.
fn notified(actions: &[Action]) -> (Vec<u64>, u16) {
    let mut ids = Vec::new();
    let to = sent(actions)
        .into_iter()
        .filter_map(|(conn, frame)| match frame {
            Frame::Notification { id, .. } => {
                ids.push(id);
                Some(conn)
            }
            _ => None,
        });
    let to: Vec<_> = to.collect();
    ids.dedup();
    assert!(ids.len() <= 1, "{ids:?}");
    (to, ids.pop().unwrap_or_default())
}

/// The ttl with which each peer is told.
fn told_peers(actions: &[Action]) -> Vec<(u64, u8)> {
    let told = sent(actions)
        .into_iter()
        .filter_map(|(conn, frame)| match frame {
            Frame::PeerNotification { ttl, .. } => Some((conn, ttl)),
            _ => None,
        });
    let mut told: Vec<_> = told.collect();
    told.sort_unstable();
    told
}

#[test]
fn an_announcement_goes_to_modules_peers_and_bruit_once_each() {
    let mut world = World::new(true);
    world.handle(Event::Module(ConnId(1)));
    world.subscriber(2);
    let asked = world.announce(1, 4, b"x");
    let (to, id) = notified(&asked);
    assert_eq!(
        (to, published(&asked), told_peers(&asked)),
        (vec![2], vec![], vec![])
    );

    let passed = world.say(2, Frame::Validation { id, valid: true });
    assert_eq!(told_peers(&passed), [(100, 3), (101, 3), (102, 3)]);
    let [post] = published(&passed).try_into().unwrap();
    // Its own bulletin comes back, from bruit and from peers: everybody knows it.
    let own = item(&post, 1, 9);
    let heard = world.handle(Event::Heard {
        item: own,
        data_type: 7,
        is_past: false,
    });
    assert_eq!(heard, []);
    let said = Word::of(&item(&post, 1, 9), 7).0;
    assert_eq!(world.peer_says(100, 2, said.id, b"x"), []);
    assert_eq!(world.counters.get("peer_word_known"), 1);
}

#[test]
fn hops_are_counted_as_promised() {
    let mut world = World::new(true);
    world.handle(Event::Module(ConnId(1)));
    for (ttl, reach) in [(0, Some(255)), (1, None), (2, Some(1)), (255, Some(254))] {
        let actions = world.announce(1, ttl, b"x");
        let expected: Vec<_> = reach
            .iter()
            .flat_map(|ttl| [100, 101, 102].map(|conn| (conn, *ttl)))
            .collect();
        assert_eq!(told_peers(&actions), expected, "ttl {ttl}");
        assert_eq!(
            published(&actions).len(),
            usize::from(reach.is_some()),
            "ttl {ttl}"
        );
    }
    // What a peer sends with its last hop is for us, and bruit is one of us.
    let actions = world.peer_says(100, 0, 1, b"last");
    assert_eq!(
        (told_peers(&actions), published(&actions).len()),
        (vec![], 1)
    );
    let actions = world.peer_says(100, 3, 2, b"more");
    assert_eq!(told_peers(&actions), [(101, 2), (102, 2)]);
}

#[test]
fn a_bulletin_of_another_gateway_has_its_hops_left_and_its_id() {
    let (mut near, mut far) = (World::new(true), World::new(true));
    near.handle(Event::Module(ConnId(1)));
    let [post] = published(&near.announce(1, 4, b"x")).try_into().unwrap();
    let heard = far.handle(Event::Heard {
        item: item(&post, 2, 9),
        data_type: 7,
        is_past: false,
    });
    assert_eq!(told_peers(&heard), [(100, 3), (101, 3), (102, 3)]);
    assert!(published(&heard).is_empty());
}

#[test]
fn a_word_of_a_peer_crosses_once_however_many_gateways_and_peers_bring_it() {
    let mut worlds = [World::new(true), World::new(true)];
    worlds[1].gateway.crossing = Crossing::new(author(2), 60 * S).hesitant();
    let now = worlds[0].now;
    for world in &mut worlds {
        world.now = now;
        world.handle(Event::Present(author(1)));
        world.handle(Event::Present(author(2)));
    }
    for world in &mut worlds {
        for conn in [100, 101, 102] {
            assert_eq!(published(&world.peer_says(conn, 3, 0x4242, b"x")), []);
        }
    }
    let mut posts = Vec::new();
    for (at, world) in worlds.iter_mut().enumerate() {
        posts.extend(
            published(&world.later(STEP))
                .into_iter()
                .map(|post| (at, post)),
        );
    }
    let [(first, post)] = posts.try_into().unwrap();
    let second = &mut worlds[1 - first];
    let by = u8::try_from(first + 1).unwrap();
    let heard = Event::Heard {
        item: item(&post, by, 9),
        data_type: 7,
        is_past: false,
    };
    assert_eq!(second.handle(heard), [], "its peers know it");
    assert_eq!(published(&second.later(5 * S)), []);
}

/// What a module of another gateway's node announced comes by the peers before its bulletin does.
#[test]
fn what_another_gateway_brought_out_does_not_come_back_in() {
    let (mut near, mut far) = (World::new(true), World::new(true));
    far.handle(Event::Present(author(2)));
    near.handle(Event::Module(ConnId(1)));
    let [post] = published(&near.announce(1, 4, b"x")).try_into().unwrap();
    let said = Word::of(&item(&post, 2, 9), 7).0;
    assert_eq!(published(&far.peer_says(100, 3, said.id, b"x")), []);
    far.handle(Event::Heard {
        item: item(&post, 2, 9),
        data_type: 7,
        is_past: false,
    });
    assert_eq!(published(&far.later(5 * S)), []);
}

#[test]
fn the_second_gateway_takes_over_when_the_first_does_not_publish() {
    let mut crossed = 0;
    for id in 0..20 {
        let mut world = World::new(true);
        world.handle(Event::Present(author(2)));
        world.peer_says(100, 3, id, b"x");
        let first = published(&world.later(STEP)).len();
        let second = published(&world.later(STEP)).len();
        assert_eq!(first + second, 1);
        crossed += second;
    }
    assert!((1..20).contains(&crossed), "{crossed} of 20 had to wait");
}

#[test]
fn the_node_asks_once_and_everybody_who_waits_hears_the_outcome() {
    let mut world = World::new(true);
    world.subscriber(1);
    let post = Word {
        id: 5,
        reach: 3,
        data_type: 7,
        data: Bytes::from_static(b"x"),
    }
    .post();
    let asked = world.handle(Event::Asked {
        question: 1,
        item: item(&post, 2, 8),
        data_type: 7,
    });
    let (to, id) = notified(&asked);
    assert_eq!(to, [1]);
    // The same word by another gateway's bulletin, and from a peer: modules are not asked again.
    let again = world.handle(Event::Asked {
        question: 2,
        item: item(&post, 3, 9),
        data_type: 7,
    });
    assert_eq!((again, world.peer_says(100, 3, 5, b"x")), (vec![], vec![]));
    let outcome = world.say(1, Frame::Validation { id, valid: true });
    assert_eq!(
        outcome,
        [
            Action::Answer(1, Verdict::Accept),
            Action::Answer(2, Verdict::Accept)
        ]
    );
    let late = world.handle(Event::Asked {
        question: 3,
        item: item(&post, 4, 10),
        data_type: 7,
    });
    assert_eq!(late, [Action::Answer(3, Verdict::Accept)]);
    let heard = world.handle(Event::Heard {
        item: item(&post, 2, 8),
        data_type: 7,
        is_past: false,
    });
    assert_eq!(told_peers(&heard), [(100, 3), (101, 3), (102, 3)]);
    assert_eq!(notified(&heard).0, Vec::<u64>::new());
}

#[test]
fn what_modules_reject_or_are_silent_about_is_dropped_without_muting_its_author() {
    let mut world = World::new(false);
    world.subscriber(1);
    let post = |n| {
        Word {
            id: n,
            reach: 3,
            data_type: 7,
            data: Bytes::from_static(b"x"),
        }
        .post()
    };
    let ask = |world: &mut World, n: u16| {
        let item = item(&post(n), 2, 8);
        world.handle(Event::Asked {
            question: n.into(),
            item,
            data_type: 7,
        })
    };
    let (_, id) = notified(&ask(&mut world, 1));
    let rejected = world.say(1, Frame::Validation { id, valid: false });
    assert_eq!(rejected, [Action::Answer(1, Verdict::Ignore)]);
    ask(&mut world, 2);
    assert_eq!(world.later(5 * S), [Action::Answer(2, Verdict::Ignore)]);
    // A copy of what was rejected is not asked about again.
    assert_eq!(ask(&mut world, 1), [Action::Answer(1, Verdict::Ignore)]);
}

#[test]
fn a_module_that_comes_late_or_goes_early_is_no_voter() {
    let mut world = World::new(false);
    world.handle(Event::Module(ConnId(9)));
    world.subscriber(1);
    let (_, id) = notified(&world.announce(9, 0, b"x"));
    world.subscriber(2);
    assert_eq!(world.say(2, Frame::Validation { id, valid: true }), []);
    assert_eq!(world.counters.get("vote_unasked"), 1);
    assert_eq!(world.handle(Event::Closed(ConnId(1))), []);
    assert_eq!(
        world.handle(Event::Closed(ConnId(2))),
        [Action::Unlisten(7)]
    );
    assert_eq!(published(&world.later(5 * S)), []);
    assert_eq!(world.gateway.footprint()[..2], [1, 0]);
}

// The weaknesses of the original, each tried here.

/// Anyone could inject a PEER NOTIFICATION without joining.
#[test]
fn who_has_not_joined_injects_nothing() {
    let mut world = World::new(true);
    let (remote, local) = (
        "127.0.0.1:9".parse().unwrap(),
        "127.0.0.1:6001".parse().unwrap(),
    );
    world.handle(Event::Inbound {
        conn: ConnId(5),
        remote,
        local,
    });
    assert_eq!(world.peer_says(5, 9, 1, b"x"), []);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7);
    world.say(5, Frame::Hello { address });
    assert_eq!(world.peer_says(5, 9, 1, b"x"), []);
    assert_eq!(world.counters.get("stranger_notified"), 2);
    assert_eq!(published(&world.peer_says(100, 9, 1, b"x")).len(), 1);
}

/// Ids of 16 bits met again after some 300 messages, and the later one was lost.
#[test]
fn words_that_share_an_id_are_told_apart() {
    let mut world = World::new(true);
    world.subscriber(1);
    let (_, first) = notified(&world.peer_says(100, 3, 0x4242, b"one"));
    let (to, second) = notified(&world.peer_says(101, 3, 0x4242, b"two"));
    assert_eq!(to, [1]);
    assert_ne!(first, second, "modules vote on each");
    assert_eq!(
        published(&world.say(
            1,
            Frame::Validation {
                id: second,
                valid: true
            }
        ))[0]
            .body,
        "two"
    );
    assert_eq!(
        published(&world.say(
            1,
            Frame::Validation {
                id: first,
                valid: true
            }
        ))[0]
            .body,
        "one"
    );
}

/// An id that came back was delivered again once its ttl was 0 or it was rejected.
#[test]
fn a_copy_is_not_delivered_again_whatever_became_of_the_first() {
    let mut world = World::new(true);
    world.subscriber(1);
    let (_, id) = notified(&world.peer_says(100, 0, 1, b"rejected"));
    world.say(1, Frame::Validation { id, valid: false });
    let (_, id) = notified(&world.peer_says(100, 0, 2, b"last hop"));
    world.say(1, Frame::Validation { id, valid: true });
    for (id, data) in [(1, b"rejected".as_slice()), (2, b"last hop")] {
        assert_eq!(world.peer_says(101, 3, id, data), []);
    }
    world.now += 61 * S;
    assert_eq!(
        notified(&world.peer_says(101, 3, 1, b"rejected")).0,
        [1],
        "after its time"
    );
}

/// Own announcements came back to who sent them.
#[test]
fn nothing_goes_back_to_the_peer_it_came_from() {
    let mut world = World::new(true);
    let actions = world.peer_says(101, 3, 1, b"x");
    assert_eq!(told_peers(&actions), [(100, 2), (102, 2)]);
}

/// The list of subscriptions only ever grew, and dead modules were notified for ever.
#[test]
fn subscriptions_are_sets_and_go_with_their_module() {
    let mut world = World::new(false);
    world.handle(Event::Module(ConnId(9)));
    world.subscriber(1);
    for _ in 0..1_000 {
        assert_eq!(world.say(1, Frame::Notify { data_type: 7 }), []);
    }
    assert_eq!(notified(&world.announce(9, 1, b"x")).0, [1]);
    world.handle(Event::Closed(ConnId(1)));
    assert_eq!(sent(&world.announce(9, 0, b"x")), []);
}

/// An announcement without a local subscriber vanished.
#[test]
fn an_announcement_without_a_local_subscriber_travels() {
    let mut world = World::new(true);
    world.handle(Event::Module(ConnId(1)));
    let actions = world.announce(1, 3, b"x");
    assert_eq!(
        (published(&actions).len(), told_peers(&actions).len()),
        (1, 3)
    );
}

/// The second implementation put an id of 64 bits into the field of 16, and its readers died of it.
#[test]
fn every_notification_has_an_id_of_its_own_that_fits() {
    let mut world = World::new(false);
    world.handle(Event::Module(ConnId(9)));
    world.subscriber(1);
    let ids: BTreeSet<_> = (0..5_000)
        .map(|_| notified(&world.announce(9, 0, b"x")).1)
        .collect();
    assert_eq!(ids.len(), 5_000);
}

#[test]
fn an_announcer_that_is_not_subscribed_is_served_like_any_other() {
    let mut world = World::new(false);
    world.handle(Event::Module(ConnId(1)));
    let actions = world.announce(1, 0, b"x");
    assert!(
        matches!(actions.as_slice(), [Action::Publish { .. }]),
        "{actions:?}"
    );
}

#[test]
fn what_was_delivered_before_the_gateway_began_is_known_and_no_news() {
    let mut world = World::new(true);
    world.subscriber(1);
    let said = Word {
        id: 5,
        reach: 3,
        data_type: 7,
        data: Bytes::from_static(b"x"),
    };
    let past = Event::Heard {
        item: item(&said.post(), 2, 8),
        data_type: 7,
        is_past: true,
    };
    assert_eq!(world.handle(past), []);
    assert_eq!(world.peer_says(100, 3, 5, b"x"), []);
}

#[test]
fn a_flood_leaves_no_more_behind_than_its_bounds() {
    let mut world = World::new(true);
    world.handle(Event::Module(ConnId(9)));
    world.subscriber(1);
    for _ in 0..20_000 {
        world.announce(9, 0, b"x");
    }
    assert_eq!(
        world.gateway.footprint()[1],
        super::super::ballots::BALLOTS_MAX
    );
    assert!(world.counters.get("too_many_ballots") > 0);
    for conn in 0..300 {
        world.handle(Event::Module(ConnId(1_000 + conn)));
    }
    assert_eq!(world.gateway.footprint()[0], MODULES_MAX);
    world.later(5 * S);
    assert_eq!(world.gateway.footprint()[1], 0);
}

#[test]
fn what_happens_is_told_with_type_id_and_size() {
    let mut world = World::new(false);
    world.handle(Event::Module(ConnId(1)));
    let data = Bytes::from_static(b"four");
    let frame = Frame::Announce {
        ttl: 0,
        data_type: 7,
        data,
    };
    let actions = world
        .gateway
        .handle(Event::Frame(ConnId(1), frame), world.now);
    let Some(Action::Tell(told)) = actions.first() else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (told.event, &told.details["size"]),
        ("announced", &Detail::Number(4))
    );
}
