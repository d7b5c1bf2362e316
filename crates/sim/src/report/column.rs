//! The columns of a report, in order: the key by which programs and plots know one, its heading, and how
//! it is read off a run. The table, comparisons and drawings all walk this list.

use crate::run::Outcome;
use crate::stats::quantile;

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its key in JSON.
    pub key: &'static str,
    /// Its heading in tables.
    pub head: &'static str,
    /// What stands at the axis of a drawing.
    pub axis: &'static str,
    /// Digits behind the point.
    pub digits: usize,
    /// Whether it is about the machine the simulation ran on, so that two runs differ in it.
    pub is_local: bool,
    /// Its value in a run; none where it has none.
    pub of: fn(&Outcome) -> Option<f64>,
}

/// A column about the network.
const fn column(
    key: &'static str,
    head: &'static str,
    axis: &'static str,
    digits: usize,
    of: fn(&Outcome) -> Option<f64>,
) -> Column {
    Column {
        key,
        head,
        axis,
        digits,
        is_local: false,
        of,
    }
}

/// A column about this machine.
const fn local(
    key: &'static str,
    head: &'static str,
    axis: &'static str,
    of: fn(&Outcome) -> Option<f64>,
) -> Column {
    Column {
        key,
        head,
        axis,
        digits: 1,
        is_local: true,
        of,
    }
}

/// All of them.
pub const COLUMNS: [Column; 21] = [
    column("delivery_ratio", "DELIVERED", "share delivered", 5, |run| {
        run.delivery_ratio
    }),
    column("p50_ms", "P50 MS", "delay, median (ms)", 0, |run| {
        quantile(&run.delays_ms, 0.5)
    }),
    column(
        "p99_ms",
        "P99 MS",
        "delay, 99th percentile (ms)",
        0,
        |run| quantile(&run.delays_ms, 0.99),
    ),
    column("max_ms", "MAX MS", "delay, longest (ms)", 0, |run| {
        run.delays_ms.last().copied()
    }),
    column(
        "redundancy",
        "RMR",
        "copies beyond the first, per delivery",
        4,
        |run| (run.totals.deliveries > 0).then(|| run.totals.redundancy()),
    ),
    column("last_hop", "HOPS", "most hops of a delivery", 1, |run| {
        (run.last_hop > 0.0).then_some(run.last_hop)
    }),
    column(
        "control_bytes_per_delivery",
        "CONTROL B",
        "bytes beside bulletins, per delivery",
        0,
        |run| per_delivery(control_bytes(run), run),
    ),
    column(
        "bulletin_bytes_per_delivery",
        "BULLETIN B",
        "bytes of bulletins, per delivery",
        0,
        |run| per_delivery(run.totals.bytes - control_bytes(run), run),
    ),
    column(
        "frames_per_delivery",
        "FRAMES",
        "frames, per delivery",
        2,
        |run| per_delivery(run.totals.frames, run),
    ),
    column("requests", "ASKED", "ids asked for", 0, |run| {
        Some(float(run.totals.requests))
    }),
    column("formed_s", "FORMED S", "until in one part (s)", 1, |run| {
        Some(run.formed?.as_secs_f64())
    }),
    column("repair_s", "REPAIR S", "until mended (s)", 1, |run| {
        Some(run.repaired?.as_secs_f64())
    }),
    column(
        "path_length",
        "PATH",
        "links between two nodes, on average",
        3,
        |run| run.overlay?.path_length,
    ),
    column(
        "clustering",
        "CLUSTERING",
        "share of a node's neighbours that are neighbours",
        4,
        |run| Some(run.overlay?.clustering),
    ),
    column("in_degree", "LINKS", "links of a node", 1, |run| {
        Some(run.overlay?.in_degree.mean)
    }),
    column(
        "in_degree_deviation",
        "± LINKS",
        "links of a node, standard deviation",
        1,
        |run| Some(run.overlay?.in_degree.deviation),
    ),
    column(
        "in_degree_least",
        "MIN LINKS",
        "links of a node, the fewest",
        0,
        |run| Some(run.overlay?.in_degree.least),
    ),
    column(
        "in_degree_most",
        "MAX LINKS",
        "links of a node, the most",
        0,
        |run| Some(run.overlay?.in_degree.most),
    ),
    column("virtual_s", "VIRTUAL S", "simulated time (s)", 0, |run| {
        Some(run.virtual_time.as_secs_f64())
    }),
    local("wall_s", "WALL S", "time to simulate (s)", |run| {
        Some(run.wall_time.as_secs_f64())
    }),
    local("memory_kb", "KB/NODE", "memory per node (KB)", |run| {
        run.memory_kb
    }),
];

/// The keys of all columns.
pub(crate) fn keys() -> Vec<&'static str> {
    COLUMNS.iter().map(|column| column.key).collect()
}

/// The column of a key.
pub fn find(key: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.key == key)
}

impl Column {
    /// A value of it, as people read it.
    pub fn text(&self, value: f64) -> String {
        let text = format!("{value:.*}", self.digits);
        // A share that falls short must not be rounded to one that does not.
        if self.key == "delivery_ratio" && value < 1.0 && text.starts_with('1') {
            return format!("{:.*}", self.digits, 1.0 - 0.1_f64.powi(5));
        }
        text
    }
}

fn control_bytes(run: &Outcome) -> u64 {
    let bulletins = run.bytes_by_kind.get(&bruit_core::wire::kind::PUB);
    run.totals.bytes - bulletins.copied().unwrap_or_default()
}

fn per_delivery(count: u64, run: &Outcome) -> Option<f64> {
    let deliveries = run.totals.deliveries;
    (deliveries > 0).then(|| float(count) / float(deliveries))
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_just_below_one_does_not_read_as_one() {
        let column = find("delivery_ratio").unwrap();
        assert_eq!(column.text(1.0), "1.00000");
        assert_eq!(column.text(0.999_999_9), "0.99999");
        assert_eq!(column.text(0.5), "0.50000");
    }
}
