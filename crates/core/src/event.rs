//! What happens to an engine and what it does about it.
//!
//! Slow or secret work is an action answered by an event: `Verify`/`Verified`, `Sign`/`Signed`,
//! `Persist`/`Persisted`, `Load`/`Loaded`, `AskValidator`/`Verdict`, `Dial`/`LinkUp`.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bulletin::Bulletin;
use crate::id::{BulletinId, LinkId, NodeId, TopicId};
use crate::identity::{Claim, Signature};
use crate::large::Manifest;
use crate::link::{Class, CloseReason, Direction, PeerAddress};
use crate::lookups::Target;
use crate::time::Wall;
use crate::values::Version;
use crate::work::Stamp;

/// Numbers a piece of work the engine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The moment named by `Engine::next_wakeup` has come.
    Wakeup,
    /// What an earlier run left; at most once, before any link.
    Restored(Box<Restored>),
    /// The addresses at which this node listens, best first.
    Addresses(Vec<SocketAddr>),
    /// A connection is open; both its streams take frames.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// Who is there, as proved by the transport.
        peer: NodeId,
        /// Who opened it.
        direction: Direction,
        /// From where, when known.
        remote: Option<SocketAddr>,
        /// Bytes that may be sent on the control stream.
        control_credit: u32,
        /// Bytes that may be sent on the bulletins stream.
        bulletins_credit: u32,
    },
    /// A connection is gone.
    LinkDown {
        /// Its number.
        link: LinkId,
        /// Why.
        reason: CloseReason,
        /// Whether the peer said so.
        by_peer: bool,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Who was dialled.
        peer: NodeId,
    },
    /// A frame arrived: kind byte and body.
    Frame {
        /// From whom.
        link: LinkId,
        /// Its bytes.
        frame: Bytes,
    },
    /// What arrived cannot be cut into frames; nothing more is read from this link.
    Malformed {
        /// From whom.
        link: LinkId,
    },
    /// The transport has room again.
    Credit {
        /// On which link.
        link: LinkId,
        /// On which of its streams.
        class: Class,
        /// How many bytes more.
        bytes: u32,
    },
    /// The answer to [`Action::Verify`].
    Verified {
        /// Which work.
        job: JobId,
        /// Whether hash and signature hold.
        good: bool,
    },
    /// The answer to [`Action::Sign`].
    Signed {
        /// Which work.
        job: JobId,
        /// This node's signature.
        signature: Signature,
    },
    /// These bulletins are synced to disk.
    Persisted {
        /// In the order they were handed over.
        ids: Vec<BulletinId>,
    },
    /// The answer to [`Action::Load`].
    Loaded {
        /// Which bulletin.
        id: BulletinId,
        /// Its canonical bytes, when the store has it.
        bytes: Option<Bytes>,
    },
    /// The answer to [`Action::AskValidator`]; none in time counts as `Ignore`.
    Verdict {
        /// Which bulletin.
        id: BulletinId,
        /// What the application says.
        verdict: Verdict,
    },
    /// The application wants something.
    Command(Command),
    /// The answer to [`Action::LoadChunk`].
    ChunkLoaded {
        /// Of which manifest.
        id: BulletinId,
        /// Which chunk.
        index: u32,
        /// The chunk with its proof as it was kept, when the store has it.
        piece: Option<Bytes>,
    },
}

/// What an earlier run left on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Every id that could still be replayed.
    pub seen: Vec<RestoredId>,
    /// The address book, anchors included, as `Engine::address_book` returned it.
    pub address_book: Bytes,
    /// Nothing that expires by this moment is accepted any more.
    pub horizon: Wall,
    /// What is there of large contents whose manifests are held.
    pub files: Vec<RestoredFile>,
}

/// What an earlier run kept of a large content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredFile {
    /// Its manifest's id.
    pub id: BulletinId,
    /// Its manifest.
    pub manifest: Manifest,
    /// A bit for each chunk that the store has; empty for none.
    pub have: Bytes,
}

/// One id of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredId {
    /// Which bulletin.
    pub id: BulletinId,
    /// Its topic, where the store knows it: of an id alone it does not.
    pub topic: Option<TopicId>,
    /// When it was made.
    pub created: Wall,
    /// When it expires.
    pub expires: Wall,
    /// Content bytes, of a manifest those of what it stands for, and stamp bits, when the store still holds the bulletin itself.
    pub held: Option<(u32, u8)>,
    /// Which version of a named value it is.
    pub version: Option<Version>,
}

/// What an application says of a bulletin on a topic it validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Deliver and relay it.
    Accept,
    /// Drop it and mute its author on this topic.
    Reject,
    /// Drop it quietly.
    Ignore,
}

