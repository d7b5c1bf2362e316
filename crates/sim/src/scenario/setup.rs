//! Everything one run is made of: how many nodes, how they start, what lies between them, who says what,
//! and what befalls them. A scenario says it once; each of its cases says what is different.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use bruit_core::config::Config;
use bruit_core::{limits, membership};

use super::fault::{Fault, Turn, Victims};
use super::reader::{Problem, Section};
use crate::regions::Regions;
use crate::run::Protocol;
use crate::terrain::{Burst, Distances, Terrain};
use crate::world::{Settings, TTL};

/// One run, but for its seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// How many nodes.
    pub nodes: usize,
    /// What they do.
    pub protocol: Protocol,
    /// Links of each node where the protocol makes none: so many over a graph by chance; none: those the
    /// engine makes in the same world.
    pub degree: Option<usize>,
    /// How the network comes to be.
    pub start: Start,
    /// What lies between nodes.
    pub terrain: Terrain,
    /// Who says what.
    pub traffic: Traffic,
    /// What each node is told.
    pub node: NodeConfig,
    /// What befalls the network.
    pub faults: Vec<Fault>,
    /// Whether the links between nodes are measured.
    pub overlay: bool,
}

/// How a network comes to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// Nodes start one after the other within this time.
    pub within: Duration,
    /// Each is told of one of the first so many.
    pub introducers: usize,
    /// Instead: nodes form islands of this size, and each is told of one before it on its own.
    pub island: Option<usize>,
    /// Nodes of each island that are told of one on another island as well.
    pub bridges: usize,
    /// Then nothing is done to it for this time.
    pub settle: Duration,
}

/// Who says what, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// Who.
    pub publishers: Publishers,
    /// Bulletins a second, of all publishers together.
    pub rate: f64,
    /// Bytes of a bulletin's content.
    pub body_bytes: usize,
    /// Topics, one after the other.
    pub topics: usize,
    /// How long a bulletin is valid.
    pub ttl: Duration,
    /// Bulletins of the first so many seconds grow the trees and are not measured.
    pub warm: Duration,
    /// Those of the next so many seconds are.
    pub measured: Duration,
    /// Then nothing is published: what is late may still come.
    pub drain: Duration,
}

/// Who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishers {
    /// So many nodes, spread evenly, in turn.
    Some(usize),
    /// Every node in turn.
    All,
    /// For each bulletin one by chance.
    Random,
}

/// What is different from the defaults in every node's configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeConfig {
    /// The quick timers of many nodes on one machine.
    pub is_local: bool,
    /// Links a node opens.
    pub outbound: Option<usize>,
    /// Links others may open to it.
    pub inbound: Option<usize>,
    /// Bytes of the latest bulletins it has in memory; it reads older ones from its store.
    pub recent_bytes: Option<usize>,
}

impl Default for Setup {
    /// A hundred engines on [`Terrain::continental`], ten of which publish.
    fn default() -> Self {
        Self {
            nodes: 100,
            protocol: Protocol::Rootcast,
            degree: None,
            start: Start {
                within: Duration::from_secs(10),
                introducers: 20,
                island: None,
                bridges: 0,
                settle: Duration::from_mins(1),
            },
            terrain: Terrain::continental(),
            traffic: Traffic {
                publishers: Publishers::Some(10),
                rate: 10.0,
                body_bytes: 1_024,
                topics: 1,
                ttl: TTL,
                warm: Duration::from_secs(10),
                measured: Duration::from_secs(10),
                drain: Duration::from_secs(10),
            },
            node: NodeConfig::default(),
            faults: Vec::new(),
            overlay: false,
        }
    }
}

