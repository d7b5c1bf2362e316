//! How an attack is run and judged: honest nodes before, during and after it.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit::{Config, Node};
use bruit_core::id::NodeId;

use crate::attacker::{Attack, Attacker, Outcome, Script};
use crate::figures::{mebibytes, process_time, quantile, resident_bytes};
use crate::traffic::Traffic;
use crate::world::{address, alone, star, stop};

/// What the scheduler of a busy machine may add to the p99 of a few hundred samples.
pub(crate) const NOISE: Duration = Duration::from_millis(5);
/// How long an attack lasts.
pub(crate) const ATTACK: Duration = Duration::from_millis(2_500);
/// Most memory an attack may cost, attackers' own buffers included: they live in this process.
pub(crate) const GROWTH_MAX: u64 = 32 << 20;
/// Time the scheduler gets: a scenario is judged by the best of so many runs. What else runs on the
/// machine makes a run worse, never better.
const RUNS: u32 = 8;
/// What is rested after the first bad run, and as much longer after each one more.
const REST: Duration = Duration::from_millis(500);

/// What a run showed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) quiet: Duration,
    pub(crate) attacked: Duration,
    pub(crate) growth: u64,
    pub(crate) outcome: Outcome,
    pub(crate) checks: u64,
    pub(crate) honest_time: Duration,
}

/// Three honest nodes before, during and after an attack on the first of them.
async fn run(
    config: &Config,
    identities: u8,
    attack_time: Duration,
    body_bytes: usize,
    script: impl FnMut(u8, &mut Attacker) -> Script + Send + 'static,
) -> Run {
    let nodes = star(3, 2, config).await;
    let mut traffic = Traffic::new(&nodes, body_bytes);
    traffic.exchange(Duration::from_millis(300)).await;
    // Now that two who dialled each other have agreed on one link.
    let links = honest_links(&nodes).await;
    let attack = Attack::prepare(identities, &config.network(), &address(&nodes[0]), script);
    let mut quiet = traffic.exchange(Duration::from_millis(1_500)).await;

    let memory = resident_bytes();
    let checks = checks(&nodes).await;
    let time = process_time();
    attack.begin();
    let attacked = traffic.exchange(attack_time).await;
    let growth = resident_bytes().saturating_sub(memory);
    let process = process_time().saturating_sub(time);
    let outcome = attack.end().await;

    quiet.extend(traffic.exchange(Duration::from_secs(1)).await);
    assert_eq!(
        honest_links(&nodes).await,
        links,
        "no link between honest nodes was closed"
    );
    let checks = self::checks(&nodes).await - checks;
    stop(nodes).await;
    Run {
        quiet: quantile(&quiet, 990),
        attacked: quantile(&attacked, 990),
        growth,
        checks,
        honest_time: process.saturating_sub(outcome.on_core),
        outcome,
    }
}

impl Run {
    fn print(&self, name: &str) {
        let Self {
            quiet,
            attacked,
            growth,
            outcome,
            checks,
            honest_time,
        } = self;
        println!(
            "{name}: p99 quiet {quiet:?} attacked {attacked:?}; {} frames, {} cuts, last after \
             {:?}, {} standing, {} readmitted; +{} MiB; {checks} checks, honest nodes {honest_time:?} \
             on a core",
            outcome.frames,
            outcome.cuts,
            outcome.cut_after,
            outcome.standing,
            outcome.readmissions,
            mebibytes(*growth),
        );
    }

    fn is_smooth(&self) -> bool {
        self.attacked <= self.quiet * 2 + NOISE
    }

    /// What holds whatever the scheduler does.
    fn check(&self, identities: u8) {
        assert!(self.growth <= GROWTH_MAX, "+{} MiB", mebibytes(self.growth));
        let outcome = &self.outcome;
        assert!(
            outcome.cuts >= u32::from(identities),
            "every attacker is cut off"
        );
        assert_eq!(
            (outcome.standing, outcome.readmissions),
            (0, 0),
            "and stays out"
        );
        assert!(
            outcome.cut_after <= Duration::from_secs(1),
            "cut after {:?}",
            outcome.cut_after
        );
    }
}

/// Runs a scenario in which every attacker is to be cut off.
pub(crate) async fn withstand<S>(name: &str, config: &Config, identities: u8, script: S) -> Run
where
    S: FnMut(u8, &mut Attacker) -> Script + Clone + Send + 'static,
{
    let _alone = alone();
    for number in 1..=RUNS {
        let run = run(config, identities, ATTACK, 200, script.clone()).await;
        run.print(name);
        run.check(identities);
        if run.is_smooth() {
            return run;
        }
        assert!(
            number < RUNS,
            "honest p99 {:?}, quiet {:?}",
            run.attacked,
            run.quiet
        );
        tokio::time::sleep(REST * number).await;
    }
    unreachable!("the last run returns or fails")
}

/// The links between honest nodes, and since when they are up.
pub(crate) async fn honest_links(nodes: &[Node]) -> BTreeMap<(NodeId, NodeId), u64> {
    let mut links = BTreeMap::new();
    for node in nodes {
        for peer in node.peers(false).await {
            if nodes.iter().any(|other| other.id() == peer.id) {
                links.insert((node.id(), peer.id), peer.since_ms);
            }
        }
    }
    links
}

async fn checks(nodes: &[Node]) -> u64 {
    let mut checks = 0;
    for node in nodes {
        checks += node.metrics().await.expect("runs").checks;
    }
    checks
}
