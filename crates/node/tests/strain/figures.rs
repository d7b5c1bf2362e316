//! What is measured: order statistics, memory, time on a core.

use std::time::Duration;

/// The value below which `permille` thousandths of `times` lie.
pub(crate) fn quantile(times: &[Duration], permille: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    let at = times.len() * permille / 1_000;
    times[at.min(times.len() - 1)]
}

/// Bytes of this process in memory.
pub(crate) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages = pages.split_whitespace().nth(1).expect("the second field");
    pages.parse::<u64>().expect("a number") * 4_096
}

/// Time all threads of this process have spent on a core.
pub(crate) fn process_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("this is Linux");
    // A thread may end while we look.
    tasks
        .flatten()
        .filter_map(|task| on_core(&task.path().join("schedstat")))
        .sum()
}

/// Time this thread has spent on a core.
pub(crate) fn thread_time() -> Duration {
    on_core("/proc/thread-self/schedstat".as_ref()).expect("this is Linux")
}

fn on_core(path: &std::path::Path) -> Option<Duration> {
    let text = std::fs::read_to_string(path).ok()?;
    let nanos = text.split_whitespace().next()?;
    nanos.parse().map(Duration::from_nanos).ok()
}

/// `part` of `whole` in hundredths.
pub(crate) fn percent(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64().max(1e-9)
}

pub(crate) fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}
