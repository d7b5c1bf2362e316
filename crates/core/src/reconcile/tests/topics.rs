//! Nodes that compare chosen topics only.

use super::*;

/// Five topics, so that few sets of two or three leave out none.
fn topic(number: u64) -> TopicId {
    TopicId::of(["ants", "bees", "crickets", "moths", "wasps"][usize::try_from(number).expect("5")])
}

fn choosy(numbers: &[u64]) -> Config {
    let topics = numbers.iter().map(|number| topic(*number)).collect();
    Config {
        topics: Topics::new(topics).expect("few"),
        ..Config::default()
    }
}

/// `old` on topic `number`.
fn on(number: u64, old: RestoredId) -> RestoredId {
    RestoredId {
        topic: Some(topic(number)),
        ..old
    }
}

fn of(ids: &[RestoredId], topics: &[u64]) -> BTreeSet<ShortId> {
    let topics: Vec<_> = topics.iter().map(|number| Some(topic(*number))).collect();
    ids.iter()
        .filter(|old| topics.contains(&old.topic))
        .map(|old| old.id.short())
        .collect()
}

fn only_of(ids: &[ShortId], pair: &Pair, topics: &[u64]) -> bool {
    let topics: Vec<_> = topics.iter().map(|number| Some(topic(*number))).collect();
    ids.iter().all(|id| topics.contains(&pair.all[id].topic))
}

/// A hundred of the asked topic, of which `a` lacks ten, beside `others` of others on each side.
fn ten_missing_beside(others: u64) -> Pair {
    let asked: Vec<_> = items(0..100).iter().map(|old| on(1, *old)).collect();
    let rest = |from: u64| -> Vec<_> {
        items((from..from + others).map(|n| n + 1_000))
            .iter()
            .map(|old| on(2, *old))
            .collect()
    };
    let a = [&asked[10..], &rest(0)].concat();
    let b = [&asked[..], &rest(others)].concat();
    Pair::differing((&a, &choosy(&[1])), (&b, &Config::default()))
}

#[test]
fn ten_missing_of_a_hundred_cost_the_same_beside_a_hundred_thousand_of_other_topics() {
    let cost = |others| {
        let mut pair = ten_missing_beside(others);
        pair.run(Duration::from_secs(25));
        assert_eq!(pair.traffic.wanted.len(), 10);
        assert!(only_of(&pair.traffic.wanted, &pair, &[1]));
        assert_eq!(pair.traffic.offered, []);
        assert_eq!(pair.traffic.sessions, 1);
        let mut lists = Snapshots::default();
        let scope = Scope {
            topics: choosy(&[1]).topics,
            ..whole()
        };
        let built = lists.prepare(&scope, true, &pair.b_has, Mono::ZERO);
        assert_eq!(lists.items(&scope).len(), 100);
        (pair.traffic.bytes, pair.traffic.messages, built)
    };
    let (alone, beside) = (cost(0), cost(SET));
    println!(
        "ten of a hundred: {} B in {} messages, {} visits",
        beside.0, beside.1, beside.2
    );
    assert_eq!(alone, beside);
    assert!(beside.0 < 4_000, "{}", beside.0);
}

#[test]
fn who_compares_some_topics_refuses_everything_and_is_not_asked_again() {
    let a: Vec<_> = items(0..50).iter().map(|old| on(0, *old)).collect();
    let b: Vec<_> = items(50..100)
        .iter()
        .zip([0, 1].into_iter().cycle())
        .map(|(old, number)| on(number, *old))
        .collect();
    // The one that compares everything dialled.
    let mut pair = Pair::differing((&a, &Config::default()), (&b, &choosy(&[1])));
    pair.settle();
    assert_eq!(
        pair.traffic.sessions, 2,
        "each has opened one, and one was refused"
    );
    assert_eq!(pair.traffic.wanted, []);
    assert_eq!(pair.traffic.offered.len(), 25);
    assert_eq!(Pair::ids(&pair.b_has).len(), 50);
    let told = [&a[..], &b[..]].concat();
    assert!(of(&told, &[1]).is_subset(&Pair::ids(&pair.a_has)));
    pair.traffic = Traffic::default();
    pair.run(Duration::from_mins(10));
    let sessions = pair.traffic.sessions;
    assert!(
        (15..30).contains(&sessions),
        "those of one side: {sessions}"
    );
    assert_eq!(pair.traffic.agreed, sessions, "none was refused");
}

