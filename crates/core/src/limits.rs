//! Every hard bound by name and unit. The same constant is checked on send and on receive.

use std::time::Duration;

// Frames.

/// Most content bytes of one bulletin.
pub const CONTENT_BYTES_MAX: usize = 65_536;
/// Most bytes of a frame on the bulletins stream, kind byte included: content and its header.
pub const DATA_FRAME_BYTES_MAX: usize = CONTENT_BYTES_MAX + 1_024;
/// Most bytes of a bulletin: it travels in one frame.
pub const BULLETIN_BYTES_MAX: usize = DATA_FRAME_BYTES_MAX;
/// Most bytes of a frame on the control stream, kind byte included.
pub const CONTROL_FRAME_BYTES_MAX: usize = 8_192;
/// Most bytes of one reconciliation message.
pub const SYNC_MESSAGE_BYTES_MAX: usize = 60 * 1_024;

// Bulletins.

/// Most bytes of a value's name.
pub const NAME_BYTES_MAX: usize = 64;
/// Most bytes of an application's tag.
pub const TAG_BYTES_MAX: usize = 32;
/// Most parents of a bulletin.
pub const PARENTS_MAX: usize = 3;
/// Longest validity of a bulletin.
pub const TTL_MAX: Duration = Duration::from_hours(28 * 24);
/// How far ahead of our clock a bulletin may have been created.
pub const FUTURE_MAX: Duration = Duration::from_mins(2);

// Large content.

/// Fewest bytes of a content with a manifest; what is shorter travels in its bulletin.
pub const FILE_BYTES_MIN: u32 = 16 * 1_024;
/// Most bytes of a content with a manifest.
pub const FILE_BYTES_MAX: u32 = 16 * 1_024 * 1_024;
/// Most content bytes of a manifest's bulletin.
pub const MANIFEST_BYTES_MAX: usize = 1_024;
/// Most bytes of a chunk.
pub const CHUNK_BYTES_MAX: usize = 16_384;
/// Most chunks of a content.
pub const CHUNKS_MAX: usize = 1_024;
/// Most chaining values of a chunk's proof.
pub const PROOF_MAX: usize = 10;
/// Most chunks asked for in one WANT.
pub const CHUNK_WANTS_MAX: usize = 64;
/// Chunks that wait to be given to one link; more wants are ignored.
pub const CHUNKS_QUEUED_MAX: usize = 256;
/// Chunks in hand for one link: being read, or waiting to be sent.
pub const CHUNKS_IN_HAND_MAX: usize = 3;
/// Contents fetched at once; others wait their turn.
pub const FETCHES_MAX: usize = 32;

// Lists on the wire, in entries.

/// Most entries of one IHAVE.
pub const IHAVE_MAX: usize = 256;
/// Most ids of one IWANT.
pub const IWANT_MAX: usize = 64;
/// Most root tags of one GRAFT.
pub const GRAFT_ROOTS_MAX: usize = 512;
/// Most ids of one GRAFT.
pub const GRAFT_IDS_MAX: usize = 64;
/// Most root tags of one CHOKE.
pub const CHOKE_MAX: usize = 512;
/// Most ids of one NACK.
pub const NACK_MAX: usize = 64;
/// Most ids of one KEPT.
pub const KEPT_MAX: usize = 64;
/// Most stamps of one STAMP.
pub const STAMP_MAX: usize = 32;
/// Furthest a LOOKUP may go, in hops.
pub const LOOKUP_HOPS_MAX: u8 = 6;
/// Most node records of one PEERS.
pub const RECORDS_MAX: usize = 16;
/// Most nodes of one REPORT.
pub const REPORTS_MAX: usize = 16;
/// Most addresses of one node record.
pub const ADDRESSES_MAX: usize = 3;
/// Most bytes of a node record's relay address.
pub const RELAY_BYTES_MAX: usize = 255;
/// Longest validity of a node record.
pub const RECORD_TTL_MAX: Duration = Duration::from_hours(24);
/// Longest duration any frame may name, in milliseconds.
pub const WIRE_DURATION_MS_MAX: u32 = 28 * 24 * 3_600 * 1_000;

// Membership.

