//! Simulations, small.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Done, bruit, run};
use serde_json::Value;

const SMALL: &str = "title = 'small'\nnodes = 20\n[start]\nwithin_s = 2\nsettle_s = 10\n\
                     [traffic]\npublishers = 3\nwarm_s = 2\nmeasured_s = 2\ndrain_s = 5\n";

/// A folder with scenarios of ours.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn sim(&self, args: &[&str]) -> Done {
        let mut command = bruit(self.0.path());
        command.current_dir(self.0.path()).arg("sim").args(args);
        run(&mut command, "")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Without what is about this machine.
fn determined(mut report: Value) -> Value {
    for row in report["cases"].as_array_mut().unwrap() {
        let columns = row["columns"].as_object_mut().unwrap();
        columns.remove("wall_s").unwrap();
        columns.remove("memory_kb");
    }
    report
}

#[test]
fn scenarios_are_listed_by_name() {
    let desk = Desk::new();
    for args in [["list", "--json"], ["--json", "list"]] {
        let list = desk.sim(&args).ok().json();
        let names: Vec<_> = list.as_array().unwrap().iter().collect();
        assert_eq!(names[0]["name"], "first");
        assert!(names.len() >= 9, "{names:?}");
        for one in names {
            assert!(
                one["title"].is_string() && one["nodes"].is_number(),
                "{one}"
            );
            assert!(
                one["cases"].is_number() && one["seconds"].is_number(),
                "{one}"
            );
        }
    }
    assert!(desk.sim(&["list"]).ok().out.contains("dissemination"));
}

#[test]
fn seeds_are_held_to_what_is_promised_and_written_down_as_scenarios() {
    let desk = Desk::new();
    let some = desk.sim(&["seeds", "--count", "2", "--json"]).ok().json();
    assert_eq!((&some["first"], &some["count"]), (&1.into(), &2.into()));
    assert_eq!(some["found"], serde_json::json!([]));
    let one = ["seeds", "--seed", "11", "--count", "1", "--out", "seen"];
    let out = desk.sim(&one).ok().out;
    assert!(out.contains("1 of 1 networks held"), "{out}");
    let again = desk.sim(&["seen/seed-11.toml", "--seed", "11", "--json"]);
    let row = &again.ok().json()["cases"][0];
    assert_eq!(row["broken_count"], 0, "{row}");
}

#[test]
fn a_scenario_is_run_and_the_same_seed_gives_the_same_report() {
    let desk = Desk::new();
    desk.file("small.toml", SMALL);
    let first = desk.sim(&["small.toml", "--json"]).ok().json();
    assert_eq!(
        (&first["scenario"], &first["title"]),
        (&"small".into(), &"small".into())
    );
    assert_eq!(first["seeds"], serde_json::json!([1]));
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    let row = &first["cases"][0];
    assert_eq!(
        (&row["nodes"], &row["broken_count"]),
        (&20.into(), &0.into())
    );
    assert_eq!(row["columns"]["delivery_ratio"]["median"], 1.0);
    for key in [
        "p50_ms",
        "p99_ms",
        "max_ms",
        "redundancy",
        "last_hop",
        "requests",
    ] {
        assert!(row["columns"][key]["median"].is_number(), "{key}: {row}");
    }
    assert!(row["bytes_by_kind"]["pub"]["median"].is_number(), "{row}");
    let again = desk
        .sim(&["--json", "small.toml", "--seed", "1"])
        .ok()
        .json();
    assert_eq!(determined(first.clone()), determined(again));
    let other = desk
        .sim(&["small.toml", "--json", "--seed", "2"])
        .ok()
        .json();
    let traces = [&first, &other].map(|report| &report["cases"][0]["traces"]);
    assert_eq!(traces[0][0].as_str().unwrap().len(), 64);
    assert_ne!(traces[0], traces[1]);
    assert_ne!(determined(first)["cases"], determined(other)["cases"]);
}

#[test]
fn a_report_is_written_where_it_is_told_to_and_nowhere_else() {
    let desk = Desk::new();
    desk.file("small.toml", SMALL);
    let done = desk.sim(&["small.toml"]).ok();
    assert!(done.out.contains("DELIVERED") && done.out.contains("every promise was kept"));
    assert!(
        done.out
            .trim_end()
            .ends_with("\n  bruit sim small.toml --out DIR"),
        "{}",
        done.out
    );
    let done = desk.sim(&["small.toml", "--seed", "3", "--runs", "2"]).ok();
    let command = "\n  bruit sim small.toml --seed 3 --runs 2 --out DIR\n";
    assert!(done.out.ends_with(command), "{}", done.out);
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 1);

    let done = desk
        .sim(&["small.toml", "--runs", "3", "--out", "a/b"])
        .ok();
    assert!(
        done.out
            .contains("in a/b: report.json, table.txt, delays.svg, recording-1-rootcast.jsonl.gz"),
        "{}",
        done.out
    );
    let out = desk.path().join("a/b");
    let report: Value =
        serde_json::from_str(&fs::read_to_string(out.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["seeds"], serde_json::json!([1, 2, 3]));
    let table = fs::read_to_string(out.join("table.txt")).unwrap();
    assert!(
        table.contains("least") && done.out.starts_with(&table),
        "{table}"
    );
    assert!(
        fs::read_to_string(out.join("delays.svg"))
            .unwrap()
            .starts_with("<svg")
    );
    let recording = fs::read(out.join("recording-1-rootcast.jsonl.gz")).unwrap();
    assert_eq!(recording[..2], [0x1f, 0x8b], "gzip");
}

