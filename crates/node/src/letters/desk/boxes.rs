//! Our own letterboxes: a delivery code for each identity, published while there is a neighbour, renewed
//! each week, rotated on demand. What was published before is honoured for a time.

use std::time::Duration;

use bruit_core::id::AuthorId;
use bruit_core::letters::{
    BucketBits, DeliveryCode, LetterSecret, Letterbox, Opener, Purpose, topic, week,
};
use bruit_core::limits;
use bruit_core::time::Wall;
use rand_core::CryptoRng;

use super::super::SendError;
use super::super::records::{Address, OwnBoxes, Record};
use super::{Desk, Identity, LIFE_MAX, Step};

/// How long letters made for a code that was rotated away are opened.
pub(crate) const HONOURED: Duration = Duration::from_hours(48);
/// Most addresses of an identity: the present one and those still honoured. The oldest go.
const ADDRESSES_MAX: usize = 8;

impl Desk {
    /// Takes up an identity of ours: letters to it are opened, its letterbox is published. That of an
    /// author is published a while after, so that it is not seen to come with the node's.
    pub(crate) fn add_identity(&mut self, identity: AuthorId, now: Wall, rng: &mut impl CryptoRng) {
        if self.identities.contains_key(&identity) {
            return;
        }
        let secret = LetterSecret::derive(&self.seed, &identity);
        let boxes = self.dormant.remove(&identity).unwrap_or_else(|| {
            let address = Address {
                code: draw_code(rng),
                bits: BucketBits::default(),
                until: None,
            };
            OwnBoxes {
                identity,
                addresses: vec![address],
                published: None,
            }
        });
        self.keep(Record::Own(boxes.clone()));
        let wait = if identity == self.me {
            Duration::ZERO
        } else {
            self.draw_delay(rng)
        };
        let own = Identity {
            secret,
            not_before: now.plus(wait),
            is_under_way: false,
            boxes,
        };
        self.identities.insert(identity, own);
    }

    /// Whether `identity` is ours.
    pub(crate) fn is_ours(&self, identity: &AuthorId) -> bool {
        self.identities.contains_key(identity)
    }

    /// Notes whether there are neighbours, and how many nodes the network may have.
    pub(crate) fn note_network(&mut self, is_linked: bool, recipients: u64) {
        self.is_linked |= is_linked;
        self.recipients = recipients;
    }

    /// Makes a new delivery code for each identity. The old ones are honoured for 48 hours; contacts
    /// are told by letter. Answers how many were.
    pub(crate) fn rotate(
        &mut self,
        now: Wall,
        rng: &mut impl CryptoRng,
    ) -> Result<usize, SendError> {
        let bits = BucketBits::for_network(self.recipients);
        let identities: Vec<_> = self.identities.keys().copied().collect();
        for identity in identities {
            let fresh = Address {
                code: draw_code(rng),
                bits,
                until: None,
            };
            self.move_to(identity, fresh, HONOURED, now);
        }
        self.tick_boxes(now);
        let contacts: Vec<_> = self.contacts.iter().copied().collect();
        let told = contacts
            .into_iter()
            .filter(|contact| !self.is_ours(contact));
        let told: Vec<_> = told.collect();
        for contact in &told {
            let nothing = bytes::Bytes::new();
            let (me, life) = (self.me, LIFE_MAX);
            self.write(Purpose::Moved, me, *contact, nothing, life, now, rng)?;
        }
        Ok(told.len())
    }

    /// The letterbox of an identity of ours.
    pub(crate) fn own_letterbox(&self, identity: &AuthorId) -> Option<Letterbox> {
        self.identities.get(identity).map(present)
    }

    /// The topics letters to us may have that are still valid at `now`.
    pub(crate) fn topics(&self, now: Wall) -> Vec<bruit_core::id::TopicId> {
        let weeks = week(now.minus(limits::TTL_MAX))..=week(now.plus(limits::FUTURE_MAX));
        let mut topics = Vec::new();
        for Identity { secret, boxes, .. } in self.identities.values() {
            for address in &boxes.addresses {
                let letterbox = letterbox(secret, address);
                topics.extend(weeks.clone().map(|week| topic(&letterbox, week)));
            }
        }
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// What may open a letter made at `created` on this topic.
    pub(super) fn openers(
        &self,
        on: &bruit_core::id::TopicId,
        created: Wall,
    ) -> impl Iterator<Item = Opener<'_>> {
        let week = week(created);
        self.identities.iter().flat_map(move |(identity, own)| {
            let honoured = own.boxes.addresses.iter().filter(move |address| {
                address.until.is_none_or(|until| created <= until)
                    && topic(&letterbox(&own.secret, address), week) == *on
            });
            honoured.map(move |address| Opener {
                network: self.network.id(),
                identity,
                secret: &own.secret,
                code: &address.code,
            })
        })
    }

