//! What befalls a network while it is watched: nodes die, are cut off, stand still, turn against the others.

use std::time::Duration;

use super::reader::{Problem, Section};
use super::setup::NODES_MAX;
use crate::adversary::Evil;
pub use crate::clock::Skew;
pub use crate::plight::Slowness;

/// Something that befalls a network, once or again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// When, after the network has settled.
    pub at: Duration,
    /// How long it lasts; none: to the end.
    pub lasting: Option<Duration>,
    /// Between one time and the next.
    pub every: Duration,
    /// How many times.
    pub times: u32,
    /// What.
    pub kind: FaultKind,
}

/// What befalls a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultKind {
    /// This share of the running nodes dies without a word; when it is over, they start again.
    Kill(f64),
    /// Nodes do not hear each other.
    Cut(Cut),
    /// The wall clocks of this share of the nodes are so much more wrong than they were.
    Clock(f64, Skew),
    /// The processes of this share of the running nodes stop, and go on when it is over.
    Pause(f64),
    /// The machines of this share are suspended: their monotonic clocks stop as well.
    Suspend(f64),
    /// This share is slow.
    Slow(f64, Slowness),
    /// This share keeps nothing of what comes while it lasts.
    DiskFull(f64),
    /// Some turn against the others.
    Turn(Turn),
}

/// Nodes that turn against the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// What they do.
    pub evil: Evil,
    /// Which share of all nodes, by chance.
    pub share: f64,
    /// When.
    pub from: Appearance,
    /// None of the first so many nodes.
    pub spare: usize,
    /// To whom, where it is done to some in particular; these are honest.
    pub victims: Victims,
}

/// When adversaries show themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appearance {
    /// They are so from the start.
    Boot,
    /// They do as they should, and turn all at once.
    Turn,
    /// They come all at once.
    Flash,
}

/// To whom something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victims {
    /// The first so many nodes.
    First(usize),
    /// Those that publish.
    Publishers,
}

impl FaultKind {
    /// Its word in scenarios, and the rest of it.
    pub(crate) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Kill(share) => ("kill", share.to_string()),
            Self::Cut(cut) => ("cut", cut.words()),
            Self::Clock(share, skew) => ("clock", format!("{share}, {}", words(*skew))),
            Self::Pause(share) => ("pause", share.to_string()),
            Self::Suspend(share) => ("suspend", share.to_string()),
            Self::Slow(share, _) => ("slow", share.to_string()),
            Self::DiskFull(share) => ("disk-full", share.to_string()),
            Self::Turn(turn) => (turn.evil.as_str(), turn.share.to_string()),
        }
    }
}

fn words(skew: Skew) -> String {
    let ahead = format!("{} ms ahead", skew.ahead_ms);
    match skew.drift {
        0 => ahead,
        drift => format!("{ahead}, {drift} ppm fast"),
    }
}

/// Who does not hear whom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// Two halves do not hear each other.
    Halves,
    /// Three thirds do not.
    Thirds,
    /// One node neither hears nor is heard.
    One,
    /// One half hears the other and is not heard by it.
    OneWay,
    /// This share of all pairs of nodes, by chance.
    Pairs(f64),
    /// This share of all nodes, by chance, and the others do not hear each other.
    Share(f64),
    /// So many groups of one size do not.
    Groups(usize),
}

impl Cut {
    fn words(self) -> String {
        match self {
            Self::Halves => "halves".to_owned(),
            Self::Thirds => "thirds".to_owned(),
            Self::One => "one".to_owned(),
            Self::OneWay => "one-way".to_owned(),
            Self::Pairs(share) => format!("pairs {share}"),
            Self::Share(share) => format!("share {share}"),
            Self::Groups(count) => format!("groups {count}"),
        }
    }
}

/// What befalls nodes that did nothing for it.
const KINDS: [&str; 7] = [
    "kill",
    "cut",
    "clock",
    "pause",
    "suspend",
    "slow",
    "disk-full",
];
pub(super) const APPEARANCES: [(&str, Appearance); 3] = [
    ("boot", Appearance::Boot),
    ("turn", Appearance::Turn),
    ("flash", Appearance::Flash),
];
const SHAPES: [&str; 7] = [
    "halves", "thirds", "one", "one-way", "pairs", "share", "groups",
];
/// Pairs that do not hear each other, where the scenario does not say how many.
const PAIRS: f64 = 0.2;
/// As far as a clock may be wrong: twenty years.
const AHEAD_S_MAX: f64 = 631_152_000.0;
/// As quick as a clock may be, and as slow: by half.
const DRIFT_MS_MAX: f64 = 500.0;

impl Fault {
    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, Problem> {
        let kinds: Vec<&'static str> = KINDS
            .into_iter()
            .chain(Evil::ALL.map(Evil::as_str))
            .collect();
        let kind = section.word("kind", &kinds)?;
        let Some(kind) = kind else {
            let fix = format!("write kind = \"kill\"; there are {}", kinds.join(", "));
            return Err(section.problem("kind", "a fault needs a kind", fix));
        };
        let at = section.seconds("at_s")?.unwrap_or_default();
        let kind = match kind {
            "kill" => FaultKind::Kill(share(section, kind)?),
            "cut" => FaultKind::Cut(cut(section)?),
            "clock" => FaultKind::Clock(share(section, kind)?, skew(section)?),
            "pause" => FaultKind::Pause(share(section, kind)?),
            "suspend" => FaultKind::Suspend(share(section, kind)?),
            "slow" => FaultKind::Slow(share(section, kind)?, slowness(section)?),
            "disk-full" => FaultKind::DiskFull(share(section, kind)?),
            evil => FaultKind::Turn(turn(section, evil)?),
        };
        let mut fault = Self {
            at,
            lasting: None,
            every: Duration::ZERO,
            times: 1,
            kind,
        };
        // Who turns does so for good.
        if !matches!(kind, FaultKind::Turn(_)) {
            fault.lasting = section.seconds("for_s")?;
            fault.every = section.seconds("every_s")?.unwrap_or_default();
            if let Some(times) = section.whole("times", 1..=100_000)? {
                fault.times = u32::try_from(times).unwrap_or(u32::MAX);
            }
        }
        Ok(fault)
    }

