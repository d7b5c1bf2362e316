//! Large contents of a world: what stands behind manifests, and who has it.
//!
//! A node's store remembers which chunks it has; the chunks themselves are kept once for the whole world, for
//! what an engine keeps was checked and is the same everywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::event::{Command, Event};
use bruit_core::id::{BulletinId, TopicId};
use bruit_core::large::{Manifest, Outline};
use bruit_core::time::Mono;
use bruit_core::wire::encode_to_bytes;
use bytes::Bytes;

use super::{READ, World};

/// Large contents and how they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    pieces: BTreeMap<(BulletinId, u32), Bytes>,
    published: BTreeMap<BulletinId, Mono>,
    /// When each node had all of a content.
    whole: BTreeMap<BulletinId, BTreeMap<usize, Mono>>,
}

impl World {
    /// A large content of `node`, published at once; its manifest's id.
    ///
    /// # Panics
    /// When it is too short or too long for a manifest.
    pub fn publish_file(&mut self, node: usize, content: &[u8]) -> BulletinId {
        let total = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut outline = Outline::new(total).expect("neither too short nor too long");
        let chunk = outline.chunk_bytes();
        content.chunks(chunk).for_each(|chunk| outline.add(chunk));
        let tree = outline.finish().expect("all chunks were added");
        let manifest = *tree.manifest();
        let (wall, host) = (self.clocks(node).wall, &mut self.hosts[node]);
        let topic = TopicId::of("files");
        let header = Header::manifest(topic, host.key.author_id(), &manifest, wall);
        let network = self.settings.config.network.id();
        let bulletin = Bulletin::sign(header, encode_to_bytes(&manifest), network, &host.key);
        let id = *bulletin.id();
        for (index, bytes) in (0..).zip(content.chunks(chunk)) {
            let piece = tree.piece(index, Bytes::copy_from_slice(bytes));
            self.files
                .pieces
                .insert((id, index), encode_to_bytes(&piece));
            host.image.keep_chunk(id, manifest, index);
        }
        self.files.published.insert(id, self.now);
        self.ledger.publish(id, node, self.now, self.hosts.len());
        self.command(node, Command::Publish(Box::new(bulletin)));
        id
    }

    /// How long after its publication `node` had all of a content; none when it has not.
    pub fn file_after(&self, id: &BulletinId, node: usize) -> Option<Duration> {
        let published = self.files.published.get(id)?;
        let whole = self.files.whole.get(id)?.get(&node)?;
        Some(whole.since(*published))
    }

    /// Bytes of chunks that came over links, beyond those that were needed, for each byte that was.
    pub fn file_redundancy(&self) -> f64 {
        let (mut chunks, mut repeats) = (0_u64, 0_u64);
        for host in &self.hosts {
            if let Some(engine) = host.behaviour.engine() {
                chunks += engine.metrics().chunks;
                repeats += engine.metrics().chunk_repeats;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
        let redundancy = repeats as f64 / chunks.max(1) as f64;
        redundancy
    }

    /// Takes a chunk that `node` keeps.
    pub(super) fn keep_chunk(&mut self, node: usize, id: BulletinId, index: u32, piece: Bytes) {
        let Some(manifest) = self.bulletins.get(&id).and_then(Manifest::of) else {
            return;
        };
        self.files.pieces.entry((id, index)).or_insert(piece);
        let host = &mut self.hosts[node];
        if host.plight.is_disk_full {
            return;
        }
        host.image.keep_chunk(id, manifest, index);
    }

    /// Notes how much of a content `node` has.
    pub(super) fn note_chunk(&mut self, node: usize, id: BulletinId, chunks: u32, all: u32) {
        if chunks == all {
            let whole = self.files.whole.entry(id).or_default();
            whole.entry(node).or_insert(self.now);
        }
    }

    /// Reads a chunk for `node`.
    pub(super) fn load_chunk(&mut self, node: usize, id: BulletinId, index: u32) {
        let has = self.hosts[node].image.has_chunk(&id, index);
        let piece = self.files.pieces.get(&(id, index)).filter(|_| has).cloned();
        self.later(node, READ, Event::ChunkLoaded { id, index, piece });
    }
}
