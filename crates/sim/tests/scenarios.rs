//! Scenarios, from their text to their report, in small worlds.

use bruit_sim::report::{Report, column, table};
use bruit_sim::run::{self, Meter};
use bruit_sim::scenario::Scenario;

/// A network that is quick to simulate.
const SMALL: &str = "nodes = 20\n[start]\nwithin_s = 2\nsettle_s = 10\n\
                     [traffic]\npublishers = 3\nwarm_s = 2\nmeasured_s = 2\ndrain_s = 5\n";

fn report(text: &str, seeds: &[u64]) -> Report {
    let scenario = Scenario::parse("test", text).unwrap_or_else(|problem| panic!("{problem}"));
    let setups = scenario.cases.iter().map(|case| &case.setup);
    let meter = Meter::of(setups, seeds.len());
    let outcomes = run::all(&scenario, seeds, &meter);
    assert!(meter.percent() >= 99, "{}", meter.percent());
    Report::new(&scenario, seeds, &outcomes)
}

#[track_caller]
fn median(report: &Report, case: &str, column: &str) -> f64 {
    let row = report.cases.iter().find(|row| row.name == case);
    let spread = row.and_then(|row| row.columns.get(column));
    let spread = spread.unwrap_or_else(|| panic!("{case} has no {column}"));
    assert_eq!(spread.missing, 0, "{case} has no {column} with some seeds");
    spread.median
}

#[track_caller]
fn assert_kept(report: &Report) {
    assert_eq!(report.broken(), 0, "{}", table::text(report));
}

/// Without what is about this machine.
fn determined(mut report: Report) -> Report {
    for row in &mut report.cases {
        row.columns.retain(|key, _| {
            let column = column::find(key);
            column.is_some_and(|column| !column.is_local)
        });
    }
    report
}

#[test]
fn a_quiet_network_delivers_everything_and_breaks_nothing() {
    let report = report(SMALL, &[1]);
    assert_kept(&report);
    assert!(median(&report, "rootcast", "delivery_ratio") >= 1.0);
    assert!(median(&report, "rootcast", "p99_ms") < 500.0);
    assert!(median(&report, "rootcast", "redundancy") < 1.0);
    assert!(median(&report, "rootcast", "formed_s") < 5.0);
    let row = &report.cases[0];
    assert!(!row.columns.contains_key("repair_s"), "nothing befell it");
    assert!(row.delays_ms.windows(2).all(|pair| pair[0] <= pair[1]));
    assert!(row.bytes_by_kind.contains_key("pub"), "{row:?}");
}

#[test]
fn where_nothing_is_measured_nothing_counts_as_delivered() {
    let text = SMALL.replace("measured_s", "measured_s = 0 #");
    let report = report(&text, &[1]);
    let columns = &report.cases[0].columns;
    assert!(!columns.contains_key("delivery_ratio"), "{columns:?}");
    assert!(columns.contains_key("formed_s"));
}

#[test]
fn same_seeds_same_report_and_other_seeds_another() {
    let run = |seeds: &[u64]| determined(report(SMALL, seeds));
    let three = run(&[5, 6, 7]);
    assert_eq!(three, run(&[5, 6, 7]));
    assert_ne!(three.cases, run(&[8, 9, 10]).cases);
    let p99 = three.cases[0].columns["p99_ms"];
    assert!(p99.least < p99.median && p99.median < p99.most, "{p99:?}");
}

#[test]
fn flooding_goes_over_the_links_the_engine_made_or_over_a_graph_of_its_own() {
    let text = SMALL.to_owned()
        + "[[case]]\nname = 'rootcast'\n\
           [[case]]\nname = 'same links'\nprotocol = 'flood'\n\
           [[case]]\nname = 'graph'\nprotocol = 'flood'\ndegree = 6\n";
    let report = report(&text, &[1]);
    assert_kept(&report);
    let p50 = |case| median(&report, case, "p50_ms");
    assert!(p50("same links") <= p50("rootcast"), "{report:?}");
    // Sixty links carry a bulletin both ways, but for those by which each of 19 nodes had it first.
    let redundancy = median(&report, "graph", "redundancy");
    assert!(
        (4.1..=120.0 / 19.0 - 2.0).contains(&redundancy),
        "{redundancy}"
    );
}

#[test]
fn every_fault_is_survived_and_its_repair_is_timed() {
    let fault = |name: &str, fault: &str| {
        format!("[[case]]\nname = '{name}'\n[[case.fault]]\nat_s = 2\n{fault}\n")
    };
    let text = SMALL.replace("drain_s = 5", "drain_s = 60")
        + &fault("killed", "kind = 'kill'\nshare = 0.3")
        + &fault("away", "kind = 'kill'\nshare = 0.3\nfor_s = 10")
        + &fault(
            "churn",
            "kind = 'kill'\nshare = 0.05\nfor_s = 5\nevery_s = 1\ntimes = 10",
        )
        + &fault("halves", "kind = 'cut'\nshape = 'halves'\nfor_s = 40")
        + &fault("thirds", "kind = 'cut'\nshape = 'thirds'\nfor_s = 40")
        + &fault("one", "kind = 'cut'\nshape = 'one'\nfor_s = 40")
        + &fault("one way", "kind = 'cut'\nshape = 'one-way'\nfor_s = 40")
        + &fault("pairs", "kind = 'cut'\nshape = 'pairs'\nfor_s = 40")
        + &fault("clocks", "kind = 'clock'\nshare = 0.3\nahead_s = 60")
        + &fault("withheld", "kind = 'withhold'\nshare = 0.3");
    let report = report(&text, &[1]);
    assert_kept(&report);
    for row in &report.cases {
        let ratio = median(&report, &row.name, "delivery_ratio");
        assert!(ratio >= 1.0, "{}: {ratio}", row.name);
        let repair = median(&report, &row.name, "repair_s");
        assert!(repair < 30.0, "{}: {repair}", row.name);
    }
}