/// Buckets of the address book for nodes dialled with success; those for others are 256.
pub const TRIED_BUCKETS: u8 = 64;
/// Most entries of one bucket of the address book.
pub const BUCKET_ENTRIES: usize = 32;
/// Most nodes known of but never dialled with success.
pub const BOOK_NEW_MAX: usize = 256 * BUCKET_ENTRIES;
/// Most nodes dialled with success.
pub const BOOK_TRIED_MAX: usize = 64 * BUCKET_ENTRIES;
/// Most tests of incumbents waiting.
pub const CONTESTS_MAX: usize = 10;
/// Min-wise samplers.
pub const SAMPLERS: usize = 48;
/// Most links a configuration may ask a node to open.
pub const OUTBOUND_MAX: usize = 64;
/// Most anchors.
pub const ANCHORS_MAX: usize = 8;
/// Most inbound links a configuration may allow.
pub const INBOUND_MAX: usize = 4_096;
/// Most inbound links a configuration may allow beyond that, to hand over addresses.
pub const COURTESY_MAX: usize = 256;
/// Most dials at once.
pub const DIALS_MAX: usize = 24;
/// Most dials at once for seeds and what they keep.
pub const VISITS_MAX: usize = 64;
/// Most join addresses remembered, the latest.
pub const SEEDS_MAX: usize = 64;
/// Most lost peers remembered, the latest.
pub const LOST_MAX: usize = 64;
/// How long a lost peer is remembered.
pub const LOST_TTL: Duration = Duration::from_hours(24);
/// Most nodes discouraged or dropped at once; the one whose time ends first goes.
pub const SHUNNED_MAX: usize = 1_024;
/// Most records being verified that are remembered so as not to be verified twice.
pub const CHECKING_MAX: usize = 256;
/// Most beacons taken from or sent to one link for one minute.
pub const BEACONS_PER_MINUTE_MAX: u8 = 3;
/// Most addresses a node listens at.
pub const LISTEN_MAX: usize = 16;
/// Most neighbours named in a saved address book for the next start.
pub const SAVED_NEIGHBOURS_MAX: usize = 64;

// Seeds.

/// Most seeds of a node's list; more are left out.
pub const SEEDS_LISTED_MAX: usize = 16;
/// Most leases a registry can be configured to hold.
pub const LEASES_MAX: usize = 65_536;
/// Most nodes a registry probes at once; reports of others wait to be made again.
pub const LEASE_PROBES_MAX: usize = 32;
/// Most records of seeds' answers that wait for a second seed to name the node as well.
pub const NAMED_MAX: usize = 256;
/// Most records being verified for the sake of seeds.
pub const NAMED_CHECKING_MAX: usize = 512;
/// Most deaths that wait to be told to a seed.
pub const REPORTS_WAITING_MAX: usize = 64;

// Liveness.

/// Neighbours asked to probe a silent one.
pub const PROBE_HELPERS: usize = 3;
/// Most probes run for one neighbour at once.
pub const PROBES_PER_LINK_MAX: usize = 4;
/// Most probes run for all neighbours at once.
pub const PROBES_MAX: usize = 64;

// What is seen and held.

/// Most ids an inventory can be configured to remember.
pub const SEEN_MAX: usize = 16_000_000;
/// Ids beyond the configured number that still find room: what was being checked when it was reached.
pub const SEEN_SLACK: usize = 65_536;
/// Bytes a held bulletin counts for besides its content: header, signature, stamp and index.
pub const STORED_OVERHEAD_BYTES: u64 = 256;
/// Most ids purged at once.
pub const PURGE_MAX: usize = 8_192;

// Reconciliation.

/// Most messages of one comparison that are answered.
pub const SYNC_ROUNDS_MAX: u32 = 32;
/// Most sessions of ours on a link that go on soon where another was cut: about 1.4 million ids.
pub const SYNC_CUT_MAX: u32 = 64;
/// Most ids remembered for a link as dropped by its peer.
pub const SYNC_DROPPED_MAX: usize = 4_096;
/// Sets kept in the order of reconciliation at once, one for each expiry cutoff in use; and as many of
/// those that are limited to topics.
pub const SYNC_SNAPSHOTS_MAX: usize = 2;
/// Most topics a comparison may be limited to.
pub const SYNC_TOPICS_MAX: usize = 16;
/// Most bulletins published by a node that compares chosen topics only which it announces to each new
/// neighbour, the latest.
pub const SYNC_OWN_MAX: usize = 256;