#[test]
fn lists_by_topic_never_push_out_lists_of_everything() {
    let ids: Vec<_> = (0..100).map(|n| on(n % 5, item(n, 60_000))).collect();
    let has = inventory_of(&ids);
    let mut lists = Snapshots::default();
    let mut now = start().mono;
    assert_eq!(lists.prepare(&whole(), true, &has, now), 800);
    for number in 0..5 {
        now = now.plus(Duration::from_secs(1));
        let scope = Scope {
            topics: choosy(&[number]).topics,
            ..whole()
        };
        assert_eq!(lists.prepare(&scope, true, &has, now), 160);
    }
    assert_eq!(
        lists.prepare(&whole(), true, &has, now),
        0,
        "it is still there"
    );
    assert_eq!(lists.footprint(), (100 + 2 * 20) * 40);
}

#[test]
fn an_id_whose_topic_is_not_known_is_in_no_topic_and_is_not_asked_for() {
    let b: Vec<_> = items(0..20).iter().map(|old| on(1, *old)).collect();
    let forgotten = |old: &RestoredId| RestoredId {
        topic: None,
        held: None,
        ..*old
    };
    let a: Vec<_> = b.iter().take(5).map(forgotten).collect();
    let mut pair = Pair::differing((&a, &choosy(&[1])), (&b, &Config::default()));
    pair.settle();
    assert_eq!(pair.traffic.wanted.len(), 15);
}

/// Two sets on five topics, and the topics each side asks for.
fn sets_on_topics() -> impl Strategy<Value = (Vec<RestoredId>, Vec<RestoredId>, Vec<u64>, Vec<u64>)>
{
    let topics = || proptest::collection::btree_set(0..5_u64, 1..4);
    (sets(), topics(), topics()).prop_map(|((a, b), of_a, of_b)| {
        let number = |old: &RestoredId| u64::from(old.id.as_bytes()[3]) % 5;
        let give =
            |ids: Vec<RestoredId>| ids.into_iter().map(|old| on(number(&old), old)).collect();
        let (of_a, of_b) = (of_a.into_iter().collect(), of_b.into_iter().collect());
        (give(a), give(b), of_a, of_b)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_asks_for_topics_ends_with_all_of_them_and_has_asked_for_nothing_else(
        (a, b, asked, _) in sets_on_topics(),
        rounds_max in 2..13_u32,
        message_bytes_max in prop_oneof![Just(4_096_usize), Just(61_440)],
        offers_max in prop_oneof![Just(50_usize), Just(8_192)],
    ) {
        let config = Config { rounds_max, message_bytes_max, offers_max, ..choosy(&asked) };
        let mut pair = Pair::differing((&a, &config), (&b, &Config::default()));
        let union = of(&[&a[..], &b[..]].concat(), &asked);
        for _ in 0..40 {
            pair.run(Duration::from_mins(1));
            let has = Pair::ids(&pair.b_has);
            if union.is_subset(&has) && union.is_subset(&Pair::ids(&pair.a_has)) { break; }
        }
        let mut expected: BTreeSet<ShortId> = a.iter().map(|old| old.id.short()).collect();
        expected.extend(&union);
        prop_assert_eq!(Pair::ids(&pair.a_has), expected);
        let mut expected: BTreeSet<ShortId> = b.iter().map(|old| old.id.short()).collect();
        expected.extend(&union);
        prop_assert_eq!(Pair::ids(&pair.b_has), expected);
        prop_assert!(only_of(&pair.traffic.wanted, &pair, &asked));
    }

    #[test]
    fn two_that_ask_for_topics_each_get_their_own(
        (a, b, of_a, of_b) in sets_on_topics(),
    ) {
        let mut pair = Pair::differing((&a, &choosy(&of_a)), (&b, &choosy(&of_b)));
        for _ in 0..5 {
            pair.run(Duration::from_mins(1));
        }
        let all = [&a[..], &b[..]].concat();
        for (mine, asked, has) in [(&a, &of_a, &pair.a_has), (&b, &of_b, &pair.b_has)] {
            let mut expected: BTreeSet<ShortId> = mine.iter().map(|old| old.id.short()).collect();
            expected.extend(of(&all, asked));
            prop_assert_eq!(Pair::ids(has), expected);
        }
    }
}
