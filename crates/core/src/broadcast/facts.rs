//! What broadcast takes and what it wants done.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::id::{BulletinId, LinkId, ShortId};
use crate::limits;
use crate::time::Mono;
use crate::wire::{Frame, IhaveEntry};
use crate::work::Density;

use super::recent::Passing;
use super::wanted::{Ask, Request};

/// One copy of a bulletin as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// From whom.
    pub link: LinkId,
    /// The tree it came along, 0 for none.
    pub root_tag: u64,
    /// Hops from where it was injected.
    pub hops: u8,
    /// When.
    pub at: Mono,
}

/// What broadcast wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Push a bulletin.
    Push(Push),
    /// Send a control frame.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Fetch a bulletin from the store and hand it to [`loaded`](super::Broadcast::loaded).
    Load {
        /// Which.
        id: BulletinId,
    },
    /// A neighbour announced a bulletin and did not send it when asked.
    BrokenPromise {
        /// Who.
        link: LinkId,
    },
    /// So many neighbours have synced a bulletin of ours.
    Spread {
        /// Which.
        id: BulletinId,
        /// How many.
        neighbours: u32,
    },
}

/// A bulletin on its way to one neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// To whom.
    pub link: LinkId,
    /// Which bulletin.
    pub id: ShortId,
    /// The tree it goes along.
    pub root_tag: u64,
    /// What was paid for it: the order of the relay queue.
    pub density: Density,
    /// Whether it was published here: own bulletins go before relayed ones.
    pub own: bool,
    /// The PUB frame.
    pub frame: Bytes,
}

impl Push {
    /// The same bulletin without a tree: it changes nobody's parents.
    pub(super) fn outside_tree(mut self) -> Self {
        let mut frame = self.frame.to_vec();
        for byte in frame.iter_mut().skip(1).take(8) {
            *byte = 0;
        }
        self.frame = frame.into();
        self.root_tag = 0;
        self
    }
}

/// `passing` on its way to `link`.
pub(super) fn push(passing: &Passing, link: LinkId) -> Push {
    Push {
        link,
        id: passing.id.short(),
        root_tag: passing.root_tag,
        density: passing.density,
        own: passing.own,
        frame: passing.frame.clone(),
    }
}

/// Announcements in frames that are not too long.
pub(super) fn announce_frames(link: LinkId, entries: &[IhaveEntry]) -> Vec<Fact> {
    let frames = entries
        .chunks(limits::IHAVE_MAX)
        .map(|entries| Frame::Ihave {
            entries: entries.to_vec(),
        });
    frames.map(|frame| Fact::Send { link, frame }).collect()
}

/// Gathers `requests` into as few frames as possible; whoever is replaced broke a promise (R5).
pub(super) fn request_frames(requests: Vec<Request>) -> Vec<Fact> {
    let mut grafts = BTreeMap::<LinkId, (Vec<u64>, Vec<ShortId>)>::new();
    let mut wants = BTreeMap::<LinkId, Vec<ShortId>>::new();
    let mut facts = Vec::new();
    for request in requests {
        if let Some(link) = request.instead_of {
            facts.push(Fact::BrokenPromise { link });
        }
        match request.ask {
            Ask::Want => wants.entry(request.link).or_default().push(request.id),
            Ask::Graft(tag) => {
                let (roots, ids) = grafts.entry(request.link).or_default();
                if !roots.contains(&tag) {
                    roots.push(tag);
                }
                ids.push(request.id);
            }
        }
    }
    for (link, (roots, ids)) in grafts {
        let mut roots = roots.chunks(limits::GRAFT_ROOTS_MAX);
        for ids in ids.chunks(limits::GRAFT_IDS_MAX) {
            let roots = roots.next().unwrap_or_default().to_vec();
            facts.push(Fact::Send {
                link,
                frame: Frame::Graft {
                    roots,
                    ids: ids.to_vec(),
                },
            });
        }
    }
    for (link, ids) in wants {
        for ids in ids.chunks(limits::IWANT_MAX) {
            facts.push(Fact::Send {
                link,
                frame: Frame::Iwant { ids: ids.to_vec() },
            });
        }
    }
    facts
}
