//! What a world notes down while it runs, where somebody asked for it; otherwise nothing.

use bruit_core::bulletin::Bulletin;
use bruit_core::id::NodeId;

use super::World;
use crate::recording::{Delivery, Tape, number, ticks};
use crate::wires::End;

impl World {
    /// From now on, notes down what happens.
    pub(crate) fn tape(&mut self) {
        self.tape = Some(Box::default());
        for node in 0..self.hosts.len() {
            self.tape_place(node);
        }
    }

    /// What has been noted down; from now on, nothing is.
    pub(crate) fn take_tape(&mut self) -> Option<Box<Tape>> {
        self.tape.take()
    }

    pub(super) fn tape_place(&mut self, node: usize) {
        if let Some(tape) = &mut self.tape {
            tape.place(self.hosts[node].place.thousandths());
        }
    }

    pub(super) fn tape_publish(&mut self, node: usize, bulletin: &Bulletin) {
        let now = ticks(self.now.as_micros());
        if let Some(tape) = &mut self.tape {
            let bytes = bulletin.header.size_bytes;
            tape.publish(now, Some(number(node)), bulletin.id(), bytes);
        }
    }

    pub(super) fn tape_delivery(
        &mut self,
        node: usize,
        bulletin: &Bulletin,
        from: Option<NodeId>,
        hops: u8,
    ) {
        let now = ticks(self.now.as_micros());
        if let Some(tape) = &mut self.tape {
            let from = from.and_then(|id| self.numbers.get(&id).copied());
            let delivery = Delivery {
                at: now,
                node: number(node),
                from: from.map(number),
                hops,
            };
            tape.deliver(bulletin.id(), bulletin.header.size_bytes, delivery);
        }
    }

    pub(super) fn tape_life(&mut self, node: usize, is_up: bool) {
        let now = ticks(self.now.as_micros());
        if let Some(tape) = &mut self.tape {
            tape.life(now, is_up, number(node));
        }
    }

    /// An end hears that the connection is there: who was dialled hears it last.
    pub(super) fn tape_link_up(&mut self, end: End) {
        let now = ticks(self.now.as_micros());
        let (Some(tape), Some(wire)) = (&mut self.tape, self.wires.get(end.wire)) else {
            return;
        };
        if end.side == 1 && wire.is_open == [true; 2] {
            tape.link_up(now, end.wire, wire.nodes.map(number));
        }
    }

    pub(super) fn tape_link_down(&mut self, end: End) {
        let now = ticks(self.now.as_micros());
        if let Some(tape) = &mut self.tape {
            tape.link_down(now, end.wire);
        }
    }
}
