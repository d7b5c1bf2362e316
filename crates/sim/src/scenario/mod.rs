//! Scenarios: what a run is made of, written down in a commented TOML file.
//!
//! A file says everything once, and each `[[case]]` what is different in it: one row of the report. What is
//! not said is as in [`Setup::default`]. Those in `crates/sim/scenarios` are built in, and the one called
//! `first` explains every key it uses.

mod check;
mod fault;
mod reader;
mod setup;
mod write;

pub use fault::{Appearance, Cut, Fault, FaultKind, Skew, Slowness, Turn, Victims};
pub use reader::Problem;
pub(crate) use setup::publisher;
pub use setup::{NodeConfig, Publishers, Setup, Start, Traffic};

use crate::report::column;
use reader::Section;

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name: what it is called by, or its file without the ending.
    pub name: String,
    /// What it shows, in a few words.
    pub title: String,
    /// Which question it answers, and against what its figures may be held.
    pub about: String,
    /// The rows of its report.
    pub cases: Vec<Case>,
    /// What is drawn over what, where its cases are a sweep.
    pub plot: Option<Plot>,
}

/// One row of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is called, differently from all others.
    pub name: String,
    /// What is run.
    pub setup: Setup,
}

/// What is drawn over what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// The swept key, such as `traffic.rate`.
    pub x: &'static str,
    /// The columns, one drawing each.
    pub y: Vec<&'static str>,
}

/// The scenarios that are built in, with their names, the one to begin with first.
const BUILT_IN: [(&str, &str); 17] = [
    ("first", include_str!("../../scenarios/first.toml")),
    (
        "dissemination",
        include_str!("../../scenarios/dissemination.toml"),
    ),
    ("hyparview", include_str!("../../scenarios/hyparview.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    (
        "partitions",
        include_str!("../../scenarios/partitions.toml"),
    ),
    ("loss", include_str!("../../scenarios/loss.toml")),
    ("links", include_str!("../../scenarios/links.toml")),
    ("clocks", include_str!("../../scenarios/clocks.toml")),
    ("senders", include_str!("../../scenarios/senders.toml")),
    ("scale", include_str!("../../scenarios/scale.toml")),
    ("islands", include_str!("../../scenarios/islands.toml")),
    ("hardship", include_str!("../../scenarios/hardship.toml")),
    ("attacks", include_str!("../../scenarios/attacks.toml")),
    ("sybils", include_str!("../../scenarios/sybils.toml")),
    ("poisoning", include_str!("../../scenarios/poisoning.toml")),
    ("load", include_str!("../../scenarios/load.toml")),
    ("sync-cost", include_str!("../../scenarios/sync-cost.toml")),
];

impl Scenario {
    /// The names of those that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The text of the one built in as `name`.
    pub fn built_in(name: &str) -> Option<&'static str> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| *text)
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// The first thing that is wrong with it: what is not TOML, an unknown key, a value that is not allowed.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        reader::read(text, |root| {
            let title = root.text("title")?;
            let about = root.text("about")?.unwrap_or_default();
            let mut base = Setup::default();
            base.read(root)?;
            let cases = root.sections("case", |section| case(&base, section))?;
            let alone = || {
                let name = base.protocol.as_str().to_owned();
                let setup = base.clone();
                vec![Case { name, setup }]
            };
            let cases = cases.unwrap_or_else(alone);
            if cases.is_empty() {
                let fix =
                    "write [[case]] and its keys below, or take it out: the file is one case then";
                return Err(root.problem("case", "there is none in it", fix));
            }
            distinct(&cases, root)?;
            Ok(Self {
                name: name.to_owned(),
                title: title.unwrap_or_else(|| name.to_owned()),
                about,
                cases,
                plot: root.section("plot", plot)?,
            })
        })
    }

    /// Roughly how many seconds one run of it takes on one core.
    pub fn effort_s(&self) -> f64 {
        self.cases.iter().map(|case| effort_s(&case.setup)).sum()
    }
}

/// Node seconds of quiet that a core simulates in a second, about.
const QUIET_PER_S: f64 = 20_000.0;
/// Deliveries that a core simulates in a second, about.
const DELIVERIES_PER_S: f64 = 15_000.0;

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn effort_s(setup: &Setup) -> f64 {
    let nodes = setup.nodes as f64;
    let quiet = nodes * setup.length().as_secs_f64() / QUIET_PER_S;
    let busy = nodes * setup.bulletins() as f64 / DELIVERIES_PER_S;
    // Large worlds outgrow the caches of a processor.
    (quiet + busy) * (nodes / 1_000.0).max(1.0).powf(0.35)
}

