//! What goes over wires: connections come up and go, frames take their time.

use std::sync::Arc;
use std::time::Duration;

use bruit_core::event::Event;
use bruit_core::id::LinkId;
use bruit_core::link::{Class, CloseReason, Direction, PeerAddress};
use bruit_core::wire::{self, kind};
use bytes::Bytes;

use super::{Blame, Happening, Queued, World};
use crate::terrain::Spell;
use crate::wires::End;

/// Bytes that may be under way on a link's control stream.
const CONTROL_CREDIT: u32 = 64 * 1024;
/// Bytes that may be under way on a link's bulletins stream.
const BULLETINS_CREDIT: u32 = 256 * 1024;
/// How long a connection survives silence.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a dial waits for an answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

impl World {
    /// From now on nothing reaches a node from where `cut` says; connections over a cut die of silence.
    pub fn cut(&mut self, cut: impl Fn(usize, usize) -> bool + Send + Sync + 'static) {
        let is_deaf = |(_, (me, other)): &(End, (usize, usize))| cut(*other, *me);
        let deaf: Vec<_> = self.wires.all().filter(is_deaf).collect();
        for (end, _) in deaf {
            self.will_be_silent(end);
        }
        self.cut = Some(Arc::new(cut));
    }

    /// Ends every cut. Connections that have not died yet go on where they were.
    pub fn heal(&mut self) {
        self.cut = None;
        for (end, held) in self.wires.take_held() {
            for (class, frame) in held {
                self.transmit(end, class, frame);
            }
        }
    }

    pub(super) fn dial(&mut self, node: usize, address: &PeerAddress) {
        self.note(node, b'o', address.id.as_bytes());
        let known = self.numbers.get(&address.id).copied();
        let reached = known.filter(|other| {
            let host = &self.hosts[*other];
            let is_up = host.is_alive && !host.plight.is_stopped() && *other != node;
            is_up && !self.is_cut(node, *other) && !self.is_cut(*other, node)
        });
        if let Some(other) = reached {
            self.open(node, other);
        } else {
            let event = Event::DialFailed { peer: address.id };
            self.later(node, DIAL_TIMEOUT, event);
        }
    }

    pub(super) fn open(&mut self, node: usize, other: usize) {
        let (a, b) = (self.hosts[node].place, self.hosts[other].place);
        let terrain = &self.settings.terrain;
        let delays = terrain.delays(a, b, &mut self.rng);
        // Who dialled is there after a round trip, the other hears of it with the first frames.
        let [there, back] = delays.map(|delay| delay + terrain.jitter / 2);
        let first = self.now.plus(there + back);
        let second = first.plus(there);
        let wire = self.wires.open([node, other], delays, second);
        for (side, at) in [(0, first), (1, second)] {
            let end = End { wire, side };
            self.hosts[[node, other][side]].links.push(end.link());
            self.queue.push(at, [node, other][side], Happening::Up(end));
        }
    }

    pub(super) fn up(&mut self, end: End) {
        let Some((me, other)) = self.listening(end) else {
            return;
        };
        let event = Event::LinkUp {
            link: end.link(),
            peer: self.hosts[other].key.node_id(),
            direction: [Direction::Out, Direction::In][end.side],
            remote: Some(self.hosts[other].address),
            control_credit: CONTROL_CREDIT,
            bulletins_credit: BULLETINS_CREDIT,
        };
        self.tape_link_up(end);
        self.feed(me, event);
    }

    pub(super) fn send(&mut self, node: usize, link: LinkId, class: Class, frame: Bytes) {
        self.note(node, b's', &frame);
        self.transmit(End::of(link), class, frame);
    }

    /// Puts a frame on its way, or keeps it where there is none.
    pub(super) fn transmit(&mut self, end: End, class: Class, frame: Bytes) {
        let (terrain, now) = (&self.settings.terrain, self.now);
        let Some((node, other)) = self.wires.get(end.wire).map(|wire| wire.ends(end.side)) else {
            return;
        };
        let is_cut = self.is_cut(node, other);
        let Some(wire) = self.wires.get_mut(end.wire) else {
            return;
        };
        if is_cut {
            wire.held[end.side].push((class, frame));
            return;
        }
        let host = &mut self.hosts[node];
        let own_uplink = host.plight.slowness.uplink_bytes_per_s;
        let left = now
            .max(host.uplink_free)
            .plus(terrain.serialisation(own_uplink, frame.len()));
        host.uplink_free = left;
        let spell = terrain.spell(&mut wire.weather, left, &mut self.rng);
        let transit = terrain.transit(wire.way(end.side), spell, frame.len(), &mut self.rng);
        let at = wire.arrival(end.side, class, left.plus(transit));
        let is_bulletin = frame.first() == Some(&kind::PUB);
        let copies = 1 + usize::from(is_bulletin && terrain.is_doubled(&mut self.rng));
        if terrain.downlink_bytes_per_s.is_some() {
            let queued = Queued {
                end: end.other(),
                class,
                frame,
                copies,
            };
            self.queue
                .push(at, other, Happening::Downlink(Box::new(queued)));
            return;
        }
        let due = wire.sent(end.side, class, frame.len());
        for frame in std::iter::repeat_n(frame, copies) {
            self.queue
                .push(at, other, Happening::Frame(end.other(), frame));
        }
        if let Some(bytes) = due {
            let link = end.link();
            let event = Event::Credit { link, class, bytes };
            self.later(node, left.since(now), event);
        }
    }

