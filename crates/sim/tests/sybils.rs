//! Many identities in one hand: what they get of address books, of links and of slots, and whom they cut off.

mod cast;
mod seed;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bruit_core::link::Direction;
use bruit_core::time::Mono;
use bruit_core::wire::kind;
use bruit_sim::adversary::{Adversary, Evil, Swarm};
use bruit_sim::behaviour::Behaviour;
use bruit_sim::report::{Report, table};
use bruit_sim::run::{self, Meter};
use bruit_sim::scenario::Scenario;
use bruit_sim::world::{Birth, Settings, World};
use cast::{Cast, SECOND, assert_kept, outbound};
use seed::seed;

/// S13. Tables are bounded, and those who were known before stay known.
#[test]
fn a_hundred_thousand_made_up_addresses_displace_less_than_half_of_the_good_ones() {
    let cast = Cast {
        nodes: 60,
        evil: 10,
        victims: 1,
        what: Evil::Addresses,
        from: SECOND * 60,
    };
    let mut world = cast.settled(seed(10));
    world.run(SECOND * 30);
    let known = |world: &World| -> BTreeSet<usize> {
        let engine = world.engine(0).expect("an engine");
        let members = engine.membership().members(world.clocks(0));
        let numbers = members.iter().filter_map(|member| world.number(&member.id));
        numbers.filter(|node| cast.is_honest(*node)).collect()
    };
    let before = known(&world);
    let told = |world: &World| world.ledger().bytes_by_kind()[&kind::PEERS];
    let bytes = told(&world);
    // Each of the ten opens a link twice a second, and answers with sixteen: 320 a second.
    world.run(SECOND * 320);
    // About 117 bytes each: more than a hundred thousand.
    let offered = (told(&world) - bytes) / 140;
    let kept = known(&world).intersection(&before).count();
    let fills = world.fills(0);
    let heard_of = fills.iter().find(|fill| fill.what == "nodes heard of");
    println!(
        "offered {offered}, kept {kept} of {}, {heard_of:?}",
        before.len()
    );
    assert!(offered >= 100_000);
    assert!(
        heard_of.is_some_and(|fill| fill.used > 500),
        "they got in: {heard_of:?}"
    );
    assert!(kept * 2 >= before.len());
    let (honest, _) = outbound(&world, 0, |node| cast.is_honest(node));
    assert!(honest >= 3, "{honest}");
    assert_kept(&mut world, cast);
}

