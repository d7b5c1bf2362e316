//! Every hard bound by name and unit. The same constant is checked on send and on receive.

use std::time::Duration;

// Frames.

/// Most content bytes of one bulletin.
pub const CONTENT_BYTES_MAX: usize = 65_536;
/// Most bytes of a frame on the bulletins stream, kind byte included: content and its header.
pub const DATA_FRAME_BYTES_MAX: usize = CONTENT_BYTES_MAX + 1_024;
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
/// Most node records of one PEERS.
pub const RECORDS_MAX: usize = 16;
/// Most addresses of one node record.
pub const ADDRESSES_MAX: usize = 3;
/// Most bytes of a node record's relay address.
pub const RELAY_BYTES_MAX: usize = 255;
/// Longest validity of a node record.
pub const RECORD_TTL_MAX: Duration = Duration::from_hours(24);
/// Longest duration any frame may name, in milliseconds.
pub const WIRE_DURATION_MS_MAX: u32 = 28 * 24 * 3_600 * 1_000;
