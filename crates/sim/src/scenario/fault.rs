//! What befalls a network while it is watched: nodes die, are cut off, read wrong clocks, pass nothing on.

use std::time::Duration;

use super::reader::{Problem, Section};

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
    /// The wall clocks of this share of the nodes are so many milliseconds ahead of what they were.
    Clock(f64, i64),
    /// This share of the nodes takes part in everything and relays nothing.
    Withhold(f64),
}

impl FaultKind {
    /// Its word in scenarios, and the rest of it.
    pub(crate) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Kill(share) => ("kill", share.to_string()),
            Self::Cut(cut) => ("cut", cut.words()),
            Self::Clock(share, ahead_ms) => ("clock", format!("{share}, {ahead_ms} ms ahead")),
            Self::Withhold(share) => ("withhold", share.to_string()),
        }
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
}

impl Cut {
    fn words(self) -> String {
        match self {
            Self::Halves => "halves".to_owned(),
            Self::Thirds => "thirds".to_owned(),
            Self::One => "one".to_owned(),
            Self::OneWay => "one-way".to_owned(),
            Self::Pairs(share) => format!("pairs {share}"),
        }
    }
}

const KINDS: [&str; 4] = ["kill", "cut", "clock", "withhold"];
const SHAPES: [&str; 5] = ["halves", "thirds", "one", "one-way", "pairs"];
/// Pairs that do not hear each other, where the scenario does not say how many.
const PAIRS: f64 = 0.2;
/// As far as a clock may be wrong: twenty years.
const AHEAD_S_MAX: f64 = 631_152_000.0;

impl Fault {
    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, Problem> {
        let kind = section.word("kind", &KINDS)?;
        let Some(kind) = kind else {
            let fix = format!("write kind = \"kill\"; there are {}", KINDS.join(", "));
            return Err(section.problem("kind", "a fault needs a kind", fix));
        };
        let at = section.seconds("at_s")?.unwrap_or_default();
        let kind = match kind {
            "kill" => FaultKind::Kill(share(section, kind)?),
            "cut" => FaultKind::Cut(cut(section)?),
            "clock" => FaultKind::Clock(share(section, kind)?, ahead_ms(section)?),
            _ => FaultKind::Withhold(share(section, kind)?),
        };
        let mut fault = Self {
            at,
            lasting: None,
            every: Duration::ZERO,
            times: 1,
            kind,
        };
        // A node withholds from a moment on, for good.
        if !matches!(kind, FaultKind::Withhold(_)) {
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

fn ahead_ms(section: &mut Section<'_>) -> Result<i64, Problem> {
    let ahead = section.number("ahead_s", -AHEAD_S_MAX..=AHEAD_S_MAX)?;
    let ahead = ahead.ok_or_else(|| {
        let fix = "write ahead_s = 3600 for an hour, or -3600 for an hour behind";
        section.problem("ahead_s", "it is not said how far clocks are ahead", fix)
    })?;
    #[expect(clippy::cast_possible_truncation, reason = "within twenty years")]
    Ok((ahead * 1_000.0) as i64)
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
