//! A node of the world: its behaviour, its key, its store.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bruit_core::event::{Notice, Persist, Restored, RestoredFile, RestoredId, Verdict};
use bruit_core::id::{BulletinId, LinkId};
use bruit_core::identity::SecretKey;
use bruit_core::large::{Bitmap, Manifest};
use bruit_core::time::{Mono, Wall};
use bruit_core::values::Version;
use bruit_core::wire;
use bruit_core::work::Stamp;
use bytes::Bytes;

use crate::behaviour::Behaviour;
use crate::bulletins::{Bulletins, Held, Number};
use crate::clock::WallClock;
use crate::plight::Plight;
use crate::terrain::Place;

/// What the store of a node keeps: what outlives a restart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    /// Bulletins, with the best stamp known here.
    pub(crate) held: Held,
    /// Bulletins that were written and are not synced before this, in order.
    unsynced: VecDeque<(Mono, Number)>,
    /// Ids without a bulletin: when it was made, when it expires.
    pub(crate) dropped: BTreeMap<BulletinId, (Wall, Wall)>,
    /// Of large contents: which chunks.
    files: BTreeMap<BulletinId, (Manifest, Bitmap)>,
    pub(crate) horizon: Wall,
    pub(crate) address_book: Bytes,
}

impl Image {
    /// Writes a bulletin at `now`, which is synced at `synced`.
    pub(crate) fn write(&mut self, number: Number, stamp: Stamp, now: Mono, synced: Mono) {
        while self.unsynced.front().is_some_and(|(at, _)| *at <= now) {
            self.unsynced.pop_front();
        }
        if self.held.get(number).is_none() {
            self.unsynced.push_back((synced, number));
        }
        self.held.insert(number, stamp);
    }

    /// Has everything that was written be synced.
    pub(crate) fn sync(&mut self) {
        self.unsynced.clear();
    }

    /// Loses what is not synced at `now`; answers which bulletins.
    pub(crate) fn crash(&mut self, now: Mono, bulletins: &Bulletins) -> Vec<BulletinId> {
        let mut lost = Vec::new();
        for (synced, number) in std::mem::take(&mut self.unsynced) {
            let held = bulletins
                .at(number)
                .filter(|_| synced > now && self.held.get(number).is_some());
            if let Some(bulletin) = held {
                let id = *bulletin.id();
                self.held.remove(number);
                self.files.remove(&id);
                lost.push(id);
            }
        }
        lost
    }

    /// Does what an engine asks of its store.
    pub(crate) fn keep(&mut self, persist: Persist, bulletins: &Bulletins) {
        match persist {
            Persist::Seen {
                id,
                created,
                expires,
                ..
            } => {
                self.dropped.insert(id, (created, expires));
            }
            Persist::Evict { id } => {
                self.files.remove(&id);
                if let Some(number) = bulletins.number(&id) {
                    self.held.remove(number);
                }
                if let Some(bulletin) = bulletins.get(&id) {
                    let header = &bulletin.header;
                    self.dropped.insert(id, (header.created, header.expires()));
                }
            }
            Persist::Purge { ids } => {
                for (id, _) in ids {
                    if let Some(number) = bulletins.number(&id) {
                        self.held.remove(number);
                    }
                    self.files.remove(&id);
                    self.dropped.remove(&id);
                }
            }
            Persist::Restamp { id, stamp } => {
                if let Some(number) = bulletins.number(&id) {
                    self.held.restamp(number, stamp);
                }
            }
            Persist::Horizon(wall) => self.horizon = wall,
            // The world has the chunks.
            Persist::Chunk { .. } => {}
        }
    }

    /// Notes that the manifest of a content is held.
    pub(crate) fn keep_file(&mut self, id: BulletinId, manifest: Manifest) {
        let none = || (manifest, Bitmap::none(manifest.chunks()));
        self.files.entry(id).or_insert_with(none);
    }

