//! What an application may ask an engine at any time. Reading changes nothing.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Engine;
use crate::config::Config;
use crate::floor::Asking;
use crate::id::{BulletinId, LinkId, NodeId};
use crate::limits;
use crate::link::CloseReason;
use crate::membership::LinkView;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::time::{Mono, Now, Wall};

/// What a node makes of itself and its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Established links: in, out.
    pub links: (usize, usize),
    /// Nodes the network is estimated to have.
    pub network_size: usize,
    /// Bulletins held, and their bytes.
    pub held: (usize, u64),
    /// The store's byte budget.
    pub limit_bytes: u64,
    /// Ids remembered so that nothing is accepted twice.
    pub seen: usize,
    /// The local price floor, as a power of two over the network's minimum.
    pub floor_log2: u8,
    /// How far our clock is behind the neighbours' median, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// How much slower than usual we judge others because we are slow ourselves, 1 to 8.
    pub local_health: u32,
    /// Nothing that expires by then is accepted.
    pub horizon: Wall,
    /// Bytes waiting to be sent.
    pub queued_bytes: usize,
}

/// How full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// What it holds.
    pub what: &'static str,
    /// How many.
    pub used: usize,
    /// How many at most.
    pub most: usize,
}

impl Engine {
    /// This node.
    pub const fn me(&self) -> &NodeId {
        &self.me
    }

    /// Its network.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The counters.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Stamp bits above the network's minimum that a publisher should pay now.
    pub fn asking(&self) -> Asking {
        self.floor.asking()
    }

    /// The address book, anchors included, for [`crate::event::Restored`].
    pub fn address_book(&self) -> Bytes {
        self.membership.address_book()
    }

    /// All known nodes.
    pub const fn membership(&self) -> &crate::membership::Membership {
        &self.membership
    }

    /// How many chunks of a large content are here, and how many there are; none when its manifest is not held.
    pub fn chunks(&self, id: &BulletinId) -> Option<(u32, u32)> {
        self.large.progress(&id.short())
    }

    /// The neighbours that are known to have a bulletin that passed lately: it was sent to them, or they sent
    /// or announced it.
    pub fn holders(&self, id: &BulletinId) -> Vec<NodeId> {
        let links = self.links();
        let holding = links
            .iter()
            .filter(|link| self.broadcast.is_held_by(&id.short(), link.link));
        holding.map(|link| link.peer).collect()
    }

    /// What is known of the neighbours' being there.
    pub const fn liveness(&self) -> &crate::liveness::Liveness {
        &self.liveness
    }

    /// Registries of newcomers: ours, and those of our list.
    pub fn seeds(&self) -> &crate::seeds::Seeds {
        &self.seeds
    }

    /// Bulletins dropped, queued and held: the state that must stay bounded.
    pub const fn inventory(&self) -> &crate::inventory::Inventory {
        &self.inventory
    }

    /// The named values seen.
    pub const fn values(&self) -> &crate::values::Values {
        &self.values
    }

    /// Every link that is not being closed.
    pub fn links(&self) -> Vec<LinkView> {
        let open = self.all_links().filter(|(_, closing)| closing.is_none());
        open.map(|(link, _)| link).collect()
    }

    /// Every link, and why it is being closed where it is.
    pub fn all_links(&self) -> impl Iterator<Item = (LinkView, Option<CloseReason>)> {
        let links = self.membership.links();
        links.filter_map(|view| Some((view, self.peers.get(&view.link)?.closing)))
    }

