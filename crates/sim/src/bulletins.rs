//! Every bulletin there ever was, once, and which of them a node's store holds.

use std::collections::VecDeque;

use bruit_core::bulletin::Bulletin;
use bruit_core::id::BulletinId;
use bruit_core::work::Stamp;

use crate::numbers::Numbers;

/// Which bulletin it is, in the order in which they were first kept.
pub(crate) type Number = usize;

/// Every bulletin there ever was: nodes that hold one share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bulletins {
    all: Vec<Bulletin>,
    numbers: Numbers,
}

impl Bulletins {
    /// Takes a bulletin in, if it is new; returns its number.
    pub(crate) fn add(&mut self, bulletin: Bulletin) -> Number {
        let new = self.all.len();
        let number = self.numbers.get_or_insert(*bulletin.id(), new);
        if number == new {
            self.all.push(bulletin);
        }
        number
    }

    /// The bulletin `id`.
    pub(crate) fn get(&self, id: &BulletinId) -> Option<&Bulletin> {
        self.at(self.number(id)?)
    }

    /// The bulletin `number`.
    pub(crate) fn at(&self, number: Number) -> Option<&Bulletin> {
        self.all.get(number)
    }

    /// The number of `id`.
    pub(crate) fn number(&self, id: &BulletinId) -> Option<Number> {
        self.numbers.get(id)
    }
}

/// Which bulletins one node holds, each with the best stamp known there. They come and go about in order, so
/// that what is held is a window over their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    first: Number,
    /// None where one is not held. The outermost are.
    stamps: VecDeque<Option<Stamp>>,
}

impl Held {
    /// Holds the bulletin `number`.
    pub(crate) fn insert(&mut self, number: Number, stamp: Stamp) {
        if self.stamps.is_empty() {
            self.first = number;
        }
        while number < self.first {
            self.stamps.push_front(None);
            self.first -= 1;
        }
        let at = number - self.first;
        if at >= self.stamps.len() {
            self.stamps.resize(at + 1, None);
        }
        self.stamps[at] = Some(stamp);
    }

    /// Holds the bulletin `number` no more.
    pub(crate) fn remove(&mut self, number: Number) {
        if let Some(stamp) = self.slot(number) {
            *stamp = None;
        }
        while let Some(None) = self.stamps.front() {
            self.stamps.pop_front();
            self.first += 1;
        }
        while let Some(None) = self.stamps.back() {
            self.stamps.pop_back();
        }
    }

    /// The stamp of the bulletin `number`, if it is held.
    pub(crate) fn get(&self, number: Number) -> Option<Stamp> {
        let at = number.checked_sub(self.first)?;
        *self.stamps.get(at)?
    }

    /// Gives the bulletin `number` another stamp, if it is held.
    pub(crate) fn restamp(&mut self, number: Number, stamp: Stamp) {
        if let Some(held @ Some(_)) = self.slot(number) {
            *held = Some(stamp);
        }
    }

    /// All that is held.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Number, Stamp)> {
        let numbered = (self.first..).zip(&self.stamps);
        numbered.filter_map(|(number, stamp)| Some((number, (*stamp)?)))
    }

    fn slot(&mut self, number: Number) -> Option<&mut Option<Stamp>> {
        let at = number.checked_sub(self.first)?;
        self.stamps.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn stamp(bits: u8) -> Stamp {
        Stamp { bits, nonce: 0 }
    }

    #[test]
    fn a_window_answers_as_a_tree_does_in_whatever_order_they_come_and_go() {
        let (mut held, mut tree) = (Held::default(), BTreeMap::new());
        // Steps by 7 and by 5 of 31: every number comes and goes, in another order each time.
        for step in 0..2_000 {
            let (comes, goes) = (step * 7 % 31, step * 5 % 31);
            let mark = stamp(u8::try_from(step % 200).expect("below 200"));
            held.insert(comes, mark);
            tree.insert(comes, mark);
            held.restamp(goes + 1, stamp(255));
            tree.entry(goes + 1).and_modify(|held| *held = stamp(255));
            held.remove(goes);
            tree.remove(&goes);
            assert!((0..=32).all(|number| held.get(number) == tree.get(&number).copied()));
            assert!(
                held.iter()
                    .eq(tree.iter().map(|(number, stamp)| (*number, *stamp)))
            );
        }
    }

    #[test]
    fn what_nobody_holds_takes_no_room() {
        let mut held = Held::default();
        for number in 0..1_000 {
            held.insert(number, stamp(1));
            held.remove(number);
        }
        assert_eq!((held.stamps.len(), held.first), (0, 1_000));
    }
}
