//! Frames: what two neighbours say to each other. `[kind: u8][body]`; the transport puts
//! `len: varint` before it.

use bytes::Bytes;
use std::net::SocketAddr;

use super::reader::{Decode, DecodeError, Encode, Reader, encode_each, encode_list};
use crate::bulletin::Bulletin;
use crate::id::{BulletinId, NetworkId, NodeId, ShortId, ValueKey};
use crate::large::Piece;
use crate::limits;
use crate::link::Class;
use crate::lookups::Target;
use crate::reconcile::Topics;
use crate::record::{Beacon, Record};
use crate::work::Stamp;

/// Frame kinds. Those from 192 on belong to applications.
pub mod kind {
    /// Who I am and which network I mean.
    pub const HELLO: u8 = 1;
    /// Proof that I know the network's secret.
    pub const PROOF: u8 = 2;
    /// Are you there?
    pub const PING: u8 = 8;
    /// I am.
    pub const PONG: u8 = 9;
    /// Is that node there?
    pub const PROBE: u8 = 10;
    /// It is, or it is not.
    pub const PROBED: u8 = 11;
    /// Whom do you know?
    pub const PEERS_REQ: u8 = 16;
    /// These; unsolicited: myself.
    pub const PEERS: u8 = 17;
    /// The partition beacon.
    pub const BEACON: u8 = 18;
    /// This link is in my mesh, or no more.
    pub const MESH: u8 = 19;
    /// Keep my record for a while, and tell me whom you keep.
    pub const REGISTER: u8 = 24;
    /// I keep it so long, and these are others I keep.
    pub const LEASE: u8 = 25;
    /// These no longer answer me.
    pub const REPORT: u8 = 26;
    /// A bulletin.
    pub const PUB: u8 = 32;
    /// I have these.
    pub const IHAVE: u8 = 33;
    /// Send me these.
    pub const IWANT: u8 = 34;
    /// Push these roots to me again, and these ids now.
    pub const GRAFT: u8 = 35;
    /// Do not push these roots to me.
    pub const CHOKE: u8 = 36;
    /// I do not have these.
    pub const NACK: u8 = 37;
    /// I have synced these to disk.
    pub const KEPT: u8 = 38;
    /// Better stamps for bulletins you know.
    pub const STAMP: u8 = 39;
    /// Who has this?
    pub const LOOKUP: u8 = 40;
    /// Nobody here.
    pub const LOOKUP_DONE: u8 = 41;
    /// Let us compare what we have seen.
    pub const SYNC_OPEN: u8 = 48;
    /// The next message of a comparison.
    pub const SYNC_MSG: u8 = 49;
    /// The comparison is over.
    pub const SYNC_DONE: u8 = 50;
    /// Send me these chunks.
    pub const WANT_CHUNKS: u8 = 56;
    /// A chunk.
    pub const CHUNK: u8 = 57;
    /// I have these chunks.
    pub const HAVE_CHUNKS: u8 = 58;
    /// The first kind of applications.
    pub const APPLICATION: u8 = 192;
}

/// One announced bulletin: `[id: 16][root_tag: u64]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IhaveEntry {
    /// Which bulletin.
    pub id: ShortId,
    /// The tree it came along, 0 for none.
    pub root_tag: u64,
}

impl Encode for IhaveEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.root_tag.encode(out);
    }
}

impl Decode for IhaveEntry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ShortId::decode(reader)?,
            root_tag: reader.u64()?,
        })
    }
}

/// A stamp for a known bulletin: `[id: 32][stamp: 10]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StampEntry {
    /// Which bulletin.
    pub id: BulletinId,
    /// Its new stamp.
    pub stamp: Stamp,
}

impl Encode for StampEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.stamp.encode(out);
    }
}

impl Decode for StampEntry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: BulletinId::decode(reader)?,
            stamp: Stamp::decode(reader)?,
        })
    }
}

