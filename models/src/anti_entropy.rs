//! Anti-entropy among four nodes that are linked and hold different bulletins.

use std::time::Duration;

use super::net::{Left, Net};
use super::node::Cast;
use super::{Question, Subject, quiet};

/// What becomes due within so long is waited for: all that a session sets off, and not the next one.
const PATIENCE: Duration = Duration::from_secs(2);

/// What holds in every state.
pub const PROMISES: [Question; 3] = [
    (
        "nobody is blamed, delivers twice or holds too much",
        |_, state| state.fault().is_none(),
    ),
    ("at rest, who is linked holds the same", |net, state| {
        !net.is_quiet(state) || net.are_equal(state)
    }),
    ("at rest, both ends of a link agree on it", |net, state| {
        !net.is_quiet(state) || net.are_symmetric(state)
    }),
];

/// What comes to pass in some state, or nothing was tried.
pub const SIGHTS: [Question; 1] = [("at rest, all have everything", |net, state| {
    net.is_quiet(state) && state.is_all_everywhere()
})];

/// Links, what each node holds, and what may happen.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// Who dialled whom.
    pub links: &'a [(usize, usize)],
    /// By node.
    pub held: &'a [&'a [usize]],
    /// What may happen besides.
    pub left: Left,
    /// What is published, and where.
    pub publish: &'a [(usize, usize)],
}

impl Trial<'_> {
    /// How many bulletins it speaks of.
    fn bulletins(&self) -> u8 {
        let held = self.held.iter().flat_map(|held| held.iter());
        let published = self.publish.iter().map(|(bulletin, _)| bulletin);
        let last = held.chain(published).max().copied().unwrap_or_default();
        u8::try_from(last + 1).expect("few bulletins")
    }
}

/// The model of these trials, with as many bulletins as they speak of.
pub fn model(nodes: u8, bulletins: u8, checks_wait: bool, trials: &[Trial<'_>]) -> Net {
    let mut cast = Cast::new(nodes, bulletins, quiet());
    cast.checks_wait = checks_wait;
    let mut net = Net::new(cast, PATIENCE);
    for trial in trials {
        let state = net.started(trial.held);
        let state = net.linked(state, trial.links);
        net.begin(state, trial.left, trial.publish);
    }
    net
}

const LINE: &[(usize, usize)] = &[(0, 1), (1, 2), (2, 3)];
const SQUARE: &[(usize, usize)] = &[(0, 1), (1, 2), (2, 3), (3, 0)];
/// Two bulletins at the two ends; a third is published.
const ENDS: &[&[usize]] = &[&[0], &[], &[], &[1]];
/// Three bulletins at three nodes.
const ONE_EACH: &[&[usize]] = &[&[0], &[1], &[], &[2]];
/// Three bulletins, each at two nodes.
const TWO_EACH: &[&[usize]] = &[&[0, 1], &[1, 2], &[], &[2, 0]];

const ONE_CUT: Left = Left {
    cuts: 1,
    links: 1,
    ..Left::NOTHING
};

/// A line of four, nothing published.
const fn line<'a>(held: &'a [&'a [usize]], left: Left) -> Trial<'a> {
    Trial {
        links: LINE,
        held,
        left,
        publish: &[],
    }
}

/// Differences on a line and on a square of four, with links that die and come again, clocks that run ahead,
/// and a bulletin published meanwhile.
pub fn subjects() -> Vec<Subject> {
    let hurries = |hurries| Left {
        hurries,
        ..Left::NOTHING
    };
    let square = |held, left| Trial {
        links: SQUARE,
        ..line(held, left)
    };
    let publish = |left| Trial {
        publish: &[(2, 1)],
        ..line(ENDS, left)
    };
    let lost = Left {
        swallowed: 1,
        ..Left::NOTHING
    };
    let trials = [
        ("line, one each, two hurries", line(ONE_EACH, hurries(2))),
        ("line, two each, two hurries", line(TWO_EACH, hurries(2))),
        ("line, two each, a cut", line(TWO_EACH, ONE_CUT)),
        ("square, one each, a hurry", square(ONE_EACH, hurries(1))),
        ("line, publishing, a hurry", publish(hurries(1))),
        (
            "line, one each, a frame lost: planted",
            line(ONE_EACH, lost),
        ),
    ];
    let subject = |(name, trial): (&'static str, Trial<'_>)| Subject {
        room: "anti-entropy",
        name,
        net: model(4, trial.bulletins(), true, &[trial]),
        promises: &PROMISES,
        sights: &SIGHTS,
        is_faulty: trial.left.swallowed > 0,
    };
    trials.into_iter().map(subject).collect()
}
