//! What happened in a run, to be looked at later: who was where and linked to whom, how each bulletin went
//! from node to node, who died, what befell the network, and which promises were not kept.
//!
//! A `Tape` is kept by the world while it runs, where it was asked for; with what is known of the run from
//! outside it becomes a [`Recording`]. `docs/recording.md` describes the file, `write` writes it, and `read`
//! reads and checks it.

mod read;
mod tape;
mod write;

use serde::{Deserialize, Serialize};

use crate::oracles::Broken;

pub use read::{ReadError, read};
pub(crate) use tape::Tape;
pub(crate) use write::ticks;
pub use write::{file_name, write};

/// The version of the format.
pub const VERSION: u32 = 1;
/// Microseconds in a tick, the unit of all times in a recording.
pub const TICK_US: u64 = 100;
/// Deliveries that are kept: some five megabytes of file.
pub const DELIVERIES_MAX: usize = 1_000_000;
/// Comings and goings of links that are kept: some five megabytes as well.
pub const LINK_CHANGES_MAX: usize = 1_000_000;
/// Bulletins that are kept.
pub const BULLETINS_MAX: usize = 100_000;
/// Broken promises that are kept.
pub const PINS_MAX: usize = 1_000;

/// What stands in the first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What kind of file this is: `simulation`.
    pub bruit: String,
    /// [`VERSION`].
    pub version: u32,
    /// [`TICK_US`].
    pub tick_us: u64,
    /// The scenario's name.
    pub scenario: String,
    /// The case's name.
    pub case: String,
    /// What its nodes did.
    pub protocol: String,
    /// The seed.
    pub seed: u64,
    /// How many nodes there are.
    pub nodes: usize,
    /// When the measured bulletins begin.
    pub measured: u64,
    /// When the recording ends.
    pub end: u64,
    /// How many lines follow.
    pub lines: usize,
    /// How many bulletins, deliveries and changes of links they tell of.
    pub kept: Counts,
    /// How many they do not tell of, as it would have been too much.
    pub left_out: Counts,
    /// The hash of the run, in hexadecimal digits.
    pub trace: String,
}

/// How much of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Bulletins, those of which nothing was delivered too.
    pub bulletins: usize,
    /// Deliveries, each publisher's own among them.
    pub deliveries: usize,
    /// Links that came or went.
    pub links: usize,
    /// Broken promises.
    pub pins: usize,
}

/// What happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What stands in the first line.
    pub head: Head,
    /// Where each node lies: thousandths of the sides of a square.
    pub places: Vec<[u16; 2]>,
    /// Links that came and went, in order.
    pub links: Vec<LinkChange>,
    /// Nodes that died and started again, in order.
    pub lives: Vec<LifeChange>,
    /// What befell the network.
    pub bands: Vec<Band>,
    /// Every bulletin, in order of publication.
    pub waves: Vec<Wave>,
    /// Promises that were not kept.
    pub pins: Vec<Pin>,
}

/// A link came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkChange {
    /// When.
    pub at: u64,
    /// Whether it came.
    pub is_up: bool,
    /// Who dialled, and who was dialled.
    pub nodes: [u32; 2],
}

/// A node died or started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifeChange {
    /// When.
    pub at: u64,
    /// Whether it started.
    pub is_up: bool,
    /// Which.
    pub node: u32,
}

/// Something that befell the network for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// When it began.
    pub begin: u64,
    /// When it was over; none: it was not.
    pub end: Option<u64>,
    /// The word for it in a scenario, such as `kill`.
    pub kind: String,
    /// The rest of it, such as `0.3` or `halves`.
    pub what: String,
}

/// How a bulletin went from node to node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// When it was published.
    pub at: u64,
    /// Who published it; none when it came from nobody honest.
    pub publisher: Option<u32>,
    /// How long its content is.
    pub bytes: u32,
    /// Its id, in hexadecimal digits.
    pub id: String,
    /// Who delivered it, in order.
    pub deliveries: Vec<Delivery>,
}

/// A node delivered a bulletin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// When.
    pub at: u64,
    /// Which node.
    pub node: u32,
    /// From which neighbour it had it; none: it made it.
    pub from: Option<u32>,
    /// Hops from where it was injected.
    pub hops: u8,
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// When.
    pub at: u64,
    /// Which promise.
    pub promise: String,
    /// By whom, or at whom.
    pub node: u32,
    /// The number of the bulletin it is about, where it is about one.
    pub wave: Option<u32>,
    /// What happened.
    pub what: String,
}

/// What of a run the world does not know.
pub(crate) struct Frame {
    pub(crate) protocol: &'static str,
    pub(crate) seed: u64,
    pub(crate) measured: u64,
    pub(crate) end: u64,
    pub(crate) trace: String,
    pub(crate) bands: Vec<Band>,
}

impl Recording {
    pub(crate) fn new(tape: Tape, frame: Frame) -> Self {
        let (places, links, lives, waves, left_out) = tape.parts();
        let head = Head {
            bruit: write::KIND.to_owned(),
            version: VERSION,
            tick_us: TICK_US,
            scenario: String::new(),
            case: String::new(),
            protocol: frame.protocol.to_owned(),
            seed: frame.seed,
            nodes: places.len(),
            measured: frame.measured,
            end: frame.end,
            lines: 0,
            kept: Counts {
                bulletins: waves.len(),
                deliveries: waves.iter().map(|wave| wave.deliveries.len()).sum(),
                links: links.len(),
                pins: 0,
            },
            left_out,
            trace: frame.trace,
        };
        Self {
            head,
            places,
            links,
            lives,
            bands: frame.bands,
            waves,
            pins: Vec::new(),
        }
    }

    /// Pins where promises were not kept.
    pub(crate) fn pin(&mut self, broken: &[Broken]) {
        let wave_of = |id: &String| self.waves.iter().position(|wave| wave.id == *id);
        let pins = broken.iter().take(PINS_MAX).map(|broken| Pin {
            at: write::ticks_of_seconds(broken.at_s),
            promise: broken.promise.as_str().to_owned(),
            node: number(broken.node),
            wave: broken.bulletin.as_ref().and_then(wave_of).map(number),
            what: broken.what.clone(),
        });
        self.pins = pins.collect();
        self.head.kept.pins = self.pins.len();
        self.head.left_out.pins = broken.len() - self.pins.len();
        let last = self.pins.iter().map(|pin| pin.at).max();
        self.head.end = self.head.end.max(last.unwrap_or(0));
    }

    /// Says of which scenario and case it is.
    #[must_use]
    pub fn named(mut self, scenario: &str, case: &str) -> Self {
        scenario.clone_into(&mut self.head.scenario);
        case.clone_into(&mut self.head.case);
        self
    }
}

/// Numbers of nodes and bulletins are small.
pub(crate) fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
