//! Two worlds of one: what two futures have in common is lived through once.

use std::sync::Arc;

use super::{Birth, Host, World};
use crate::adversary::{Adversary, Evil, Swarm};

impl World {
    /// A world that is now as this one, and goes on by itself. The same done to both makes both the same.
    ///
    /// # Panics
    /// When a node is anything but an engine: adversaries of one swarm would go on conspiring over both
    /// worlds.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            now: self.now,
            hosts: self.hosts.iter().map(Host::fork).collect(),
            numbers: self.numbers.clone(),
            wires: self.wires.clone(),
            queue: self.queue.clone(),
            lookahead: self.lookahead,
            rng: self.rng.clone(),
            maker: Arc::clone(&self.maker),
            cut: self.cut.clone(),
            bulletins: self.bulletins.clone(),
            files: self.files.clone(),
            checks: self.checks.clone(),
            ledger: self.ledger.clone(),
            blames: self.blames.clone(),
            deaths: self.deaths.clone(),
            trace: self.trace.clone(),
            tape: self.tape.clone(),
        }
    }

    /// Has `node`, an engine, do `evil` with all of `swarm` from now on, until it begins another life.
    ///
    /// # Panics
    /// When it is no engine.
    pub fn turn(&mut self, node: usize, evil: Evil, swarm: &Swarm) {
        let host = &self.hosts[node];
        let birth = Birth {
            number: node,
            key: &host.key,
            address: host.address,
            // No draw of the world's: all that happens beside this happens as it would have.
            seed: *host.key.node_id().as_bytes(),
            settings: &self.settings,
        };
        swarm.join(&birth);
        let engine = host.behaviour.engine().expect("an engine").clone();
        let adversary = Adversary::of(engine, &birth, evil, swarm, self.now);
        self.hosts[node].behaviour = Box::new(adversary);
        self.arm(node);
    }
}
