//! A recording as a file: JSON Lines, compressed with gzip, in columns and differences, which compress well.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{Delivery, LifeChange, LinkChange, Recording, TICK_US, Wave};

/// What kind of file this is.
pub(super) const KIND: &str = "simulation";
/// Changes in one line.
const CHANGES: usize = 10_000;

/// Whole ticks of so many microseconds.
pub(crate) const fn ticks(micros: u64) -> u64 {
    micros / TICK_US
}

/// Whole ticks of so many seconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "virtual times of some hours"
)]
pub(super) fn ticks_of_seconds(seconds: f64) -> u64 {
    ticks((seconds * 1e6).round() as u64)
}

/// What the file of a case is called, the cases counted from 1.
pub fn file_name(number: usize, case: &str) -> String {
    let case: String = case.to_ascii_lowercase().chars().take(60).collect();
    let words = case.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("recording-{number}-{}.jsonl.gz", words.join("-"))
}

/// Writes `recording` to `out`.
///
/// # Errors
/// When `out` does not take it.
pub fn write(recording: &Recording, out: impl Write) -> io::Result<()> {
    let lines = lines(recording);
    let mut head = recording.head.clone();
    head.lines = lines.len();
    let mut out = GzEncoder::new(out, Compression::default());
    serde_json::to_writer(&mut out, &head)?;
    for line in lines {
        out.write_all(b"\n")?;
        serde_json::to_writer(&mut out, &line)?;
    }
    out.write_all(b"\n")?;
    out.finish()?.flush()
}

fn lines(recording: &Recording) -> Vec<Value> {
    let column = |side: usize| -> Vec<u16> {
        let places = recording.places.iter();
        places.map(|place| place[side]).collect()
    };
    let mut lines = vec![json!(["places", column(0), column(1)])];
    lines.extend(recording.bands.iter().map(|band| {
        let (kind, what) = (&band.kind, &band.what);
        json!(["band", band.begin, band.end, kind, what])
    }));
    lines.extend(recording.lives.chunks(CHANGES).map(lives));
    lines.extend(recording.links.chunks(CHANGES).map(links));
    lines.extend(recording.waves.iter().map(wave));
    lines.extend(recording.pins.iter().map(|pin| {
        let (promise, what) = (&pin.promise, &pin.what);
        json!(["pin", pin.at, promise, pin.node, pin.wave, what])
    }));
    lines
}

fn lives(changes: &[LifeChange]) -> Value {
    let begin = changes.first().map_or(0, |change| change.at);
    let at = after(begin, changes.iter().map(|change| change.at));
    let is_up = column(changes, |change| u8::from(change.is_up));
    json!([
        "lives",
        begin,
        at,
        is_up,
        column(changes, |change| change.node)
    ])
}

fn links(changes: &[LinkChange]) -> Value {
    let begin = changes.first().map_or(0, |change| change.at);
    let at = after(begin, changes.iter().map(|change| change.at));
    let is_up = column(changes, |change| u8::from(change.is_up));
    let (from, to) = (
        column(changes, |change| change.nodes[0]),
        column(changes, |change| change.nodes[1]),
    );
    json!(["links", begin, at, is_up, from, to])
}

fn wave(wave: &Wave) -> Value {
    let Wave {
        at,
        publisher,
        bytes,
        id,
        deliveries,
    } = wave;
    let after = after(*at, deliveries.iter().map(|delivery| delivery.at));
    let node = column(deliveries, |delivery| delivery.node);
    let from = column(deliveries, |delivery: &Delivery| {
        delivery.from.map_or(-1, i64::from)
    });
    let hops = column(deliveries, |delivery| delivery.hops);
    json!(["wave", at, publisher, bytes, id, after, node, from, hops])
}

fn column<T, V>(rows: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// Each moment as ticks after the one before it.
fn after(begin: u64, moments: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut last = begin;
    moments
        .map(|at| at - std::mem::replace(&mut last, at))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_as_its_case_in_letters_every_system_takes() {
        assert_eq!(
            file_name(2, "Kill 30 % / 1,000"),
            "recording-2-kill-30-1-000.jsonl.gz"
        );
        assert_eq!(file_name(1, "…"), "recording-1-.jsonl.gz");
    }
}
