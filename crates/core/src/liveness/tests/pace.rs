//! When a link that is well is pinged.

use super::*;

#[test]
fn an_idle_link_costs_one_ping_in_five_seconds() {
    let mut room = room(8, Config::default());
    let log = run(&mut room, 600_020, &[], |_| None);
    let pings = times(&log, is_ping).len();
    let bytes = pings * (39 + 13 + 2);
    println!(
        "10 min, 8 links: {pings} pings, {} B/s a link of frames",
        bytes / 600 / 8
    );
    assert!(pings <= 8 * 120);
    assert!(times(&log, is_suspect).is_empty());
    assert_eq!(room.local_health(), 1);
}

/// Story: both ends of a link waited for exactly as long since the last ping and its answer, so both asked
/// at one moment, for ever.
#[test]
fn of_two_ends_of_an_idle_link_one_asks() {
    const WAY_MS: u64 = 20;
    let end = |seed| Liveness::new(Config::default(), ChaCha8Rng::seed_from_u64(seed));
    let mut ends = [end(1), end(2)];
    // By arrival: at which end, and the number of the ping that is answered.
    let mut under_way: BTreeMap<u64, Vec<(usize, Option<u32>)>> = BTreeMap::new();
    let mut pings = 0;
    for time in 0..600_000 {
        for (to, answers) in under_way.remove(&time).unwrap_or_default() {
            ends[to].heard(link(1), at(time));
            if let Some(seq) = answers {
                ends[to].on_pong(link(1), seq, 0, at(time));
            }
        }
        for side in [0, 1] {
            let is_due = ends[side]
                .next_wakeup()
                .is_some_and(|due| due <= at(time).mono);
            let facts = match time {
                0 => ends[side].link_up(link(1), node(1), None, at(0)),
                _ if is_due => ends[side].wakeup(at(time)),
                _ => Vec::new(),
            };
            for fact in facts {
                let Fact::Ping { seq, .. } = fact else {
                    continue;
                };
                pings += 1;
                let mut send =
                    |way, message| under_way.entry(time + way).or_default().push(message);
                send(WAY_MS, (1 - side, None));
                send(2 * WAY_MS, (side, Some(seq)));
            }
        }
    }
    println!("{pings} pings in ten minutes over one link");
    assert!((110..=150).contains(&pings), "{pings}");
}

/// Story: for every ping a node sent it woke up once more, for a turn that its neighbour had taken.
#[test]
fn who_was_asked_does_not_wake_up_for_its_own_turn() {
    let mut room = room(1, Config::default());
    let turn = room.next_wakeup().expect("a ping is due");
    let shortly_before = at(turn.as_micros() / 1_000 - 5);
    room.heard(link(1), shortly_before);
    room.on_ping(link(1), 9, shortly_before);
    let next = room.next_wakeup().expect("a ping is due");
    assert!(
        next >= shortly_before.mono.plus(room.config.idle * 9 / 10),
        "{next:?}"
    );
}

/// Story: both ends of a link that is never silent asked within the same fifteen seconds, each for itself: six
/// packets with acknowledgements where four do.
#[test]
fn who_is_asked_on_a_busy_link_asks_back_at_once() {
    let mut room = new_room(1, Config::default());
    let mut asked = Vec::new();
    for step in 1..=600 {
        let now = at(step * 100);
        room.heard(link(1), now);
        // The other end asks a little sooner than this one would.
        let is_asked = matches!(step, 7 | 21 | 42 | 150 | 258 | 366 | 474 | 582);
        let facts = if is_asked {
            room.on_ping(link(1), 9, now)
        } else {
            room.wakeup(now)
        };
        for fact in facts {
            if let Fact::Ping { seq, .. } = fact {
                asked.push(step);
                room.on_pong(link(1), seq, 0, now);
            }
        }
    }
    assert_eq!(asked, [7, 21, 42, 150, 258, 366, 474, 582]);
}

/// However often it is asked.
#[test]
fn who_asked_not_long_ago_does_not_ask_back() {
    let mut room = new_room(1, Config::default());
    let mut pings = 0;
    for step in 0..600 {
        let now = at(100 * step + 30);
        room.heard(link(1), now);
        for fact in room.on_ping(link(1), 9, now) {
            if let Fact::Ping { seq, .. } = fact {
                pings += 1;
                room.on_pong(link(1), seq, 0, now);
            }
        }
    }
    // Once after one, two and three seconds, and then in fifteen each, a third sooner.
    assert!((6..=9).contains(&pings), "{pings}");
}

/// Story: sixty nodes began at once on two busy cores. The first pings took two thirds of a second, the
/// next went out fifteen seconds later, and until then repair waited as if that were the way.
#[test]
fn a_round_trip_measured_in_the_bustle_of_joining_is_measured_again_at_once() {
    let mut room = Liveness::new(Config::default(), ChaCha8Rng::seed_from_u64(7));
    let mut facts = room.link_up(link(1), node(1), None, at(0));
    let (mut now, mut rtts, mut pinged) = (0, Vec::new(), Vec::new());
    for way in [650, 20, 20, 20] {
        let [Fact::Ping { seq, .. }] = facts[..] else {
            panic!("{facts:?}");
        };
        pinged.push(now);
        for fact in room.on_pong(link(1), seq, 0, at(now + way)) {
            if let Fact::Rtt { rtt, .. } = fact {
                rtts.push(rtt.as_millis());
            }
        }
        let next = room.next_wakeup().expect("it is pinged again");
        now = next.as_micros().div_ceil(1_000);
        facts = room.wakeup(at(now));
    }
    let pauses: Vec<u64> = pinged.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, usual) in pauses.into_iter().zip([1_000, 2_000, 3_000]) {
        assert!(pause.abs_diff(usual) <= usual / 4, "{pause} for {usual}");
    }
    assert_eq!(rtts, [650, 20, 20, 20]);
    assert!(now <= 12_000, "{now}");
}

#[test]
fn a_busy_link_is_pinged_every_fifteen_seconds_only_and_never_judged_by_it() {
    let mut room = new_room(1, Config::default());
    let mut pings = Vec::new();
    for step in 1..=6_075 {
        let now = at(step * 100);
        assert_eq!(room.heard(link(1), now), None);
        for fact in room.wakeup(now) {
            assert!(matches!(fact, Fact::Ping { .. }), "{fact:?}");
            pings.push(step * 100);
        }
    }
    let soon = pings.iter().filter(|at| **at <= 7_500).count();
    assert_eq!(soon, 3, "soon after it came: {pings:?}");
    let later = pings.len() - soon;
    assert!((36..=44).contains(&later), "in ten minutes: {pings:?}");
}
