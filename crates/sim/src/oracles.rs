//! What must hold in every world: each oracle says where it does not.
//!
//! Some watch as the world runs (nobody delivers twice, nobody honest is blamed), the others look at a
//! network that came to rest. They judge by what is promised, not by what would be nice: a bulletin that
//! died with its publisher, or is out of date by a node's own clock, is owed to nobody.

use std::time::Duration;

use bruit_core::engine::Fill;
use bruit_core::event::Notice;
use bruit_core::limits;
use bruit_core::time::Wall;
use serde::{Deserialize, Serialize};

use crate::ledger::BulletinNumber;
use crate::world::World;

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// A node delivers a bulletin once.
    Once,
    /// A bulletin that is still valid is delivered by every running node.
    Everywhere,
    /// Stores hold the same bulletins.
    Equal,
    /// Who is whose neighbour, both agree on.
    Symmetric,
    /// Nobody honest is said to have broken the protocol.
    Fair,
    /// What a node holds has bounds, and stays within them.
    Bounded,
}

impl Promise {
    /// Its word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Everywhere => "everywhere",
            Self::Equal => "equal",
            Self::Symmetric => "symmetric",
            Self::Fair => "fair",
            Self::Bounded => "bounded",
        }
    }
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// By whom, or at whom.
    pub node: usize,
    /// When, in seconds since the start of the world; for what is seen at rest, when it was looked at.
    pub at_s: f64,
    /// The bulletin's id, where it is about one.
    pub bulletin: Option<String>,
    /// What happened.
    pub what: String,
}

/// A link that is just coming up is seen by one end first, and so is one that is going: views are compared for
/// this time, so often.
const COMING_UP: Duration = Duration::from_secs(5);
const LOOKS: u32 = 10;

/// Nobody delivers twice what it could keep.
pub fn once(world: &World) -> Vec<Broken> {
    let ledger = world.ledger();
    let doubles = ledger.doubled().iter();
    let doubles = doubles.filter(|double| !world.is_unkept(double.node, double.bulletin));
    let broken = doubles.map(|double| Broken {
        promise: Promise::Once,
        node: double.node,
        at_s: seconds(double.at.as_micros()),
        bulletin: Some(ledger.id(double.bulletin).to_string()),
        what: format!("node {} delivered it a second time", double.node),
    });
    broken.collect()
}

/// Nobody honest is blamed by an honest node.
pub fn fair(world: &World, is_honest: &impl Fn(usize) -> bool) -> Vec<Broken> {
    let blames = world.blames().iter();
    let unjust = blames.filter(|blame| is_honest(blame.by) && is_honest(blame.whom));
    let broken = unjust.map(|blame| {
        let whom = world.key(blame.whom).node_id();
        let mut told = world.notices(blame.by).iter();
        let how = told.find_map(|notice| match notice {
            Notice::Misbehaved { peer, how } if *peer == whom => Some(how.as_str()),
            _ => None,
        });
        let how = how.unwrap_or("it did not say how");
        Broken {
            promise: Promise::Fair,
            node: blame.by,
            at_s: seconds(blame.at.as_micros()),
            bulletin: None,
            what: format!("node {} blamed node {}: {how}", blame.by, blame.whom),
        }
    });
    broken.collect()
}

/// Every bulletin that somebody honest still runs with is delivered by every honest running node to
/// which it is valid.
pub fn everywhere(world: &World, is_honest: &impl Fn(usize) -> bool) -> Vec<Broken> {
    let lacks = |number, node| !world.ledger().has(number, node);
    missing(
        world,
        Promise::Everywhere,
        is_honest,
        lacks,
        "did not deliver it",
    )
}

const fn is_over(fill: &Fill) -> bool {
    fill.used > fill.most
}

/// Nobody's tables hold more than they may.
pub fn bounded(world: &World) -> Vec<Broken> {
    let running = running(world, &|_| true);
    let over = running.flat_map(|node| {
        let over = world.fills(node).into_iter();
        over.filter(is_over).map(move |fill| (node, fill))
    });
    let broken = over.map(|(node, Fill { what, used, most })| Broken {
        promise: Promise::Bounded,
        node,
        at_s: seconds(world.now().as_micros()),
        bulletin: None,
        what: format!("node {node} holds {used} {what}, of at most {most}"),
    });
    broken.collect()
}

