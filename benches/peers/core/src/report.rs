//! The JSON line. Times are in milliseconds, rates per second, sizes in bytes unless the key says so.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Map, Value, json};

use crate::Args;
use crate::drive::{Idle, Sample, Setup};
use crate::machine;
use crate::publish::Tally;
use crate::recorder::{Recorder, Stats};

/// Everything a run came to.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) args: &'a Args,
    pub(crate) recorder: &'a Recorder,
    pub(crate) setup: Setup,
    pub(crate) idle: Option<Idle>,
    /// Warm-up messages delivered.
    pub(crate) warm: u64,
    pub(crate) before: Sample,
    pub(crate) after: Sample,
    pub(crate) tally: &'a Tally,
    pub(crate) publishers: usize,
    pub(crate) killed: usize,
    /// When each phase began.
    pub(crate) phase_starts: Vec<u64>,
    pub(crate) notes: Vec<String>,
}

/// The results as one object.
pub(crate) fn json(name: &str, version: &str, run: &Outcome<'_>) -> Value {
    let mut all = Map::new();
    all.insert("peer".into(), name.into());
    all.insert("version".into(), version.into());
    let stats = run.recorder.stats(0..run.recorder.messages());
    for part in [
        workload(run, &stats),
        deliveries(run, &stats),
        costs(run, &stats),
        setup(run),
    ] {
        add(&mut all, part);
    }
    if let Some(idle) = &run.idle {
        all.insert("idle_cpu_ms_per_node_s".into(), rounded(idle.cpu_ms));
        all.insert("idle_wire_Bps_per_node".into(), rounded(idle.wire_bytes));
    }
    if run.killed > 0 {
        all.insert("killed".into(), run.killed.into());
        all.insert("kill_mode".into(), run.args.kill_mode.clone().into());
        for index in 0..run.phase_starts.len() {
            all.insert(format!("phase{}", index + 1), phase(run, index));
        }
    }
    if !run.notes.is_empty() {
        all.insert("notes".into(), run.notes.clone().into());
    }
    Value::Object(all)
}

fn workload(run: &Outcome<'_>, stats: &Stats) -> Value {
    let args = run.args;
    json!({
        "label": args.label,
        "nodes": args.nodes,
        "msg_size": args.msg_size,
        "messages": stats.published,
        "publishers": run.publishers,
        "rate": args.rate,
        "outstanding": args.rate.is_none().then_some(args.outstanding),
        "seed": args.seed,
    })
}

fn deliveries(run: &Outcome<'_>, stats: &Stats) -> Value {
    let (delivered, seconds) = (run.recorder.delivered(), publishing_seconds(run));
    let expected = stats.published * run.recorder.need();
    let payload_mb = (delivered * run.args.msg_size as u64) as f64 / 1e6;
    json!({
        "delivered": delivered,
        "expected": expected,
        "delivery_ratio": rounded_to(1e6, ratio(delivered as f64, expected as f64)),
        "full_coverage_msgs": stats.coverage.len(),
        "worst_msg_deliveries": stats.worst,
        "p50_ms": quantile(&stats.latency, 0.5),
        "p99_ms": quantile(&stats.latency, 0.99),
        "max_ms": quantile(&stats.latency, 1.0),
        "coverage_p50_ms": quantile(&stats.coverage, 0.5),
        "coverage_p99_ms": quantile(&stats.coverage, 0.99),
        "coverage_max_ms": quantile(&stats.coverage, 1.0),
        "throughput_deliveries_per_s": rounded(ratio(delivered as f64, seconds)),
        "published_per_s": rounded(ratio(stats.published as f64, seconds)),
        "payload_MBps": rounded(ratio(payload_mb, seconds)),
        "app_duplicates": run.recorder.duplicates(),
        "publish_errors": run.tally.errors.load(Relaxed),
        "first_error": *run.tally.first_error.lock().expect("nobody panics with it"),
        "publish_call_max_ms": rounded(run.tally.call_us.load(Relaxed) as f64 / 1e3),
        "sched_lag_max_ms": rounded(run.tally.lag_us.load(Relaxed) as f64 / 1e3),
        "run_s": rounded(seconds),
    })
}