/// A frame. The layout of each body stands at its variant; all integers are big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// `[version: u16][features: u32][name_hash: 16][price: u32][private: u8][network_id: 32]
    /// [wants_kept: u8][nonce: 32][clock_ms: u64][seen: 0 | 1 address]`
    Hello {
        /// Protocol version of the sender.
        version: u16,
        /// Bits of optional features; unknown ones are ignored.
        features: u32,
        /// Hash of the network's name, to explain a mismatch.
        name_hash: [u8; 16],
        /// The network's price `W`, to explain a mismatch.
        price: u32,
        /// Whether the network has a secret.
        private: bool,
        /// The network.
        network: NetworkId,
        /// Whether the sender wants to be told what we have synced.
        wants_kept: bool,
        /// Fresh random bytes for this link.
        nonce: [u8; 32],
        /// The sender's wall clock, in milliseconds.
        clock_ms: u64,
        /// Where the sender sees us.
        observed: Option<SocketAddr>,
    },
    /// `[mac: 32]`, see [`crate::network::Network::proof`].
    Proof {
        /// The keyed hash.
        mac: [u8; 32],
    },
    /// `[seq: u32][clock_ms: u64][floor_log2: u8][minute: u64][digest: 16]`
    Ping {
        /// Comes back in the answer.
        seq: u32,
        /// The sender's wall clock, in milliseconds.
        clock_ms: u64,
        /// The sender's local price floor, as a power of two.
        floor_log2: u8,
        /// The full minute the digest is cut at.
        minute: u64,
        /// Digest of all ids seen and unexpired at that cut.
        digest: [u8; 16],
    },
    /// `[seq: u32][clock_ms: u64]`
    Pong {
        /// As in the question.
        seq: u32,
        /// The sender's wall clock, in milliseconds.
        clock_ms: u64,
    },
    /// `[seq: u32][target: 32]`
    Probe {
        /// Comes back in the answer.
        seq: u32,
        /// Who is to be reached.
        target: NodeId,
    },
    /// `[seq: u32][alive: u8]`
    Probed {
        /// As in the question.
        seq: u32,
        /// Whether it answered.
        alive: bool,
    },
    /// Empty.
    PeersReq,
    /// `[u16 ≤ 16][record]`
    Peers {
        /// Records, unsolicited only the sender's own.
        records: Vec<Record>,
    },
    /// `[beacon]`
    Beacon(Beacon),
    /// `[on: u8]`
    Mesh {
        /// Whether the link is in the sender's mesh from now on.
        on: bool,
    },
    /// `[token: 16][registers: u8][record]`, the record only if `registers`
    Register {
        /// Fresh random bytes, the same for all seeds asked at a time: they choose whom a seed tells of.
        token: [u8; 16],
        /// The sender's own record; without it the sender only asks.
        record: Option<Box<Record>>,
    },
    /// `[token: 16][lease_s: u32][renew_s: u32][u16 ≤ 16][record]`
    Lease {
        /// As in the question.
        token: [u8; 16],
        /// For so long the sender keeps our record; 0 when it does not.
        lease_s: u32,
        /// After so long it wants to be asked again.
        renew_s: u32,
        /// Some of those it keeps.
        records: Vec<Record>,
    },
    /// `[u16 ≤ 16][node: 32]`
    Report {
        /// Neighbours of the sender that it took for dead.
        nodes: Vec<NodeId>,
    },
    /// `[root_tag: u64][hops: u8][bulletin]`
    Pub {
        /// The tree it comes along, 0 for none. Not signed: steers pushes, never delivery.
        root_tag: u64,
        /// Hops from where it was injected.
        hops: u8,
        /// The bulletin.
        bulletin: Box<Bulletin>,
    },
    /// `[u16 ≤ 256][entry]`
    Ihave {
        /// What the sender has.
        entries: Vec<IhaveEntry>,
    },
    /// `[u16 ≤ 64][id: 16]`
    Iwant {
        /// What the sender wants.
        ids: Vec<ShortId>,
    },
    /// `[u16 ≤ 512][root_tag: u64][u16 ≤ 64][id: 16]`
    Graft {
        /// Trees along which the sender wants to be pushed to.
        roots: Vec<u64>,
        /// What the sender wants now.
        ids: Vec<ShortId>,
    },
    /// `[u16 ≤ 512][root_tag: u64]`
    Choke {
        /// Trees along which the sender is served by another.
        roots: Vec<u64>,
    },
    /// `[dropped: u8][u16 ≤ 64][id: 16]`
    Nack {
        /// Whether the sender has dropped them for good.
        dropped: bool,
        /// What the sender cannot send.
        ids: Vec<ShortId>,
    },
    /// `[u16 ≤ 64][id: 16]`
    Kept {
        /// What the sender has synced to disk.
        ids: Vec<ShortId>,
    },
    /// `[u16 ≤ 32][entry]`
    Stamp {
        /// Better stamps.
        entries: Vec<StampEntry>,
    },
    /// `[lookup: u64][hops: u8 ≤ 6][budget: u8][target]`
    Lookup {
        /// Its number, drawn by who asked first.
        lookup: u64,
        /// How much further it may go: 1 asks the receiver alone.
        hops: u8,
        /// How many nodes the receiver may ask.
        budget: u8,
        /// What is looked for. Found, it comes as a PUB.
        target: Target,
    },
    /// `[lookup: u64]`
    LookupDone {
        /// The lookup of which the sender, and whoever it asked, knows nothing.
        lookup: u64,
    },
    /// `[session: u32][created_until_ms: u64][expiry_cutoff_ms: u64][resume_ms: u64][u16 ≤ 16][topic: 32][message]`,
    /// topics ascending.
    SyncOpen {
        /// The opener's number of the comparison.
        session: u32,
        /// Later bulletins are left out.
        created_until_ms: u64,
        /// Bulletins that expire earlier are left out.
        expiry_cutoff_ms: u64,
        /// Bulletins created after this are left out: an earlier comparison got so far.
        resume_ms: u64,
        /// Bulletins of other topics are left out, on both sides.
        topics: Topics,
        /// Opaque bytes of the reconciliation protocol.
        message: Bytes,
    },
    /// `[session: u32][message]`
    SyncMsg {
        /// The opener's number of the comparison.
        session: u32,
        /// Opaque bytes of the reconciliation protocol.
        message: Bytes,
    },
    /// `[session: u32]`
    SyncDone {
        /// The opener's number of the comparison.
        session: u32,
    },
    /// `[id: 16][urgent: u8][u16 ≤ 64][index: u32]`
    WantChunks {
        /// Of which manifest.
        id: ShortId,
        /// Whether another was asked before and did not send them.
        urgent: bool,
        /// Which chunks the sender wants, as soon as they are there.
        chunks: Vec<u32>,
    },
    /// `[id: 16][index: u32][piece]`
    Chunk {
        /// Of which manifest.
        id: ShortId,
        /// Which chunk.
        index: u32,
        /// The chunk and its proof.
        piece: Piece,
    },
    /// `[id: 16][busy: u8][seeking: u8][bitmap: 0..=128]`
    HaveChunks {
        /// Of which manifest.
        id: ShortId,
        /// Whether the sender gives to as many as it can already.
        busy: bool,
        /// Whether the sender wants to be told what we have.
        seeking: bool,
        /// A bit for each chunk, the first one the highest of the first byte; empty for none at all.
        bitmap: Bytes,
    },
    /// `[body]`
    Application {
        /// From [`kind::APPLICATION`] on.
        kind: u8,
        /// The application's bytes.
        body: Bytes,
    },
}

