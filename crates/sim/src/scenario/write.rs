//! A setup written down as the scenario it came from, or might have: what is read from it is the same setup.

use std::fmt::Display;
use std::time::Duration;

use super::fault::APPEARANCES;
use super::setup::{delays, shape};
use super::{Cut, Fault, FaultKind, Publishers, Setup, Slowness, Turn, Victims};
use crate::regions::Regions;
use crate::terrain::{Distances, Terrain};

/// The file, line by line.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn set(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key} = {value}"));
    }

    fn word(&mut self, key: &str, word: &str) {
        self.set(key, format!("\"{word}\""));
    }

    fn seconds(&mut self, key: &str, time: Duration) {
        self.set(key, time.as_secs_f64());
    }

    fn millis(&mut self, key: &str, time: Duration) {
        self.set(key, millis(time));
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl Setup {
    /// This setup as a scenario file.
    pub fn toml(&self, title: &str) -> String {
        let mut page = Page::default();
        page.word("title", title);
        page.set("nodes", self.nodes);
        page.word("protocol", self.protocol.as_str());
        if let Some(degree) = self.degree {
            page.set("degree", degree);
        }
        if self.overlay {
            page.set("measure", "[\"overlay\"]");
        }
        page.line("\n[start]");
        page.seconds("within_s", self.start.within);
        if let Some(island) = self.start.island {
            page.set("island", island);
            page.set("bridges", self.start.bridges);
        } else {
            page.set("introducers", self.start.introducers);
        }
        page.seconds("settle_s", self.start.settle);
        terrain(&mut page, &self.terrain);
        page.line("\n[traffic]");
        match self.traffic.publishers {
            Publishers::Some(count) => page.set("publishers", count),
            Publishers::All => page.word("publishers", "all"),
            Publishers::Random => page.word("publishers", "random"),
        }
        page.set("rate", self.traffic.rate);
        page.set("body_bytes", self.traffic.body_bytes);
        page.set("topics", self.traffic.topics);
        page.set("ttl_s", self.traffic.ttl.as_secs());
        page.seconds("warm_s", self.traffic.warm);
        page.seconds("measured_s", self.traffic.measured);
        page.seconds("drain_s", self.traffic.drain);
        page.line("\n[node]");
        page.word("profile", if self.node.is_local { "local" } else { "wan" });
        if let Some(links) = self.node.outbound {
            page.set("outbound", links);
        }
        if let Some(links) = self.node.inbound {
            page.set("inbound", links);
        }
        if let Some(bytes) = self.node.recent_bytes {
            page.set("recent_bytes", bytes);
        }
        for state in &self.faults {
            fault(&mut page, state);
        }
        page.0
    }
}

fn terrain(page: &mut Page, terrain: &Terrain) {
    page.line("\n[terrain]");
    page.word("shape", shape(&terrain.distances));
    if let Some((delay, more)) = delays(&terrain.distances) {
        page.millis("delay_ms", delay);
        page.millis("more_ms", more);
    }
    if let Distances::Matrix(regions) = &terrain.distances {
        table(page, regions);
    }
    page.millis("back_ms", terrain.back);
    page.millis("jitter_ms", terrain.jitter);
    page.set("loss", terrain.loss);
    if let Some(loss) = terrain.back_loss {
        page.set("back_loss", loss);
    }
    page.set("reorder", terrain.reorder);
    page.millis("reorder_ms", terrain.reorder_by);
    if let Some(burst) = terrain.burst {
        page.set("burst_loss", burst.loss);
        page.seconds("burst_every_s", burst.every);
        page.seconds("burst_s", burst.lasting);
    }
    page.set("duplication", terrain.duplication);
    for (key, rate) in [
        ("uplink_bytes_per_s", terrain.uplink_bytes_per_s),
        ("downlink_bytes_per_s", terrain.downlink_bytes_per_s),
    ] {
        page.set(key, rate.unwrap_or(0));
    }
}

/// A row for each region, on a line of its own.
fn table(page: &mut Page, regions: &Regions) {
    page.line("matrix_ms = [");
    for row in regions.rows() {
        let row: Vec<_> = row.iter().copied().map(millis).collect();
        page.line(&format!("  {row:?},"));
    }
    page.line("]");
}

fn fault(page: &mut Page, fault: &Fault) {
    page.line("\n[[fault]]");
    match fault.kind {
        FaultKind::Kill(share) => shared(page, "kill", share),
        FaultKind::Cut(shape) => cut(page, shape),
        FaultKind::Clock(share, skew) => {
            shared(page, "clock", share);
            #[expect(clippy::cast_precision_loss, reason = "within twenty years")]
            let [ahead, drift] = [skew.ahead_ms, skew.drift].map(|number| number as f64 / 1_000.0);
            page.set("ahead_s", ahead);
            page.set("drift_ms_per_s", drift);
        }
        FaultKind::Pause(share) => shared(page, "pause", share),
        FaultKind::Suspend(share) => shared(page, "suspend", share),
        FaultKind::Slow(share, slowness) => {
            shared(page, "slow", share);
            slow(page, slowness);
        }
        FaultKind::DiskFull(share) => shared(page, "disk-full", share),
        FaultKind::Turn(state) => turn(page, state),
    }
    page.seconds("at_s", fault.at);
    if matches!(fault.kind, FaultKind::Turn(_)) {
        return;
    }
    if let Some(lasting) = fault.lasting {
        page.seconds("for_s", lasting);
    }
    page.seconds("every_s", fault.every);
    page.set("times", fault.times);
}

fn shared(page: &mut Page, kind: &str, share: f64) {
    page.word("kind", kind);
    page.set("share", share);
}

fn cut(page: &mut Page, cut: Cut) {
    page.word("kind", "cut");
    let word = match cut {
        Cut::Halves => "halves",
        Cut::Thirds => "thirds",
        Cut::One => "one",
        Cut::OneWay => "one-way",
        Cut::Pairs(_) => "pairs",
        Cut::Share(_) => "share",
        Cut::Groups(_) => "groups",
    };
    page.word("shape", word);
    match cut {
        Cut::Pairs(share) | Cut::Share(share) => page.set("share", share),
        Cut::Groups(count) => page.set("groups", count),
        Cut::Halves | Cut::Thirds | Cut::One | Cut::OneWay => {}
    }
}

fn slow(page: &mut Page, slowness: Slowness) {
    page.millis("frame_ms", slowness.frame);
    if let Some(rate) = slowness.uplink_bytes_per_s {
        page.set("uplink_bytes_per_s", rate);
    }
}

fn turn(page: &mut Page, turn: Turn) {
    shared(page, turn.evil.as_str(), turn.share);
    let from = APPEARANCES.iter().find(|(_, from)| *from == turn.from);
    page.word("from", from.map_or("turn", |(word, _)| word));
    page.set("spare", turn.spare);
    if turn.evil.has_victims() {
        match turn.victims {
            Victims::First(count) => page.set("victims", count),
            Victims::Publishers => page.word("victims", "publishers"),
        }
    }
}
