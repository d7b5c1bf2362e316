//! Connections: two ends, two streams to each, and what is under way on them.

use std::collections::{BTreeMap, VecDeque};

use bruit_core::id::LinkId;
use bruit_core::link::{Class, CloseReason};
use bytes::Bytes;

/// What an end of a connection knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum End {
    Coming,
    Up,
    Down,
}

/// Frames on their way to one end, by class.
pub(super) type Streams = [VecDeque<Bytes>; 2];

/// A connection. Who dialled is its first end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wire {
    pub(super) nodes: [usize; 2],
    pub(super) ends: [End; 2],
    /// To each end.
    pub(super) streams: [Streams; 2],
    /// Nothing passes any more: each end will be told this.
    pub(super) over: Option<CloseReason>,
    /// Which end has closed it.
    pub(super) by: Option<usize>,
}

/// All that are there, by their names at both ends.
pub(super) type Wires = BTreeMap<LinkId, Wire>;

pub(super) const fn stream(class: Class) -> usize {
    match class {
        Class::Control => 0,
        Class::Bulletins => 1,
    }
}

pub(super) fn take(
    wires: &mut Wires,
    link: LinkId,
    end: usize,
    class: Class,
) -> Option<(usize, Bytes)> {
    let wire = wires.get_mut(&link)?;
    let frame = wire.streams[end][stream(class)].pop_front()?;
    Some((wire.nodes[end], frame))
}

/// Puts a frame on its way; into a connection that is over it vanishes.
pub(super) fn send(wires: &mut Wires, node: usize, link: LinkId, class: Class, frame: &Bytes) {
    let Some(wire) = wires.get_mut(&link) else {
        return;
    };
    let from = usize::from(wire.nodes[1] == node);
    if wire.over.is_none() && wire.ends[1 - from] != End::Down {
        wire.streams[1 - from][stream(class)].push_back(frame.clone());
    }
}

/// Notes that `node` has closed a connection. What it sent before may still arrive.
pub(super) fn close(wires: &mut Wires, node: usize, link: LinkId, reason: CloseReason) {
    let Some(wire) = wires.get_mut(&link) else {
        return;
    };
    let from = usize::from(wire.nodes[1] == node);
    wire.ends[from] = End::Down;
    wire.streams[from] = Streams::default();
    if wire.over.is_none() {
        wire.over = Some(reason);
        wire.by = Some(from);
    }
    tidy(wires, link);
}

/// Ends a connection without a word: what is under way is lost, who has not heard of it never does.
pub(super) fn cut(wires: &mut Wires, link: LinkId, reason: CloseReason) {
    let Some(wire) = wires.get_mut(&link) else {
        return;
    };
    wire.streams = Default::default();
    if wire.over.is_none() {
        wire.over = Some(reason);
    }
    for end in &mut wire.ends {
        if *end == End::Coming {
            *end = End::Down;
        }
    }
    tidy(wires, link);
}

/// Forgets a connection both ends have forgotten.
pub(super) fn tidy(wires: &mut Wires, link: LinkId) {
    let is_gone = |wire: &Wire| wire.ends == [End::Down; 2];
    if wires.get(&link).is_some_and(is_gone) {
        wires.remove(&link);
    }
}
