//! What passes over links, counted.

use std::collections::BTreeMap;
use std::time::Instant;

use bruit_core::id::LinkId;
use bruit_core::wire::kind;
use bytes::Bytes;

use crate::meter::Meter;
use crate::view::Rates;

/// Bytes and frames that pass, in all and by link.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic {
    pub(crate) links: BTreeMap<LinkId, (u64, u64)>,
    pub(crate) bytes_in: Meter,
    pub(crate) bytes_out: Meter,
    pub(crate) bulletins_in: Meter,
    pub(crate) bulletins_out: Meter,
}

impl Traffic {
    /// What passes in a second.
    pub(crate) fn rates(&mut self) -> Rates {
        let now = Instant::now();
        Rates {
            in_per_s: self.bulletins_in.per_s(now),
            out_per_s: self.bulletins_out.per_s(now),
            bytes_in_per_s: self.bytes_in.per_s(now),
            bytes_out_per_s: self.bytes_out.per_s(now),
        }
    }

    /// Counts a frame that is sent.
    pub(crate) fn sent(&mut self, link: LinkId, frame: &Bytes) {
        let now = Instant::now();
        self.bytes_out.count(length(frame), now);
        if frame.first() == Some(&kind::PUB) {
            self.bulletins_out.count(1, now);
        }
        if let Some((_, bytes_out)) = self.links.get_mut(&link) {
            *bytes_out += u64::from(length(frame));
        }
    }

    /// Counts a frame that came.
    pub(crate) fn received(&mut self, link: LinkId, frame: &Bytes) {
        let now = Instant::now();
        self.bytes_in.count(length(frame), now);
        if frame.first() == Some(&kind::PUB) {
            self.bulletins_in.count(1, now);
        }
        if let Some((bytes_in, _)) = self.links.get_mut(&link) {
            *bytes_in += u64::from(length(frame));
        }
    }
}

fn length(frame: &Bytes) -> u32 {
    u32::try_from(frame.len()).unwrap_or(u32::MAX)
}
