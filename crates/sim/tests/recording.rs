//! Recordings of runs: they tell what the report counts, and are read as they were written.

use std::io::Read as _;

use bruit_sim::recording::{self, ReadError, Recording};
use bruit_sim::run::{self, Meter, Outcome};
use bruit_sim::scenario::Scenario;

/// A network in which everything happens: loss, nodes that die and come back, a cut, wrong clocks.
const BUSY: &str = "nodes = 24\nterrain.loss = 0.02\nterrain.duplication = 0.02\n\
                    [start]\nwithin_s = 2\nsettle_s = 10\n\
                    [traffic]\npublishers = 'random'\nrate = 4\nwarm_s = 3\nmeasured_s = 40\ndrain_s = 40\n\
                    [[fault]]\nkind = 'kill'\nshare = 0.2\nat_s = 5\nfor_s = 5\nevery_s = 12\ntimes = 3\n\
                    [[fault]]\nkind = 'cut'\nshape = 'halves'\nat_s = 8\nfor_s = 10\n\
                    [[fault]]\nkind = 'clock'\nshare = 0.1\nahead_s = 30\nat_s = 12\nfor_s = 10\n";

fn outcomes(text: &str, seeds: &[u64]) -> Vec<Outcome> {
    let scenario = Scenario::parse("test", text).unwrap_or_else(|problem| panic!("{problem}"));
    let all = run::recorded(&scenario, seeds, &Meter::default());
    all.into_iter().flatten().collect()
}

fn packed(recording: &Recording) -> Vec<u8> {
    let mut file = Vec::new();
    recording::write(recording, &mut file).expect("memory takes everything");
    file
}

fn unpacked(file: &[u8]) -> String {
    let mut text = String::new();
    let mut unpacking = flate2::read::GzDecoder::new(file);
    unpacking
        .read_to_string(&mut text)
        .expect("a gzip file of text");
    text
}

/// What a recording says of deliveries is what the ledger counted, which the report is made of.
#[test]
fn as_many_deliveries_as_the_report_counts_whatever_happens() {
    let bare = BUSY
        .split("[[fault]]")
        .next()
        .expect("there is a first part");
    let comparators = ["flood", "mesh", "plumtree"].map(|protocol| {
        bare.replace(
            "nodes = 24",
            &format!("nodes = 24\nprotocol = '{protocol}'"),
        )
    });
    let withheld = format!("{bare}[[fault]]\nkind = 'withhold'\nshare = 0.3\nat_s = 1\n");
    for text in [BUSY.to_owned(), bare.to_owned(), withheld]
        .iter()
        .chain(&comparators)
    {
        for seed in [1, 2, 3] {
            let outcome = outcomes(text, &[seed]).remove(0);
            let recording = outcome.recording.expect("it was asked for");
            let head = &recording.head;
            let all = recording.waves.iter().flat_map(|wave| &wave.deliveries);
            let counted = all
                .clone()
                .filter(|delivery| delivery.hops > 0 && delivery.at >= head.measured);
            assert_eq!(
                counted.count() as u64,
                outcome.totals.deliveries,
                "{text}, seed {seed}"
            );
            assert_eq!(all.count(), head.kept.deliveries);
            assert_eq!(head.trace, outcome.trace);
            assert_eq!(head.left_out, recording::Counts::default());
        }
    }
}

#[test]
fn a_recording_is_read_as_it_was_written() {
    let outcome = outcomes(BUSY, &[7]).remove(0);
    let recording = outcome.recording.expect("it was asked for");
    let (deaths, bands) = (&recording.lives, &recording.bands);
    assert!(
        deaths.iter().filter(|life| life.is_up).count() >= 3,
        "{deaths:?}"
    );
    let kinds: Vec<_> = bands.iter().map(|band| band.kind.as_str()).collect();
    assert_eq!(kinds, ["kill", "kill", "kill", "cut", "clock"]);
    assert_eq!((recording.places.len(), recording.waves.len()), (24, 169));
    assert_eq!(
        recording::read(&packed(&recording)[..]).expect("as written"),
        recording
    );
}