/// Most nodes of a scenario.
pub(super) const NODES_MAX: usize = 100_000;
/// Bytes of a bulletin's content: from its number, by which no two are alike.
const BODY_BYTES: RangeInclusive<usize> = 8..=65_536;
/// Seconds a bulletin is valid.
#[expect(clippy::cast_possible_truncation, reason = "four weeks")]
const TTL_S: RangeInclusive<usize> = 1..=limits::TTL_MAX.as_secs() as usize;
/// Bytes of the latest bulletins: from one large one to more than any run publishes.
const RECENT_BYTES: RangeInclusive<usize> = 131_072..=1_073_741_824;
/// As on [`Terrain::continental`], after a table that had neither.
const DELAYS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(75));
/// A bad second in ten, where the scenario does not say otherwise.
const BURST: Burst = Burst {
    loss: 0.0,
    every: Duration::from_secs(9),
    lasting: Duration::from_secs(1),
};
/// What may stand under `plot` as `x`.
pub(super) const SWEPT: [&str; 13] = [
    "nodes",
    "degree",
    "terrain.delay_ms",
    "terrain.back_ms",
    "terrain.jitter_ms",
    "terrain.loss",
    "terrain.reorder",
    "terrain.duplication",
    "terrain.uplink_bytes_per_s",
    "terrain.downlink_bytes_per_s",
    "traffic.publishers",
    "traffic.rate",
    "traffic.body_bytes",
];

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Setup {
    /// Takes over what `section` says.
    pub(super) fn read(&mut self, section: &mut Section<'_>) -> Result<(), Problem> {
        set(&mut self.nodes, section.whole("nodes", 2..=NODES_MAX)?);
        let words = Protocol::ALL.map(Protocol::as_str);
        let protocol = section.word("protocol", &words)?;
        set(&mut self.protocol, protocol.and_then(Protocol::from_word));
        if let Some(degree) = section.whole("degree", 2..=1_000)? {
            self.degree = Some(degree);
        }
        let is_run = !section.has("case");
        section.section("start", |section| self.start.read(section, is_run))?;
        section.section("terrain", |section| terrain(&mut self.terrain, section))?;
        section.section("traffic", |section| self.traffic.read(section))?;
        section.section("node", |section| self.node.read(section))?;
        set(&mut self.faults, section.sections("fault", Fault::read)?);
        let measured = section.words("measure", &["overlay"])?;
        set(&mut self.overlay, measured.map(|what| !what.is_empty()));
        self.check(section)
    }

    /// To whom adversaries do what they do; these are honest.
    pub(crate) fn victims(&self, turn: Turn) -> BTreeSet<usize> {
        match turn.victims {
            _ if !turn.evil.has_victims() => BTreeSet::new(),
            Victims::First(count) => (0..count.min(self.nodes)).collect(),
            Victims::Publishers => self.publishers(),
        }
    }

    /// Who publishes, where it is not left to chance.
    pub fn publishers(&self) -> BTreeSet<usize> {
        match self.traffic.publishers {
            Publishers::Some(count) => (0..count.min(self.nodes))
                .map(|number| publisher(number, count, self.nodes))
                .collect(),
            Publishers::All | Publishers::Random => (0..self.nodes).collect(),
        }
    }

    /// Bulletins that are published, warm ones included.
    pub fn bulletins(&self) -> usize {
        let seconds = (self.traffic.warm + self.traffic.measured).as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a day of bulletins at the highest rate"
        )]
        let count = (seconds * self.traffic.rate).ceil() as usize;
        count
    }

    /// How long a run takes in its own time, from the first node to the end.
    pub fn length(&self) -> Duration {
        self.start.within + self.start.settle + self.busy() + self.traffic.drain
    }

    /// From settling until nothing is published any more and nothing more begins or ends.
    pub fn busy(&self) -> Duration {
        let spells = self.faults.iter().flat_map(Fault::spells);
        let last = spells.map(|(begin, end)| end.unwrap_or(begin)).max();
        let traffic = self.traffic.warm + self.traffic.measured;
        traffic.max(last.unwrap_or_default())
    }

    /// What the world is made with.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings {
            terrain: self.terrain.clone(),
            ..Settings::default()
        };
        self.node.apply(&mut settings.config);
        settings
    }

    /// The number that stands at one of the keys a plot may have as `x`.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    pub fn number(&self, key: &str) -> Option<f64> {
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        Some(match key {
            "nodes" => self.nodes as f64,
            "degree" => self.degree? as f64,
            "terrain.delay_ms" => millis(delays(&self.terrain.distances)?.0),
            "terrain.back_ms" => millis(self.terrain.back),
            "terrain.jitter_ms" => millis(self.terrain.jitter),
            "terrain.loss" => self.terrain.loss,
            "terrain.reorder" => self.terrain.reorder,
            "terrain.duplication" => self.terrain.duplication,
            "terrain.uplink_bytes_per_s" => self.terrain.uplink_bytes_per_s? as f64,
            "terrain.downlink_bytes_per_s" => self.terrain.downlink_bytes_per_s? as f64,
            "traffic.publishers" => match self.traffic.publishers {
                Publishers::Some(count) => count as f64,
                Publishers::All | Publishers::Random => self.nodes as f64,
            },
            "traffic.rate" => self.traffic.rate,
            "traffic.body_bytes" => self.traffic.body_bytes as f64,
            _ => return None,
        })
    }
}