impl Frame {
    /// The stream a frame travels on.
    pub const fn class(&self) -> Class {
        match self {
            Self::Pub { .. }
            | Self::SyncOpen { .. }
            | Self::SyncMsg { .. }
            | Self::Chunk { .. }
            | Self::Application { .. } => Class::Bulletins,
            _ => Class::Control,
        }
    }

    /// Its kind byte.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => kind::HELLO,
            Self::Proof { .. } => kind::PROOF,
            Self::Ping { .. } => kind::PING,
            Self::Pong { .. } => kind::PONG,
            Self::Probe { .. } => kind::PROBE,
            Self::Probed { .. } => kind::PROBED,
            Self::PeersReq => kind::PEERS_REQ,
            Self::Peers { .. } => kind::PEERS,
            Self::Beacon(_) => kind::BEACON,
            Self::Mesh { .. } => kind::MESH,
            Self::Register { .. } => kind::REGISTER,
            Self::Lease { .. } => kind::LEASE,
            Self::Report { .. } => kind::REPORT,
            Self::Pub { .. } => kind::PUB,
            Self::Ihave { .. } => kind::IHAVE,
            Self::Iwant { .. } => kind::IWANT,
            Self::Graft { .. } => kind::GRAFT,
            Self::Choke { .. } => kind::CHOKE,
            Self::Nack { .. } => kind::NACK,
            Self::Kept { .. } => kind::KEPT,
            Self::Stamp { .. } => kind::STAMP,
            Self::Lookup { .. } => kind::LOOKUP,
            Self::LookupDone { .. } => kind::LOOKUP_DONE,
            Self::SyncOpen { .. } => kind::SYNC_OPEN,
            Self::SyncMsg { .. } => kind::SYNC_MSG,
            Self::SyncDone { .. } => kind::SYNC_DONE,
            Self::WantChunks { .. } => kind::WANT_CHUNKS,
            Self::Chunk { .. } => kind::CHUNK,
            Self::HaveChunks { .. } => kind::HAVE_CHUNKS,
            Self::Application { kind, .. } => *kind,
        }
    }

    /// The canonical bytes, kind first.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(64);
        out.push(self.kind());
        self.encode_body(&mut out);
        out.into()
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello { .. } => self.encode_hello(out),
            Self::Proof { mac } => mac.encode(out),
            Self::Ping {
                seq,
                clock_ms,
                floor_log2,
                minute,
                digest,
            } => encode_each(&[seq, clock_ms, floor_log2, minute, digest], out),
            Self::Pong { seq, clock_ms } => encode_each(&[seq, clock_ms], out),
            Self::Probe { seq, target } => encode_each(&[seq, target], out),
            Self::Probed { seq, alive } => encode_each(&[seq, alive], out),
            Self::PeersReq => {}
            Self::Peers { records } => encode_list(records, out),
            Self::Beacon(beacon) => beacon.encode(out),
            Self::Mesh { on } => on.encode(out),
            Self::Register { token, record } => {
                encode_each(&[token, &record.is_some()], out);
                if let Some(record) = record {
                    record.encode(out);
                }
            }
            Self::Lease {
                token,
                lease_s,
                renew_s,
                records,
            } => {
                encode_each(&[token, lease_s, renew_s], out);
                encode_list(records, out);
            }
            Self::Report { nodes } => encode_list(nodes, out),
            Self::Pub {
                root_tag,
                hops,
                bulletin,
            } => encode_each(&[root_tag, hops, &**bulletin], out),
            Self::Ihave { entries } => encode_list(entries, out),
            Self::Iwant { ids } | Self::Kept { ids } => encode_list(ids, out),
            Self::Graft { roots, ids } => {
                encode_list(roots, out);
                encode_list(ids, out);
            }
            Self::Choke { roots } => encode_list(roots, out),
            Self::Nack { dropped, ids } => {
                dropped.encode(out);
                encode_list(ids, out);
            }
            Self::Stamp { entries } => encode_list(entries, out),
            Self::Lookup {
                lookup,
                hops,
                budget,
                target,
            } => encode_each(&[lookup, hops, budget, target], out),
            Self::LookupDone { lookup } => lookup.encode(out),
            Self::SyncOpen {
                session,
                created_until_ms,
                expiry_cutoff_ms,
                resume_ms,
                topics,
                message,
            } => {
                let head: [&dyn Encode; 5] = [
                    session,
                    created_until_ms,
                    expiry_cutoff_ms,
                    resume_ms,
                    topics,
                ];
                encode_each(&head, out);
                out.extend_from_slice(message);
            }
            Self::SyncMsg { session, message } => {
                session.encode(out);
                out.extend_from_slice(message);
            }
            Self::SyncDone { session } => session.encode(out),
            Self::WantChunks { id, urgent, chunks } => {
                encode_each(&[id, urgent], out);
                encode_list(chunks, out);
            }
            Self::Chunk { id, index, piece } => encode_each(&[id, index, piece], out),
            Self::HaveChunks {
                id,
                busy,
                seeking,
                bitmap,
            } => {
                encode_each(&[id, busy, seeking], out);
                out.extend_from_slice(bitmap);
            }
            Self::Application { body, .. } => out.extend_from_slice(body),
        }
    }

    fn encode_hello(&self, out: &mut Vec<u8>) {
        let Self::Hello {
            version,
            features,
            name_hash,
            price,
            private,
            network,
            wants_kept,
            nonce,
            clock_ms,
            observed,
        } = self
        else {
            return;
        };
        version.encode(out);
        features.encode(out);
        name_hash.encode(out);
        price.encode(out);
        private.encode(out);
        network.encode(out);
        wants_kept.encode(out);
        nonce.encode(out);
        clock_ms.encode(out);
        observed.is_some().encode(out);
        if let Some(address) = observed {
            address.encode(out);
        }
    }

    /// Decodes `bytes`, kind first, as a frame between nodes of `network`. Content is not copied.
    ///
    /// # Errors
    /// [`DecodeError::UnknownKind`] for a frame to ignore, anything else for one to punish.
    pub fn decode(bytes: &Bytes, network: &NetworkId) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        let frame = match kind {
            kind::PUB => {
                let root_tag = reader.u64()?;
                let hops = reader.u8()?;
                let bulletin = Bulletin::decode(&bytes.slice(reader.position()..), network)?;
                return Ok(Self::Pub {
                    root_tag,
                    hops,
                    bulletin: Box::new(bulletin),
                });
            }
            kind::SYNC_OPEN => Self::SyncOpen {
                session: reader.u32()?,
                created_until_ms: reader.u64()?,
                expiry_cutoff_ms: reader.u64()?,
                resume_ms: reader.u64()?,
                topics: Topics::decode(&mut reader)?,
                message: rest(
                    bytes,
                    &mut reader,
                    "sync message",
                    limits::SYNC_MESSAGE_BYTES_MAX,
                )?,
            },
            kind::SYNC_MSG => Self::SyncMsg {
                session: reader.u32()?,
                message: rest(
                    bytes,
                    &mut reader,
                    "sync message",
                    limits::SYNC_MESSAGE_BYTES_MAX,
                )?,
            },
            kind::WANT_CHUNKS => Self::WantChunks {
                id: ShortId::decode(&mut reader)?,
                urgent: reader.bool("urgent")?,
                chunks: reader.list("chunks wanted", limits::CHUNK_WANTS_MAX)?,
            },
            kind::CHUNK => Self::Chunk {
                id: ShortId::decode(&mut reader)?,
                index: reader.u32()?,
                piece: Piece::take(bytes, &mut reader)?,
            },
            kind::HAVE_CHUNKS => Self::HaveChunks {
                id: ShortId::decode(&mut reader)?,
                busy: reader.bool("busy")?,
                seeking: reader.bool("seeking")?,
                bitmap: rest(bytes, &mut reader, "bitmap", limits::CHUNKS_MAX / 8)?,
            },
            kind if kind >= kind::APPLICATION => {
                reader.rest();
                Self::Application {
                    kind,
                    body: bytes.slice(1..),
                }
            }
            kind => Self::decode_control(kind, &mut reader)?,
        };
        reader.finish()?;
        Ok(frame)
    }

    fn decode_control(kind: u8, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            kind::HELLO => Self::decode_hello(reader)?,
            kind::PROOF => Self::Proof {
                mac: reader.array()?,
            },
            kind::PING => Self::Ping {
                seq: reader.u32()?,
                clock_ms: reader.u64()?,
                floor_log2: reader.u8()?,
                minute: reader.u64()?,
                digest: reader.array()?,
            },
            kind::PONG => Self::Pong {
                seq: reader.u32()?,
                clock_ms: reader.u64()?,
            },
            kind::PROBE => Self::Probe {
                seq: reader.u32()?,
                target: NodeId::decode(reader)?,
            },
            kind::PROBED => Self::Probed {
                seq: reader.u32()?,
                alive: reader.bool("alive")?,
            },
            kind::PEERS_REQ => Self::PeersReq,
            kind::PEERS => Self::Peers {
                records: reader.list("records", limits::RECORDS_MAX)?,
            },
            kind::BEACON => Self::Beacon(Beacon::decode(reader)?),
            kind::MESH => Self::Mesh {
                on: reader.bool("mesh")?,
            },
            kind::REGISTER => Self::Register {
                token: reader.array()?,
                record: if reader.bool("registers")? {
                    Some(Box::new(Record::decode(reader)?))
                } else {
                    None
                },
            },
            kind::LEASE => Self::Lease {
                token: reader.array()?,
                lease_s: reader.u32()?,
                renew_s: reader.u32()?,
                records: reader.list("records", limits::RECORDS_MAX)?,
            },
            kind::REPORT => Self::Report {
                nodes: reader.list("reports", limits::REPORTS_MAX)?,
            },
            kind::IHAVE => Self::Ihave {
                entries: reader.list("ihave", limits::IHAVE_MAX)?,
            },
            kind::IWANT => Self::Iwant {
                ids: reader.list("iwant", limits::IWANT_MAX)?,
            },
            kind::GRAFT => Self::Graft {
                roots: reader.list("graft roots", limits::GRAFT_ROOTS_MAX)?,
                ids: reader.list("graft ids", limits::GRAFT_IDS_MAX)?,
            },
            kind::CHOKE => Self::Choke {
                roots: reader.list("choke", limits::CHOKE_MAX)?,
            },
            kind::NACK => Self::Nack {
                dropped: reader.bool("dropped")?,
                ids: reader.list("nack", limits::NACK_MAX)?,
            },
            kind::KEPT => Self::Kept {
                ids: reader.list("kept", limits::KEPT_MAX)?,
            },
            kind::STAMP => Self::Stamp {
                entries: reader.list("stamps", limits::STAMP_MAX)?,
            },
            kind::LOOKUP => Self::Lookup {
                lookup: reader.u64()?,
                hops: hops(reader)?,
                budget: reader.u8()?,
                target: Target::decode(reader)?,
            },
            kind::LOOKUP_DONE => Self::LookupDone {
                lookup: reader.u64()?,
            },
            kind::SYNC_DONE => Self::SyncDone {
                session: reader.u32()?,
            },
            unknown => return Err(DecodeError::UnknownKind(unknown)),
        })
    }

    fn decode_hello(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.u16()?;
        let features = reader.u32()?;
        let name_hash = reader.array()?;
        let price = reader.u32()?;
        let private = reader.bool("private")?;
        let network = NetworkId::decode(reader)?;
        let wants_kept = reader.bool("wants_kept")?;
        let nonce = reader.array()?;
        let clock_ms = reader.u64()?;
        let observed = if reader.bool("observed")? {
            Some(SocketAddr::decode(reader)?)
        } else {
            None
        };
        Ok(Self::Hello {
            version,
            features,
            name_hash,
            price,
            private,
            network,
            wants_kept,
            nonce,
            clock_ms,
            observed,
        })
    }
}

