//! Runs cases: one setup and one seed make one world, which starts, settles, is published in and
//! disturbed, comes to rest, and is measured.

mod casting;
mod measure;
mod memory;
mod meter;
mod pool;
mod protocol;
mod stage;
mod workshop;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bruit_core::time::Mono;

use crate::graph::Shape;
use crate::ledger::{BulletinNumber, Totals};
use crate::oracles::{self, Broken};
use crate::recording::{Band, Frame, Recording, ticks};
use crate::scenario::Setup;

pub use meter::Meter;
pub(crate) use pool::side_by_side;
pub use pool::{Outcomes, all, recorded};
pub use protocol::Protocol;
pub(crate) use workshop::{Worked, worked_off};

use memory::Memory;
use stage::Stage;

/// What one run came to. What was counted was counted from the first measured bulletin to the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How many nodes.
    pub nodes: usize,
    /// How long it took in its own time.
    pub virtual_time: Duration,
    /// Share of the measured bulletins that the running nodes have in the end, each counted for each; none where
    /// nothing was measured.
    pub delivery_ratio: Option<f64>,
    /// Delays in milliseconds, sorted: of the measured bulletins, at nodes other than their publisher that
    /// ran from the publication to the end.
    pub delays_ms: Vec<f64>,
    /// How many there would be, had everything come.
    pub due: usize,
    /// What it took.
    pub totals: Totals,
    /// Bytes by kind of frame.
    pub bytes_by_kind: BTreeMap<u8, u64>,
    /// The most hops of any delivery of each measured bulletin, the mean.
    pub last_hop: f64,
    /// What the links between honest running nodes were like when measuring began, where that was asked for.
    pub overlay: Option<Shape>,
    /// From the start of the last node until all were in one part; none when they never were.
    pub formed: Option<Duration>,
    /// From the end of the last fault until everything published before was everywhere, in one network;
    /// none when there was no fault, or that never came.
    pub repaired: Option<Duration>,
    /// Promises that were not kept.
    pub broken: Vec<Broken>,
    /// How long it took here.
    pub wall_time: Duration,
    /// Kilobytes of memory for each node; none where it was not measured.
    pub memory_kb: Option<f64>,
    /// A hash over every frame, dial and delivery and its moment, in hexadecimal digits.
    pub trace: String,
    /// What happened, where that was to be kept.
    pub recording: Option<Recording>,
}

/// What is done at a moment. At one moment, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    End(usize, u32),
    Begin(usize, u32),
    /// From here on it is measured.
    Measure,
    Publish(usize),
}

/// Nothing is published so long before measuring begins, so that no copy is counted of what was
/// delivered before.
const SILENCE: Duration = Duration::from_secs(1);

/// Everything that is done, with its moment after settling.
fn steps(setup: &Setup) -> Vec<(Duration, Step)> {
    let warm = setup.traffic.warm;
    let publications = (0..setup.bulletins()).zip(0_u32..).map(|(number, count)| {
        let moment = Duration::from_secs_f64(f64::from(count) / setup.traffic.rate);
        (moment, Step::Publish(number))
    });
    let is_heard = |(at, _): &(Duration, Step)| *at + SILENCE <= warm || *at >= warm;
    let mut steps: Vec<_> = publications.filter(is_heard).collect();
    steps.push((warm, Step::Measure));
    for (fault, state) in setup.faults.iter().enumerate() {
        for (time, (begin, end)) in (0..).zip(state.spells()) {
            steps.push((begin, Step::Begin(fault, time)));
            steps.extend(end.map(|end| (end, Step::End(fault, time))));
        }
    }
    steps.sort_unstable();
    steps
}

/// Runs `setup` with `seed`. Same setup, same seed: same outcome, but for the time it took here and the
/// memory.
pub fn one(setup: &Setup, seed: u64, meter: &Meter) -> Outcome {
    run(setup, seed, meter, None, false)
}

