//! Connections: two ends, two ordered streams each way, as QUIC gives them.

use std::time::Duration;

use bruit_core::id::LinkId;
use bruit_core::link::Class;
use bruit_core::time::Mono;
use bytes::Bytes;

use crate::terrain::{Way, Weather};

/// Credit comes back in parts of this size.
const CREDIT_PART: u32 = 16 * 1024;
/// Bytes a frame takes beside its own, at most.
const FRAMING_BYTES: u32 = 3;

/// One connection. Its ends are links with neighbouring numbers.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    /// Who dialled, and who was dialled.
    pub(crate) nodes: [usize; 2],
    /// How long the way is, by sender.
    pub(crate) delays: [Duration; 2],
    pub(crate) weather: Weather,
    /// Whether each end still listens.
    pub(crate) is_open: [bool; 2],
    /// When the latest frame arrives, by sender and class.
    latest: [[Mono; 2]; 2],
    /// Bytes each end has sent since it was last granted credit, by class.
    ungranted: [[u32; 2]; 2],
    /// What was sent while the other side could not be reached, by sender.
    pub(crate) held: [Vec<(Class, Bytes)>; 2],
}

impl Wire {
    /// Who is at this end, and who at the other one.
    pub(crate) const fn ends(&self, side: usize) -> (usize, usize) {
        (self.nodes[side], self.nodes[1 - side])
    }

    /// The way of what this end sends.
    pub(crate) fn way(&self, side: usize) -> Way {
        Way {
            delay: self.delays[side],
            round_trip: self.delays[0] + self.delays[1],
            is_back: side == 1,
        }
    }

    /// When a frame of `class` from `side` arrives that would by itself at `at`: streams keep their order.
    pub(crate) fn arrival(&mut self, side: usize, class: Class, at: Mono) -> Mono {
        let latest = &mut self.latest[side][stream(class)];
        *latest = at.max(*latest);
        *latest
    }

    /// Notes that `side` has sent so many bytes; answers how many it is to be granted again, if any.
    pub(crate) fn sent(&mut self, side: usize, class: Class, bytes: usize) -> Option<u32> {
        let ungranted = &mut self.ungranted[side][stream(class)];
        *ungranted += u32::try_from(bytes).unwrap_or(u32::MAX) + FRAMING_BYTES;
        (*ungranted >= CREDIT_PART).then(|| std::mem::take(ungranted))
    }
}

fn stream(class: Class) -> usize {
    usize::from(class == Class::Bulletins)
}

/// One end of one wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) wire: usize,
    pub(crate) side: usize,
}

impl End {
    pub(crate) fn of(link: LinkId) -> Self {
        let number = usize::try_from(link.number()).expect("made here");
        Self {
            wire: number / 2,
            side: number % 2,
        }
    }

    pub(crate) const fn link(self) -> LinkId {
        LinkId::new((self.wire * 2 + self.side) as u64)
    }

    pub(crate) const fn other(self) -> Self {
        Self {
            wire: self.wire,
            side: 1 - self.side,
        }
    }
}

/// All that were ever opened; of those that are gone, the place alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wires(Vec<Option<Box<Wire>>>);

impl Wires {
    pub(crate) fn open(&mut self, nodes: [usize; 2], delays: [Duration; 2], at: Mono) -> usize {
        self.0.push(Some(Box::new(Wire {
            nodes,
            delays,
            weather: Weather::default(),
            is_open: [true; 2],
            latest: [[at; 2]; 2],
            ungranted: [[0; 2]; 2],
            held: [Vec::new(), Vec::new()],
        })));
        self.0.len() - 1
    }

    pub(crate) fn get(&self, wire: usize) -> Option<&Wire> {
        self.0.get(wire)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, wire: usize) -> Option<&mut Wire> {
        self.0.get_mut(wire)?.as_deref_mut()
    }

    /// Takes note that `end` listens no more. What waited there is gone with it.
    pub(crate) fn shut(&mut self, end: End) {
        let Some(place) = self.0.get_mut(end.wire) else {
            return;
        };
        if let Some(wire) = place {
            wire.is_open[end.side] = false;
            wire.held[end.side].clear();
            if wire.is_open == [false; 2] {
                *place = None;
            }
        }
    }

    /// Both ends of every wire that is there, each with who is at it and at the other one.
    pub(crate) fn all(&self) -> impl Iterator<Item = (End, (usize, usize))> {
        let places = self.0.iter().enumerate();
        let wires = places.filter_map(|(number, wire)| Some((number, wire.as_deref()?)));
        wires.flat_map(|(wire, state)| [0, 1].map(|side| (End { wire, side }, state.ends(side))))
    }

    /// What waits at each end.
    pub(crate) fn take_held(&mut self) -> Vec<(End, Vec<(Class, Bytes)>)> {
        let ends: Vec<End> = self.all().map(|(end, _)| end).collect();
        let take = |end: End| {
            let held = std::mem::take(&mut self.get_mut(end.wire)?.held[end.side]);
            (!held.is_empty()).then_some((end, held))
        };
        ends.into_iter().filter_map(take).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_holds_up_its_own_stream_and_its_own_direction_alone() {
        let mut wires = Wires::default();
        let at = |millis| Mono::ZERO.plus(Duration::from_millis(millis));
        let wire = wires.open([0, 1], [Duration::from_millis(10); 2], at(0));
        let wire = wires.get_mut(wire).unwrap();
        assert_eq!(wire.arrival(0, Class::Bulletins, at(110)), at(110));
        assert_eq!(wire.arrival(0, Class::Bulletins, at(11)), at(110));
        assert_eq!(wire.arrival(0, Class::Control, at(12)), at(12));
        assert_eq!(wire.arrival(1, Class::Bulletins, at(13)), at(13));
        assert_eq!(wire.arrival(0, Class::Bulletins, at(120)), at(120));
    }
}