    /// Publishes letterboxes whose time has come.
    pub(super) fn tick_boxes(&mut self, now: Wall) {
        if !self.is_linked {
            return;
        }
        let bits = BucketBits::for_network(self.recipients);
        let identities: Vec<_> = self.identities.keys().copied().collect();
        for identity in identities {
            let own = &self.identities[&identity];
            let is_due = self.box_due(own).is_some_and(|due| due <= now);
            let address = *own.boxes.addresses.last().expect("there is a present one");
            // Too small a bucket tells more than it may; one that is larger than needed can wait.
            if bits < address.bits || (is_due && bits > address.bits) {
                let fresh = Address { bits, ..address };
                self.move_to(identity, fresh, limits::TTL_MAX, now);
            }
            self.publish_box(identity, now);
        }
    }

    /// When a letterbox is to be published; none while there is nobody to publish it to.
    pub(super) fn box_due(&self, own: &Identity) -> Option<Wall> {
        let here = own
            .boxes
            .published
            .filter(|(network, _)| network == self.network.id());
        let renewed = |(_, published): (_, Wall)| published.plus(self.renewal());
        let due = here.map_or(Wall::default(), renewed);
        (self.is_linked && !own.is_under_way).then_some(due.max(own.not_before))
    }

    fn publish_box(&mut self, identity: AuthorId, now: Wall) {
        let own = &self.identities[&identity];
        if self.box_due(own).is_none_or(|due| due > now) {
            return;
        }
        let own = self.identities.get_mut(&identity).expect("it is ours");
        own.is_under_way = true;
        let step = Step::PublishBox {
            identity,
            letterbox: present(own),
            life: self.rules.box_life,
        };
        self.steps.push(step);
    }

    /// Notes that `letterbox` was published: it is renewed in a while, unless it is the present one no more.
    pub(crate) fn box_published(&mut self, identity: &AuthorId, letterbox: &Letterbox, now: Wall) {
        let network = *self.network.id();
        if let Some(own) = self.identities.get_mut(identity) {
            own.is_under_way = false;
            if present(own) == *letterbox {
                own.boxes.published = Some((network, now));
                let kept = own.boxes.clone();
                self.keep(Record::Own(kept));
            }
        }
    }

    /// Notes that a letterbox was not published: it is tried again in a minute.
    pub(crate) fn box_not_published(&mut self, identity: &AuthorId, now: Wall) {
        if let Some(own) = self.identities.get_mut(identity) {
            own.is_under_way = false;
            own.not_before = now.plus(Duration::from_mins(1));
        }
    }

    /// How often a letterbox is published anew.
    fn renewal(&self) -> Duration {
        self.rules.box_life / 4
    }

    /// Makes `fresh` the present address; those before it are honoured for `honoured` at most.
    fn move_to(&mut self, identity: AuthorId, fresh: Address, honoured: Duration, now: Wall) {
        let own = self.identities.get_mut(&identity).expect("it is ours");
        let end = now.plus(honoured);
        let addresses = &mut own.boxes.addresses;
        for address in addresses.iter_mut() {
            address.until = Some(address.until.map_or(end, |until| until.min(end)));
        }
        // What was made while an address was honoured may come for as long as it is valid.
        addresses.retain(|address| {
            address
                .until
                .is_none_or(|until| until.plus(limits::TTL_MAX) > now)
        });
        addresses.push(fresh);
        let surplus = addresses.len().saturating_sub(ADDRESSES_MAX);
        addresses.drain(..surplus);
        own.boxes.published = None;
        let kept = own.boxes.clone();
        self.keep(Record::Own(kept));
    }
}

/// The letterbox of an identity that letters are to be written to now.
fn present(own: &Identity) -> Letterbox {
    let address = own.boxes.addresses.last();
    letterbox(&own.secret, address.expect("there is a present one"))
}

fn letterbox(secret: &LetterSecret, address: &Address) -> Letterbox {
    Letterbox {
        key: secret.public(),
        code: address.code,
        bits: address.bits,
    }
}

fn draw_code(rng: &mut impl CryptoRng) -> DeliveryCode {
    let mut code = [0; 16];
    rng.fill_bytes(&mut code);
    DeliveryCode::from_bytes(code)
}