    /// How full each table is, against what `config` and the hard limits allow: the guard of bounds.
    pub fn fills(&self, config: &Config) -> Vec<Fill> {
        let membership = self.membership.footprint();
        let bounds = self.membership.bounds();
        let (jobs, judged, muted) = self.intake.footprint();
        let (roots, wanted, recent) = self.broadcast.footprint();
        let (watched, probes, _) = self.liveness.footprint();
        let (files, fetches, chunks_queued, chunks_loading) = self.large.footprint();
        let counts = self.inventory.counts();
        let seeds = self.seeds.footprint();
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let seen_max = counts.seen_max.saturating_add(limits::SEEN_SLACK);
        let recent_max = config.broadcast.recent_bytes_max;
        let recent_max = recent_max.saturating_add(limits::DATA_FRAME_BYTES_MAX);
        [
            ("links", membership.links, bounds.links),
            ("nodes heard of", membership.book_new, bounds.book_new),
            ("nodes met", membership.book_tried, bounds.book_tried),
            ("contests", membership.contests, bounds.contests),
            ("samplers", membership.samplers, bounds.samplers),
            ("dials", membership.dials, bounds.dials),
            ("join addresses", membership.seeds, bounds.seeds),
            ("lost peers", membership.lost, bounds.lost),
            ("shunned peers", membership.shunned, bounds.shunned),
            ("records in work", membership.checking, bounds.checking),
            ("beacons", membership.beacons, bounds.beacons),
            ("deadlines", membership.timers, bounds.timers),
            ("jobs", jobs, config.intake.jobs_max),
            ("bulletins judged", judged, config.intake.judged_max),
            ("muted authors", muted, config.intake.muted_max),
            ("roots", roots, config.broadcast.roots_max),
            ("ids wanted", wanted, config.broadcast.wanted_max),
            ("recent bytes", recent, recent_max),
            ("contents known", files, counts.held),
            ("contents fetched", fetches, limits::FETCHES_MAX),
            (
                "chunks queued for a link",
                chunks_queued,
                limits::CHUNKS_QUEUED_MAX,
            ),
            (
                "chunks being read",
                chunks_loading,
                self.peers.len().saturating_mul(limits::CHUNKS_IN_HAND_MAX),
            ),
            ("leases", seeds.leases, config.seeds.leases_max),
            (
                "nodes probed for others",
                seeds.probes,
                limits::LEASE_PROBES_MAX,
            ),
            ("seeds", seeds.listed, limits::SEEDS_LISTED_MAX),
            (
                "deaths to report",
                seeds.reports,
                limits::REPORTS_WAITING_MAX,
            ),
            ("nodes one seed named", seeds.named, limits::NAMED_MAX),
            (
                "seeds' records in work",
                seeds.checking,
                limits::NAMED_CHECKING_MAX,
            ),
            ("links watched", watched, self.peers.len()),
            (
                "states of peers",
                self.peer_states().len(),
                self.peers.len(),
            ),
            ("values", self.values.len(), counts.seen),
            ("lookups", self.lookups.len(), config.lookups.running_max),
            ("probes", probes, limits::PROBES_MAX),
            (
                "discouraged peers",
                self.reputation.footprint(),
                config.reputation.discouraged_max,
            ),
            (
                "queued bytes",
                self.outbox.total_bytes(),
                config.outbox.total_bytes_max,
            ),
            ("ids seen", counts.seen, seen_max),
            (
                "held bytes",
                bytes(counts.held_bytes),
                bytes(counts.store_limit_bytes),
            ),
        ]
        .map(|(what, used, most)| Fill { what, used, most })
        .to_vec()
    }

    /// The links of which any room keeps anything. As many as there are links: state dies with its peer.
    pub fn peer_states(&self) -> BTreeSet<LinkId> {
        let rooms = self.peers.keys().copied();
        rooms
            .chain(self.handshakes.held())
            .chain(self.membership.links().map(|link| link.link))
            .chain(self.liveness.held())
            .chain(self.broadcast.held())
            .chain(self.large.held())
            .chain(self.reconcile.held())
            .chain(self.outbox.held())
            .chain(self.floor.held())
            .collect()
    }

    /// Who is not linked with at `now`, until when, and for what.
    pub fn discouraged(&self, now: Mono) -> impl Iterator<Item = (NodeId, Mono, &str)> {
        self.reputation.discouraged(now)
    }

    /// What this node makes of itself and its network.
    pub fn outlook(&self, now: Now) -> Outlook {
        let (counts, links) = (self.inventory.counts(), self.membership.counts());
        Outlook {
            links: (links.inbound, links.outbound),
            network_size: self.membership.network_size_estimate(),
            held: (counts.held, counts.held_bytes),
            limit_bytes: counts.store_limit_bytes,
            seen: counts.seen,
            floor_log2: self.floor.log2(),
            clock_offset_ms: self.liveness.clock_offset_ms(now).map(|(offset, _)| offset),
            local_health: self.liveness.local_health(),
            horizon: self.inventory.horizon(),
            queued_bytes: self.outbox.total_bytes(),
        }
    }
}
