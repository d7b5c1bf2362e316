//! Letters of other systems, in the inbox beside those of bruit. Who wrote one is the gateway's word.
//!
//! Invariant: they push out each other, and no letter of bruit: in another system writing may cost nothing.

use bruit_core::letters::LetterId;
use bruit_core::time::Wall;
use bytes::Bytes;
use rand_core::CryptoRng;

use super::super::foreign::ForeignName;
use super::super::records::{Foreign, Incoming, Record};
use super::Desk;

/// Most letters of other systems in the inbox; the oldest of them go.
pub(super) const FOREIGN_MAX: usize = 512;
/// Most bytes of their bodies; the oldest go.
pub(super) const FOREIGN_BYTES_MAX: usize = 8 << 20;

impl Desk {
    /// Puts a letter that a gateway brought into the inbox, always as a new one.
    pub(crate) fn deliver_foreign(
        &mut self,
        name: ForeignName,
        body: Bytes,
        now: Wall,
        rng: &mut impl CryptoRng,
    ) -> LetterId {
        let letter = Incoming {
            number: self.next_number,
            id: Self::draw_id(rng),
            from: self.me,
            to: self.me,
            body,
            created: now,
            received: now,
        };
        let id = letter.id;
        self.keep(Record::Foreign(Foreign {
            name: name.to_string(),
            letter: letter.clone(),
        }));
        self.foreign.insert(letter.number, name);
        self.put(letter);
        while self.foreign.len() > FOREIGN_MAX || self.foreign_bytes() > FOREIGN_BYTES_MAX {
            let Some(oldest) = self.foreign.keys().next().copied() else {
                return id;
            };
            self.drop_letter(oldest);
        }
        id
    }

    /// Takes back what was kept of one.
    pub(super) fn restore_foreign(&mut self, record: Foreign) {
        // Without a name nobody could tell it from a letter of this node's own.
        if let Ok(name) = record.name.parse() {
            self.foreign.insert(record.letter.number, name);
            self.restore_in(record.letter);
        }
    }

    /// Who in another system wrote the letter of this number; none for letters of bruit.
    pub(crate) fn foreign(&self, number: u64) -> Option<&ForeignName> {
        self.foreign.get(&number)
    }

    /// A new id.
    pub(crate) fn draw_id(rng: &mut impl CryptoRng) -> LetterId {
        let mut id = [0; 32];
        rng.fill_bytes(&mut id);
        LetterId::from_bytes(id)
    }

    fn foreign_bytes(&self) -> usize {
        let letters = self.foreign.keys();
        let letters = letters.filter_map(|number| self.inbox.get(number));
        letters.map(|letter| letter.body.len()).sum()
    }
}