impl Start {
    /// `is_run`: it is that of a case, and not only what cases begin with.
    fn read(&mut self, section: &mut Section<'_>, is_run: bool) -> Result<(), Problem> {
        set(&mut self.within, section.seconds("within_s")?);
        let introducers = section.whole("introducers", 1..=NODES_MAX)?;
        let island = section.whole("island", 2..=NODES_MAX)?;
        let bridges = section.whole("bridges", 0..=NODES_MAX)?;
        self.island = island.or(self.island);
        if introducers.is_some() && self.island.is_some() {
            let what = "on islands, nodes are told of one before them and of no introducer";
            let fix = "take it out, or start.island";
            return Err(section.problem("introducers", what, fix));
        }
        if is_run && bridges.is_some() && self.island.is_none() {
            let what = "there are no islands that bridges could lead from";
            let fix = "write island = 10, how many nodes are on one, or take it out";
            return Err(section.problem("bridges", what, fix));
        }
        set(&mut self.introducers, introducers);
        set(&mut self.bridges, bridges);
        set(&mut self.settle, section.seconds("settle_s")?);
        Ok(())
    }
}

impl Traffic {
    fn read(&mut self, section: &mut Section<'_>) -> Result<(), Problem> {
        let publishers = section.whole_or_word("publishers", 1..=NODES_MAX, &["all", "random"])?;
        let publishers = publishers.map(|publishers| match publishers {
            Ok(count) => Publishers::Some(count),
            Err("all") => Publishers::All,
            Err(_) => Publishers::Random,
        });
        set(&mut self.publishers, publishers);
        set(&mut self.rate, section.number("rate", 0.001..=10_000.0)?);
        let body_bytes = section.whole("body_bytes", BODY_BYTES)?;
        set(&mut self.body_bytes, body_bytes);
        set(&mut self.topics, section.whole("topics", 1..=1_000)?);
        let ttl_s = section.whole("ttl_s", TTL_S)?;
        set(
            &mut self.ttl,
            ttl_s.map(|seconds| Duration::from_secs(seconds as u64)),
        );
        set(&mut self.warm, section.seconds("warm_s")?);
        set(&mut self.measured, section.seconds("measured_s")?);
        set(&mut self.drain, section.seconds("drain_s")?);
        Ok(())
    }
}

impl NodeConfig {
    fn read(&mut self, section: &mut Section<'_>) -> Result<(), Problem> {
        let profile = section.word("profile", &["wan", "local"])?;
        set(
            &mut self.is_local,
            profile.map(|profile| profile == "local"),
        );
        for (key, least, place) in [
            ("outbound", 1, &mut self.outbound),
            ("inbound", 0, &mut self.inbound),
        ] {
            if let Some(links) = section.whole(key, least..=64)? {
                *place = Some(links);
            }
        }
        if let Some(bytes) = section.whole("recent_bytes", RECENT_BYTES)? {
            self.recent_bytes = Some(bytes);
        }
        Ok(())
    }

    fn apply(self, config: &mut Config) {
        if self.is_local {
            config.membership = membership::Config::local();
        }
        set(&mut config.membership.outbound, self.outbound);
        set(&mut config.membership.inbound_max, self.inbound);
        set(&mut config.broadcast.recent_bytes_max, self.recent_bytes);
    }
}

/// Who publishes bulletin `number`, of `count` among `nodes`: they are spread evenly.
pub(crate) fn publisher(number: usize, count: usize, nodes: usize) -> usize {
    let count = count.min(nodes).max(1);
    (number % count) * nodes / count
}