/// What an application asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Broadcast a bulletin made here: signed, and stamped if the network has a price. When it is a manifest,
    /// all chunks of its content are in the store already.
    Publish(Box<Bulletin>),
    /// Take a bulletin that somebody brought in a file. Answered by one [`Notice::Imported`].
    Import(Box<Bulletin>),
    /// Ask other nodes for a bulletin. Answered by one [`Notice::LookedUp`].
    LookUp {
        /// Comes back in the answer.
        number: u64,
        /// What is looked for.
        target: Target,
    },
    /// A better stamp for a bulletin of anybody's.
    Boost {
        /// Which bulletin.
        id: BulletinId,
        /// The new stamp.
        stamp: Stamp,
    },
    /// Link to these nodes now, and remember them for rejoining.
    Join(Vec<PeerAddress>),
    /// Unlink a peer.
    Drop(NodeId),
    /// From now on, ask before delivering or relaying bulletins of this topic, or no more.
    Validate {
        /// Which topic.
        topic: TopicId,
        /// How long the answer may take, after which it counts as `Ignore`; none: ask no more.
        timeout: Option<Duration>,
    },
    /// Send an application frame to a linked peer.
    SendFrame {
        /// To whom.
        peer: NodeId,
        /// Its kind, from [`crate::wire::kind::APPLICATION`] on.
        kind: u8,
        /// Its body.
        body: Bytes,
    },
    /// Say goodbye on every link.
    Shutdown,
    /// Push the bulletin with this id, which the next command publishes, to so many neighbours at least:
    /// only they confirm that they keep it.
    Spread {
        /// Which bulletin.
        id: BulletinId,
        /// How many neighbours.
        least: u32,
    },
    /// Register with these seeds and ask them for others; more of the same may follow.
    Seeds(Vec<PeerAddress>),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Send a frame, within credit.
    Send {
        /// To whom.
        link: LinkId,
        /// On which stream.
        class: Class,
        /// Kind byte and body.
        frame: Bytes,
    },
    /// Open a connection.
    Dial(PeerAddress),
    /// Close a connection and tell why.
    Close {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Check a content hash and a signature.
    Verify {
        /// Comes back with the answer.
        job: JobId,
        /// What to check.
        check: Box<Check>,
    },
    /// Sign with this node's key.
    Sign {
        /// Comes back with the answer.
        job: JobId,
        /// What to sign.
        message: Bytes,
    },
    /// Hand a bulletin to the application and to the store: once per id.
    Deliver {
        /// The bulletin, fully checked.
        bulletin: Box<Bulletin>,
        /// Its canonical bytes, shared with the frames it is relayed in.
        encoded: Bytes,
        /// Which neighbour it came from; none when made here.
        from: Option<NodeId>,
        /// Hops from where it was injected.
        hops: u8,
    },
    /// Hand a bulletin to the store alone: one that was dropped or damaged there, and was found again.
    Keep {
        /// The bulletin, fully checked.
        bulletin: Box<Bulletin>,
        /// Its canonical bytes.
        encoded: Bytes,
    },
    /// Change what the store knows of a bulletin.
    Persist(Persist),
    /// Fetch a bulletin's bytes from the store.
    Load {
        /// Which bulletin.
        id: BulletinId,
    },
    /// Ask the application about a bulletin on a topic it validates.
    AskValidator {
        /// The bulletin, fully checked.
        bulletin: Box<Bulletin>,
        /// Which neighbour it came from.
        from: Option<NodeId>,
        /// Hops from where it was injected.
        hops: u8,
    },
    /// Tell the application.
    Notice(Notice),
    /// Fetch a chunk from the store.
    LoadChunk {
        /// Of which manifest.
        id: BulletinId,
        /// Which chunk.
        index: u32,
    },
}

/// A pure check for the driver to run, alone or in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Who is said to have signed.
    pub key: [u8; 32],
    /// What is said to have been signed.
    pub message: Bytes,
    /// The signature.
    pub signature: Signature,
    /// Content and the hash it is said to have.
    pub content: Option<(Bytes, [u8; 32])>,
}

impl Check {
    /// Whether the content has its hash; the cheap half, to be asked first.
    pub fn content_holds(&self) -> bool {
        self.content
            .as_ref()
            .is_none_or(|(content, hash)| blake3::hash(content) == *hash)
    }

    /// The signature half.
    pub fn claim(&self) -> Claim<'_> {
        Claim {
            key: &self.key,
            message: &self.message,
            signature: &self.signature,
        }
    }

    /// Both halves.
    pub fn holds(&self) -> bool {
        self.content_holds() && self.claim().verify()
    }
}

/// A change to what the store knows of bulletins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persist {
    /// The id was seen, the bulletin is not kept.
    Seen {
        /// Which bulletin.
        id: BulletinId,
        /// When it was made.
        created: Wall,
        /// When it expires.
        expires: Wall,
        /// Which version of a named value it is.
        version: Option<Version>,
    },
    /// The bulletin goes, its id stays.
    Evict {
        /// Which bulletin.
        id: BulletinId,
    },
    /// The bulletins and their ids go: they can no longer be replayed.
    Purge {
        /// Which bulletins, and when each expired.
        ids: Vec<(BulletinId, Wall)>,
    },
    /// A better stamp was bought.
    Restamp {
        /// Which bulletin.
        id: BulletinId,
        /// Its new stamp.
        stamp: Stamp,
    },
    /// Nothing that expires by this moment is accepted any more.
    Horizon(Wall),
    /// A chunk of a held manifest's content is here.
    Chunk {
        /// Of which manifest.
        id: BulletinId,
        /// Which chunk.
        index: u32,
        /// The chunk with its proof.
        piece: Bytes,
    },
}