    /// Notes that a chunk is kept.
    pub(crate) fn keep_chunk(&mut self, id: BulletinId, manifest: Manifest, index: u32) {
        self.keep_file(id, manifest);
        if let Some((_, have)) = self.files.get_mut(&id) {
            have.set(index);
        }
    }

    /// Whether a chunk is kept.
    pub(crate) fn has_chunk(&self, id: &BulletinId, index: u32) -> bool {
        self.files.get(id).is_some_and(|(_, have)| have.has(index))
    }

    /// The bytes of a bulletin, if it is held.
    pub(crate) fn read(&self, id: &BulletinId, bulletins: &Bulletins) -> Option<Bytes> {
        let number = bulletins.number(id)?;
        let stamp = self.held.get(number)?;
        let mut bulletin = bulletins.at(number)?.clone();
        bulletin.stamp = stamp;
        Some(wire::encode_to_bytes(&bulletin))
    }

    /// What the next life begins with.
    pub(crate) fn left(&self, bulletins: &Bulletins) -> Restored {
        let held = self.held.iter().filter_map(|(number, stamp)| {
            let bulletin = bulletins.at(number)?;
            let header = &bulletin.header;
            Some(RestoredId {
                id: *bulletin.id(),
                topic: Some(header.topic),
                created: header.created,
                expires: header.expires(),
                held: Some((header.size_bytes, stamp.bits)),
                version: Version::of(header),
            })
        });
        let mut seen: Vec<_> = held.collect();
        // As a store reads them out.
        seen.sort_unstable_by_key(|one| one.id);
        let dropped = self.dropped.iter();
        let dropped = dropped.map(|(id, (created, expires))| RestoredId {
            id: *id,
            topic: None,
            created: *created,
            expires: *expires,
            held: None,
            version: bulletins
                .get(id)
                .and_then(|bulletin| Version::of(&bulletin.header)),
        });
        let is_held = |(id, _): &(&BulletinId, _)| {
            let number = bulletins.number(id);
            number.is_some_and(|number| self.held.get(number).is_some())
        };
        let files = self.files.iter().filter(is_held);
        let files = files.map(|(id, (manifest, have))| RestoredFile {
            id: *id,
            manifest: *manifest,
            have: have.to_bytes(),
        });
        Restored {
            files: files.collect(),
            seen: seen.into_iter().chain(dropped).collect(),
            address_book: self.address_book.clone(),
            horizon: self.horizon,
        }
    }
}

pub(crate) struct Host {
    pub(crate) key: SecretKey,
    pub(crate) behaviour: Box<dyn Behaviour>,
    pub(crate) place: Place,
    pub(crate) is_alive: bool,
    /// Counts its lives: what was decided in an earlier one happens to nobody.
    pub(crate) life: u32,
    pub(crate) links: Vec<LinkId>,
    pub(crate) image: Image,
    pub(crate) wakeup: Option<Mono>,
    /// When its uplink has sent all that waits.
    pub(crate) uplink_free: Mono,
    /// When its downlink has let through all that came.
    pub(crate) downlink_free: Mono,
    pub(crate) clock: WallClock,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(crate) plight: Plight,
    /// What its validators say; none: it has none.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) notices: Vec<Notice>,
}

impl Host {
    /// The same node in another world.
    ///
    /// # Panics
    /// When it is anything but an engine.
    pub(crate) fn fork(&self) -> Self {
        Self {
            key: self.key.clone(),
            behaviour: self.behaviour.fork().expect("nodes that are engines"),
            place: self.place,
            is_alive: self.is_alive,
            life: self.life,
            links: self.links.clone(),
            image: self.image.clone(),
            wakeup: self.wakeup,
            uplink_free: self.uplink_free,
            downlink_free: self.downlink_free,
            clock: self.clock,
            address: self.address,
            plight: self.plight.clone(),
            verdict: self.verdict,
            notices: self.notices.clone(),
        }
    }
}
