//! How far apart nodes are, and how packets fare between them.

use std::time::Duration;

use bruit_core::time::Mono;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// What lies between any two nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terrain {
    /// Who is how far from whom.
    pub distances: Distances,
    /// Added to each packet's way by chance, up to this.
    pub jitter: Duration,
    /// Share of packets lost, from 0 to below 1.
    pub loss: f64,
    /// Spells in which a connection loses more; none: there are none.
    pub burst: Option<Burst>,
    /// Share of bulletins that a link carries twice.
    pub duplication: f64,
    /// Bytes a node sends in a second, on all its links together; none for no bound.
    pub uplink_bytes_per_s: Option<u64>,
}

/// Loss in bursts, after Gilbert and Elliott: each connection is by turns in a good and in a bad spell, of
/// exponential length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Share of packets lost in a bad spell, from 0 to below 1.
    pub loss: f64,
    /// The mean length of a good spell.
    pub every: Duration,
    /// The mean length of a bad one.
    pub lasting: Duration,
}

/// A bad spell that a connection is in, or none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spell {
    loss: f64,
    /// How long it lasts.
    left: Duration,
}

impl Spell {
    /// The share of packets lost so much later, while it lasts.
    fn loss_after(self, time: Duration) -> Option<f64> {
        (time < self.left).then_some(self.loss)
    }
}

/// Whether a connection is in a bad spell.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    is_bad: bool,
    until: Mono,
}

impl Weather {
    /// Moves on to `now`; answers whether the spell is a bad one. It was as often bad as it will be when it
    /// is looked at first.
    fn is_bad(&mut self, burst: &Burst, now: Mono, rng: &mut ChaCha8Rng) -> bool {
        if self.until == Mono::ZERO {
            let (bad, good) = (burst.lasting.as_secs_f64(), burst.every.as_secs_f64());
            // The spell before the first is over now.
            self.is_bad = unit(rng) * (bad + good) >= bad;
            self.until = now;
        }
        while self.until <= now {
            self.is_bad = !self.is_bad;
            let mean = if self.is_bad {
                burst.lasting
            } else {
                burst.every
            };
            let length = mean.mul_f64(-(1.0 - unit(rng)).ln());
            self.until = self.until.plus(length.max(Duration::from_micros(1)));
        }
        self.is_bad
    }
}

/// One-way delays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distances {
    /// The same between any two.
    Same(Duration),
    /// By chance between the two, drawn for each link.
    Uniform(Duration, Duration),
    /// Nodes lie in a square by chance: this much, and as much more as `across` times their distance,
    /// a side of the square being 1.
    Plane {
        /// Between two nodes at one place.
        base: Duration,
        /// Added along a side of the square.
        across: Duration,
    },
}

impl Default for Terrain {
    /// A quick, clean network: 5 ms, 2 ms of jitter.
    fn default() -> Self {
        Self {
            distances: Distances::Same(Duration::from_millis(5)),
            jitter: Duration::from_millis(2),
            loss: 0.0,
            burst: None,
            duplication: 0.0,
            uplink_bytes_per_s: None,
        }
    }
}

impl Terrain {
    /// Bytes of a packet, at most.
    const PACKET_BYTES: usize = 1_200;
    /// Beside three quarters of a round trip: the granularity and the delayed acknowledgement QUIC adds
    /// before it takes a packet for lost.
    const PROBE: Duration = Duration::from_millis(26);

    /// The plane of the literature this project compares itself with: 5 ms, and 75 ms across.
    pub const fn continental() -> Self {
        Self {
            distances: Distances::Plane {
                base: Duration::from_millis(5),
                across: Duration::from_millis(75),
            },
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: None,
            duplication: 0.0,
            uplink_bytes_per_s: Some(2_500_000),
        }
    }

    /// Nothing that is sent arrives before so long, and until then nothing but the two ends' own matters to it:
    /// the spells of a connection are of both.
    pub(crate) fn lookahead(&self) -> Duration {
        match (self.burst, self.distances) {
            (Some(_), _) => Duration::ZERO,
            (None, Distances::Same(least) | Distances::Uniform(least, _)) => least,
            (None, Distances::Plane { base, .. }) => base,
        }
    }

    /// The one-way delay of a link between two places.
    pub(crate) fn delay(&self, a: Place, b: Place, rng: &mut ChaCha8Rng) -> Duration {
        match self.distances {
            Distances::Same(delay) => delay,
            Distances::Uniform(least, most) => {
                least + most.saturating_sub(least).mul_f64(unit(rng))
            }
            Distances::Plane { base, across } => {
                base + across.mul_f64((a.x - b.x).hypot(a.y - b.y))
            }
        }
    }

