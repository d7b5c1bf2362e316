//! What the run costs the machine, read from the kernel.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

/// User and system time of this process so far, seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    // SAFETY: `rusage` is plain numbers, for which zero is valid, and the call writes one of them.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// What a thread of the runtime does when it starts: of the first `workers`, each takes a core for
/// itself alone, in turn; whatever starts later may run anywhere again.
///
/// On a virtual machine the scheduler takes a core that sleeps for one that is not there, and leaves
/// both workers on the other one for as long as a wave lasts: without this a run measures how often
/// that happened.
pub(crate) fn bind_workers(workers: usize, unbound: bool) -> impl Fn() + Send + Sync + 'static {
    let all = if unbound { vec![] } else { cores() };
    let started = AtomicUsize::new(0);
    move || {
        let number = started.fetch_add(1, Ordering::Relaxed);
        match all.get(number % all.len().max(1)) {
            Some(core) if number < workers => run_on(&[*core]),
            Some(_) => run_on(&all),
            None => {}
        }
    }
}

/// The cores this process may use.
fn cores() -> Vec<usize> {
    // SAFETY: a set of cores is plain bits, for which zero is valid, and the call writes one of them.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return vec![];
        }
        let most = usize::try_from(libc::CPU_SETSIZE).unwrap_or(0);
        (0..most)
            .filter(|core| libc::CPU_ISSET(*core, &set))
            .collect()
    }
}

/// Has this thread run on these cores; where the system does not allow it, it runs anywhere.
fn run_on(cores: &[usize]) {
    // SAFETY: as above; the call reads the set.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for core in cores {
            libc::CPU_SET(*core, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// Memory in use, MiB.
pub(crate) fn rss_mb() -> f64 {
    status_kb("VmRSS:") / 1024.0
}

/// The most memory that was in use, MiB.
pub(crate) fn rss_peak_mb() -> f64 {
    status_kb("VmHWM:") / 1024.0
}

/// Bytes and packets sent on the loopback device of this network namespace.
pub(crate) fn loopback_sent() -> (u64, u64) {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = devices
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"));
    let numbers: Vec<u64> = line
        .unwrap_or("")
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
    (at(8), at(9))
}

/// Processes that wanted to run, averaged over the last minute.
pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

fn status_kb(key: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0.0)
}
