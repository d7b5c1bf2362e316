//! The mesh: the neighbours among whom broadcast sends, as far as both sides say so.

use super::links::{Link, Role, Slot};
use super::{Fact, Membership, Timer};
use crate::id::LinkId;
use crate::link::{CloseReason, Direction};
use crate::time::Now;
use crate::wire::Frame;

impl Membership {
    /// The peer says whether the link is in its mesh.
    pub fn on_mesh(&mut self, id: LinkId, on: bool, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(link) = self
            .links
            .get_mut(id)
            .filter(|link| link.established.is_some())
        {
            let before = link.in_mesh();
            link.mesh_theirs = on;
            mesh_change(id, before, link, &mut facts);
            if on && link.role == Role::Courtesy {
                self.promote(id, now, &mut facts);
            }
        }
        facts
    }

    /// Makes a neighbour of a link that found us full and wants to stay, in the slot of another.
    fn promote(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get(id) else {
            return;
        };
        let (peer, remote) = (link.peer, link.remote);
        let slot = self
            .links
            .slot(&self.caller(&peer, remote, now), &self.config, now);
        match slot {
            None => return,
            Some(Slot::Free) => {}
            Some(Slot::Of(victim)) => self.close(victim, CloseReason::Full, now, facts),
        }
        if let Some(link) = self.links.get_mut(id) {
            link.role = Role::Regular;
        }
        self.timers.clear(Timer::Link(id));
        self.offer_mesh(id, facts);
        self.ask(id, now, facts);
    }

    /// Says that a link is in our mesh, where it may be: all outbound neighbours, inbound ones while
    /// there is room.
    pub(super) fn offer_mesh(&mut self, id: LinkId, facts: &mut Vec<Fact>) {
        let room = self.links.mesh_inbound() < self.config.mesh_inbound_max;
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let may = link.is_neighbour() && link.established.is_some();
        if may && !link.mesh_ours && (room || link.direction == Direction::Out) {
            let before = link.in_mesh();
            link.mesh_ours = true;
            facts.push(Fact::Send {
                link: id,
                frame: Frame::Mesh { on: true },
            });
            mesh_change(id, before, link, facts);
        }
    }

    /// Gives free places in the mesh to those who wait.
    pub(super) fn fill_mesh(&mut self, facts: &mut Vec<Fact>) {
        while self.links.mesh_inbound() < self.config.mesh_inbound_max {
            let Some(id) = self.links.mesh_waiting() else {
                break;
            };
            self.offer_mesh(id, facts);
        }
    }
}

fn mesh_change(id: LinkId, before: bool, link: &Link, facts: &mut Vec<Fact>) {
    match (before, link.in_mesh()) {
        (false, true) => facts.push(Fact::MeshUp { link: id }),
        (true, false) => facts.push(Fact::MeshDown { link: id }),
        _ => {}
    }
}