fn case(base: &Setup, section: &mut Section<'_>) -> Result<Case, Problem> {
    let name = section.text("name")?.ok_or_else(|| {
        let fix = "write name = \"…\", as it is to stand in the table";
        section.problem("name", "a case needs a name", fix)
    })?;
    let mut setup = base.clone();
    setup.read(section)?;
    Ok(Case { name, setup })
}

fn distinct(cases: &[Case], root: &Section<'_>) -> Result<(), Problem> {
    let is_double = |(at, case): &(usize, &Case)| {
        let mut before = cases[..*at].iter();
        before.any(|other| other.name == case.name)
    };
    match cases.iter().enumerate().find(is_double) {
        Some((_, Case { name, .. })) => {
            let what = format!("two cases are called \"{name}\"");
            Err(root.problem("case", what, "give each a name of its own"))
        }
        None => Ok(()),
    }
}

fn plot(section: &mut Section<'_>) -> Result<Plot, Problem> {
    let x = section.word("x", &setup::SWEPT)?;
    let x = x.ok_or_else(|| {
        let fix = "write x = \"traffic.rate\", or another key that the cases sweep";
        section.problem("x", "it is not said over what", fix)
    })?;
    let y = section.words("y", &column::keys())?;
    let y = y.ok_or_else(|| {
        let fix = "write y = [\"p99_ms\"], or other columns of the report";
        section.problem("y", "it is not said what is drawn", fix)
    })?;
    Ok(Plot { x, y })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::run::Protocol;

    #[test]
    fn a_case_says_only_what_is_different() {
        let text = "nodes = 40\nterrain.loss = 0.01\n\
                    [[fault]]\nkind = 'kill'\nshare = 0.5\nat_s = 3\nfor_s = 4\nevery_s = 10\ntimes = 2\n\
                    [[case]]\nname = 'as it is'\n\
                    [[case]]\nname = 'other'\nnodes = 50\nprotocol = 'flood'\ndegree = 4\nfault = []\n\
                    terrain.shape = 'same'\ntraffic.publishers = 'random'\n";
        let scenario = Scenario::parse("x", text).unwrap();
        let [first, second] = scenario.cases.as_slice() else {
            panic!("{scenario:?}");
        };
        assert_eq!((first.setup.nodes, second.setup.nodes), (40, 50));
        assert_eq!(first.setup.number("terrain.loss"), Some(0.01));
        assert_eq!(second.setup.number("terrain.loss"), Some(0.01));
        assert_eq!(second.setup.protocol, Protocol::Flood);
        assert_eq!(second.setup.traffic.publishers, Publishers::Random);
        assert_eq!(second.setup.faults, []);
        let seconds = |seconds| Duration::from_secs(seconds);
        let spells: Vec<_> = first.setup.faults[0].spells().collect();
        assert_eq!(
            spells,
            [
                (seconds(3), Some(seconds(7))),
                (seconds(13), Some(seconds(17)))
            ]
        );
    }

    #[test]
    fn how_long_bulletins_last_and_what_nodes_have_in_memory_is_read_and_written() {
        let read = |text: &str| Scenario::parse("x", text).unwrap().cases.remove(0).setup;
        let setup = read("traffic.ttl_s = 20\nnode.recent_bytes = 131_072\n");
        assert_eq!(setup.traffic.ttl, Duration::from_secs(20));
        let broadcast = setup.settings().config.broadcast;
        assert_eq!(broadcast.recent_bytes_max, 131_072);
        assert_eq!(read(&setup.toml("written")), setup);
        for text in ["traffic.ttl_s = 2_419_201", "node.recent_bytes = 1"] {
            assert!(Scenario::parse("x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_for_some_cases_may_stand_at_the_top() {
        let text = "degree = 5\nstart.bridges = 1\n\
                    [[case]]\nname = 'a'\n\
                    [[case]]\nname = 'b'\nprotocol = 'flood'\n\
                    [[case]]\nname = 'c'\nstart.island = 10\n";
        assert!(Scenario::parse("x", text).is_ok());
    }

    #[test]
    fn adversaries_of_whom_there_cannot_be_so_many_are_refused() {
        let lie = "[[fault]]\nkind = 'lie'\nshare = 0.6\n";
        let censor = "[[fault]]\nkind = 'censor'\nshare = 0.1\n";
        let spared = format!("{lie}spare = 100\n");
        let too_many = format!("{lie}spare = 50\n");
        let twice = lie.to_owned() + lie;
        let all = format!("{censor}victims = 100\n");
        let everybody = format!("traffic.publishers = 'random'\n{censor}victims = 'publishers'\n");
        let refused = [
            (spared, "fault.spare", 4),
            (too_many, "fault.share", 3),
            (twice, "fault.share", 6),
            (all, "fault.victims", 4),
            (everybody, "fault.victims", 5),
            (
                format!("{lie}spare = 30\n[[case]]\nname = 'few'\nnodes = 20\n"),
                "case.fault.spare",
                5,
            ),
        ];
        for (text, key, line) in refused {
            let problem = Scenario::parse("x", &text).unwrap_err();
            assert_eq!((problem.key.as_str(), problem.line), (key, line), "{text}");
        }
        for text in [
            format!("{lie}spare = 200\n[[case]]\nname = 'many'\nnodes = 1_000\n"),
            format!("{lie}spare = 40\n"),
            format!("{censor}victims = 'publishers'\n"),
            format!("{censor}victims = 90\n"),
        ] {
            assert!(Scenario::parse("x", &text).is_ok(), "{text}");
        }
    }

    #[test]
    fn every_fault_is_read_and_written() {
        let faults = [
            "kind = 'clock'\nshare = 0.5\ndrift_ms_per_s = -2.5",
            "kind = 'clock'\nshare = 0.5\nahead_s = 3\ndrift_ms_per_s = 0.001",
            "kind = 'cut'\nshape = 'share'\nshare = 0.2\nfor_s = 3",
            "kind = 'cut'\nshape = 'groups'\ngroups = 7\nat_s = 3",
        ];
        let text: String = faults.map(|fault| format!("[[fault]]\n{fault}\n")).concat();
        let setup = Scenario::parse("x", &text).unwrap().cases.remove(0).setup;
        let kinds: Vec<FaultKind> = setup.faults.iter().map(|fault| fault.kind).collect();
        let skew = |ahead_ms, drift| FaultKind::Clock(0.5, Skew { ahead_ms, drift });
        assert_eq!(
            kinds,
            [
                skew(0, -2_500),
                skew(3_000, 1),
                FaultKind::Cut(Cut::Share(0.2)),
                FaultKind::Cut(Cut::Groups(7)),
            ]
        );
        let written = Scenario::parse("x", &setup.toml("written")).unwrap();
        assert_eq!(written.cases[0].setup, setup);
    }

    #[test]
    fn what_links_are_like_is_read_and_written() {
        let read = |text: &str| Scenario::parse("x", text).unwrap().cases;
        let cases = read(
            "[terrain]\nback_ms = 30\nback_loss = 0.1\nreorder = 0.05\nreorder_ms = 40\n\
             downlink_bytes_per_s = 1_000_000\n\
             [[case]]\nname = 'a table'\n[case.terrain]\nshape = 'matrix'\nmatrix_ms = [[1.5, 40], [50, 2]]\n\
             [[case]]\nname = 'none'\nterrain.downlink_bytes_per_s = 0\nterrain.back_loss = 0\n",
        );
        let [first, second] = [0, 1].map(|case: usize| &cases[case].setup);
        let terrain = &first.terrain;
        assert_eq!((terrain.back_loss, terrain.reorder), (Some(0.1), 0.05));
        assert_eq!(terrain.back, Duration::from_millis(30));
        assert_eq!(terrain.reorder_by, Duration::from_millis(40));
        assert_eq!(terrain.downlink_bytes_per_s, Some(1_000_000));
        assert_eq!(terrain.lookahead(), Duration::from_micros(1_500));
        let terrain = &second.terrain;
        assert_eq!(terrain.downlink_bytes_per_s, None);
        assert_eq!(terrain.back_loss, Some(0.0));
        assert_eq!(terrain.distances, Setup::default().terrain.distances);
        for setup in [first, second] {
            assert_eq!(&read(&setup.toml("written"))[0].setup, setup);
        }
    }

    #[test]
    fn a_table_stands_where_the_shape_wants_one() {
        let table = "matrix_ms = [[1]]";
        for (text, key, line) in [
            ("\nshape = 'matrix'", "terrain.matrix_ms", 1),
            (&format!("\n{table}"), "terrain.matrix_ms", 2),
            (
                &format!("\nshape = 'matrix'\n{table}\nmore_ms = 3"),
                "terrain.more_ms",
                4,
            ),
        ] {
            let problem = Scenario::parse("x", &format!("[terrain]{text}")).unwrap_err();
            assert_eq!((problem.key.as_str(), problem.line), (key, line), "{text}");
        }
    }

    #[test]
    fn links_are_measured_where_that_is_asked_for() {
        let read = |text: &str| Scenario::parse("x", text).unwrap().cases.remove(0).setup;
        assert!(!read("nodes = 3").overlay && !read("measure = []").overlay);
        let setup = read("measure = [\"overlay\"]");
        assert!(setup.overlay);
        assert_eq!(read(&setup.toml("written")), setup);
        assert!(Scenario::parse("x", "measure = [\"links\"]").is_err());
    }

    #[test]
    fn a_file_without_cases_is_one_case() {
        let scenario = Scenario::parse("x", "nodes = 1_000").unwrap();
        let cases: Vec<_> = scenario.cases.iter().collect();
        assert!(
            matches!(cases[..], [case] if case.name == "rootcast" && case.setup.nodes == 1_000)
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let cut = |at: u32, rest: &str| {
            format!("[[fault]]\nkind = 'cut'\nshape = 'one'\nat_s = {at}\n{rest}\n")
        };
        let overlapping = cut(3, "") + &cut(5, "");
        let apart = cut(3, "for_s = 2") + &cut(5, "");
        let refused = [
            ("[[case]]\nname = 'a'\n[[case]]\nname = 'a'", "case"),
            ("[[case]]\nnodes = 3", "case.name"),
            ("degree = 51", "degree"),
            ("traffic.rate = 10_000\nnodes = 10_000", "traffic"),
            ("[plot]\nx = 'nodes'", "plot.y"),
            ("[plot]\nx = 'node'\ny = ['p99_ms']", "plot.x"),
            ("[plot]\nx = 'nodes'\ny = ['p98']", "plot.y"),
            ("[[fault]]\nkind = 'kill'", "fault.share"),
            (
                "[[fault]]\nkind = 'withhold'\nshare = 1\nfor_s = 3",
                "fault.for_s",
            ),
            (
                "[[fault]]\nkind = 'cut'\nshape = 'one'\nshare = 0.5",
                "fault.share",
            ),
            (&overlapping, "fault"),
            (
                "protocol = 'flood'\n[[fault]]\nkind = 'lie'\nshare = 1",
                "protocol",
            ),
            (
                "protocol = 'mesh'\n[[fault]]\nkind = 'withhold'\nshare = 1\nfrom = 'flash'",
                "protocol",
            ),
            ("[[fault]]\nkind = 'slow'\nshare = 0.1", "fault.frame_ms"),
            ("[[fault]]\nkind = 'pause'", "fault.share"),
            (
                "[[fault]]\nkind = 'lie'\nshare = 0.1\nvictims = 3",
                "fault.victims",
            ),
            (
                "[[fault]]\nkind = 'censor'\nshare = 0.1\nfrom = 'now'",
                "fault.from",
            ),
            ("[terrain]\nburst_loss = 1", "terrain.burst_loss"),
            ("[[fault]]\nkind = 'clock'\nshare = 0.1", "fault.ahead_s"),
            ("case = []", "case"),
            ("degree = 5", "degree"),
            ("[[case]]\nname = 'a'\ndegree = 5", "case.degree"),
            ("start.bridges = 1", "start.bridges"),
            (
                "start.island = 10\nstart.introducers = 5",
                "start.introducers",
            ),
            (
                "start.island = 10\n[[case]]\nname = 'a'\nstart.introducers = 5",
                "case.start.introducers",
            ),
            (
                "[[fault]]\nkind = 'kill'\nshare = 0.1\nevery_s = 86_400\ntimes = 100_000",
                "fault",
            ),
            ("nodes = 100_000\ntraffic.drain_s = 86_400", "nodes"),
            ("[[fault]]\nkind = 'cut'\nshape = 'share'", "fault.share"),
            (
                "[[fault]]\nkind = 'cut'\nshape = 'groups'\nshare = 0.2",
                "fault.groups",
            ),
        ];
        for (text, key) in refused {
            assert_eq!(Scenario::parse("x", text).unwrap_err().key, key, "{text}");
        }
        assert!(Scenario::parse("x", &apart).is_ok());
    }

    #[test]
    fn every_scenario_that_is_built_in_is_sound_and_takes_a_minute_or_two() {
        for name in Scenario::names() {
            let text = Scenario::built_in(name).unwrap();
            let scenario = Scenario::parse(name, text).unwrap_or_else(|problem| {
                panic!("{name}: {problem}; {}", problem.fix);
            });
            assert!(!scenario.about.is_empty(), "{name}");
            assert!(
                scenario.effort_s() < 150.0,
                "{name}: {}",
                scenario.effort_s()
            );
        }
    }
}
