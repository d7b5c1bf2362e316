//! What is known of one neighbour: whether it is there, how far away it is, and when it is asked next.

use std::collections::BTreeSet;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::Config;
use crate::draw;
use crate::id::{LinkId, NodeId};
use crate::membership::Group;
use crate::time::Mono;

/// Round trips of which the shortest counts, before they are smoothed.
pub(super) const FIRST_SAMPLES: u32 = 4;

/// A new link is pinged again after this, then after twice and three times as long: the first round trip fell
/// into the bustle of joining, and repair waits by it.
const FIRST_AGAIN: Duration = Duration::from_secs(1);

/// Where a link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Heard from not long ago.
    Heard,
    /// Pinged.
    Waiting,
    /// Pinged in vain, and to be pinged again.
    Missed,
    /// Pinged in vain; helpers were asked, these have not answered.
    Asking {
        seq: u32,
        silent: BTreeSet<LinkId>,
        /// Helpers that did not hear of it either.
        denied: Vec<NodeId>,
    },
    /// Nobody heard of it; dead at this moment unless it speaks.
    Suspect {
        since: Mono,
        until: Mono,
        denied: Vec<NodeId>,
        /// Helpers that did not even say no.
        silent: usize,
    },
}

/// Why a neighbour is suspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// For how long it has been.
    pub age: Duration,
    /// Neighbours of ours that were asked and do not hear of it either.
    pub denied: Vec<NodeId>,
    /// Neighbours of ours that were asked and did not answer.
    pub silent: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) peer: NodeId,
    pub(super) group: Option<Group>,
    pub(super) heard: Mono,
    /// The last ping, until its answer comes.
    pub(super) ping: Option<(u32, Mono)>,
    pub(super) state: State,
    pub(super) misses: u32,
    pub(super) indirect: u32,
    /// When it was last pinged.
    pub(super) pinged: Mono,
    /// Pings so far, up to [`FIRST_SAMPLES`].
    pub(super) pings: u32,
    /// After how much silence it is pinged next.
    pub(super) patience: Duration,
    /// After how long it is whatever was heard.
    pub(super) pause: Duration,
    pub(super) rtt: Option<Duration>,
    /// Round trips measured, up to [`FIRST_SAMPLES`].
    pub(super) samples: u32,
    /// Its wall clock in milliseconds, and when it showed that.
    pub(super) clock: Option<(i64, Mono)>,
    /// Probes this link asked us to run.
    pub(super) probes: usize,
}

impl Link {
    /// Takes a measured round trip; returns the smoothed one. The first ones fall into the bustle of
    /// joining: of those the shortest counts.
    pub(super) fn note_rtt(&mut self, sample: Duration) -> Duration {
        self.samples = self.samples.saturating_add(1);
        let rtt = self.rtt.map_or(sample, |rtt| {
            if self.samples <= FIRST_SAMPLES {
                return rtt.min(sample);
            }
            let old = rtt.saturating_mul(7);
            old.saturating_add(sample).checked_div(8).unwrap_or(sample)
        });
        self.rtt = Some(rtt);
        rtt
    }

    /// When a link that is well is pinged next.
    pub(super) fn next_ping(&self) -> Mono {
        let idle = self.heard.plus(self.patience);
        idle.min(self.pinged.plus(self.pause))
    }

    /// Whether a ping may go along with an answer instead of a little later by itself, which would be two packets
    /// more with their acknowledgements: once two thirds of the usual pause are over.
    pub(super) fn asks_back(&self, config: &Config, now: Mono) -> bool {
        let (passed, usual) = (now.since(self.pinged), self.usual_pause(config));
        self.state == State::Heard && passed.saturating_mul(3) >= usual.saturating_mul(2)
    }

    /// It is pinged at `now`. When it is next is drawn, so that of the two ends one asks first.
    pub(super) fn note_ping(&mut self, seq: u32, config: &Config, rng: &mut ChaCha8Rng, now: Mono) {
        self.ping = Some((seq, now));
        self.pinged = now;
        self.pings = self.pings.saturating_add(1).min(FIRST_SAMPLES);
        self.pause = draw::spread(rng, self.usual_pause(config), 25);
        self.patience = draw::spread(rng, config.idle, 10);
    }

    /// From the last ping to the next whatever was heard.
    fn usual_pause(&self, config: &Config) -> Duration {
        if self.pings < FIRST_SAMPLES {
            FIRST_AGAIN.saturating_mul(self.pings).min(config.refresh)
        } else {
            config.refresh
        }
    }
}
