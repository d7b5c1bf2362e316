//! A node of the world: its behaviour, its key, its store.

use std::collections::BTreeMap;

use bruit_core::event::{Notice, Verdict};
use bruit_core::id::{BulletinId, LinkId};
use bruit_core::identity::SecretKey;
use bruit_core::time::{Mono, Wall};
use bruit_core::work::Stamp;
use bytes::Bytes;

use crate::behaviour::Behaviour;
use crate::terrain::Place;

/// What the store of a node keeps: what outlives a restart.
#[derive(Debug, Default)]
pub(crate) struct Image {
    /// Bulletins, with the best stamp known here.
    pub(crate) held: BTreeMap<BulletinId, Stamp>,
    /// Ids without a bulletin: when it was made, when it expires.
    pub(crate) dropped: BTreeMap<BulletinId, (Wall, Wall)>,
    pub(crate) horizon: Wall,
    pub(crate) address_book: Bytes,
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
    /// Milliseconds its wall clock is ahead.
    pub(crate) clock_ahead_ms: i64,
    /// What its validators say; none: it has none.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) notices: Vec<Notice>,
}
