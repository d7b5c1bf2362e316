//! What can be done to a node but killing it.

use std::net::SocketAddr;

use bruit_core::event::Event;
use bruit_core::time::Mono;

use super::World;
use crate::plight::Slowness;
use crate::wires::End;

impl World {
    /// Stops the process of `node`, as SIGSTOP does: what happens to it waits.
    pub fn pause(&mut self, node: usize) {
        self.halt(node, false);
    }

    /// Suspends the machine of `node`: its monotonic clock stands still as well, its wall clock does not.
    pub fn suspend(&mut self, node: usize) {
        self.halt(node, true);
    }

    fn halt(&mut self, node: usize, sleeps: bool) {
        if !self.is_alive(node) || self.hosts[node].plight.is_stopped() {
            return;
        }
        self.hosts[node].plight.stop(self.now, sleeps);
        for link in self.hosts[node].links.clone() {
            self.will_be_silent(End::of(link).other());
        }
    }

    /// Lets `node` go on where it stood still. All that happened meanwhile happens to it now.
    pub fn go_on(&mut self, node: usize) {
        let Some(waiting) = self.hosts[node].plight.go_on(self.now) else {
            return;
        };
        for event in waiting {
            self.feed(node, event);
        }
        for link in self.hosts[node].links.clone() {
            self.will_be_silent(End::of(link));
        }
        self.arm(node);
    }

    /// Has `node` be as slow as this from now on.
    pub fn slow(&mut self, node: usize, slowness: Slowness) {
        self.hosts[node].plight.slowness = slowness;
    }

    /// Fills the disk of `node`, or makes room again. What it delivers while it is full is not kept, and
    /// nobody is told that it is.
    pub fn fill_disk(&mut self, node: usize, is_full: bool) {
        self.hosts[node].plight.is_disk_full = is_full;
    }

    /// Has `node` listen elsewhere from now on.
    pub fn move_to(&mut self, node: usize, address: SocketAddr) {
        self.hosts[node].address = address;
        self.feed(node, Event::Addresses(vec![address]));
    }

    /// What `node` kept is gone, as after the loss of a disk: the next life begins with nothing.
    pub fn lose_disk(&mut self, node: usize) {
        self.hosts[node].image = crate::host::Image::default();
    }

    /// The moment `node` reads when it is `at` in the world.
    pub(super) fn mono_of(&self, node: usize, at: Mono) -> Mono {
        at.minus(self.hosts[node].plight.slept())
    }

    /// The moment in the world when `node` reads `at`.
    pub(super) fn moment_of(&self, node: usize, at: Mono) -> Mono {
        at.plus(self.hosts[node].plight.slept())
    }
}
