//! Nodes that compare chosen topics only, among others that compare everything.

use std::time::Duration;

use bruit_core::config::Config;
use bruit_core::id::TopicId;
use bruit_core::reconcile::Topics;
use bruit_sim::ledger::BulletinNumber;
use bruit_sim::oracles;
use bruit_sim::world::{Birth, Settings, World};

const SECOND: Duration = Duration::from_secs(1);
/// The one that compares `news` only.
const SMALL: usize = 7;

/// So many nodes, of which [`SMALL`] compares `news` only, each told of the first.
fn world(count: usize, seed: u64) -> World {
    let mut world = World::of(count, seed, Settings::default(), |birth| {
        let mut settings = birth.settings.clone();
        if birth.number == SMALL {
            settings.config = small(settings.config);
        }
        let birth = Birth {
            settings: &settings,
            ..*birth
        };
        Box::new(birth.engine())
    });
    for node in 1..count {
        world.join(node, 0);
    }
    world
}

fn small(mut config: Config) -> Config {
    config.reconcile.topics = Topics::new(vec![TopicId::of("news")]).expect("one is few");
    config
}

fn publish(world: &mut World, topic: &str, count: usize) -> Vec<BulletinNumber> {
    let mut published = Vec::new();
    for number in 0..count {
        let body = format!("{topic} {number}");
        published.push(world.publish_on(number % 5, topic, body.as_bytes()));
        world.run(SECOND / 20);
    }
    published
}

fn held_by(world: &World, node: usize, bulletins: &[BulletinNumber]) -> usize {
    let has = |bulletin: &&BulletinNumber| world.ledger().has(**bulletin, node);
    bulletins.iter().filter(has).count()
}

#[test]
fn a_small_node_that_was_away_catches_up_on_its_topics_and_fetches_nothing_else() {
    let mut world = world(10, 1);
    world.run(SECOND * 30);
    // Another one that was away, and compares everything.
    let whole = SMALL + 1;
    for node in [SMALL, whole] {
        world.kill(node);
    }
    let (other, news) = (
        publish(&mut world, "other", 300),
        publish(&mut world, "news", 40),
    );
    world.run(SECOND * 60);
    for node in [SMALL, whole] {
        world.restart(node);
        world.join(node, 0);
    }
    world.run(SECOND * 180);
    assert_eq!(held_by(&world, whole, &other), 300);
    assert_eq!(held_by(&world, whole, &news), 40);
    assert_eq!(held_by(&world, SMALL, &news), 40);
    assert_eq!(held_by(&world, SMALL, &other), 0);
    // While it is there it gets everything.
    let now = publish(&mut world, "other", 20);
    world.run(SECOND * 10);
    assert_eq!(held_by(&world, SMALL, &now), 20);
    assert_eq!(oracles::fair(&world, &|_| true), []);
    assert_eq!(oracles::bounded(&world), []);
}

#[test]
fn a_small_node_relays_what_is_of_no_topic_of_its_own() {
    let mut world = world(8, 2);
    // All that goes from one half to the other passes it.
    let side = |node: usize| node < 4;
    world.cut(move |from, to| from != SMALL && to != SMALL && side(from) != side(to));
    for node in 0..SMALL {
        world.join(node, SMALL);
    }
    world.run(SECOND * 60);
    let bulletin = world.publish_on(0, "other", b"through the middle");
    world.run(SECOND * 2);
    assert_eq!(world.ledger().reached(bulletin), 8);
}

#[test]
fn what_a_small_node_published_while_nobody_was_there_is_heard_whatever_its_topic() {
    let mut world = world(8, 3);
    world.kill(SMALL);
    world.run(SECOND * 60);
    world.restart(SMALL);
    let (news, other) = (
        world.publish_on(SMALL, "news", b"one"),
        world.publish_on(SMALL, "other", b"two"),
    );
    world.run(SECOND / 100);
    assert_eq!(world.ledger().reached(other), 1);
    world.join(SMALL, 0);
    world.run(SECOND * 10);
    assert_eq!(world.ledger().reached(news), 8);
    assert_eq!(world.ledger().reached(other), 8);
}
