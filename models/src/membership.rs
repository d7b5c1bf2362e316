//! Membership among three nodes that find each other, lose each other and find each other again.

use std::time::Duration;

use super::net::{Left, Net};
use super::node::Cast;
use super::{NEVER, Question, Subject, quiet};

/// What becomes due within so long is waited for: every attempt to link again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What holds in every state.
pub const PROMISES: [Question; 3] = [
    (
        "nobody is blamed, holds too much or has two links to one",
        |_, state| state.fault().is_none(),
    ),
    ("at rest, both ends of a link agree on it", |net, state| {
        !net.is_quiet(state) || net.are_symmetric(state)
    }),
    (
        "at rest with all there, they are one network",
        |net, state| !net.is_quiet(state) || !state.all_run() || net.is_whole(state),
    ),
];

/// What comes to pass in some state, or nothing was tried.
pub const SIGHTS: [Question; 1] = [("they are one network", |net, state| {
    net.is_quiet(state) && state.all_run() && net.is_whole(state)
})];

/// Who is told of whom at the start, and what may happen.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// The first asks for a link to the second.
    pub joins: &'a [(usize, usize)],
    /// Whether what may happen happens to a network that has come to rest, or while it forms.
    pub at_rest: bool,
    /// What may happen besides.
    pub left: Left,
}

/// The model of these trials, with nodes that open and take so many links.
pub fn model(nodes: u8, outbound: usize, inbound: usize, trials: &[Trial<'_>]) -> Net {
    let mut config = quiet();
    config.membership.dial_patience = NEVER;
    config.membership.dial_timeout = NEVER;
    config.membership.exchange_interval = NEVER;
    config.membership.feeler_interval = NEVER;
    config.membership.rewire_interval = NEVER;
    config.membership.sampler_interval = NEVER;
    config.membership.outbound = outbound;
    config.membership.inbound_max = inbound;
    config.reconcile.interval = NEVER;
    let mut cast = Cast::new(nodes, 0, config);
    cast.has_addresses = true;
    cast.has_one_stream = true;
    let mut net = Net::new(cast, PATIENCE);
    for trial in trials {
        let state = net.started(&vec![&[][..]; usize::from(nodes)]);
        let mut state = net.joined(state, trial.joins);
        if trial.at_rest {
            state = net.settled(state);
        }
        net.begin(state, trial.left, &[]);
    }
    net
}

/// Two are told of one; each of the one before.
const TO_ONE: &[(usize, usize)] = &[(1, 0), (2, 0)];
const CHAIN: &[(usize, usize)] = &[(1, 0), (2, 1)];

/// A trial, and nodes with so many links to open and to take.
type Named = (&'static str, (usize, usize), Trial<'static>);

/// A network forms.
const fn forms(joins: &[(usize, usize)], left: Left) -> Trial<'_> {
    Trial {
        joins,
        at_rest: false,
        left,
    }
}

/// A network is there, and something happens to it.
const fn suffers(left: Left) -> Trial<'static> {
    Trial {
        joins: TO_ONE,
        at_rest: true,
        left,
    }
}

/// A network forms, loses links, and is one again: with the usual number of links, and with one to
/// open and one to take, where there is no room for a third.
pub fn subjects() -> Vec<Subject> {
    let cuts = |cuts, hurries| Left {
        cuts,
        hurries,
        ..Left::NOTHING
    };
    let lost = Left {
        swallowed: 1,
        ..Left::NOTHING
    };
    let usual = (6, 48);
    let narrow = (1, 1);
    let planted = Left { cuts: 1, ..lost };
    let trials = [
        ("two told of one", usual, forms(TO_ONE, Left::NOTHING)),
        (
            "each told of the one before",
            usual,
            forms(CHAIN, Left::NOTHING),
        ),
        ("a cut and a hurry", usual, suffers(cuts(1, 1))),
        ("two cuts", usual, suffers(cuts(2, 0))),
        (
            "narrow, two told of one",
            narrow,
            forms(TO_ONE, Left::NOTHING),
        ),
        (
            "narrow, each told of the one before",
            narrow,
            forms(CHAIN, Left::NOTHING),
        ),
        ("a cut, a frame lost: planted", usual, suffers(planted)),
    ];
    let subject = |(name, (outbound, inbound), trial): Named| Subject {
        room: "membership",
        name,
        net: model(3, outbound, inbound, &[trial]),
        promises: &PROMISES,
        sights: &SIGHTS,
        is_faulty: trial.left.swallowed > 0,
    };
    trials.into_iter().map(subject).collect()
}
