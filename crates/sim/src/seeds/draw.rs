//! What a seed makes: ten to sixty nodes, and of everything that can befall them a little.
//!
//! Numbers are round, so that they stand in a file as they are. What is drawn stays within what is promised:
//! adversaries are few, and after the last fault there is time for everything to be mended.

use std::time::Duration;

use crate::adversary::Evil;
use crate::chance::Chance;
use crate::run::Protocol;
use crate::scenario::{
    Appearance, Cut, Fault, FaultKind, NodeConfig, Publishers, Setup, Skew, Slowness, Start,
    Traffic, Turn, Victims,
};
use crate::terrain::{Burst, Distances, Terrain};

/// Nodes that are never adversaries, so that somebody honest introduces the others.
const SPARED: usize = 5;

/// The network of `seed`.
pub fn setup(seed: u64) -> Setup {
    // Apart from what the run itself draws.
    let mut draw = Draw(Chance::new(seed ^ 0x5eed_5eed));
    let nodes = draw.between(10, 60);
    let terrain = draw.terrain();
    let traffic = draw.traffic();
    let faults = draw.faults(traffic.warm + traffic.measured);
    Setup {
        nodes,
        protocol: Protocol::Rootcast,
        degree: None,
        start: Start {
            within: draw.seconds(1, 10),
            introducers: draw.between(1, SPARED),
            island: None,
            bridges: 0,
            settle: draw.seconds(5, 30),
        },
        terrain,
        traffic,
        node: draw.node(),
        faults,
        overlay: false,
    }
}

struct Draw(Chance);

impl Draw {
    /// A number from `least` to `most`.
    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.0.below(most - least + 1)
    }

    fn seconds(&mut self, least: usize, most: usize) -> Duration {
        Duration::from_secs(self.between(least, most) as u64)
    }

    fn millis(&mut self, least: usize, most: usize) -> Duration {
        Duration::from_millis(self.between(least, most) as u64)
    }

    /// Hundredths, from `least` to `most` of them.
    fn share(&mut self, least: u32, most: u32) -> f64 {
        let span = usize::try_from(most - least).unwrap_or(0);
        let drawn = u32::try_from(self.0.below(span + 1)).unwrap_or(0);
        f64::from(least + drawn) / 100.0
    }

    /// Whether something happens that does so `of` a hundred times.
    fn happens(&mut self, of: usize) -> bool {
        self.0.below(100) < of
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.0.below(all.len())]
    }

    fn terrain(&mut self) -> Terrain {
        let (least, more) = (self.millis(1, 60), self.millis(0, 150));
        Terrain {
            distances: match self.0.below(3) {
                0 => Distances::Same(least),
                1 => Distances::Uniform(least, least + more),
                _ => Distances::Plane {
                    base: least,
                    across: more,
                },
            },
            jitter: if self.happens(50) {
                self.millis(1, 100)
            } else {
                Duration::ZERO
            },
            loss: if self.happens(40) {
                self.share(1, 20)
            } else {
                0.0
            },
            burst: self.happens(20).then(|| Burst {
                loss: self.share(20, 80),
                every: self.seconds(2, 30),
                lasting: self.millis(200, 3_000),
            }),
            duplication: if self.happens(40) {
                self.share(1, 20)
            } else {
                0.0
            },
            uplink_bytes_per_s: self
                .happens(70)
                .then(|| self.pick(&[200_000, 1_000_000, 2_500_000])),
            ..Terrain::default()
        }
    }

    fn traffic(&mut self) -> Traffic {
        let publishers = match self.0.below(3) {
            0 => Publishers::All,
            1 => Publishers::Random,
            _ => Publishers::Some(self.between(1, 10)),
        };
        let body_bytes = self.pick(&[16, 200, 1_024, 4_096, 20_000]);
        // What a narrow uplink carries to all neighbours at once, all nodes relaying everything.
        let rates: &[f64] = if body_bytes > 4_096 {
            &[0.5, 1.0]
        } else {
            &[0.5, 2.0, 5.0, 10.0]
        };
        Traffic {
            publishers,
            rate: self.pick(rates),
            body_bytes,
            topics: self.between(1, 4),
            warm: self.seconds(0, 5),
            measured: self.seconds(10, 40),
            drain: Duration::from_mins(2),
            ..Setup::default().traffic
        }
    }

    fn node(&mut self) -> NodeConfig {
        NodeConfig {
            is_local: self.happens(30),
            outbound: self.happens(30).then(|| self.between(3, 8)),
            inbound: self.happens(20).then(|| self.between(8, 48)),
            ..NodeConfig::default()
        }
    }

    /// Up to four, within `busy` and a while after it.
    fn faults(&mut self, busy: Duration) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        let last = usize::try_from(busy.as_secs()).unwrap_or(0);
        for _ in 0..self.0.below(5) {
            let kind = self.kind();
            let is_turn = matches!(kind, FaultKind::Turn(_));
            // One cut at a time, and one kind of adversary.
            let is_second = |fault: &Fault| {
                matches!(
                    (&fault.kind, &kind),
                    (FaultKind::Cut(_), FaultKind::Cut(_))
                        | (FaultKind::Turn(_), FaultKind::Turn(_))
                )
            };
            if faults.iter().any(is_second) {
                continue;
            }
            let at = self.seconds(0, last);
            let lasting = self.seconds(1, 45);
            faults.push(Fault {
                at,
                lasting: (!is_turn).then_some(lasting),
                every: Duration::ZERO,
                times: 1,
                kind,
            });
        }
        faults
    }

    fn kind(&mut self) -> FaultKind {
        match self.0.below(9) {
            0 | 1 => FaultKind::Kill(self.share(5, 60)),
            2 | 3 => FaultKind::Cut(self.cut()),
            4 => {
                let ahead_ms = self.ahead_ms();
                // Few are wrong by so much that they delete what is valid: three neighbours that are wrong
                // alike vouch for a clock.
                let most = if ahead_ms > 600_000 { 10 } else { 30 };
                let skew = Skew { ahead_ms, drift: 0 };
                FaultKind::Clock(self.share(5, most), skew)
            }
            5 if self.happens(50) => FaultKind::Pause(self.share(5, 40)),
            5 => FaultKind::Suspend(self.share(5, 40)),
            6 => {
                let slowness = Slowness {
                    frame: self.millis(1, 10),
                    uplink_bytes_per_s: self.happens(50).then_some(100_000),
                };
                FaultKind::Slow(self.share(5, 20), slowness)
            }
            7 => FaultKind::DiskFull(self.share(5, 50)),
            _ => FaultKind::Turn(self.turn()),
        }
    }

    fn cut(&mut self) -> Cut {
        match self.0.below(5) {
            0 => Cut::Halves,
            1 => Cut::Thirds,
            2 => Cut::One,
            3 => Cut::OneWay,
            _ => Cut::Pairs(self.share(5, 40)),
        }
    }

    /// A clock that is a little wrong, an hour, or years.
    fn ahead_ms(&mut self) -> i64 {
        let seconds = self.pick(&[10, 100, 115, 600, 3_600, 315_576_000]);
        let sign = if self.happens(50) { 1 } else { -1 };
        sign * seconds * 1_000
    }

    fn turn(&mut self) -> Turn {
        Turn {
            evil: self.pick(&Evil::ALL),
            share: self.share(5, 25),
            from: self.pick(&[Appearance::Boot, Appearance::Turn, Appearance::Flash]),
            spare: SPARED,
            victims: Victims::First(1),
        }
    }
}