    /// When it begins and when it ends, each time.
    pub fn spells(&self) -> impl Iterator<Item = (Duration, Option<Duration>)> {
        (0..self.times).map(|time| {
            let begin = self.at + self.every * time;
            (begin, self.lasting.map(|lasting| begin + lasting))
        })
    }
}

fn share(section: &mut Section<'_>, kind: &str) -> Result<f64, Problem> {
    section.number("share", 0.0..=1.0)?.ok_or_else(|| {
        let what = format!("it is not said which share of the nodes \"{kind}\" befalls");
        section.problem("share", what, "write share = 0.1 for a tenth of them")
    })
}

fn slowness(section: &mut Section<'_>) -> Result<Slowness, Problem> {
    let frame = section.millis("frame_ms")?;
    let uplink = section.whole("uplink_bytes_per_s", 1..=1_000_000_000_000)?;
    if frame.is_none() && uplink.is_none() {
        let fix = "write frame_ms = 5, what a frame costs, or uplink_bytes_per_s = 32_000, or both";
        return Err(section.problem("frame_ms", "it is not said how slow", fix));
    }
    Ok(Slowness {
        frame: frame.unwrap_or_default(),
        uplink_bytes_per_s: uplink.map(|rate| rate as u64),
    })
}

fn turn(section: &mut Section<'_>, kind: &str) -> Result<Turn, Problem> {
    let evil = Evil::from_word(kind).unwrap_or(Evil::Withhold);
    let share = share(section, kind)?;
    let from = section.word("from", &APPEARANCES.map(|(word, _)| word))?;
    let from = APPEARANCES
        .into_iter()
        .find(|(word, _)| Some(*word) == from);
    let spared = section.whole("spare", 0..=NODES_MAX)?;
    let mut victims = Victims::First(1);
    if evil.has_victims()
        && let Some(told) = section.whole_or_word("victims", 1..=NODES_MAX, &["publishers"])?
    {
        victims = told.map_or(Victims::Publishers, Victims::First);
    }
    Ok(Turn {
        evil,
        share,
        from: from.map_or(Appearance::Turn, |(_, from)| from),
        spare: spared.unwrap_or(0),
        victims,
    })
}

fn skew(section: &mut Section<'_>) -> Result<Skew, Problem> {
    let ahead = section.number("ahead_s", -AHEAD_S_MAX..=AHEAD_S_MAX)?;
    let drift = section.number("drift_ms_per_s", -DRIFT_MS_MAX..=DRIFT_MS_MAX)?;
    if ahead.is_none() && drift.is_none() {
        let fix = "write ahead_s = 3600 for an hour, -3600 for an hour behind, or drift_ms_per_s = 1, or both";
        return Err(section.problem("ahead_s", "it is not said how wrong clocks are", fix));
    }
    #[expect(clippy::cast_possible_truncation, reason = "within twenty years")]
    let thousandths = |number: Option<f64>| (number.unwrap_or_default() * 1_000.0) as i64;
    Ok(Skew {
        ahead_ms: thousandths(ahead),
        drift: thousandths(drift),
    })
}

fn cut(section: &mut Section<'_>) -> Result<Cut, Problem> {
    let shape = section.word("shape", &SHAPES)?;
    let Some(shape) = shape else {
        let fix = format!("write shape = \"halves\"; there are {}", SHAPES.join(", "));
        return Err(section.problem("shape", "a cut needs a shape", fix));
    };
    Ok(match shape {
        "halves" => Cut::Halves,
        "thirds" => Cut::Thirds,
        "one" => Cut::One,
        "one-way" => Cut::OneWay,
        "share" => Cut::Share(section.number("share", 0.0..=0.5)?.ok_or_else(|| {
            let fix = "write share = 0.2 for a fifth against the others";
            section.problem("share", "it is not said how large the smaller side is", fix)
        })?),
        "groups" => Cut::Groups(section.whole("groups", 2..=NODES_MAX)?.ok_or_else(|| {
            let fix = "write groups = 4, or another number";
            section.problem("groups", "it is not said into how many", fix)
        })?),
        _ => Cut::Pairs(section.number("share", 0.0..=1.0)?.unwrap_or(PAIRS)),
    })
}

/// A network is cut in one way at a time: answers the moment at which a cut begins before another ended.
pub(super) fn overlapping_cuts(faults: &[Fault]) -> Option<Duration> {
    let cuts = faults
        .iter()
        .filter(|fault| matches!(fault.kind, FaultKind::Cut(_)));
    let mut spells: Vec<_> = cuts.flat_map(Fault::spells).collect();
    spells.sort();
    let mut pairs = spells.windows(2);
    let overlap = pairs.find(|pair| pair[0].1.is_none_or(|end| pair[1].0 < end));
    overlap.map(|pair| pair[1].0)
}