/// S13. A fifth of the network, spread among the others, turns to telling of its like alone; then every node
/// is away once. Of the links others open, at most a quarter more than that share lead to it: the mean of eight
/// networks, as one differs from another by 0.013 (standard deviation of sixteen).
#[test]
fn those_who_tell_of_their_like_alone_get_no_more_than_a_quarter_above_their_share_of_links() {
    let first = seed(11);
    let (mut honest, mut evil) = (0, 0);
    std::thread::scope(|scope| {
        let networks = (first..first + 8).map(|seed| scope.spawn(move || links_to_liars(seed)));
        for network in networks.collect::<Vec<_>>() {
            let links = network.join().expect("a network forms");
            (honest, evil) = (honest + links.0, evil + links.1);
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let share = evil as f64 / (honest + evil) as f64;
    println!("{share:.3} of {} links lead to the fifth", honest + evil);
    assert!(share <= 0.25, "{share}");
}

/// How many of the links that honest nodes open lead to their like and to the fifth, in the network of `seed`.
fn links_to_liars(seed: u64) -> (usize, usize) {
    let is_honest = |node: usize| node % 5 != 4;
    let swarm = Swarm::default();
    let turn = Mono::ZERO.plus(SECOND * 60);
    let maker = move |birth: &Birth<'_>| -> Box<dyn Behaviour> {
        if is_honest(birth.number) {
            return Box::new(birth.engine());
        }
        swarm.join(birth);
        Box::new(Adversary::new(birth, Evil::Eclipse, &swarm, turn))
    };
    let mut world = World::of(200, seed, Settings::default(), maker);
    for node in 1..200 {
        let other = world.below(node.min(10));
        world.join(node, other);
    }
    world.run(SECOND * 90);
    for round in 0..10 {
        let killed: Vec<usize> = (0..200)
            .filter(|node| (node + node / 10) % 10 == round)
            .collect();
        for node in &killed {
            world.kill(*node);
        }
        world.run(SECOND * 15);
        for node in killed {
            world.restart(node);
        }
        world.run(SECOND * 15);
    }
    let honest = (0..200).filter(|node| is_honest(*node));
    let all = honest.map(|node| outbound(&world, node, is_honest));
    all.fold((0, 0), |(h, e), (honest, evil)| (h + honest, e + evil))
}

/// Honest neighbours that eviction spares for certain: four that are oldest, four that deliver first, eight of
/// groups of their own. The four that are nearest may be attackers.
const EVICTION_SPARES: usize = 16;

/// Attackers of [`flooded_slots`], and who was there before them: those, the attackers and then a newcomer.
const ATTACKERS: usize = 1_000;
const HONEST: usize = 20;

/// S14. Attackers that hold their links fill every inbound slot of node 0; a newcomer told of it alone gets in.
fn flooded_slots(groups: usize, seed: u64) {
    let mut world = beset_world(groups, seed);
    for node in 1..HONEST {
        world.join(node, 0);
    }
    world.run(SECOND * 90);
    let bulletins: Vec<_> = (1..HONEST)
        .map(|node| world.publish(node, b"before"))
        .collect();
    world.run(SECOND * 5);
    let linked = |world: &World| -> BTreeSet<usize> {
        let neighbours = world.neighbours(0).into_iter();
        neighbours.filter(|node| *node < HONEST).collect()
    };
    let before = linked(&world);
    let taken = flood(&mut world);
    let kept = linked(&world).intersection(&before).count();
    let newcomer = HONEST + ATTACKERS;
    let took = time_to_join(&mut world, newcomer);
    world.run(SECOND * 3);
    println!(
        "{groups} groups: {taken} slots taken, {kept} of {} kept, a newcomer after {took:?}",
        before.len()
    );
    assert!(taken > 0, "they got in");
    assert!(kept >= before.len().min(EVICTION_SPARES), "{kept}");
    assert!(took <= SECOND * 10, "{took:?}");
    let hello = world.publish(newcomer, b"hello");
    world.run(SECOND * 3);
    assert!((0..HONEST).all(|node| world.ledger().has(hello, node)));
    assert!(
        bulletins
            .iter()
            .all(|bulletin| world.ledger().has(*bulletin, 0))
    );
}

/// A world whose attackers have addresses in so many groups, and want the victim's slots and nothing else.
fn beset_world(groups: usize, seed: u64) -> World {
    let maker = move |birth: &Birth<'_>| -> Box<dyn Behaviour> {
        let mut settings = birth.settings.clone();
        if (HONEST..HONEST + ATTACKERS).contains(&birth.number) {
            settings.config.membership.only = Some(Vec::new());
        }
        let birth = Birth {
            settings: &settings,
            ..*birth
        };
        Box::new(birth.engine())
    };
    let mut world = World::of(HONEST + ATTACKERS + 1, seed, Settings::default(), maker);
    for attacker in 0..ATTACKERS {
        let (group, place) = (attacker % groups, attacker / groups);
        let byte = |number: usize| u8::try_from(number).expect("a small number");
        let ip = [120, byte(group), byte(place / 250), byte(place % 250)];
        world.move_to(HONEST + attacker, SocketAddr::from((ip, 7_447)));
    }
    world
}

/// All attackers link to node 0, and again when it has let them go. Answers how many slots they had between.
fn flood(world: &mut World) -> usize {
    for attacker in HONEST..HONEST + ATTACKERS {
        world.link(attacker, 0);
    }
    world.run(SECOND * 30);
    let neighbours = world.neighbours(0).into_iter();
    let taken = neighbours.filter(|node| *node >= HONEST).count();
    for attacker in HONEST..HONEST + ATTACKERS {
        if !world.are_linked(attacker, 0) {
            world.link(attacker, 0);
        }
    }
    world.run(SECOND * 70);
    taken
}

/// How long it takes `newcomer`, told of node 0 alone, until it has an honest neighbour; half a minute at most.
fn time_to_join(world: &mut World, newcomer: usize) -> Duration {
    world.join(newcomer, 0);
    let began = world.now();
    let is_alone = |world: &World| {
        world
            .neighbours(newcomer)
            .iter()
            .all(|node| *node >= HONEST)
    };
    while is_alone(world) && world.now().since(began) < SECOND * 30 {
        world.run(SECOND / 10);
    }
    world.now().since(began)
}

#[test]
fn a_thousand_attackers_of_one_group_keep_no_newcomer_out_and_drive_nobody_out() {
    flooded_slots(1, seed(12));
}

#[test]
fn a_thousand_attackers_of_two_hundred_groups_keep_no_newcomer_out_and_drive_nobody_out() {
    flooded_slots(200, seed(13));
}

/// As many adversaries as honest nodes surround node 0, which restarts among them: answers how many honest
/// outbound links it has before and ten seconds after, and how many of its anchors came back.
fn surrounded(seed: u64) -> (usize, usize, usize) {
    let cast = Cast {
        nodes: 40,
        evil: 20,
        victims: 1,
        what: Evil::Eclipse,
        from: SECOND * 30,
    };
    let mut world = cast.settled(seed);
    world.run(SECOND * 90);
    let is_honest = |node| cast.is_honest(node);
    let (before, _) = outbound(&world, 0, is_honest);
    let links = world
        .engine(0)
        .map(bruit_core::engine::Engine::links)
        .unwrap_or_default();
    let mut out: Vec<_> = links
        .iter()
        .filter(|link| link.established && link.direction == Direction::Out)
        .collect();
    out.sort_by_key(|link| (link.since, link.link));
    let anchors: Vec<_> = out
        .iter()
        .take(2)
        .filter_map(|link| world.number(&link.peer))
        .collect();
    world.kill(0);
    world.run(SECOND * 40);
    world.restart(0);
    world.run(SECOND * 10);
    let (after, _) = outbound(&world, 0, is_honest);
    let neighbours = world.neighbours(0);
    let back = anchors
        .iter()
        .filter(|anchor| neighbours.contains(anchor))
        .count();
    (before, after, back)
}

/// S9, eclipse one, and S15. `SEEDS=n` runs more.
#[test]
fn a_surrounded_node_keeps_an_honest_link_and_finds_one_again_after_a_restart() {
    let seeds = std::env::var("SEEDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let (first, seeds) = (seed(100), seeds.unwrap_or(30_u64));
    let all: Vec<_> = (0..seeds)
        .map(|number| surrounded(first + number))
        .collect();
    let count = |is: fn(&(usize, usize, usize)) -> bool| all.iter().filter(|one| is(one)).count();
    let (kept, again) = (count(|one| one.0 > 0), count(|one| one.1 > 0));
    let anchored = count(|one| one.2 == 2);
    println!(
        "of {seeds}: {kept} kept an honest link, {again} found one again, {anchored} have both anchors"
    );
    let lost = (first..).zip(&all).find(|(_, one)| one.0 == 0);
    assert!(lost.is_none(), "seed {lost:?}");
    assert!(again * 100 >= all.len() * 99);
    assert!(anchored * 100 >= all.len() * 90);
}

/// S9, small: as many sybils as honest nodes. Everything comes in the end, and 99 % of it within three seconds
/// of the attack; where they are there first, within a minute.
#[test]
fn as_many_sybils_as_honest_nodes_keep_nothing_from_anybody() {
    let mut text = "nodes = 80\n[start]\nsettle_s = 30\n\
                    [terrain]\nshape = 'same'\ndelay_ms = 22.5\njitter_ms = 5\n\
                    [traffic]\npublishers = 16\nrate = 6\nbody_bytes = 2_048\n\
                    warm_s = 5\nmeasured_s = 15\ndrain_s = 60\n"
        .to_owned();
    for (name, fault) in [
        ("eclipse one", "kind = 'eclipse'\nfrom = 'flash'\nat_s = 5"),
        (
            "publishers",
            "kind = 'eclipse'\nfrom = 'flash'\nvictims = 'publishers'\nat_s = 5",
        ),
        ("censor one", "kind = 'censor'\nat_s = 5"),
        ("degrade half", "kind = 'withhold'\nat_s = 5"),
        ("covert flash", "kind = 'eclipse'\nat_s = 8"),
        ("at dawn", "kind = 'eclipse'\nfrom = 'flash'"),
        ("cold boot", "kind = 'eclipse'\nfrom = 'boot'"),
    ] {
        let head = format!("[[case]]\nname = '{name}'\n[[case.fault]]\n");
        text += &(head + fault + "\nshare = 0.5\nspare = 20\n");
    }
    let scenario = Scenario::parse("sybils", &text).expect("a scenario");
    let seeds = [seed(15)];
    let meter = Meter::of(scenario.cases.iter().map(|case| &case.setup), seeds.len());
    let outcomes = run::all(&scenario, &seeds, &meter);
    let report = Report::new(&scenario, &seeds, &outcomes);
    println!("{}", table::text(&report));
    assert_eq!(report.broken(), 0);
    for row in &report.cases {
        let (delivered, p99) = (
            row.columns["delivery_ratio"].least,
            row.columns["p99_ms"].worst(),
        );
        assert!(delivered >= 1.0, "{}: {delivered}", row.name);
        let most = if row.name == "cold boot" {
            60_000.0
        } else {
            3_000.0
        };
        assert!(p99 <= most, "{}: {p99} ms", row.name);
    }
}

/// Told of adversaries alone from the start, a node is lost: it is surrounded because it knows nobody else.
#[test]
fn a_node_that_knows_adversaries_alone_is_cut_off() {
    let cast = Cast {
        nodes: 30,
        evil: 15,
        victims: 1,
        what: Evil::Eclipse,
        from: Duration::ZERO,
    };
    let mut world = cast.world(seed(14), Settings::default());
    // The honest ones and the others are two networks; only the adversaries know the victim.
    for node in 2..15 {
        world.join(node, 1);
    }
    world.join(0, 20);
    for node in 16..30 {
        world.join(node, 15);
    }
    world.run(SECOND * 60);
    assert_eq!(outbound(&world, 0, |node| cast.is_honest(node)).0, 0);
    let bulletin = world.publish(1, b"not for 0");
    world.run(SECOND * 60);
    assert!(!world.ledger().has(bulletin, 0) && world.ledger().has(bulletin, 14));
}