/// The least delay, and how much more there can be; none where a table says each.
pub(super) fn delays(distances: &Distances) -> Option<(Duration, Duration)> {
    match distances {
        Distances::Same(delay) => Some((*delay, Duration::ZERO)),
        Distances::Uniform(least, most) => Some((*least, most.saturating_sub(*least))),
        Distances::Plane { base, across } => Some((*base, *across)),
        Distances::Matrix(_) => None,
    }
}

/// The word for a shape.
pub(super) const fn shape(distances: &Distances) -> &'static str {
    match distances {
        Distances::Same(_) => "same",
        Distances::Uniform(..) => "uniform",
        Distances::Plane { .. } => "plane",
        Distances::Matrix(_) => "matrix",
    }
}

fn distances(old: &Distances, section: &mut Section<'_>) -> Result<Distances, Problem> {
    let said = section.word("shape", &["same", "uniform", "plane", "matrix"])?;
    let shape = said.unwrap_or(shape(old));
    let rows = section.square("matrix_ms")?;
    let said = [section.millis("delay_ms")?, section.millis("more_ms")?];
    if shape == "matrix" {
        if let Some(at) = said.iter().position(Option::is_some) {
            let what = "a table says how far regions are from each other";
            let fix = "take it out, or write shape = \"plane\" and no table";
            return Err(section.problem(["delay_ms", "more_ms"][at], what, fix));
        }
        if let Some(regions) = rows.and_then(|rows| Regions::of(&rows)) {
            return Ok(Distances::Matrix(regions));
        }
        if let Distances::Matrix(regions) = old {
            return Ok(Distances::Matrix(regions.clone()));
        }
        let what = "it is not said how far regions are from each other";
        let fix = "write matrix_ms = [[2, 40], [40, 2]], a row for each region";
        return Err(section.problem("matrix_ms", what, fix));
    }
    if rows.is_some() {
        let what = format!("distances of shape \"{shape}\" have no table");
        let fix = "write shape = \"matrix\", or take the table out";
        return Err(section.problem("matrix_ms", what, fix));
    }
    let (base, more) = delays(old).unwrap_or(DELAYS);
    let [base, more] = [said[0].unwrap_or(base), said[1].unwrap_or(more)];
    Ok(match shape {
        "same" => Distances::Same(base),
        "uniform" => Distances::Uniform(base, base + more),
        _ => Distances::Plane { base, across: more },
    })
}

fn terrain(terrain: &mut Terrain, section: &mut Section<'_>) -> Result<(), Problem> {
    terrain.distances = distances(&terrain.distances, section)?;
    set(&mut terrain.back, section.millis("back_ms")?);
    set(&mut terrain.jitter, section.millis("jitter_ms")?);
    set(&mut terrain.loss, section.number("loss", 0.0..=0.9)?);
    if let Some(loss) = section.number("back_loss", 0.0..=0.9)? {
        terrain.back_loss = Some(loss);
    }
    set(&mut terrain.reorder, section.number("reorder", 0.0..=1.0)?);
    set(&mut terrain.reorder_by, section.millis("reorder_ms")?);
    burst(terrain, section)?;
    let duplication = section.number("duplication", 0.0..=1.0)?;
    set(&mut terrain.duplication, duplication);
    for (key, place) in [
        ("uplink_bytes_per_s", &mut terrain.uplink_bytes_per_s),
        ("downlink_bytes_per_s", &mut terrain.downlink_bytes_per_s),
    ] {
        if let Some(rate) = section.whole(key, 0..=1_000_000_000_000)? {
            *place = (rate > 0).then_some(rate as u64);
        }
    }
    Ok(())
}

/// Loss in bursts: there are some where their share is said.
fn burst(terrain: &mut Terrain, section: &mut Section<'_>) -> Result<(), Problem> {
    let mut burst = terrain.burst.unwrap_or(BURST);
    for (key, place) in [
        ("burst_every_s", &mut burst.every),
        ("burst_s", &mut burst.lasting),
    ] {
        let seconds = section.number(key, 0.01..=86_400.0)?;
        set(place, seconds.map(Duration::from_secs_f64));
    }
    if let Some(loss) = section.number("burst_loss", 0.0..=0.9)? {
        terrain.burst = (loss > 0.0).then_some(Burst { loss, ..burst });
    } else if terrain.burst.is_some() {
        terrain.burst = Some(burst);
    }
    Ok(())
}
