//! What no key of a setup tells by itself: whether its parts go together, and whether it comes to an end.

use super::fault::{self, Appearance, FaultKind};
use super::reader::{Problem, Section};
use super::{Setup, effort_s};
use crate::adversary::Evil;
use crate::chance;
use crate::run::Protocol;

/// Most nodes times bulletins of a run: the book of who got what takes five bytes each.
const BOOK_MAX: f64 = 4e8;
/// Seconds of a core that a run takes at most, about: a week.
const EFFORT_S_MAX: f64 = 604_800.0;

impl Setup {
    /// Answers the first thing that is wrong.
    pub(super) fn check(&self, section: &Section<'_>) -> Result<(), Problem> {
        self.check_faults(section)?;
        // Of a file with cases, what stands at its top is run by none but them.
        let is_run = !section.has("case");
        if is_run {
            self.check_turns(section)?;
        }
        self.check_size(section)?;
        self.check_degree(section, is_run)
    }

    fn check_faults(&self, section: &Section<'_>) -> Result<(), Problem> {
        if let Some(at) = fault::overlapping_cuts(&self.faults) {
            let what = format!(
                "{} s after settling two cuts hold at once",
                at.as_secs_f64()
            );
            let fix = "give the first a for_s that ends before the second begins";
            return Err(section.problem("fault", what, fix));
        }
        self.check_comparators(section)
    }

    /// Nodes that are no engines know one evil, and are there from the start.
    fn check_comparators(&self, section: &Section<'_>) -> Result<(), Problem> {
        if self.protocol == Protocol::Rootcast {
            return Ok(());
        }
        let protocol = self.protocol.as_str();
        for fault in &self.faults {
            let FaultKind::Turn(turn) = fault.kind else {
                continue;
            };
            if turn.evil != Evil::Withhold {
                let what = format!("nodes of \"{protocol}\" have no \"{}\"", turn.evil.as_str());
                let fix = "write protocol = \"rootcast\", or kind = \"withhold\"";
                return Err(section.problem("protocol", what, fix));
            }
            if turn.from == Appearance::Flash {
                let what = format!("nodes of \"{protocol}\" are there from the start");
                return Err(section.problem("protocol", what, "write from = \"turn\""));
            }
        }
        Ok(())
    }

    /// There are as many adversaries as is said.
    fn check_turns(&self, section: &Section<'_>) -> Result<(), Problem> {
        let mut others = 0;
        for (number, fault) in self.faults.iter().enumerate() {
            let FaultKind::Turn(turn) = fault.kind else {
                continue;
            };
            let wrong = |key: &str, what: String, fix: &str| {
                Err(section.problem_in("fault", number, key, what, fix))
            };
            let (nodes, victims) = (self.nodes, self.victims(turn));
            let wanted = chance::part(nodes, turn.share);
            let may = |node: &usize| *node >= turn.spare && !victims.contains(node);
            let left = (0..nodes).filter(may).count().saturating_sub(others);
            others += wanted;
            if left >= wanted {
                continue;
            }
            if victims.len() >= nodes {
                let what = format!("all {nodes} nodes are victims, and none is left to turn");
                let fix = "write fewer victims, or traffic.publishers = 10 where they are those";
                return wrong("victims", what, fix);
            }
            if turn.spare >= nodes {
                let what = format!("all {nodes} nodes are spared, and none is left to turn");
                return wrong("spare", what, "spare fewer");
            }
            let what = format!("{wanted} nodes are to turn, and {left} are left for it");
            let fix = "write a smaller share, spare fewer nodes, or name fewer victims";
            return wrong("share", what, fix);
        }
        Ok(())
    }

    fn check_size(&self, section: &Section<'_>) -> Result<(), Problem> {
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
        let book = self.nodes as f64 * self.bulletins() as f64;
        if book > BOOK_MAX {
            let what = format!("{book:.0} deliveries would have to be booked");
            let fix = format!("publish less, or with fewer nodes: at most {BOOK_MAX:.0}");
            return Err(section.problem("traffic", what, fix));
        }
        let effort = effort_s(self);
        if effort > EFFORT_S_MAX {
            let (seconds, days) = (self.length().as_secs(), effort / 86_400.0);
            let what =
                format!("{seconds} s of a network like this take some {days:.0} days of a core");
            let traffic = self.traffic.warm + self.traffic.measured;
            let (key, fix) = if self.busy() > traffic {
                ("fault", "let faults come less often, or be over sooner")
            } else {
                ("nodes", "take fewer nodes, or measure for a shorter time")
            };
            return Err(section.problem(key, what, format!("{fix}: at most a week of a core")));
        }
        Ok(())
    }

    fn check_degree(&self, section: &Section<'_>, is_run: bool) -> Result<(), Problem> {
        let most = self.nodes / 2;
        if let Some(degree) = self.degree.filter(|degree| *degree > most) {
            let what = format!(
                "{degree} links each are too many among {} nodes",
                self.nodes
            );
            let fix = format!("write at most half of the nodes, {most}");
            return Err(section.problem("degree", what, fix));
        }
        if is_run && section.has("degree") && self.protocol == Protocol::Rootcast {
            let what = "nodes of \"rootcast\" make their links themselves";
            let fix = "take it out, write node.outbound, or protocol = \"flood\" or another one";
            return Err(section.problem("degree", what, fix));
        }
        Ok(())
    }
}