    /// Lets a frame through the downlink of the node it goes to, after those that came before it. Its sender hears
    /// of it a way back later: that is when it may send as much again.
    pub(super) fn pass(&mut self, queued: Queued) {
        let (end, sender) = (queued.end, queued.end.other());
        let Some((node, other)) = self.listening(end) else {
            return;
        };
        let bytes = queued.frame.len();
        let host = &mut self.hosts[node];
        let time = self.settings.terrain.reception(bytes * queued.copies);
        let at = self.now.max(host.downlink_free).plus(time);
        host.downlink_free = at;
        for frame in std::iter::repeat_n(queued.frame, queued.copies) {
            self.queue.push(at, node, Happening::Frame(end, frame));
        }
        let class = queued.class;
        let wire = self.wires.get_mut(end.wire);
        let heard = wire.and_then(|wire| {
            let bytes = wire.sent(sender.side, class, bytes)?;
            Some((bytes, at.plus(wire.delays[end.side])))
        });
        if let Some((bytes, at)) = heard {
            let link = sender.link();
            let event = Event::Credit { link, class, bytes };
            self.later(other, at.since(self.now), event);
        }
    }

    pub(super) fn arrive(&mut self, end: End, frame: Bytes) {
        let Some((node, _)) = self.listening(end) else {
            return;
        };
        let (kind, bytes) = (frame.first().copied().unwrap_or(0), frame.len() as u64);
        let totals = &mut self.ledger.totals;
        totals.frames += 1;
        totals.bytes += bytes;
        match kind {
            kind::PUB => totals.copies += 1,
            kind::IWANT | kind::GRAFT => {
                let network = self.settings.config.network.id();
                if let Ok(wire::Frame::Iwant { ids } | wire::Frame::Graft { ids, .. }) =
                    wire::Frame::decode(&frame, network)
                {
                    totals.requests += ids.len() as u64;
                }
            }
            _ => {}
        }
        *self.ledger.bytes_by_kind.entry(kind).or_default() += bytes;
        let link = end.link();
        let event = Event::Frame { link, frame };
        let (host, now) = (&mut self.hosts[node], self.now);
        match host.plight.deal(now) {
            Some(at) => self.later(node, at.since(now), event),
            None => self.feed(node, event),
        }
    }

    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        let end = End::of(link);
        let Some((node, other)) = self.listening(end) else {
            return;
        };
        if reason == CloseReason::Score {
            self.blames.push(Blame {
                at: self.now,
                by: node,
                whom: other,
            });
        }
        if self.is_cut(node, other) {
            self.will_be_silent(end.other());
        } else if let Some(wire) = self.wires.get(end.wire) {
            let (terrain, way) = (&self.settings.terrain, wire.way(end.side));
            let transit = terrain.transit(way, Spell::default(), 0, &mut self.rng);
            let happening = Happening::Down(end.other(), reason, true);
            self.queue.push(self.now.plus(transit), other, happening);
        }
        self.queue
            .push(self.now, node, Happening::Down(end, reason, false));
    }

    pub(super) fn down(&mut self, end: End, reason: CloseReason, by_peer: bool) {
        let Some((node, _)) = self.listening(end) else {
            return;
        };
        let link = end.link();
        self.wires.shut(end);
        self.tape_link_down(end);
        let host = &mut self.hosts[node];
        host.links.retain(|other| *other != link);
        if host.is_alive {
            let event = Event::LinkDown {
                link,
                reason,
                by_peer,
            };
            self.feed(node, event);
        }
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut(from, to))
    }

    /// Ends a connection of which nothing has been heard for long, if it is still so.
    pub(super) fn silence(&mut self, end: End) {
        let is_deaf = self.wires.get(end.wire).is_some_and(|wire| {
            let (me, other) = wire.ends(end.side);
            let is_still = self.hosts[other].plight.is_stopped_for(SILENCE, self.now);
            !wire.is_open[1 - end.side] || is_still || self.is_cut(other, me)
        });
        if is_deaf {
            self.down(end, CloseReason::Dead, false);
        }
    }

    /// Has `end` looked after when it would notice that it hears nothing.
    pub(super) fn will_be_silent(&mut self, end: End) {
        if let Some((node, _)) = self.listening(end) {
            let at = self.now.plus(SILENCE);
            self.queue.push(at, node, Happening::Silence(end));
        }
    }

    /// Who is at `end`, and who at the other one, while it listens.
    fn listening(&self, end: End) -> Option<(usize, usize)> {
        let wire = self.wires.get(end.wire)?;
        wire.is_open[end.side].then(|| wire.ends(end.side))
    }
}