    /// What a connection in `weather` loses now.
    pub(crate) fn spell(&self, weather: &mut Weather, now: Mono, rng: &mut ChaCha8Rng) -> Spell {
        match &self.burst {
            Some(burst) if weather.is_bad(burst, now, rng) => Spell {
                loss: self.loss.max(burst.loss),
                left: weather.until.since(now),
            },
            _ => Spell::default(),
        }
    }

    /// How long a frame of `bytes` is under way over a link of `delay`, in this spell and then as usual. On a
    /// QUIC stream a lost packet is a late one.
    pub(crate) fn transit(
        &self,
        delay: Duration,
        spell: Spell,
        bytes: usize,
        rng: &mut ChaCha8Rng,
    ) -> Duration {
        let mut time = delay;
        if !self.jitter.is_zero() {
            time += self.jitter.mul_f64(unit(rng));
        }
        if self.loss > 0.0 || spell.loss > 0.0 {
            for _ in 0..bytes.div_ceil(Self::PACKET_BYTES) {
                let mut probe = delay * 2 + Self::PROBE;
                while unit(rng) < spell.loss_after(time).unwrap_or(self.loss) {
                    time += probe;
                    probe *= 2;
                }
            }
        }
        time
    }

    /// Whether a bulletin comes twice.
    pub(crate) fn is_doubled(&self, rng: &mut ChaCha8Rng) -> bool {
        self.duplication > 0.0 && unit(rng) < self.duplication
    }

    /// How long `bytes` keep an uplink busy, a node's own or else the usual one.
    pub(crate) fn serialisation(&self, own_per_s: Option<u64>, bytes: usize) -> Duration {
        let rate = own_per_s.or(self.uplink_bytes_per_s);
        rate.map_or(Duration::ZERO, |rate| {
            Duration::from_micros(bytes as u64 * 1_000_000 / rate.max(1))
        })
    }
}

/// Where a node lies, in a square with sides of 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    x: f64,
    y: f64,
}

impl Place {
    pub(crate) fn random(rng: &mut ChaCha8Rng) -> Self {
        Self {
            x: unit(rng),
            y: unit(rng),
        }
    }

    /// In thousandths of the sides.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to below 1,000"
    )]
    pub(crate) fn thousandths(self) -> [u16; 2] {
        [self.x, self.y].map(|side| (side * 1_000.0) as u16)
    }
}

/// A number from 0 to below 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;

    fn mean_ms(terrain: &Terrain, bytes: usize) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let one = |_| {
            terrain
                .transit(Duration::from_millis(10), Spell::default(), bytes, &mut rng)
                .as_secs_f64()
        };
        (0..20_000).map(one).sum::<f64>() / 20.0
    }

    #[test]
    fn a_lost_packet_costs_a_probe_and_large_frames_lose_more() {
        let clean = Terrain {
            jitter: Duration::ZERO,
            ..Terrain::default()
        };
        assert!((mean_ms(&clean, 100) - 10.0).abs() < 0.01);
        let lossy = Terrain {
            loss: 0.05,
            ..clean
        };
        // Of twenty, one is late by 46 ms.
        let (small, large) = (mean_ms(&lossy, 100), mean_ms(&lossy, 12_000));
        assert!((12.0..13.0).contains(&small), "{small}");
        assert!((32.0..38.0).contains(&large), "{large}");
    }

    #[test]
    fn bursts_come_as_often_and_last_as_long_as_is_said() {
        let terrain = Terrain {
            loss: 0.01,
            burst: Some(Burst {
                loss: 0.5,
                every: Duration::from_secs(9),
                lasting: Duration::from_secs(1),
            }),
            ..Terrain::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mut weather, mut bad, mut spells, mut was) = (Weather::default(), 0, 0, 0.01);
        for tick in 0..200_000_u64 {
            let now = Mono::from_micros(tick * 100_000);
            let loss = terrain.spell(&mut weather, now, &mut rng).loss;
            bad += u32::from(loss > 0.4);
            spells += u32::from(loss > was);
            was = loss;
        }
        // Of 20,000 seconds a tenth, in 2,000 spells less those that fall between two looks.
        assert!((18_000..22_000).contains(&bad), "{bad}");
        assert!((1_600..2_100).contains(&spells), "{spells}");
    }

    #[test]
    fn distances_on_the_plane_are_what_the_literature_has() {
        let (terrain, mut rng) = (Terrain::continental(), ChaCha8Rng::seed_from_u64(2));
        let mut delay = || {
            let (a, b) = (Place::random(&mut rng), Place::random(&mut rng));
            terrain.delay(a, b, &mut rng).as_secs_f64() * 1_000.0
        };
        let mean = (0..20_000).map(|_| delay()).sum::<f64>() / 20_000.0;
        // 0.5214 is the mean distance in a unit square.
        assert!((mean - 44.1).abs() < 0.5, "{mean}");
    }
}
