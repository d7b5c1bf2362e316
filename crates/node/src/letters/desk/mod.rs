//! The desk: what becomes of letters, as a state machine. It reads no clock and touches neither network
//! nor disk; time and randomness are arguments.
//!
//! Whoever runs it takes what changed to the disk ([`Desk::changes`]) before doing what is to be done
//! ([`Desk::steps`]): so nothing that was answered or published is forgotten by a crash.
//!
//! Invariant: a letter that was not opened and checked changes nothing.

mod boxes;
mod foreign;
mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bruit_core::id::{AuthorId, BulletinId};
use bruit_core::letters::{LetterId, LetterSecret, Letterbox, Purpose};
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bytes::Bytes;

use super::Acknowledge;
use super::foreign::ForeignName;
use super::records::{
    Change, Incoming, Key, Known, LetterState, Outgoing, Owed, OwnBoxes, Record, Seen,
};

pub(crate) use boxes::HONOURED;
pub(crate) use outgoing::{LIFE_MAX, check};

/// Most letters that wait to be acknowledged; more are refused.
const OPEN_MAX: usize = 1_024;
/// Most letters listed that nothing more becomes of; the oldest go.
const CLOSED_MAX: usize = 1_024;
/// Most letters in the inbox; the oldest go.
const INBOX_MAX: usize = 4_096;
/// Most bytes of bodies in the inbox; the oldest go.
const INBOX_BYTES_MAX: usize = 64 << 20;
/// Most letters remembered as seen; those that need it shortest go.
const SEEN_MAX: usize = 65_536;
/// Most acknowledgements waiting to be published; more are not published.
const OWED_MAX: usize = 4_096;
/// Most letterboxes of others remembered; the oldest go.
const KNOWN_MAX: usize = 4_096;

/// How the desk goes about things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whose letters are acknowledged.
    pub(crate) acknowledge: Acknowledge,
    /// Within which time, drawn evenly.
    pub(crate) within: Duration,
    /// How long a letterbox is valid; it is renewed after a quarter of that.
    pub(crate) box_life: Duration,
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Publish a letterbox of ours as the value it is.
    PublishBox {
        identity: AuthorId,
        letterbox: Letterbox,
        life: Duration,
    },
    /// Look for somebody's letterbox; answered by [`Desk::looked_up`].
    LookUp(AuthorId),
    /// Seal a letter; answered by [`Desk::sealed`] or [`Desk::not_sealed`].
    Seal(Box<Sealing>),
    /// Publish an acknowledgement; answered by [`Desk::acknowledged`].
    Acknowledge { id: BulletinId, bytes: Bytes },
    /// Tell who watches the inbox.
    Arrived(Box<Incoming>),
    /// Tell who waits for a letter.
    Became(LetterId, LetterState),
}

/// A letter to be sealed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealing {
    pub(crate) id: LetterId,
    pub(crate) purpose: Purpose,
    pub(crate) from: AuthorId,
    pub(crate) to: AuthorId,
    pub(crate) body: Bytes,
    pub(crate) created: Wall,
    /// How long this sealing lives.
    pub(crate) life: Duration,
    /// The recipient's letterbox.
    pub(crate) letterbox: Letterbox,
    /// Ours, for the answer and the acknowledgement.
    pub(crate) reply: Letterbox,
}

/// Somebody we are.
#[derive(Debug)]
struct Identity {
    secret: LetterSecret,
    /// Its letterbox is not published earlier.
    not_before: Wall,
    /// Its letterbox is being published: one at a time, or an older one might come last.
    is_under_way: bool,
    boxes: OwnBoxes,
}

/// A search for a letterbox.
#[derive(Debug, Clone, Copy)]
struct Search {
    due: Wall,
    tries: u32,
    is_under_way: bool,
}

/// The desk.
#[derive(Debug)]
pub(crate) struct Desk {
    rules: Rules,
    network: Arc<Network>,
    seed: zeroize::Zeroizing<[u8; 32]>,
    /// Who we are as a node.
    me: AuthorId,
    identities: BTreeMap<AuthorId, Identity>,
    /// Boxes of identities that were not named since the start.
    dormant: BTreeMap<AuthorId, OwnBoxes>,
    /// How many recipients the network may have.
    recipients: u64,
    /// Whether there was a neighbour to publish to.
    is_linked: bool,
    out: BTreeMap<LetterId, Outgoing>,
    /// Letters being sealed.
    sealing: BTreeSet<LetterId>,
    /// Letters whose next sealing waits for its time after one that failed.
    held_up: BTreeMap<LetterId, Wall>,
    /// Whose acknowledgement each is.
    awaited: BTreeMap<BulletinId, LetterId>,
    searches: BTreeMap<AuthorId, Search>,
    inbox: BTreeMap<u64, Incoming>,
    inbox_bytes: usize,
    /// Who wrote those of other systems, by their numbers.
    foreign: BTreeMap<u64, ForeignName>,
    next_number: u64,
    seen: BTreeMap<(AuthorId, LetterId), Seen>,
    owed: BTreeMap<BulletinId, Owed>,
    known: BTreeMap<AuthorId, Known>,
    contacts: BTreeSet<AuthorId>,
    changes: Vec<Change>,
    steps: Vec<Step>,
}

