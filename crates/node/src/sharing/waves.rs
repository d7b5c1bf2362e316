//! The latest bulletins that came: when, from whom, over how many links.

use std::collections::VecDeque;

use bruit_core::id::{BulletinId, NodeId, TopicId};
use bruit_core::time::{Mono, Wall};

/// How a bulletin came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) id: BulletinId,
    pub(crate) topic: TopicId,
    pub(crate) created: Wall,
    /// When it was delivered.
    pub(crate) at: Mono,
    /// Bytes of its content.
    pub(crate) size: u32,
    pub(crate) hops: u8,
    /// Who brought it; none when it was published here.
    pub(crate) from: Option<NodeId>,
}

/// The latest deliveries, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Waves {
    latest: VecDeque<Delivery>,
}

impl Waves {
    /// Deliveries kept: seven seconds of 300 a second, in a quarter of a mebibyte.
    const MAX: usize = 2_048;

    /// Notes a delivery; the oldest goes when there are too many.
    pub(crate) fn note(&mut self, delivery: Delivery) {
        if self.latest.len() >= Self::MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(delivery);
    }

    /// The latest, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Delivery> {
        self.latest.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut waves = Waves::default();
        for number in 0..3_000_u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            waves.note(Delivery {
                id: BulletinId::from_bytes(id),
                topic: TopicId::of("news"),
                created: Wall::from_millis(1),
                at: Mono::from_micros(number),
                size: 1,
                hops: 1,
                from: None,
            });
        }
        let times: Vec<_> = waves.newest().map(|wave| wave.at.as_micros()).collect();
        assert_eq!(times.len(), Waves::MAX);
        assert_eq!(times[..2], [2_999, 2_998]);
    }
}