#[test]
fn islands_with_a_bridge_each_become_one_network() {
    let text = SMALL.replace("settle_s = 10", "settle_s = 30\nisland = 5\nbridges = 1");
    let bridged = report(&text, &[1]);
    assert_kept(&bridged);
    assert!(median(&bridged, "rootcast", "formed_s") < 30.0);
    let text = text.replace("bridges = 1", "bridges = 0");
    let apart = report(&text, &[1]);
    assert!(!apart.cases[0].columns.contains_key("formed_s"));
    assert!(
        apart.broken() > 0,
        "who is on an island of its own lacks the rest"
    );
    assert!(median(&apart, "rootcast", "delivery_ratio") < 0.5);
}

/// Story: the first of two troubles that overlap ended the other one with it.
#[test]
fn of_two_troubles_that_overlap_the_second_goes_on_when_the_first_is_over() {
    let case = |name: &str, first: &str, second: &str| {
        let fault = "[[case.fault]]\nshare = 1\nat_s = 0\n";
        format!(
            "[[case]]\nname = '{name}'\n{fault}for_s = 0.1\n{first}\n{fault}for_s = 20\n{second}\n"
        )
    };
    let slow = "kind = 'slow'\nframe_ms = 100";
    let text = SMALL.replace("drain_s = 5", "drain_s = 60")
        + &case("slow", slow, slow)
        + &case("slow twice", "kind = 'slow'\nframe_ms = 2", slow)
        + &case("stopped", "kind = 'pause'", "kind = 'pause'");
    let report = report(&text, &[1]);
    assert_kept(&report);
    for (name, least) in [
        ("slow", 100.0),
        ("slow twice", 100.0),
        ("stopped", 15_000.0),
    ] {
        let p50 = median(&report, name, "p50_ms");
        assert!(p50 >= least, "{name}: {p50}");
    }
}

#[test]
fn a_network_that_never_mends_has_no_time_of_repair_and_a_curve_that_ends_early() {
    let text = SMALL.replace("settle_s = 10", "settle_s = 10\nisland = 10\nbridges = 0");
    let fault = "[[fault]]\nkind = 'kill'\nshare = 0.1\nat_s = 2\n";
    let report = report(&(text + fault), &[1, 2]);
    assert!(!report.cases[0].columns.contains_key("repair_s"));
    let came = report.cases[0].delays_ms.len();
    let delivered = median(&report, "rootcast", "delivery_ratio");
    // What was published on the other island never comes.
    assert!(
        delivered < 0.7 && came < 70,
        "{delivered}, {came} hundredths"
    );
}

#[test]
fn links_are_measured_when_measuring_begins_among_those_that_run() {
    let cases = "[[case]]\nname = 'all'\n[[case]]\nname = 'half'\n\
                 [[case.fault]]\nkind = 'kill'\nshare = 0.5\nat_s = 2\n\
                 [[case]]\nname = 'graph'\nprotocol = 'flood'\ndegree = 4\n\
                 [[case]]\nname = 'not asked for'\nmeasure = []\n";
    let text = "measure = ['overlay']\n".to_owned() + SMALL + cases;
    let report = report(&text, &[1]);
    let of = |case, column| median(&report, case, column);
    for (least, most) in [("graph", "graph"), ("half", "all")] {
        assert!(of(least, "in_degree_least") <= of(most, "in_degree_most"));
    }
    assert!((of("graph", "in_degree") - 4.0).abs() < 1e-9);
    assert!(of("graph", "in_degree_deviation") < 1e-9);
    assert!((1.5..2.5).contains(&of("graph", "path_length")));
    assert!(
        of("half", "in_degree") < of("all", "in_degree"),
        "the dead are no links"
    );
    assert!(of("all", "path_length") >= 1.0 && of("all", "clustering") > 0.0);
    assert!(!report.cases[3].columns.contains_key("path_length"));
}

#[test]
fn comparators_withhold_from_the_moment_they_are_to_and_not_before() {
    let mut text = SMALL.replace("nodes = 20", "nodes = 40");
    for protocol in ["flood", "mesh", "plumtree"] {
        for (name, at_s, share) in [("never", 2, 0.0), ("too late", 8, 0.8), ("soon", 2, 0.8)] {
            let case = format!(
                "[[case]]\nname = '{protocol}, {name}'\nprotocol = '{protocol}'\ndegree = 4\n\
                 [[case.fault]]\nkind = 'withhold'\nshare = {share}\nat_s = {at_s}\n"
            );
            text.push_str(&case);
        }
    }
    let report = report(&text, &[1]);
    assert_kept(&report);
    for protocol in ["flood", "mesh", "plumtree"] {
        let ratio = |name| median(&report, &format!("{protocol}, {name}"), "delivery_ratio");
        assert!(
            ratio("never") >= 1.0 && ratio("too late") >= 1.0,
            "{protocol}"
        );
        // What honest nodes publish still comes to their neighbours.
        let soon = ratio("soon");
        assert!((0.15..0.95).contains(&soon), "{protocol}: {soon}");
    }
}
