//! The models of `models/`, explored here on small networks and without a checker: that they go on compiling,
//! and that they see what they are there for, is known before the night.

use std::collections::HashSet;

use bruit_models::Question;
use bruit_models::anti_entropy;
use bruit_models::membership;
use bruit_models::net::{Left, Net, State};

#[expect(
    unreachable_pub,
    dead_code,
    reason = "the checker calls it from its own crate"
)]
#[path = "../../../models/src/lib.rs"]
mod bruit_models;

/// Explores every state; answers how many there are and which promises some of them break.
fn explored(net: &Net, promises: &[Question]) -> (usize, Vec<&'static str>) {
    let mut met: HashSet<State> = net.begins().iter().cloned().collect();
    let mut ahead: Vec<State> = net.begins().to_vec();
    let mut broken = Vec::new();
    while let Some(state) = ahead.pop() {
        let not_so = promises.iter().filter(|(_, holds)| !holds(net, &state));
        broken.extend(not_so.map(|(promise, _)| *promise));
        for action in net.actions(&state) {
            let then = net.next(&state, action);
            if met.insert(then.clone()) {
                ahead.push(then);
            }
        }
    }
    broken.sort_unstable();
    broken.dedup();
    (met.len(), broken)
}

/// Two nodes hold something else each, on a line of three.
fn line(left: Left) -> Net {
    let trial = anti_entropy::Trial {
        links: &[(0, 1), (1, 2)],
        held: &[&[0], &[], &[1]],
        left,
        publish: &[],
    };
    anti_entropy::model(3, 2, false, &[trial])
}

#[test]
fn three_nodes_hold_the_same_whatever_comes_first() {
    let net = line(Left {
        hurries: 1,
        ..Left::default()
    });
    let (states, broken) = explored(&net, &anti_entropy::PROMISES);
    assert_eq!(broken, [] as [&str; 0]);
    assert!(states > 100, "{states} states");
}

#[test]
fn a_frame_that_vanishes_is_seen() {
    let net = line(Left {
        swallowed: 1,
        ..Left::default()
    });
    let (_, broken) = explored(&net, &anti_entropy::PROMISES);
    assert!(
        broken.contains(&"at rest, who is linked holds the same"),
        "{broken:?}"
    );
}

#[test]
fn two_nodes_that_lose_each_other_find_each_other_again() {
    let left = Left {
        cuts: 1,
        ..Left::default()
    };
    let trial = membership::Trial {
        joins: &[(1, 0)],
        at_rest: false,
        left,
    };
    let net = membership::model(2, 6, 48, &[trial]);
    let (states, broken) = explored(&net, &membership::PROMISES);
    assert_eq!(broken, [] as [&str; 0]);
    assert!(states > 100, "{states} states");
}
