//! How far apart nodes are, and how packets fare between them.

use std::time::Duration;

use bruit_core::time::Mono;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::regions::Regions;

/// What lies between any two nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Terrain {
    /// Who is how far from whom.
    pub distances: Distances,
    /// Added to every way back: from who was dialled to who dialled.
    pub back: Duration,
    /// Added to each packet's way by chance, up to this.
    pub jitter: Duration,
    /// Share of packets lost, from 0 to below 1.
    pub loss: f64,
    /// The same of the way back; none: no other than on the way there.
    pub back_loss: Option<f64>,
    /// Share of packets that are overtaken by those sent after them.
    pub reorder: f64,
    /// How long these are held back.
    pub reorder_by: Duration,
    /// Spells in which a connection loses more; none: there are none.
    pub burst: Option<Burst>,
    /// Share of bulletins that a link carries twice.
    pub duplication: f64,
    /// Bytes a node sends in a second, on all its links together; none for no bound.
    pub uplink_bytes_per_s: Option<u64>,
    /// Bytes that reach a node in a second, on all its links together; none for no bound.
    pub downlink_bytes_per_s: Option<u64>,
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

/// One way over a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// How long it is.
    pub(crate) delay: Duration,
    /// How long it and the other one are.
    pub(crate) round_trip: Duration,
    /// Whether it leads to who dialled.
    pub(crate) is_back: bool,
}

/// One-way delays.
#[derive(Debug, Clone, PartialEq)]
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
    /// By a table: the square is cut into as many strips of one width as there are regions, and who lies in a
    /// strip is of its region.
    Matrix(Regions),
}

impl Default for Terrain {
    /// A quick, clean network: 5 ms, 2 ms of jitter.
    fn default() -> Self {
        Self {
            distances: Distances::Same(Duration::from_millis(5)),
            back: Duration::ZERO,
            jitter: Duration::from_millis(2),
            loss: 0.0,
            back_loss: None,
            reorder: 0.0,
            reorder_by: Self::REORDER_BY,
            burst: None,
            duplication: 0.0,
            uplink_bytes_per_s: None,
            downlink_bytes_per_s: None,
        }
    }
}

impl Terrain {
    /// Bytes of a packet, at most.
    const PACKET_BYTES: usize = 1_200;
    /// Beside three quarters of a round trip: the granularity and the delayed acknowledgement QUIC adds
    /// before it takes a packet for lost.
    const PROBE: Duration = Duration::from_millis(26);
    /// How long a packet is held back, where nothing else is said.
    const REORDER_BY: Duration = Duration::from_millis(20);

    /// The plane of the literature this project compares itself with: 5 ms, and 75 ms across.
    pub const fn continental() -> Self {
        Self {
            distances: Distances::Plane {
                base: Duration::from_millis(5),
                across: Duration::from_millis(75),
            },
            back: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            back_loss: None,
            reorder: 0.0,
            reorder_by: Self::REORDER_BY,
            burst: None,
            duplication: 0.0,
            uplink_bytes_per_s: Some(2_500_000),
            downlink_bytes_per_s: None,
        }
    }

    /// Nothing that is sent arrives before so long, and until then nothing but the two ends' own matters to it:
    /// the spells of a connection are of both. A way back is no shorter than the least, and what holds a packet
    /// up only adds.
    pub(crate) fn lookahead(&self) -> Duration {
        match (self.burst, &self.distances) {
            (Some(_), _) => Duration::ZERO,
            (None, Distances::Same(least) | Distances::Uniform(least, _)) => *least,
            (None, Distances::Plane { base, .. }) => *base,
            (None, Distances::Matrix(regions)) => regions.least(),
        }
    }

    /// The one-way delays of a link between two places: from the first, which dialled, and back.
    pub(crate) fn delays(&self, a: Place, b: Place, rng: &mut ChaCha8Rng) -> [Duration; 2] {
        let [there, back] = match &self.distances {
            Distances::Same(delay) => [*delay; 2],
            Distances::Uniform(least, most) => {
                [*least + most.saturating_sub(*least).mul_f64(unit(rng)); 2]
            }
            Distances::Plane { base, across } => {
                [*base + across.mul_f64((a.x - b.x).hypot(a.y - b.y)); 2]
            }
            Distances::Matrix(regions) => {
                let [a, b] = [a, b].map(|place| place.strip(regions.count()));
                [regions.delay(a, b), regions.delay(b, a)]
            }
        };
        [there, back + self.back]
    }

    /// What a connection in `weather` loses now.
    pub(crate) fn spell(&self, weather: &mut Weather, now: Mono, rng: &mut ChaCha8Rng) -> Spell {
        match &self.burst {
            Some(burst) if weather.is_bad(burst, now, rng) => Spell {
                loss: burst.loss,
                left: weather.until.since(now),
            },
            _ => Spell::default(),
        }
    }

    /// How long a frame of `bytes` is under way, in this spell and then as usual. On a QUIC stream a lost packet
    /// is a late one. A packet that is held back for longer than a probe takes is sent again meanwhile.
    pub(crate) fn transit(
        &self,
        way: Way,
        spell: Spell,
        bytes: usize,
        rng: &mut ChaCha8Rng,
    ) -> Duration {
        let mut time = way.delay;
        if !self.jitter.is_zero() {
            time += self.jitter.mul_f64(unit(rng));
        }
        let loss = self.back_loss.filter(|_| way.is_back).unwrap_or(self.loss);
        let (packets, probe) = (
            bytes.div_ceil(Self::PACKET_BYTES),
            way.round_trip + Self::PROBE,
        );
        if loss > 0.0 || spell.loss > 0.0 {
            for _ in 0..packets {
                let mut probe = probe;
                while unit(rng) < spell.loss_after(time).unwrap_or(0.0).max(loss) {
                    time += probe;
                    probe *= 2;
                }
            }
        }
        // Those of one frame are held back side by side.
        if self.reorder > 0.0 && (0..packets).any(|_| unit(rng) < self.reorder) {
            time += self.reorder_by.min(probe);
        }
        time
    }

