//! What processes use and how long things took.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use super::api::{Api, Inbox};

/// The value below which `percent` of `values` lie.
#[track_caller]
pub fn percentile(values: &mut [f64], percent: f64) -> f64 {
    assert!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * percent / 100.0).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

/// Milliseconds from each publication, whose body begins with its moment in microseconds, to its
/// arrival.
pub fn delays_ms<'a>(inboxes: impl IntoIterator<Item = &'a Inbox>) -> Vec<f64> {
    let all = inboxes.into_iter().flat_map(Inbox::all);
    all.filter_map(|arrival| {
        let body = arrival.value["body"].as_str()?;
        let sent: u64 = body.split(' ').next()?.parse().ok()?;
        Some(arrival.at_us.saturating_sub(sent) as f64 / 1_000.0)
    })
    .collect()
}

/// For each publication, milliseconds until the last of `inboxes` had it.
pub fn spread_ms<'a>(inboxes: impl IntoIterator<Item = &'a Inbox>) -> Vec<f64> {
    let mut last = BTreeMap::<String, f64>::new();
    for arrival in inboxes.into_iter().flat_map(Inbox::all) {
        let Some(body) = arrival.value["body"].as_str() else {
            continue;
        };
        let sent: u64 = body
            .split(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap();
        let took = arrival.at_us.saturating_sub(sent) as f64 / 1_000.0;
        let slot = last.entry(body.to_owned()).or_default();
        *slot = slot.max(took);
    }
    last.into_values().collect()
}

/// How many times slower this machine is at this moment than those on which the figures were taken, from 1 to 2:
/// all cores fill and read ordered maps at once, the best of three.
pub fn slowness() -> f64 {
    const KEYS: u64 = 100_000;
    /// What it took there.
    const REFERENCE: Duration = Duration::from_millis(30);
    let work = || {
        let begun = Instant::now();
        let scattered = |key: u64| key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let map: BTreeMap<u64, u64> = (0..KEYS).map(|key| (scattered(key), key)).collect();
        let found = (0..KEYS).filter(|key| map.get(&scattered(*key)) == Some(key));
        assert_eq!(found.count() as u64, KEYS);
        begun.elapsed()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let all = || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let took = threads.into_iter().map(|thread| thread.join().unwrap());
            took.max().unwrap_or_default()
        })
    };
    let best = (0..3).map(|_| all()).min().unwrap_or_default();
    (best.as_secs_f64() / REFERENCE.as_secs_f64()).clamp(1.0, 2.0)
}

/// Resident memory of a process, in MiB.
#[track_caller]
pub fn rss_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib / 1_024.0
}

/// Time a process has had a core, in all its threads.
#[track_caller]
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<_> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    // Fields 14 and 15 of proc(5), in ticks of 10 ms on every Linux there is.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Threads of a process.
#[track_caller]
pub fn threads(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"));
    line.unwrap().trim().parse().unwrap()
}

/// Open descriptors of a process that holds keys: root alone sees them.
pub fn descriptors(pid: u32) -> Option<usize> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    Some(entries.count())
}

/// What `/metrics` says of `name`, labels included.
#[track_caller]
pub fn metric(metrics: &str, name: &str) -> u64 {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    let value = metrics.lines().find_map(value);
    value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// How much `y` grows for each unit of `x`, by least squares.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let (mut xy, mut xx) = (0.0, 0.0);
    for (x, y) in points {
        xy += (x - x_mean) * (y - y_mean);
        xx += (x - x_mean).powi(2);
    }
    xy / xx
}

/// Bulletins received and duplicates, over all daemons.
pub fn totals<'a>(apis: impl IntoIterator<Item = &'a Api>) -> (u64, u64) {
    let mut sums = (0, 0);
    for api in apis {
        let totals = &api.get("/v1/status")["totals"];
        sums.0 += totals["received"].as_u64().unwrap();
        sums.1 += totals["duplicates"].as_u64().unwrap();
    }
    sums
}