fn run(
    setup: &Setup,
    seed: u64,
    meter: &Meter,
    memory: Option<&mut Memory>,
    is_recorded: bool,
) -> Outcome {
    let began = Instant::now();
    let mut stage = Stage::new(setup, seed, meter);
    if is_recorded {
        stage.world.tape();
    }
    stage.start();
    let settled = protocol::settled_at(setup);
    let steps = steps(setup);
    let is_fault = |(_, step): &(Duration, Step)| matches!(step, Step::Begin(..) | Step::End(..));
    let last_fault = steps.iter().rposition(is_fault);
    let (mut measured, mut from) = (Vec::new(), Start::default());
    for (at, (after, step)) in steps.into_iter().enumerate() {
        stage.until(settled.plus(after));
        match step {
            Step::End(fault, time) => stage.end(fault, time),
            Step::Begin(fault, time) => stage.begin(fault, time),
            Step::Measure => {
                measured.clear();
                from = Start::of(&stage);
                from.overlay = setup.overlay.then(|| stage.overlay()).flatten();
            }
            Step::Publish(number) => measured.extend(stage.publish(number)),
        }
        if last_fault == Some(at) {
            stage.mend();
        }
    }
    stage.until(settled.plus(setup.busy()).plus(setup.traffic.drain));
    let mut outcome = measure::outcome(&stage, setup, &measured, &from);
    outcome.memory_kb = memory.and_then(|memory| memory.per_node(setup.nodes));
    outcome.recording = recording(&mut stage, setup, seed, &from);
    outcome.broken = broken(stage, setup.protocol);
    if let Some(recording) = &mut outcome.recording {
        recording.pin(&outcome.broken);
    }
    outcome.wall_time = began.elapsed();
    outcome
}

/// What had been counted when measuring began.
#[derive(Debug, Default)]
struct Start {
    at: Mono,
    totals: Totals,
    bytes_by_kind: BTreeMap<u8, u64>,
    overlay: Option<Shape>,
}

impl Start {
    fn of(stage: &Stage<'_>) -> Self {
        let ledger = stage.world.ledger();
        Self {
            at: stage.world.now(),
            totals: ledger.totals(),
            bytes_by_kind: ledger.bytes_by_kind().clone(),
            overlay: None,
        }
    }
}

/// What the world has noted down, if it was to, with what befell it.
fn recording(stage: &mut Stage<'_>, setup: &Setup, seed: u64, from: &Start) -> Option<Recording> {
    let tape = stage.world.take_tape()?;
    let settled = protocol::settled_at(setup);
    let tick = |after: Duration| ticks(settled.plus(after).as_micros());
    let bands = setup.faults.iter().flat_map(|fault| {
        let (kind, what) = fault.kind.words();
        fault.spells().map(move |(begin, end)| Band {
            begin: tick(begin),
            end: end.map(tick),
            kind: kind.to_owned(),
            what: what.clone(),
        })
    });
    let frame = Frame {
        protocol: setup.protocol.as_str(),
        seed,
        measured: ticks(from.at.as_micros()),
        end: ticks(stage.world.now().as_micros()),
        trace: stage.trace(),
        bands: bands.collect(),
    };
    Some(Recording::new(*tape, frame))
}

fn broken(mut stage: Stage<'_>, protocol: Protocol) -> Vec<Broken> {
    let honest: Vec<bool> = (0..stage.world.len())
        .map(|node| stage.is_honest(node))
        .collect();
    let is_honest = |node: usize| honest[node];
    let mut broken = oracles::once(&stage.world);
    if protocol.is_whole() {
        broken.extend(oracles::fair(&stage.world, &is_honest));
        broken.extend(oracles::everywhere(&stage.world, &is_honest));
        broken.extend(oracles::equal(&stage.world, &is_honest));
        broken.extend(oracles::symmetric(&mut stage.world, &is_honest));
        broken.append(&mut stage.overfull);
    }
    broken
}

/// Measured bulletins.
type Measured = [BulletinNumber];

/// Whether `node` has run since before `moment`.
fn ran_since(stage: &Stage<'_>, node: usize, moment: Mono) -> bool {
    stage.world.is_alive(node) && stage.up_since[node] <= moment
}