    /// Whether a bulletin comes twice.
    pub(crate) fn is_doubled(&self, rng: &mut ChaCha8Rng) -> bool {
        self.duplication > 0.0 && unit(rng) < self.duplication
    }

    /// How long `bytes` keep an uplink busy, a node's own or else the usual one.
    pub(crate) fn serialisation(&self, own_per_s: Option<u64>, bytes: usize) -> Duration {
        busy(own_per_s.or(self.uplink_bytes_per_s), bytes)
    }

    /// How long `bytes` keep a downlink busy.
    pub(crate) fn reception(&self, bytes: usize) -> Duration {
        busy(self.downlink_bytes_per_s, bytes)
    }
}

/// How long so many bytes take at so many a second.
fn busy(per_s: Option<u64>, bytes: usize) -> Duration {
    per_s.map_or(Duration::ZERO, |rate| {
        Duration::from_micros(bytes as u64 * 1_000_000 / rate.max(1))
    })
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

    /// In which of `count` strips of one width, from 0.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a small count"
    )]
    fn strip(self, count: usize) -> usize {
        (self.x * count as f64) as usize
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

    /// 10 ms, and as much back.
    const THERE: Way = Way {
        delay: Duration::from_millis(10),
        round_trip: Duration::from_millis(20),
        is_back: false,
    };

    fn mean_ms(terrain: &Terrain, bytes: usize) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let one = |_| {
            terrain
                .transit(THERE, Spell::default(), bytes, &mut rng)
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
    fn a_way_back_is_as_long_and_loses_as_much_as_is_said_of_it() {
        let terrain = Terrain {
            distances: Distances::Same(Duration::from_millis(10)),
            back: Duration::from_millis(40),
            jitter: Duration::ZERO,
            back_loss: Some(0.5),
            ..Terrain::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (a, b) = (Place::random(&mut rng), Place::random(&mut rng));
        let [there, back] = terrain.delays(a, b, &mut rng);
        assert_eq!([there.as_millis(), back.as_millis()], [10, 50]);
        assert_eq!(terrain.lookahead(), there);
        let mut times = |delay, is_back| -> Vec<Duration> {
            let way = Way {
                delay,
                round_trip: there + back,
                is_back,
            };
            let transit = |_| terrain.transit(way, Spell::default(), 100, &mut rng);
            (0..1_000).map(transit).collect()
        };
        assert!(times(there, false).iter().all(|time| *time == there));
        let mut late = times(back, true);
        late.retain(|time| *time > back);
        assert!((450..550).contains(&late.len()), "{}", late.len());
        // Who waits for a probe waits for both ways.
        let least = late.into_iter().min();
        assert_eq!(least, Some(back + there + back + Terrain::PROBE));
    }

    #[test]
    fn a_frame_is_held_back_once_however_many_of_its_packets_are() {
        let terrain = Terrain {
            jitter: Duration::ZERO,
            reorder: 0.05,
            reorder_by: Duration::from_millis(30),
            ..Terrain::default()
        };
        // Of twenty frames of a packet one is late by 30 ms, of those of ten packets eight are.
        let (small, large) = (mean_ms(&terrain, 100), mean_ms(&terrain, 12_000));
        assert!((11.3..11.7).contains(&small), "{small}");
        assert!((21.5..22.6).contains(&large), "{large}");
        // Nobody waits for longer than a probe, 46 ms.
        let slow = Terrain {
            reorder_by: Duration::from_secs(1),
            ..terrain
        };
        let small = mean_ms(&slow, 100);
        assert!((12.0..12.6).contains(&small), "{small}");
    }

    #[test]
    fn who_lies_in_a_strip_is_of_its_region_and_the_table_says_the_way() {
        let millis = |rows: [[u64; 2]; 2]| rows.map(|row| row.map(Duration::from_millis).to_vec());
        let rows = millis([[3, 50], [70, 4]]);
        let terrain = Terrain {
            distances: Distances::Matrix(Regions::of(&rows).unwrap()),
            ..Terrain::default()
        };
        assert_eq!(terrain.lookahead(), Duration::from_millis(3));
        let [west, east] = [0.1, 0.9].map(|x| Place { x, y: 0.5 });
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut delays = |a, b| {
            terrain
                .delays(a, b, &mut rng)
                .map(|delay| delay.as_millis())
        };
        assert_eq!(delays(west, east), [50, 70]);
        assert_eq!(delays(east, west), [70, 50]);
        assert_eq!(delays(west, west), [3, 3]);
        assert_eq!(delays(east, east), [4, 4]);
        let mut counts = [0; 2];
        for _ in 0..1_000 {
            counts[Place::random(&mut rng).strip(2)] += 1;
        }
        assert!(counts.iter().all(|count| *count > 450), "{counts:?}");
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
            let [there, back] = terrain.delays(a, b, &mut rng);
            assert_eq!(there, back);
            there.as_secs_f64() * 1_000.0
        };
        let mean = (0..20_000).map(|_| delay()).sum::<f64>() / 20_000.0;
        // 0.5214 is the mean distance in a unit square.
        assert!((mean - 44.1).abs() < 0.5, "{mean}");
    }
}