fn costs(run: &Outcome<'_>, stats: &Stats) -> Value {
    let (before, after) = (&run.before, &run.after);
    let delivered = run.recorder.delivered() as f64;
    let complete = run.recorder.delivered() >= stats.published * run.recorder.need();
    let end = if complete {
        run.recorder.last()
    } else {
        after.at
    };
    let measured = end.saturating_sub(before.at) as f64 / 1e9;
    let cpu = after.cpu_seconds - before.cpu_seconds;
    let wire = after.wire.0 - before.wire.0;
    let copies = before.copies.zip(after.copies).filter(|_| delivered > 0.0);
    json!({
        "cpu_seconds_total": rounded(cpu),
        "cpu_us_per_delivery": rounded(ratio(cpu * 1e6, delivered)),
        "cpu_cores_used": rounded(ratio(cpu, measured)),
        "bytes_on_wire": wire,
        "packets_on_wire": after.wire.1 - before.wire.1,
        "wire_per_delivered_byte": rounded(ratio(wire as f64, delivered * run.args.msg_size as f64)),
        "redundancy": copies.map(|(from, to)| rounded((to - from) as f64 / delivered - 1.0)),
        "loadavg1": machine::load_average(),
    })
}

fn setup(run: &Outcome<'_>) -> Value {
    let setup = &run.setup;
    let warm = run.args.warmup * run.publishers * (setup.nodes_here - 1);
    let per_node = (setup.rss_idle_mb - setup.rss_base_mb) / setup.nodes_here as f64;
    json!({
        "rss_mb_total": rounded(machine::rss_mb()),
        "rss_idle_mb": rounded(setup.rss_idle_mb),
        "rss_peak_mb": rounded(machine::rss_peak_mb()),
        "rss_base_mb": rounded(setup.rss_base_mb),
        "rss_per_node_mb": rounded(per_node),
        "setup_s": rounded(setup.seconds),
        "mesh_ready": setup.ready,
        "mesh_min": setup.mesh_min,
        "mesh_avg": rounded(setup.mesh_avg),
        "warm_ratio": rounded(ratio(run.warm as f64, warm as f64)),
    })
}

fn phase(run: &Outcome<'_>, index: usize) -> Value {
    let first = index * run.args.messages;
    let messages = first..first + run.args.messages;
    let stats = run.recorder.stats(messages.clone());
    let expected = stats.published * run.recorder.need();
    // From then on every later message of the phase reached everybody.
    let incomplete = messages
        .rev()
        .find(|&message| !run.recorder.everywhere(message));
    let healed = incomplete.and_then(|message| run.recorder.published_at(message));
    let healed = healed.map_or(0, |time| time.saturating_sub(run.phase_starts[index]));
    json!({
        "ratio": rounded(ratio(stats.latency.len() as f64, expected as f64)),
        "full": stats.coverage.len(),
        "worst": stats.worst,
        "p50_ms": quantile(&stats.latency, 0.5),
        "p99_ms": quantile(&stats.latency, 0.99),
        "max_ms": quantile(&stats.latency, 1.0),
        "coverage_p50_ms": quantile(&stats.coverage, 0.5),
        "coverage_max_ms": quantile(&stats.coverage, 1.0),
        "last_incomplete_published_at_s": rounded(healed as f64 / 1e9),
    })
}

/// From the first message to the last delivery.
fn publishing_seconds(run: &Outcome<'_>) -> f64 {
    run.recorder.last().saturating_sub(run.before.at) as f64 / 1e9
}

fn add(all: &mut Map<String, Value>, part: Value) {
    if let Value::Object(mut part) = part {
        all.append(&mut part);
    }
}

/// A quantile of sorted times in µs + 1, in milliseconds.
fn quantile(sorted: &[u32], share: f64) -> Value {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1));
    value.map_or(Value::Null, |&us| rounded(f64::from(us - 1) / 1000.0))
}

/// `NaN`, which becomes null, when there is nothing to divide by.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { f64::NAN }
}

fn rounded(value: f64) -> Value {
    rounded_to(1e3, value)
}

fn rounded_to(scale: f64, value: f64) -> Value {
    if value.is_finite() {
        json!((value * scale).round() / scale)
    } else {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_smallest_value_that_covers_the_share() {
        let times: Vec<u32> = (1..=100).map(|ms| ms * 1000 + 1).collect();
        assert_eq!(quantile(&times, 0.5), json!(50.0));
        assert_eq!(quantile(&times, 0.99), json!(99.0));
        assert_eq!(quantile(&times, 1.0), json!(100.0));
        assert_eq!(quantile(&times[..1], 0.5), json!(1.0));
        assert_eq!(quantile(&[], 0.5), Value::Null);
    }

    #[test]
    fn nothing_over_nothing_is_null_and_not_zero() {
        assert_eq!(rounded(ratio(0.0, 0.0)), Value::Null);
    }
}
