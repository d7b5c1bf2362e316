//! How much memory this process has in use, where the system tells.

/// Kilobytes of resident memory.
#[cfg(target_os = "linux")]
pub(super) fn resident_kb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Elsewhere it is not asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn resident_kb() -> Option<f64> {
    None
}