/// What is in one honest store is in all that had room for it, as long as it is valid.
pub fn equal(world: &World, is_honest: &impl Fn(usize) -> bool) -> Vec<Broken> {
    let lacks =
        |number, node| world.stamp(node, number).is_none() && !world.is_unkept(node, number);
    missing(
        world,
        Promise::Equal,
        is_honest,
        lacks,
        "does not hold it, and others do",
    )
}

fn missing(
    world: &World,
    promise: Promise,
    is_honest: &impl Fn(usize) -> bool,
    lacks: impl Fn(BulletinNumber, usize) -> bool,
    what: &str,
) -> Vec<Broken> {
    let honest: Vec<usize> = running(world, is_honest).collect();
    let mut broken = Vec::new();
    for number in (0..world.ledger().published()).map(BulletinNumber) {
        let (late, has): (Vec<usize>, Vec<usize>) =
            honest.iter().partition(|node| lacks(number, **node));
        // Nobody is left who could have told.
        if has.iter().all(|node| world.is_forgotten(*node, number)) {
            continue;
        }
        let owed = late.into_iter().filter(|node| is_due(world, number, *node));
        broken.extend(owed.map(|node| Broken {
            promise,
            node,
            at_s: seconds(world.now().as_micros()),
            bulletin: Some(world.ledger().id(number).to_string()),
            what: format!("node {node} {what}"),
        }));
    }
    broken
}

/// Whether `bulletin` is delivered wherever it is owed.
pub(crate) fn is_everywhere(
    world: &World,
    bulletin: BulletinNumber,
    is_honest: &impl Fn(usize) -> bool,
) -> bool {
    let has = |node: usize| world.ledger().has(bulletin, node);
    let mut late = running(world, is_honest).filter(|node| !has(*node));
    let is_owed = late.any(|node| is_due(world, bulletin, node));
    !is_owed || !running(world, is_honest).any(has)
}

/// Both ends of a link between honest nodes agree that it is there. Lets the world run for some seconds, so
/// that what was just coming up is up, and looks often, so that what comes and what goes are not taken for one.
pub fn symmetric(world: &mut World, is_honest: &impl Fn(usize) -> bool) -> Vec<Broken> {
    let mut still = one_sided(world, is_honest);
    for _ in 0..LOOKS {
        world.run(COMING_UP / LOOKS);
        let now = one_sided(world, is_honest);
        still.retain(|pair| now.contains(pair));
    }
    let broken = still.into_iter().map(|(node, other)| Broken {
        promise: Promise::Symmetric,
        node,
        at_s: seconds(world.now().as_micros()),
        bulletin: None,
        what: format!("node {node} counts on node {other}, which does not know of it"),
    });
    broken.collect()
}

/// Pairs of honest running nodes of which the first counts on the second, and not the other way round.
fn one_sided(world: &World, is_honest: &impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let neighbours: Vec<Vec<usize>> = (0..world.len())
        .map(|node| world.neighbours(node))
        .collect();
    let pairs = neighbours.iter().enumerate().flat_map(|(node, others)| {
        let counts = |node: usize| world.is_alive(node) && is_honest(node);
        let is_running = move |other: &&usize| counts(node) && counts(**other);
        let running = others.iter().filter(is_running);
        running.map(move |other| (node, *other))
    });
    pairs
        .filter(|(node, other)| !neighbours[*other].contains(node))
        .collect()
}

fn running(world: &World, is_honest: &impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
    (0..world.len()).filter(|node| world.is_alive(*node) && is_honest(*node))
}

