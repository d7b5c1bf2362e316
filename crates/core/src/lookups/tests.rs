use rand_core::SeedableRng;

use super::*;

const AT: Mono = Mono::from_micros(1_000_000);

fn link(number: u64) -> LinkId {
    LinkId::new(number)
}

fn links(count: u64) -> Vec<LinkId> {
    (1..=count).map(link).collect()
}

fn lookups() -> Lookups {
    Lookups::new(Config::default(), ChaCha8Rng::from_seed([1; 32]))
}

const ID: BulletinId = BulletinId::from_bytes([7; 32]);
const TARGET: Target = Target::Id(ID);

/// The questions among `facts`: to whom, number, hops, budget.
fn questions(facts: &[Fact]) -> Vec<(LinkId, u64, u8, u8)> {
    let question = |fact: &Fact| match fact {
        Fact::Send {
            link,
            frame:
                Frame::Lookup {
                    lookup,
                    hops,
                    budget,
                    ..
                },
        } => Some((*link, *lookup, *hops, *budget)),
        _ => None,
    };
    facts.iter().filter_map(question).collect()
}

fn question(lookup: u64, hops: u8, budget: u8) -> Question {
    Question {
        lookup,
        hops,
        budget,
        target: TARGET,
    }
}

#[test]
fn rings_grow_until_sixty_four_nodes_were_asked_and_then_it_is_missing() {
    let mut room = lookups();
    let all = links(10);
    let mut facts = room.begin(5, TARGET, &all, AT);
    let mut reach = Vec::new();
    while facts != vec![Fact::Missing { number: 5 }] {
        let asked = questions(&facts);
        let nodes: u32 = asked
            .iter()
            .map(|(.., budget)| u32::from(*budget) + 1)
            .sum();
        reach.push((asked.len(), asked[0].2, nodes));
        let mut last = Vec::new();
        for (link, lookup, ..) in asked {
            assert_eq!(last, vec![]);
            last = room.done(link, lookup, &all, AT);
        }
        facts = last;
    }
    // What does not divide by three is not asked.
    assert_eq!(reach, [(3, 1, 3), (3, 3, 15), (3, 6, 45)]);
    assert!(room.is_empty());
}

#[test]
fn a_node_without_neighbours_misses_at_once() {
    let mut room = lookups();
    let missing = vec![Fact::Missing { number: 1 }];
    assert_eq!(room.begin(1, TARGET, &[], AT), missing);
}

#[test]
fn a_question_is_passed_on_with_less_depth_and_less_budget_and_never_back() {
    let mut room = lookups();
    let facts = room.asked(link(1), question(9, 3, 4), &links(5), AT);
    let asked = questions(&facts);
    assert_eq!(asked.len(), 3);
    for (to, lookup, hops, budget) in asked {
        assert_ne!(to, link(1));
        assert_eq!((lookup, hops, budget), (9, 2, 0));
    }
}

#[test]
fn a_greedy_budget_is_cut_to_what_an_honest_one_is() {
    let mut room = lookups();
    let asked = questions(&room.asked(link(1), question(9, 6, 255), &links(5), AT));
    let nodes: u32 = asked
        .iter()
        .map(|(.., budget)| u32::from(*budget) + 1)
        .sum();
    assert_eq!(nodes, 12, "three, and what fourteen leaves each of them");
}

#[test]
fn a_question_at_its_end_or_met_again_is_answered_at_once() {
    for (hops, budget) in [(1, 10), (3, 0)] {
        let mut room = lookups();
        let facts = room.asked(link(1), question(9, hops, budget), &links(5), AT);
        assert_eq!(facts, vec![done(link(1), 9)]);
    }
    let mut room = lookups();
    room.asked(link(1), question(9, 3, 4), &links(5), AT);
    let again = room.asked(link(2), question(9, 3, 4), &links(5), AT);
    assert_eq!(again, vec![done(link(2), 9)]);
}

#[test]
fn what_is_found_goes_to_everybody_who_asked_and_ends_the_search() {
    let mut room = lookups();
    room.asked(link(1), question(9, 3, 4), &links(5), AT);
    room.begin(3, TARGET, &links(5), AT);
    assert!(room.wants(&ID, None));
    assert!(!room.wants(&BulletinId::from_bytes([8; 32]), None));
    let mut facts = room.found(&ID, None);
    facts.sort_by_key(|fact| matches!(fact, Fact::Found { .. }));
    let expected = [Fact::Pass { link: link(1) }, Fact::Found { number: 3 }];
    assert_eq!(facts, expected);
    assert!(room.is_empty());
    assert_eq!(room.found(&ID, None), vec![]);
}

#[test]
fn a_value_is_found_under_its_key_whatever_its_id() {
    let mut room = lookups();
    let key = ValueKey::from_bytes([3; 16]);
    room.begin(1, Target::Value(key), &links(2), AT);
    assert!(!room.wants(&ID, None));
    assert!(room.wants(&ID, Some(&key)));
}

#[test]
fn silence_ends_a_question_and_tells_whoever_asked() {
    let mut room = lookups();
    room.asked(link(1), question(9, 3, 4), &links(5), AT);
    let due = room.next_wakeup().unwrap();
    assert_eq!(due, AT.plus(Duration::from_millis(800)));
    assert_eq!(room.wakeup(&links(5), due), vec![done(link(1), 9)]);
    assert_eq!(room.next_wakeup(), None);
}

#[test]
fn a_lost_link_counts_as_an_answer_and_its_own_questions_end() {
    let mut room = lookups();
    let all = links(1);
    room.begin(1, TARGET, &all, AT);
    room.asked(link(2), question(9, 3, 4), &links(2), AT);
    assert_eq!(room.len(), 2);
    let facts = room.link_down(link(2), &[], AT);
    assert_eq!(facts, vec![]);
    assert_eq!(room.len(), 1);
    let facts = room.link_down(link(1), &[], AT);
    assert_eq!(facts, vec![Fact::Missing { number: 1 }]);
}

#[test]
fn one_neighbour_cannot_fill_the_room() {
    let mut room = lookups();
    for number in 0..1_000 {
        room.asked(link(1), question(number, 3, 4), &links(5), AT);
    }
    assert_eq!(room.len(), 64);
    room.asked(link(2), question(5_000, 3, 4), &links(5), AT);
    assert_eq!(room.len(), 65);
}

#[test]
fn numbers_are_remembered_within_a_bound() {
    let mut room = lookups();
    for number in 0..10_000 {
        room.asked(link(1), question(number, 1, 0), &[], AT);
    }
    assert_eq!(room.seen.len(), Lookups::SEEN_MAX);
}
