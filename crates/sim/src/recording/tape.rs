//! What a world notes down as it runs: bounded, and counting what finds no room.

use std::collections::BTreeMap;

use bruit_core::id::BulletinId;

use super::{
    BULLETINS_MAX, Counts, DELIVERIES_MAX, Delivery, LINK_CHANGES_MAX, LifeChange, LinkChange, Wave,
};

/// What has been noted so far. Times are in ticks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape {
    places: Vec<[u16; 2]>,
    links: Vec<LinkChange>,
    /// The links that are there, by the number of their wire.
    open: BTreeMap<usize, [u32; 2]>,
    lives: Vec<LifeChange>,
    waves: Vec<Wave>,
    numbers: BTreeMap<BulletinId, usize>,
    deliveries: usize,
    left_out: Counts,
}

/// What a tape comes to: places, links, lives, waves, and what was left out.
pub(super) type Parts = (
    Vec<[u16; 2]>,
    Vec<LinkChange>,
    Vec<LifeChange>,
    Vec<Wave>,
    Counts,
);

impl Tape {
    /// There is another node.
    pub(crate) fn place(&mut self, place: [u16; 2]) {
        self.places.push(place);
    }

    /// Both ends of a wire are there.
    pub(crate) fn link_up(&mut self, at: u64, wire: usize, nodes: [u32; 2]) {
        self.open.insert(wire, nodes);
        self.link(at, true, nodes);
    }

    /// An end of a wire is gone; the other may follow.
    pub(crate) fn link_down(&mut self, at: u64, wire: usize) {
        if let Some(nodes) = self.open.remove(&wire) {
            self.link(at, false, nodes);
        }
    }

    fn link(&mut self, at: u64, is_up: bool, nodes: [u32; 2]) {
        if self.links.len() < LINK_CHANGES_MAX {
            self.links.push(LinkChange { at, is_up, nodes });
        } else {
            self.left_out.links += 1;
        }
    }

    /// A node died or started again.
    pub(crate) fn life(&mut self, at: u64, is_up: bool, node: u32) {
        self.lives.push(LifeChange { at, is_up, node });
    }

    /// A bulletin of so many bytes is published; none by nobody honest.
    pub(crate) fn publish(&mut self, at: u64, publisher: Option<u32>, id: &BulletinId, bytes: u32) {
        if self.waves.len() >= BULLETINS_MAX {
            self.left_out.bulletins += 1;
            return;
        }
        self.numbers.insert(*id, self.waves.len());
        self.waves.push(Wave {
            at,
            publisher,
            bytes,
            id: id.to_string(),
            deliveries: Vec::new(),
        });
    }

    /// A bulletin of so many bytes is delivered.
    pub(crate) fn deliver(&mut self, id: &BulletinId, bytes: u32, delivery: Delivery) {
        if !self.numbers.contains_key(id) {
            self.publish(delivery.at, None, id, bytes);
        }
        let number = self.numbers.get(id).copied();
        match number.filter(|_| self.deliveries < DELIVERIES_MAX) {
            Some(number) => {
                self.deliveries += 1;
                self.waves[number].deliveries.push(delivery);
            }
            None => self.left_out.deliveries += 1,
        }
    }

    /// All of it, in the order of time.
    pub(super) fn parts(self) -> Parts {
        let Self {
            places,
            mut links,
            lives,
            mut waves,
            left_out,
            ..
        } = self;
        // Within a moment the nodes were gone through one by one.
        links.sort_by_key(|change| change.at);
        for wave in &mut waves {
            wave.deliveries.sort_by_key(|delivery| delivery.at);
            let first = wave.deliveries.first().map(|delivery| delivery.at);
            wave.at = first.map_or(wave.at, |first| wave.at.min(first));
        }
        (places, links, lives, waves, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(node: u32) -> Delivery {
        Delivery {
            at: 5,
            node,
            from: None,
            hops: 0,
        }
    }

    #[test]
    fn a_link_goes_once_however_many_ends_say_so() {
        let mut tape = Tape::default();
        tape.link_down(1, 7);
        tape.link_up(2, 7, [3, 4]);
        tape.link_down(3, 7);
        tape.link_down(4, 7);
        let changes: Vec<_> = tape
            .links
            .iter()
            .map(|link| (link.at, link.is_up))
            .collect();
        assert_eq!(changes, [(2, true), (3, false)]);
    }

    #[test]
    fn nodes_that_were_gone_through_one_by_one_are_told_of_in_the_order_of_time() {
        let mut tape = Tape::default();
        tape.link_up(9, 7, [3, 4]);
        tape.link_up(6, 8, [1, 2]);
        // Of nobody's bulletin the first that is told of is not the first that came.
        let id = BulletinId::from_bytes([1; 32]);
        for (at, node) in [(8, 1), (5, 2)] {
            let delivery = Delivery {
                at,
                ..delivery(node)
            };
            tape.deliver(&id, 100, delivery);
        }
        let (_, links, _, waves, _) = tape.parts();
        assert!(links.is_sorted_by_key(|change| change.at));
        assert_eq!(waves[0].at, 5);
        assert!(waves[0].deliveries.is_sorted_by_key(|one| one.at));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut tape = Tape::default();
        let id = BulletinId::from_bytes([1; 32]);
        tape.publish(1, Some(0), &id, 10);
        tape.deliveries = DELIVERIES_MAX - 1;
        tape.deliver(&id, 10, delivery(0));
        tape.deliver(&id, 10, delivery(1));
        let (.., waves, left_out) = tape.parts();
        assert_eq!(waves[0].deliveries, [delivery(0)]);
        assert_eq!(left_out.deliveries, 1);
    }

    #[test]
    fn a_bulletin_that_nobody_honest_published_is_there_from_its_first_delivery_on() {
        let mut tape = Tape::default();
        let id = BulletinId::from_bytes([1; 32]);
        tape.deliver(&id, 10, delivery(2));
        let (.., waves, _) = tape.parts();
        assert_eq!((waves[0].at, waves[0].publisher), (5, None));
    }
}