#[test]
fn a_promise_that_was_not_kept_is_a_pin_at_its_bulletin() {
    // Two islands without a bridge: no bulletin gets across.
    let text = "nodes = 8\n[start]\nwithin_s = 1\nsettle_s = 5\nisland = 4\n\
                [traffic]\npublishers = 2\nwarm_s = 2\nmeasured_s = 1\ndrain_s = 2\n";
    let recording = outcomes(text, &[1])
        .remove(0)
        .recording
        .expect("it was asked for");
    let pin = &recording.pins[0];
    assert_eq!(pin.promise, "everywhere");
    let wave = &recording.waves[pin.wave.expect("it is about a bulletin") as usize];
    assert!(
        wave.deliveries
            .iter()
            .all(|delivery| delivery.node != pin.node)
    );
    assert_eq!(
        recording::read(&packed(&recording)[..]).expect("as written"),
        recording
    );
}

#[test]
fn recording_changes_nothing_and_the_first_seed_of_a_case_alone_is_recorded() {
    let scenario = Scenario::parse("test", BUSY).unwrap_or_else(|problem| panic!("{problem}"));
    let meter = Meter::default();
    let recorded = run::recorded(&scenario, &[1, 2], &meter).remove(0);
    let plain = run::all(&scenario, &[1, 2], &meter).remove(0);
    for (recorded, plain) in recorded.iter().zip(&plain) {
        assert_eq!(recorded.trace, plain.trace);
        assert_eq!(recorded.delays_ms, plain.delays_ms);
        assert_eq!(plain.recording, None);
    }
    let is_kept = |outcome: &Outcome| outcome.recording.is_some();
    assert_eq!(
        recorded.iter().map(is_kept).collect::<Vec<_>>(),
        [true, false]
    );
}

/// Same seed, same run: in a network in which everything happens, three times over.
#[test]
fn three_runs_with_one_seed_have_one_trace_and_another_seed_has_another() {
    let runs = [5, 5, 5, 6].map(|seed| outcomes(BUSY, &[seed]).remove(0));
    let [first, second, third, other] = &runs;
    assert_eq!((&first.trace, &first.trace), (&second.trace, &third.trace));
    assert_eq!(first.recording, third.recording);
    assert_ne!(first.trace, other.trace);
}

#[test]
fn what_is_no_recording_or_was_changed_is_refused() {
    let refused = |file: &[u8]| recording::read(file).expect_err("it is wrong");
    assert!(matches!(refused(b"not even packed"), ReadError::Io(_)));
    let recording = outcomes(BUSY, &[7])
        .remove(0)
        .recording
        .expect("it was asked for");
    let file = packed(&recording);
    assert!(matches!(refused(&file[..file.len() / 2]), ReadError::Io(_)));

    let text = unpacked(&file);
    let pack = |text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, text.as_bytes()).expect("memory takes everything");
        packed.finish().expect("memory takes everything")
    };
    assert_eq!(
        recording::read(&pack(&text)[..]).expect("as written"),
        recording
    );
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        refused(&pack(&text.replacen(from, to, 1)))
    };
    assert!(matches!(
        changed("simulation", "daemon"),
        ReadError::Foreign
    ));
    let newer = changed("\"version\":1", "\"version\":2");
    assert!(matches!(newer, ReadError::Version { got: 2 }));
    assert!(matches!(
        changed("\"nodes\":24", "\"nodes\":25"),
        ReadError::Counts
    ));
    assert!(matches!(
        changed("\"nodes\":24", "\"nodes\":23"),
        ReadError::Line { .. }
    ));
    assert!(matches!(
        changed("[\"band\"", "[\"bind\""),
        ReadError::Line { .. }
    ));
    assert!(matches!(
        changed("[\"wave\",", "[\"wave\",[],"),
        ReadError::Line { .. }
    ));
    let lines: Vec<_> = text.lines().collect();
    let shorter = lines[..lines.len() - 1].join("\n");
    assert!(matches!(refused(&pack(&shorter)), ReadError::Counts));
}