/// `[1][id: 32]` or `[2][key: 16]`.
impl Encode for Target {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Id(id) => encode_each(&[&1_u8, id], out),
            Self::Value(key) => encode_each(&[&2_u8, key], out),
        }
    }
}

impl Decode for Target {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            1 => Ok(Self::Id(BulletinId::decode(reader)?)),
            2 => Ok(Self::Value(ValueKey::decode(reader)?)),
            got => Err(DecodeError::Invalid {
                what: "lookup target",
                got: got.into(),
            }),
        }
    }
}

/// How much further a lookup may go.
fn hops(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    match reader.u8()? {
        hops @ 1..=limits::LOOKUP_HOPS_MAX => Ok(hops),
        got => Err(DecodeError::Invalid {
            what: "lookup hops",
            got: got.into(),
        }),
    }
}

/// Takes what is left as `what`, of at most `max` bytes, without copying it.
fn rest(
    bytes: &Bytes,
    reader: &mut Reader<'_>,
    what: &'static str,
    max: usize,
) -> Result<Bytes, DecodeError> {
    let start = reader.position();
    match reader.rest().len() {
        got if got <= max => Ok(bytes.slice(start..)),
        got => Err(DecodeError::TooLarge { what, got, max }),
    }
}

/// What stands before the bulletin in a PUB frame: kind, root tag, hops.
pub const PUB_HEAD_BYTES: usize = 10;

/// The bytes of a PUB frame, without taking the bulletin apart: what relays send, encoded once for
/// all neighbours.
pub fn encode_pub(root_tag: u64, hops: u8, bulletin: &Bulletin) -> Bytes {
    let mut out = Vec::with_capacity(bulletin.encoded_len().saturating_add(PUB_HEAD_BYTES));
    out.push(kind::PUB);
    root_tag.encode(&mut out);
    hops.encode(&mut out);
    bulletin.encode(&mut out);
    out.into()
}
