//! Serving what neighbours ask for, from memory or from the store.

use crate::bulletin::Bulletin;
use crate::id::{BulletinId, LinkId, ShortId};
use crate::limits;
use crate::time::Mono;
use crate::wire::{Frame, IhaveEntry, encode_pub};

use super::announce::Word;
use super::facts::push;
use super::{Broadcast, Fact, Push};

/// What serving a bulletin from the store is taken to cost until its size is known.
const LOADED_BYTES: usize = 1_024;

impl Broadcast {
    /// Bulletins fetched from the store at the same time.
    const LOADING_MAX: usize = 2_000;

    /// Serves bulletins we hold to `link`, which asked for them: each at most once in
    /// `serve_again`, all within `serve_bytes_per_s`. `along_tree` keeps the root tag, so that the
    /// asker's tree mends.
    pub fn serve(
        &mut self,
        link: LinkId,
        ids: &[BulletinId],
        along_tree: bool,
        now: Mono,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut refused = Vec::new();
        if along_tree {
            for id in ids {
                self.alert.asked_for(id.short(), link, now);
            }
        }
        for id in ids {
            let short = id.short();
            let Some(neighbour) = self.links.get_mut(&link) else {
                break;
            };
            if self.served.is_fresh(link, &short, now) {
                continue;
            }
            let bytes = self
                .recent
                .get(&short)
                .map_or(LOADED_BYTES, |passing| passing.frame.len());
            if !neighbour.allowance.serve_bytes.take(bytes, now) {
                refused.push(short);
                continue;
            }
            self.served.note(link, short, now);
            self.recent.note_holder(&short, link);
            if let Some(passing) = self.recent.get(&short) {
                let mut push = push(passing, link);
                if !along_tree {
                    push = push.outside_tree();
                }
                facts.push(Fact::Push(push));
            } else if !self.load(link, *id, &mut facts) {
                self.served.take_back(link, &short);
                refused.push(short);
            }
        }
        for ids in refused.chunks(limits::NACK_MAX) {
            let frame = Frame::Nack {
                dropped: false,
                ids: ids.to_vec(),
            };
            facts.push(Fact::Send { link, frame });
        }
        facts
    }

    /// Serves one bulletin to a link that looks for it, also when it was served there just now: it had
    /// no room to keep it.
    pub fn serve_anew(&mut self, link: LinkId, id: BulletinId, now: Mono) -> Vec<Fact> {
        self.served.take_back(link, &id.short());
        self.serve(link, &[id], false, now)
    }

    /// Has `id` fetched from the store for `link`; answers whether that can be done now.
    fn load(&mut self, link: LinkId, id: BulletinId, facts: &mut Vec<Fact>) -> bool {
        if let Some(links) = self.loading.get_mut(&id) {
            links.push(link);
            return true;
        }
        if self.loading.len() >= Self::LOADING_MAX {
            return false;
        }
        self.loading.insert(id, vec![link]);
        facts.push(Fact::Load { id });
        true
    }

    /// Sends a bulletin the store was asked for to those who wait for it.
    pub fn loaded(&mut self, id: &BulletinId, bulletin: Option<&Bulletin>) -> Vec<Fact> {
        let links = self.loading.remove(id).unwrap_or_default();
        let Some(bulletin) = bulletin else {
            let nack = Frame::Nack {
                dropped: true,
                ids: vec![id.short()],
            };
            return links
                .into_iter()
                .map(|link| Fact::Send {
                    link,
                    frame: nack.clone(),
                })
                .collect();
        };
        // Hops 0 says that it comes from where it was injected.
        let hops = u8::from(!self.kept.is_own(&id.short()));
        let frame = encode_pub(0, hops, bulletin);
        for link in &links {
            if let Some(neighbour) = self.links.get_mut(link) {
                let rest = frame.len().saturating_sub(LOADED_BYTES);
                neighbour.allowance.serve_bytes.charge(rest);
            }
        }
        let density = bulletin.density();
        links
            .into_iter()
            .map(|link| {
                let id = id.short();
                Fact::Push(Push {
                    link,
                    id,
                    root_tag: 0,
                    density,
                    own: false,
                    frame: frame.clone(),
                })
            })
            .collect()
    }

    /// R8: announces instead a bulletin that could not be queued for `link`.
    pub fn not_pushed(&mut self, link: LinkId, id: ShortId, root_tag: u64, now: Mono) {
        self.served.take_back(link, &id);
        let Some(number) = self.recent.number(&id) else {
            return;
        };
        self.recent.forget_holder(&id, link);
        let due = now.plus(self.config.gather);
        let entry = IhaveEntry { id, root_tag };
        self.announcements
            .add_one(link, Word { entry, number }, due);
    }
}