/// What an application may want to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Notice {
    /// The outcome of a `Publish`.
    Published {
        /// Which bulletin.
        id: BulletinId,
        /// What became of it.
        result: Published,
    },
    /// The outcome of an `Import`.
    Imported {
        /// Which bulletin.
        id: BulletinId,
        /// What became of it; `Queued` when a validator is to judge it.
        result: Published,
    },
    /// So many neighbours have synced a bulletin of ours to disk.
    Spread {
        /// Which bulletin.
        id: BulletinId,
        /// How many neighbours, all in all.
        neighbours: u32,
    },
    /// The answer to [`Command::LookUp`].
    LookedUp {
        /// The lookup's number.
        number: u64,
        /// What was found, fully checked; none when nobody asked had it.
        bulletin: Option<Box<Bulletin>>,
    },
    /// A version of a value was dropped: another stands in its place.
    Superseded {
        /// Which bulletin.
        id: BulletinId,
        /// By which.
        by: BulletinId,
    },
    /// A link is established: both sides belong to the same network.
    Linked {
        /// Which link.
        link: LinkId,
        /// Who is there.
        peer: NodeId,
    },
    /// An established link is gone.
    Unlinked {
        /// Which link.
        link: LinkId,
        /// Who was there.
        peer: NodeId,
        /// Why.
        reason: CloseReason,
    },
    /// A neighbour did not answer in time.
    Missed {
        /// Who.
        peer: NodeId,
        /// How many times in a row.
        misses: u32,
    },
    /// A neighbour is suspected to be dead: neither we nor those we asked hear of it.
    Suspected {
        /// Who.
        peer: NodeId,
    },
    /// A node of another network was met.
    Stranger {
        /// Who.
        peer: NodeId,
        /// What differs.
        difference: Difference,
    },
    /// A peer broke the protocol and was cut off.
    Misbehaved {
        /// Who.
        peer: NodeId,
        /// How.
        how: String,
    },
    /// A chunk of a large content came.
    Chunk {
        /// Of which manifest.
        id: BulletinId,
        /// How many chunks are here.
        chunks: u32,
        /// How many there are.
        all: u32,
    },
    /// A node that had registered here, as a seed, did not answer our own probes: its record was dropped.
    Dropped {
        /// Who.
        peer: NodeId,
    },
    /// A seed was told that these nodes are dead.
    Reported {
        /// Which seed.
        seed: NodeId,
        /// Who is dead.
        nodes: Vec<NodeId>,
    },
    /// An application frame arrived.
    Application {
        /// From whom.
        peer: NodeId,
        /// Its kind.
        kind: u8,
        /// Its body.
        body: Bytes,
    },
}

/// What became of a bulletin to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Published {
    /// Pushed or announced to so many neighbours.
    Accepted {
        /// How many.
        neighbours: u32,
    },
    /// No neighbour yet: kept, and announced on the first link.
    Queued,
    /// Known already: published before.
    Known,
    /// Not of this network, expired, from the future or too cheap.
    Refused(Refusal),
}

/// Why intake refuses a bulletin. Only `Work` and `Shape` are the sender's misbehaviour; the others
/// may be a matter of clocks.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[non_exhaustive]
pub enum Refusal {
    /// A field is out of its bounds.
    #[error("a field is out of its bounds")]
    Shape,
    /// Its validity is over, or ended before the horizon.
    #[error("it has expired")]
    Expired,
    /// It was made too far ahead of our clock.
    #[error("it was made {0} ms ahead of our clock")]
    Future(u64),
    /// Its stamp claims less than the network's minimum.
    #[error("its stamp has {got} bits of work, the network asks for {min}")]
    Price {
        /// Bits claimed.
        got: u8,
        /// Bits asked for.
        min: u8,
    },
    /// Its stamp claims work that was not done.
    #[error("its stamp claims work that was not done")]
    Work,
    /// Content hash or signature do not hold.
    #[error("content hash or signature do not hold")]
    Signature,
    /// The author is muted on this topic.
    #[error("its author is muted on this topic")]
    Muted,
    /// Too much is being checked at the moment.
    #[error("too much is being checked at the moment")]
    Busy,
    /// A later version of the value is known.
    #[error("version {seq} of this value is known already")]
    Superseded {
        /// The count of the version that counts.
        seq: u64,
    },
}

/// Why two nodes are strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Difference {
    /// Another protocol version.
    Version {
        /// Ours.
        ours: u16,
        /// Theirs.
        theirs: u16,
    },
    /// Another network name.
    Name,
    /// Another price.
    Price {
        /// Ours.
        ours: u32,
        /// Theirs.
        theirs: u32,
    },
    /// One side has a secret, the other has not.
    Private {
        /// Whether we have one.
        ours: bool,
    },
    /// Two different secrets.
    Secret,
}