#[test]
fn two_reports_are_compared_by_the_names_of_their_cases() {
    let desk = Desk::new();
    let cases = |names: [&str; 2]| {
        let cases = names.map(|name| format!("[[case]]\nname = '{name}'\n"));
        SMALL.to_owned() + &cases.concat()
    };
    desk.file("a.toml", &cases(["both", "gone"]));
    desk.file(
        "b.toml",
        &cases(["both", "new"]).replace("publishers = 3", "publishers = 5"),
    );
    for name in ["a", "b"] {
        desk.sim(&[&format!("{name}.toml"), "--out", name]).ok();
    }
    let compared = desk
        .sim(&["compare", "a", "b/report.json", "--json"])
        .ok()
        .json();
    assert_eq!(compared["only_a"], serde_json::json!(["gone"]));
    assert_eq!(compared["only_b"], serde_json::json!(["new"]));
    let columns = compared["cases"][0]["columns"].as_array().unwrap();
    let p50 = columns
        .iter()
        .find(|column| column["column"] == "p50_ms")
        .unwrap();
    for key in ["a", "b"] {
        assert!(p50[key]["median"].is_number(), "{p50}");
    }
    assert!(
        p50["percent"].is_number() && p50["is_apart"].is_boolean(),
        "{p50}"
    );
    assert_eq!(p50["is_apart"], false, "one seed tells nothing");
    let text = desk.sim(&["compare", "a", "b"]).ok().out;
    for told in [
        "scenario a, B of b",
        "A has seed 1 alone",
        "\nboth",
        "only in A: gone",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }

    let done = desk.sim(&["compare", "a", "nowhere", "--json"]);
    assert_eq!((done.code, &done.error()["code"]), (2, &"file".into()));
    let done = desk.sim(&["compare", "a", "a.toml", "--json"]);
    assert_eq!((done.code, &done.error()["code"]), (2, &"report".into()));
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_its_line_and_what_would_be_right() {
    let desk = Desk::new();
    desk.file("typo.toml", &SMALL.replace("drain_s", "drian_s"));
    desk.file("wide.toml", "nodes = 1");
    let cases = [
        (
            "typo.toml",
            "scenario",
            "traffic.drian_s (typo.toml, line 10)",
            "did you mean drain_s?",
        ),
        (
            "wide.toml",
            "scenario",
            "nodes (wide.toml, line 1)",
            "from 2 to 100000",
        ),
        (
            "disemination",
            "unknown_scenario",
            "disemination",
            "did you mean dissemination?",
        ),
        ("none.toml", "file", "none.toml", "check the path"),
    ];
    for (name, code, message, fix) in cases {
        let done = desk.sim(&[name, "--json"]);
        let error = done.error();
        assert_eq!((done.code, &error["code"]), (2, &code.into()), "{done:?}");
        assert!(
            error["message"].as_str().unwrap().contains(message),
            "{error}"
        );
        assert!(error["fix"].as_str().unwrap().contains(fix), "{error}");
    }
    for args in [&[][..], &["first", "--runs", "0"], &["first", "list"]] {
        assert_eq!(desk.sim(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_promise_that_is_not_kept_makes_the_exit_code_one() {
    let desk = Desk::new();
    // Two islands without a bridge: no bulletin gets across.
    let text = SMALL.replace("settle_s = 10", "settle_s = 10\nisland = 10");
    desk.file("apart.toml", &text);
    let done = desk.sim(&["apart.toml", "--seed", "4", "--json"]);
    assert_eq!(done.code, 1);
    let error = done.error();
    assert_eq!(error["code"], "promise_broken");
    assert!(
        error["fix"].as_str().unwrap().contains("--seed 4"),
        "{error}"
    );
    let row = &done.json()["cases"][0];
    assert!(row["broken_count"].as_u64().unwrap() > 0);
    let broken = &row["broken"][0];
    assert_eq!(
        (&broken["seed"], &broken["promise"]),
        (&4.into(), &"everywhere".into())
    );
    for key in ["node", "at_s"] {
        assert!(broken[key].is_number(), "{broken}");
    }
    assert_eq!(broken["bulletin"].as_str().unwrap().len(), 64);
}

/// Story: whoever named a folder below a file with --out was told to choose another one with --data.
#[test]
fn a_folder_that_cannot_be_is_not_blamed_on_the_data_folder() {
    let desk = Desk::new();
    desk.file("file", "");
    let done = desk.sim(&["first", "--out", "file/below", "--json"]);
    let error = done.error();
    assert_eq!((done.code, &error["code"]), (2, &"file".into()));
    let fix = error["fix"].as_str().unwrap();
    assert!(
        fix.contains("another folder") && !fix.contains("--data"),
        "{fix}"
    );
}
