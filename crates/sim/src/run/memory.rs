//! How much memory this process has in use, where the system tells.

/// What a process that simulates one world after the other takes. Memory that one world gave back is taken
/// by the next, though not to the last byte: what a world takes can be told only when it is well more than
/// any before it took.
#[derive(Debug)]
pub(super) struct Memory {
    /// Before the first world.
    base_kb: f64,
    /// The most that was in use at the end of a world.
    most_kb: f64,
}

/// Worlds of fewer nodes are lost in what else a process takes.
const NODES_MIN: usize = 1_000;
/// How many times as much as any before is well more.
const WELL_MORE: f64 = 1.25;

impl Memory {
    /// None where the system does not tell.
    pub(super) fn new() -> Option<Self> {
        let base_kb = resident_kb()?;
        Some(Self {
            base_kb,
            most_kb: base_kb,
        })
    }

    /// Kilobytes for each of the `nodes` of the world that is there now.
    pub(super) fn per_node(&mut self, nodes: usize) -> Option<f64> {
        self.grown(resident_kb()?, nodes)
    }

    fn grown(&mut self, now_kb: f64, nodes: usize) -> Option<f64> {
        let (taken_kb, before_kb) = (now_kb - self.base_kb, self.most_kb - self.base_kb);
        self.most_kb = now_kb.max(self.most_kb);
        let is_told = taken_kb > before_kb * WELL_MORE && nodes >= NODES_MIN;
        is_told.then(|| super::measure::per_node(taken_kb, nodes))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_that_fits_where_another_was_tells_nothing() {
        let mut memory = Memory {
            base_kb: 10_000.0,
            most_kb: 10_000.0,
        };
        assert_eq!(memory.grown(110_000.0, 1_000), Some(100.0));
        assert_eq!(memory.grown(90_000.0, 1_000), None);
        assert_eq!(memory.grown(120_000.0, 1_000), None);
        assert_eq!(memory.grown(410_000.0, 2_000), Some(200.0));
        assert_eq!(memory.grown(900_000.0, 999), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_takes_some_memory() {
        assert!(resident_kb().is_some_and(|kb| kb > 1_000.0));
    }
}