impl Desk {
    /// A desk for the node `me`, with what was kept. Letter keys grow from `seed`.
    pub(crate) fn new(
        me: AuthorId,
        seed: [u8; 32],
        network: Arc<Network>,
        rules: Rules,
        kept: Vec<Record>,
    ) -> Self {
        let mut desk = Self {
            rules,
            network,
            seed: zeroize::Zeroizing::new(seed),
            me,
            identities: BTreeMap::new(),
            dormant: BTreeMap::new(),
            recipients: 0,
            is_linked: false,
            out: BTreeMap::new(),
            sealing: BTreeSet::new(),
            held_up: BTreeMap::new(),
            awaited: BTreeMap::new(),
            searches: BTreeMap::new(),
            inbox: BTreeMap::new(),
            inbox_bytes: 0,
            foreign: BTreeMap::new(),
            next_number: 1,
            seen: BTreeMap::new(),
            owed: BTreeMap::new(),
            known: BTreeMap::new(),
            contacts: BTreeSet::new(),
            changes: Vec::new(),
            steps: Vec::new(),
        };
        for record in kept {
            desk.restore(record);
        }
        desk
    }

    fn restore(&mut self, record: Record) {
        match record {
            Record::Out(out) => self.restore_out(out),
            Record::In(letter) => self.restore_in(letter),
            Record::Foreign(foreign) => self.restore_foreign(foreign),
            Record::Seen(seen) => {
                self.seen.insert((seen.from, seen.id), seen);
            }
            Record::Owed(owed) => {
                self.owed.insert(owed.id, owed);
            }
            Record::Own(own) => {
                self.dormant.insert(own.identity, own);
            }
            Record::Known(known) => {
                self.known.insert(known.identity, known);
            }
        }
    }

    fn restore_in(&mut self, letter: Incoming) {
        self.next_number = self.next_number.max(letter.number + 1);
        self.inbox_bytes += letter.body.len();
        self.inbox.insert(letter.number, letter);
    }

    /// What is to be kept from now on. To be taken, and on disk, before the steps are.
    pub(crate) fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What is to be done.
    pub(crate) fn steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// Whom letters are acknowledged to, and who is told of a new delivery code.
    pub(crate) fn set_contacts(&mut self, contacts: BTreeSet<AuthorId>) {
        self.contacts = contacts;
    }

    /// Does what is due at `now`.
    pub(crate) fn tick(&mut self, now: Wall) {
        self.tick_boxes(now);
        self.tick_out(now);
        self.tick_owed(now);
        self.forget(now);
    }

    /// When [`Desk::tick`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Wall> {
        let searches = self.searches.values().filter(|search| !search.is_under_way);
        let open = self.out.values().filter(|out| !out.state.is_final());
        let open = open.filter(|out| !self.sealing.contains(&out.id));
        let boxes = self.identities.values();
        searches
            .map(|search| search.due)
            .chain(open.map(|out| out.until))
            .chain(self.held_up.values().copied())
            .chain(self.owed.values().map(|owed| owed.due))
            .chain(boxes.filter_map(|identity| self.box_due(identity)))
            .min()
    }

    // What there is to see.

    /// Letters of ours for people, the latest last.
    pub(crate) fn outbox(&self) -> Vec<&Outgoing> {
        let told = |out: &&Outgoing| out.purpose == Purpose::Message;
        let mut all: Vec<_> = self.out.values().filter(told).collect();
        all.sort_by_key(|out| (out.created, out.id));
        all
    }

    /// Letters to us in the order of their arrival, from the one after `after` on.
    pub(crate) fn inbox(&self, after: u64) -> impl Iterator<Item = &Incoming> {
        self.inbox
            .range(after.saturating_add(1)..)
            .map(|(_, letter)| letter)
    }

    /// How far a letter of ours has come.
    pub(crate) fn letter(&self, id: &LetterId) -> Option<&Outgoing> {
        self.out.get(id)
    }

    /// Forgets what is over, and the oldest of what is too much.
    fn forget(&mut self, now: Wall) {
        let over = self.seen.extract_if(.., |_, seen| seen.until < now);
        let over: Vec<Key> = over.map(|(_, seen)| Record::Seen(seen).key()).collect();
        self.changes.extend(over.into_iter().map(Change::Drop));
        while self.seen.len() > SEEN_MAX {
            let first = self.seen.values().min_by_key(|seen| seen.until).copied();
            let first = first.expect("there are more than none");
            self.seen.remove(&(first.from, first.id));
            self.changes.push(Change::drop(&Record::Seen(first)));
        }
        self.forget_known();
        self.forget_out();
    }

    fn forget_known(&mut self) {
        while self.known.len() > KNOWN_MAX {
            let strangers = self
                .known
                .values()
                .filter(|known| !self.contacts.contains(&known.identity));
            let Some(oldest) = strangers.min_by_key(|known| known.said).copied() else {
                return;
            };
            self.known.remove(&oldest.identity);
            self.changes.push(Change::drop(&Record::Known(oldest)));
        }
    }

    fn forget_out(&mut self) {
        let closed = self.out.values().filter(|out| out.state.is_final());
        let mut closed: Vec<_> = closed.map(|out| (out.created, out.id)).collect();
        closed.sort_unstable();
        for (_, id) in closed.iter().take(closed.len().saturating_sub(CLOSED_MAX)) {
            if let Some(out) = self.out.remove(id) {
                self.changes.push(Change::drop(&Record::Out(out)));
            }
        }
    }

    fn keep(&mut self, record: Record) {
        self.changes.push(Change::put(record));
    }
}