/// Whether `bulletin` has been valid for `node` since it was published, by its own clock and by the right
/// one: what only some believe in is not passed on by the others.
fn is_due(world: &World, bulletin: BulletinNumber, node: usize) -> bool {
    // What its own publisher refused is nobody's.
    let Some(header) = world.bulletin(bulletin).map(|found| &found.header) else {
        return false;
    };
    let age = world.now().since(world.ledger().published_at(bulletin));
    let is_valid = |wall: Wall| {
        let at_publication = wall.minus(age);
        header.created <= at_publication.plus(limits::FUTURE_MAX) && header.expires() > wall
    };
    is_valid(world.wall()) && is_valid(world.clocks(node).wall)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds below 2^53")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use bruit_core::engine::Actions;
    use bruit_core::event::{Action, Event};
    use bruit_core::id::{LinkId, NodeId};
    use bruit_core::link::{Class, CloseReason};
    use bruit_core::time::{Mono, Now};
    use bytes::Bytes;

    use super::*;
    use crate::behaviour::Behaviour;
    use crate::world::{Birth, Settings};

    /// An engine that is meddled with: what it is told and what it wants done go through a function.
    struct Meddler {
        engine: Box<dyn Behaviour>,
        meddle: fn(&mut dyn Behaviour, Event, Now) -> Actions,
        hides_neighbours: bool,
    }

    impl Behaviour for Meddler {
        fn handle(&mut self, event: Event, now: Now) -> Actions {
            (self.meddle)(self.engine.as_mut(), event, now)
        }

        fn next_wakeup(&self) -> Option<Mono> {
            self.engine.next_wakeup()
        }

        fn neighbours(&self) -> Vec<NodeId> {
            if self.hides_neighbours {
                return Vec::new();
            }
            self.engine.neighbours()
        }

        fn address_book(&self) -> Bytes {
            self.engine.address_book()
        }
    }

    type Meddle = fn(&mut dyn Behaviour, Event, Now) -> Actions;

    const NOT_AT_ALL: Meddle = |engine, event, now| engine.handle(event, now);

    /// Five linked nodes, the last of which is meddled with; node 0 has published.
    fn world(meddle: Meddle, hides_neighbours: bool) -> World {
        let maker = move |birth: &Birth<'_>| -> Box<dyn Behaviour> {
            let engine = Box::new(birth.engine());
            match birth.number {
                4 => Box::new(Meddler {
                    engine,
                    meddle,
                    hides_neighbours,
                }),
                _ => engine,
            }
        };
        let mut world = World::of(5, 1, Settings::default(), maker);
        for node in 1..5 {
            world.join(node, 0);
        }
        world.run(Duration::from_secs(10));
        world.publish(0, b"hello");
        world.run(Duration::from_secs(5));
        world
    }

    const ALL: fn(usize) -> bool = |_| true;
    const BUT_THE_LAST: fn(usize) -> bool = |node| node != 4;

    fn who(broken: &[Broken]) -> Vec<usize> {
        broken.iter().map(|broken| broken.node).collect()
    }

    #[test]
    fn a_right_world_breaks_nothing() {
        let mut world = world(NOT_AT_ALL, false);
        assert_eq!(once(&world), []);
        assert_eq!(fair(&world, &ALL), []);
        assert_eq!(everywhere(&world, &ALL), []);
        assert_eq!(equal(&world, &ALL), []);
        assert_eq!(bounded(&world), []);
        assert_eq!(symmetric(&mut world, &ALL), []);
    }

    #[test]
    fn a_node_that_delivers_twice_is_seen() {
        let twice: Meddle = |engine, event, now| {
            let mut actions = engine.handle(event, now);
            let again: Vec<_> = actions
                .iter()
                .filter(|action| matches!(action, Action::Deliver { .. }))
                .cloned()
                .collect();
            actions.extend(again);
            actions
        };
        let world = world(twice, false);
        let broken = once(&world);
        assert_eq!(who(&broken), [4]);
        let id = world.ledger().id(BulletinNumber(0)).to_string();
        assert_eq!(broken[0].bulletin, Some(id));
        assert!((10.0..15.0).contains(&broken[0].at_s), "{broken:?}");
    }

    #[test]
    fn a_node_that_keeps_a_bulletin_from_its_application_is_seen_and_one_that_is_no_part_of_it_is_not()
     {
        let never: Meddle = |engine, event, now| {
            let mut actions = engine.handle(event, now);
            actions.retain(|action| !matches!(action, Action::Deliver { .. }));
            actions
        };
        let world = world(never, false);
        assert_eq!(who(&everywhere(&world, &ALL)), [4]);
        assert_eq!(everywhere(&world, &BUT_THE_LAST), []);
        assert!(!is_everywhere(&world, BulletinNumber(0), &ALL));
        assert!(is_everywhere(&world, BulletinNumber(0), &BUT_THE_LAST));
    }

    /// A bulletin that died with everybody who had it is owed to nobody; one whose publisher comes back with it is.
    #[test]
    fn what_died_with_its_publisher_is_owed_to_nobody() {
        let mut world = world(NOT_AT_ALL, false);
        world.cut(|_, _| true);
        world.publish(4, b"last words");
        world.run(Duration::from_millis(5));
        world.publish(4, b"and one that is not synced");
        world.kill(4);
        world.heal();
        world.run(Duration::from_mins(1));
        assert_eq!(everywhere(&world, &ALL), []);
        world.restart(4);
        assert_eq!(who(&everywhere(&world, &ALL)), [0, 1, 2, 3]);
    }

    #[test]
    fn a_node_to_which_a_bulletin_is_out_of_date_is_owed_nothing() {
        let mut world = world(NOT_AT_ALL, false);
        world.cut(|a, b| (a == 4) != (b == 4));
        world.publish(0, b"not to be heard");
        world.run(Duration::from_secs(1));
        assert_eq!(who(&everywhere(&world, &ALL)), [4]);
        for ahead_ms in [7_200_000, -7_200_000] {
            world.set_clock(4, ahead_ms);
            assert_eq!(everywhere(&world, &ALL), [], "{ahead_ms}");
        }
    }

    #[test]
    fn a_store_that_lost_a_bulletin_is_seen() {
        let forgetful: Meddle = |engine, event, now| {
            let mut actions = engine.handle(event, now);
            let delivered: Vec<_> = actions
                .iter()
                .filter_map(|action| match action {
                    Action::Deliver { bulletin, .. } => Some(*bulletin.id()),
                    _ => None,
                })
                .collect();
            for id in delivered {
                let evict = bruit_core::event::Persist::Evict { id };
                actions.push(Action::Persist(evict));
            }
            actions
        };
        let world = world(forgetful, false);
        assert_eq!(everywhere(&world, &ALL), []);
        assert_eq!(who(&equal(&world, &ALL)), [4]);
    }

    #[test]
    fn a_table_that_holds_more_than_it_may_is_seen() {
        let fill = |used| Fill {
            what: "jobs",
            used,
            most: 2,
        };
        assert!(!is_over(&fill(2)) && is_over(&fill(3)));
        let world = world(NOT_AT_ALL, false);
        // Each table that is looked at has a name, and something is in some.
        let fills = world.fills(0);
        assert!(
            fills
                .iter()
                .any(|fill| fill.what == "links" && fill.used == 4)
        );
        assert!(fills.iter().all(|fill| fill.most > 0), "{fills:?}");
    }

    #[test]
    fn a_link_that_one_end_does_not_know_of_is_seen() {
        let mut world = world(NOT_AT_ALL, true);
        assert_eq!(who(&symmetric(&mut world, &ALL)), [0, 1, 2, 3]);
    }

    /// Adds what `more` makes of each link that something is sent on.
    fn beside_what_is_sent(actions: &mut Actions, more: impl Fn(LinkId) -> Action) {
        let links = actions.iter().filter_map(|action| match action {
            Action::Send { link, .. } => Some(*link),
            _ => None,
        });
        let added: Vec<_> = links.map(more).collect();
        actions.extend(added);
    }

    #[test]
    fn an_honest_node_that_is_blamed_is_seen() {
        let raving: Meddle = |engine, event, now| {
            let mut actions = engine.handle(event, now);
            beside_what_is_sent(&mut actions, |link| Action::Send {
                link,
                class: Class::Control,
                frame: Bytes::from_static(&[32, 1, 2]),
            });
            actions
        };
        let raved = world(raving, false);
        let broken = fair(&raved, &ALL);
        assert!(!broken.is_empty());
        assert!(
            broken
                .iter()
                .all(|broken| broken.what.contains("blamed node 4: ")),
            "{broken:?}"
        );
        assert_eq!(fair(&raved, &BUT_THE_LAST), []);
    }

    #[test]
    fn an_honest_node_that_blames_is_seen() {
        let blaming: Meddle = |engine, event, now| {
            let mut actions = engine.handle(event, now);
            beside_what_is_sent(&mut actions, |link| Action::Close {
                link,
                reason: CloseReason::Score,
            });
            actions
        };
        let broken = fair(&world(blaming, false), &ALL);
        assert!(!broken.is_empty() && who(&broken).iter().all(|node| *node == 4));
    }
}
