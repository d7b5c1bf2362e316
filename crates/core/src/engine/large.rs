//! The way of a chunk: arrival, keeping, giving.

use bytes::Bytes;

use super::{Engine, conduct};
use crate::event::{Action, Notice, Persist};
use crate::id::{BulletinId, LinkId};
use crate::inventory::Status;
use crate::large::{Fact, Manifest, Piece};
use crate::time::Now;
use crate::wire::{Frame, encode_to_bytes};

impl Engine {
    /// Fetches what a manifest stands for that was accepted, unless there was no room for it.
    pub(super) fn fetch(
        &mut self,
        id: BulletinId,
        manifest: Manifest,
        from: Option<LinkId>,
        now: Now,
    ) {
        let seen = self.inventory.knows(&id.short());
        if seen.is_some_and(|seen| seen.status == Status::Held) {
            let facts = self.large.accepted(id, manifest, from, now.mono);
            self.carry_large(facts, now);
        }
    }

    pub(super) fn on_large_frame(&mut self, link: LinkId, frame: Frame, now: Now) {
        let mono = now.mono;
        let facts = match frame {
            Frame::WantChunks { id, urgent, chunks } => {
                self.large.on_want(link, id, urgent, &chunks, mono)
            }
            Frame::Chunk { id, index, piece } => self.large.on_chunk(link, id, index, &piece, mono),
            Frame::HaveChunks {
                id,
                busy,
                seeking,
                bitmap,
            } => self.large.on_have(link, id, busy, seeking, &bitmap, mono),
            _ => Vec::new(),
        };
        self.carry_large(facts, now);
    }

    pub(super) fn on_chunk_loaded(
        &mut self,
        id: &BulletinId,
        index: u32,
        piece: Option<&Bytes>,
        now: Now,
    ) {
        let piece = piece.and_then(|bytes| Piece::decode(bytes).ok());
        let facts = self.large.loaded(id, index, piece, now.mono);
        self.carry_large(facts, now);
    }

    pub(super) fn carry_large(&mut self, facts: Vec<Fact>, now: Now) {
        for fact in facts {
            match fact {
                Fact::Send { link, frame } => self.send(link, &frame, now),
                Fact::Give { link, frame } => {
                    let facts = self.outbox.bulk(link, frame);
                    self.carry_outbox(facts, now);
                }
                Fact::Keep { id, index, piece } => {
                    self.metrics.chunks = self.metrics.chunks.saturating_add(1);
                    let piece = encode_to_bytes(&piece);
                    let persist = Persist::Chunk { id, index, piece };
                    self.actions.push(Action::Persist(persist));
                }
                Fact::Load { id, index } => self.actions.push(Action::LoadChunk { id, index }),
                Fact::Progress { id, chunks, all } => {
                    let notice = Notice::Chunk { id, chunks, all };
                    self.actions.push(Action::Notice(notice));
                }
                Fact::Unasked { link } => {
                    self.metrics.chunk_repeats = self.metrics.chunk_repeats.saturating_add(1);
                    self.charge(link, conduct::CHUNK_REPEAT, now);
                }
                Fact::BrokenPromise { .. } => {
                    self.metrics.broken_promises = self.metrics.broken_promises.saturating_add(1);
                }
                Fact::Misbehaved { link, how } => self.misbehaved(link, how, now),
            }
        }
    }
}
