//! What networks go through, in pieces small enough to keep all cores busy to the end: a network settles and has two
//! futures. In one trees grow, and neighbours withhold or, from there too, three nodes in ten die; in the other it is
//! split, becomes one again, and loses eight in ten. What futures have in common is lived through once.
//!
//! The next network settles as soon as the futures of the last are begun: what is left of older ones fills the gaps
//! when no more settle, and few networks are in memory at a time.

use std::time::Duration;

use super::Plan;
use super::sync::{self, Sessions};
use super::trial::{Flooding, Trial};
use crate::run::{Meter, Worked};

/// Something to be done for a plan.
pub(super) enum Step<'a> {
    /// So many nodes with this seed form a network.
    Form(usize, u64),
    /// A network settles, to go through everything, and so do those of every so manieth seed after it.
    Settle {
        seed: u64,
        stride: u64,
    },
    Grow(Trial<'a>),
    Flood(Flooding),
    Withhold(Trial<'a>),
    Split(Trial<'a>),
    Kill30(Trial<'a>),
    Kill80(Trial<'a>),
    Sync,
}

/// A figure of one network.
pub(super) enum Figure {
    /// So many nodes fell into so many parts once settled.
    Formed(usize, usize),
    /// The same of one that goes through everything.
    Settled(usize),
    /// Along grown trees: copies beyond the first for each delivery, and delays in milliseconds, infinite of what did
    /// not come.
    Warm(f64, Vec<f64>),
    /// Delays by flooding over the same links.
    Flooded(Vec<f64>),
    /// While three in ten relayed nothing: the share of deliveries that came about, and the delays of the first
    /// bulletin of each tree.
    Withheld(f64, Vec<f64>),
    /// How long it took to be in one part after a split, the longest that was waited if it never was; and the share
    /// of deliveries of what was published in it that came about in time.
    Merged(Duration, f64),
    /// The share of deliveries that came about in time after three in ten had died, and eight in ten.
    Killed30(f64),
    Killed80(f64),
    Synced(Sessions),
}

impl<'a> Step<'a> {
    pub(super) fn done(self, plan: &Plan, meter: &'a Meter) -> Worked<Self, Figure> {
        match self {
            Self::Form(nodes, seed) => {
                let formed = Trial::settled(nodes, seed, meter);
                Worked::done(Figure::Formed(nodes, formed.parts()))
            }
            Self::Settle { seed, stride } => {
                let settled = Trial::settled(plan.nodes, seed, meter);
                let parts = settled.parts();
                let next = plan.seeds().contains(&(seed + stride));
                let next = next.then_some(Self::Settle {
                    seed: seed + stride,
                    stride,
                });
                let futures = [Self::Split(settled.fork()), Self::Grow(settled)];
                Worked::done(Figure::Settled(parts)).and(next.into_iter().chain(futures).collect())
            }
            Self::Grow(mut trial) => {
                let (redundancy, delays) = trial.grow(plan.rounds);
                let flooding = trial.flooding();
                // The shortest first: two networks are in memory until it is over.
                let dying = Self::Kill30(trial.fork());
                Worked::done(Figure::Warm(redundancy, delays)).and(vec![
                    Self::Flood(flooding),
                    Self::Withhold(trial),
                    dying,
                ])
            }
            Self::Flood(flooding) => Worked::done(Figure::Flooded(flooding.delays())),
            Self::Withhold(trial) => {
                let (share, first) = trial.withheld();
                Worked::done(Figure::Withheld(share, first))
            }
            Self::Split(mut trial) => {
                let (merged, share) = trial.split(plan.apart);
                Worked::done(Figure::Merged(merged, share)).and(vec![Self::Kill80(trial)])
            }
            Self::Kill30(trial) => Worked::done(Figure::Killed30(trial.kill_30())),
            Self::Kill80(trial) => Worked::done(Figure::Killed80(trial.kill_80())),
            Self::Sync => Worked::done(Figure::Synced(sync::sessions(plan.seed))),
        }
    }
}
