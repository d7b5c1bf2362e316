//! Letters to us: opened, checked, delivered once, acknowledged after a while.

use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Kind};
use bruit_core::id::AuthorId;
use bruit_core::letters::{
    Letter, LetterId, Letterbox, Purpose, check_acknowledgement, check_outside,
};
use bruit_core::limits;
use bruit_core::time::Wall;
use bruit_core::wire::decode_all;
use rand_core::CryptoRng;
use tracing::debug;

use super::super::Acknowledge;
use super::super::records::{Change, Incoming, Owed, Record, Seen};
use super::{Desk, INBOX_BYTES_MAX, INBOX_MAX, OWED_MAX, Step};

/// Acknowledgements published for one letter at most: one for each time its sender sealed it.
const ACKNOWLEDGEMENTS_MAX: u32 = 3;

impl Desk {
    /// Takes a bulletin that passed every check of the network: a letter to anybody, an acknowledgement,
    /// or a letterbox. Changes nothing unless it is one of ours, for us, or of somebody we write to.
    pub(crate) fn arrived(&mut self, bulletin: &Bulletin, now: Wall, rng: &mut impl CryptoRng) {
        let header = &bulletin.header;
        if header.kind == Kind::VALUE && header.name == Letterbox::NAME.as_bytes() {
            if let Ok(letterbox) = decode_all::<Letterbox>(&bulletin.content) {
                self.letterbox_seen(header.author, letterbox, header.created);
            }
            return;
        }
        if check_outside(header).is_err() || self.is_acknowledgement(bulletin.id()) {
            return;
        }
        let mut openers = self.openers(&header.topic, header.created);
        let letter = openers
            .find_map(|opener| Letter::open(&opener, &header.author, &bulletin.content).ok());
        drop(openers);
        match letter {
            Some(letter) if is_timely(&letter, header.created, now) => {
                self.opened(letter, header.created, now, rng);
            }
            Some(letter) => debug!(id = ?letter.id, "a letter that came too late or too early"),
            None => {}
        }
    }

    /// A letter to us whose sender is who they say.
    fn opened(&mut self, letter: Letter, sealed: Wall, now: Wall, rng: &mut impl CryptoRng) {
        self.learn(letter.from, letter.reply, sealed);
        let name = (letter.from, letter.id);
        let known = self.seen.get(&name).copied();
        let mut seen = known.unwrap_or(Seen {
            from: letter.from,
            id: letter.id,
            until: letter.expires,
            acknowledged: 0,
        });
        // The same letter may be sealed again for as long as the longest sealing lives.
        seen.until = seen.until.max(letter.expires.plus(limits::TTL_MAX));
        if self.owe(&letter, &seen, now, rng) {
            seen.acknowledged += 1;
        }
        self.keep(Record::Seen(seen));
        self.seen.insert(name, seen);
        if known.is_none() && letter.purpose == Purpose::Message {
            self.deliver(letter, now);
        }
    }

    fn deliver(&mut self, letter: Letter, now: Wall) {
        let incoming = Incoming {
            number: self.next_number,
            id: letter.id,
            from: letter.from,
            to: letter.to,
            body: letter.body,
            created: letter.created,
            received: now,
        };
        self.keep(Record::In(incoming.clone()));
        self.put(incoming);
    }

    /// Puts a letter that has the next number into the inbox; the oldest make room for it.
    pub(super) fn put(&mut self, incoming: Incoming) {
        self.next_number += 1;
        self.inbox_bytes += incoming.body.len();
        self.steps.push(Step::Arrived(Box::new(incoming.clone())));
        self.inbox.insert(incoming.number, incoming);
        while self.inbox.len() > INBOX_MAX || self.inbox_bytes > INBOX_BYTES_MAX {
            let Some(oldest) = self.inbox.keys().next().copied() else {
                return;
            };
            self.drop_letter(oldest);
        }
    }

    /// Drops the letter of this number; answers whether there was one.
    pub(super) fn drop_letter(&mut self, number: u64) -> bool {
        self.foreign.remove(&number);
        let Some(letter) = self.inbox.remove(&number) else {
            return false;
        };
        self.inbox_bytes -= letter.body.len();
        self.changes.push(Change::drop(&Record::In(letter)));
        true
    }

    /// Whether the enclosed acknowledgement is to be published; then it is, after a while.
    fn owe(&mut self, letter: &Letter, seen: &Seen, now: Wall, rng: &mut impl CryptoRng) -> bool {
        let wanted = !letter.acknowledgement.is_empty()
            && self.acknowledges(&letter.from)
            && seen.acknowledged < ACKNOWLEDGEMENTS_MAX
            && self.owed.len() < OWED_MAX;
        if !wanted {
            return false;
        }
        match check_acknowledgement(&letter.acknowledgement, &self.network, now) {
            Ok(bulletin) if self.owed.contains_key(bulletin.id()) => false,
            Ok(bulletin) => {
                let owed = Owed {
                    id: *bulletin.id(),
                    due: now.plus(self.draw_delay(rng)),
                    bytes: letter.acknowledgement.clone(),
                };
                self.keep(Record::Owed(owed.clone()));
                self.owed.insert(owed.id, owed);
                true
            }
            Err(error) => {
                debug!(%error, "a letter encloses an acknowledgement that is none");
                false
            }
        }
    }

    fn acknowledges(&self, from: &AuthorId) -> bool {
        match self.rules.acknowledge {
            Acknowledge::Everyone => true,
            Acknowledge::Contacts => self.contacts.contains(from) || self.is_ours(from),
            Acknowledge::Nobody => false,
        }
    }

    pub(super) fn draw_delay(&self, rng: &mut impl CryptoRng) -> Duration {
        let within = u64::try_from(self.rules.within.as_millis()).unwrap_or(u64::MAX);
        let drawn = rng.next_u64().checked_rem(within.saturating_add(1));
        Duration::from_millis(drawn.unwrap_or(0))
    }

    pub(super) fn tick_owed(&mut self, now: Wall) {
        for owed in self.owed.values_mut().filter(|owed| owed.due <= now) {
            self.steps.push(Step::Acknowledge {
                id: owed.id,
                bytes: owed.bytes.clone(),
            });
            // Until it is known to be out.
            owed.due = now.plus(Duration::from_mins(1));
        }
    }

    /// Notes that an acknowledgement is published, or that it never will be.
    pub(crate) fn acknowledged(&mut self, id: &bruit_core::id::BulletinId) {
        if let Some(owed) = self.owed.remove(id) {
            self.changes.push(Change::drop(&Record::Owed(owed)));
        }
    }

    /// Removes a letter from the inbox; answers whether it was there.
    pub(crate) fn remove(&mut self, id: &LetterId) -> bool {
        let found = self.inbox.values().find(|letter| letter.id == *id);
        let number = found.map(|letter| letter.number);
        number.is_some_and(|number| self.drop_letter(number))
    }
}

/// Whether a letter sealed at `sealed` is to be read at `now`.
fn is_timely(letter: &Letter, sealed: Wall, now: Wall) -> bool {
    letter.expires > now
        && letter.expires.since(sealed) <= limits::TTL_MAX
        && letter.created <= now.plus(limits::FUTURE_MAX)
}
