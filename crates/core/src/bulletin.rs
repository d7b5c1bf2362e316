//! The bulletin: the one thing that travels.
//!
//! A signed header, a signature, a replaceable stamp and content. The header names the content by
//! its hash; the id covers header and signature in this network; the stamp pays for the id. The hop
//! part (root tag, hops) belongs to the frame that carries the bulletin, not to the bulletin.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{AuthorId, BulletinId, ContentId, NetworkId, TopicId};
use crate::identity::{Claim, SecretKey, Signature};
use crate::large::Manifest;
use crate::limits;
use crate::time::{Wall, millis};
use crate::wire::{Decode, DecodeError, Encode, Reader, encode_to_bytes};
use crate::work::{Density, Stamp};

/// What a bulletin is. Kinds unknown here travel all the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kind(pub u8);

impl Kind {
    /// A broadcast message.
    pub const POST: Self = Self(0);
    /// Something that is kept: by its id, or by its author and a name.
    pub const VALUE: Self = Self(1);
    /// A sealed message to one node.
    pub const LETTER: Self = Self(2);
    /// What a large content is made of.
    pub const MANIFEST: Self = Self(3);
    /// The end of a named value.
    pub const TOMBSTONE: Self = Self(4);
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::POST => f.write_str("POST"),
            Self::VALUE => f.write_str("VALUE"),
            Self::LETTER => f.write_str("LETTER"),
            Self::MANIFEST => f.write_str("MANIFEST"),
            Self::TOMBSTONE => f.write_str("TOMBSTONE"),
            Self(other) => write!(f, "Kind({other})"),
        }
    }
}

/// What the author signs.
///
/// ```text
/// ver: u8 = 1 | kind: u8 | flags: u16 | ttl_s: u32 | created_ms: u64 | topic: 32 | content_id: 32
/// | author: 32 | seq: u64 | size: u32 | name_len: u8 | tag_len: u8 | parents_n: u8 | reserved: u8 = 0
/// | name: 0..=64 | tag: 0..=32 | parents: parents_n × 32
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// For kinds to come; carried and signed, without a meaning yet.
    pub flags: u16,
    /// Validity in seconds from `created`.
    pub ttl_s: u32,
    /// When it was made, by the author's clock.
    pub created: Wall,
    /// Whom it is for.
    pub topic: TopicId,
    /// The hash of the content.
    pub content_id: ContentId,
    /// Who signed it.
    pub author: AuthorId,
    /// The author's count within a name; 0 where nothing is counted.
    pub seq: u64,
    /// Bytes of content; in a manifest, of what it stands for.
    pub size_bytes: u32,
    /// The name of a value, at most [`limits::NAME_BYTES_MAX`] bytes.
    pub name: Vec<u8>,
    /// The application's own label, at most [`limits::TAG_BYTES_MAX`] bytes.
    pub tag: Vec<u8>,
    /// What it follows or answers, at most [`limits::PARENTS_MAX`].
    pub parents: Vec<BulletinId>,
}

impl Header {
    const VERSION: u8 = 1;

    /// A post of `content` on `topic` by `author`.
    ///
    /// # Panics
    /// When `content` has more than [`limits::CONTENT_BYTES_MAX`] bytes; callers refuse it first.
    pub fn post(topic: TopicId, author: AuthorId, content: &[u8], created: Wall) -> Self {
        assert!(
            content.len() <= limits::CONTENT_BYTES_MAX,
            "content is within its bound"
        );
        Self {
            kind: Kind::POST,
            flags: 0,
            ttl_s: 3_600,
            created,
            topic,
            content_id: ContentId::of(content),
            author,
            seq: 0,
            size_bytes: u32::try_from(content.len()).unwrap_or(u32::MAX),
            name: Vec::new(),
            tag: Vec::new(),
            parents: Vec::new(),
        }
    }

    /// The manifest of a large content, by `author`: its size is that of the whole, and so is its price.
    pub fn manifest(topic: TopicId, author: AuthorId, manifest: &Manifest, created: Wall) -> Self {
        Self {
            kind: Kind::MANIFEST,
            size_bytes: manifest.total_bytes(),
            ..Self::post(topic, author, &encode_to_bytes(manifest), created)
        }
    }

    /// Whether `content` may come with this header: it has the length that is named, or, in a manifest, says
    /// that what it stands for has.
    fn check_content(&self, content: &[u8]) -> Result<(), DecodeError> {
        let is_manifest = self.kind == Kind::MANIFEST;
        let max = if is_manifest {
            limits::MANIFEST_BYTES_MAX
        } else {
            limits::CONTENT_BYTES_MAX
        };
        if content.len() > max {
            let (what, got) = ("content", content.len());
            return Err(DecodeError::TooLarge { what, got, max });
        }
        let fits = if is_manifest {
            Manifest::read(content, self.size_bytes)?;
            (limits::FILE_BYTES_MIN..=limits::FILE_BYTES_MAX).contains(&self.size_bytes)
        } else {
            u32::try_from(content.len()) == Ok(self.size_bytes)
        };
        if !fits {
            let got = self.size_bytes.into();
            return Err(DecodeError::Invalid {
                what: "content size",
                got,
            });
        }
        Ok(())
    }

    /// Validity from `created`.
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_s.into())
    }

    /// The moment it ceases to be valid.
    pub fn expires(&self) -> Wall {
        self.created.plus(self.ttl())
    }

    /// What is signed: `"bul1" ‖ network_id ‖ header`.
    pub fn signed_text(&self, network: &NetworkId) -> Vec<u8> {
        const BEFORE: usize = 4 + size_of::<NetworkId>();
        let mut text = Vec::with_capacity(self.encoded_len().saturating_add(BEFORE));
        text.extend_from_slice(b"bul1");
        network.encode(&mut text);
        self.encode(&mut text);
        text
    }

    /// Bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        [
            self.name.len(),
            self.tag.len(),
            self.parents.len().saturating_mul(32),
        ]
        .into_iter()
        .fold(Self::BYTES_MIN, usize::saturating_add)
    }

    /// Bytes of a header without name, tag and parents.
    pub const BYTES_MIN: usize = 128;
}

impl Encode for Header {
    fn encode(&self, out: &mut Vec<u8>) {
        let length = |field: &[u8]| u8::try_from(field.len()).expect("bounded when it was made");
        [Self::VERSION, self.kind.0].encode(out);
        self.flags.encode(out);
        self.ttl_s.encode(out);
        self.created.as_millis().encode(out);
        self.topic.encode(out);
        self.content_id.encode(out);
        self.author.encode(out);
        self.seq.encode(out);
        self.size_bytes.encode(out);
        let parents = u8::try_from(self.parents.len()).expect("bounded when it was made");
        [length(&self.name), length(&self.tag), parents, 0].encode(out);
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&self.tag);
        for parent in &self.parents {
            parent.encode(out);
        }
    }
}

impl Decode for Header {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        constant(reader, "version", Self::VERSION)?;
        let kind = Kind(reader.u8()?);
        let flags = reader.u16()?;
        let ttl_s = reader.u32()?;
        let created = Wall::from_millis(reader.u64()?);
        let topic = TopicId::decode(reader)?;
        let content_id = ContentId::decode(reader)?;
        let author = AuthorId::decode(reader)?;
        let seq = reader.u64()?;
        let size_bytes = reader.u32()?;
        let name_len = bounded(reader, "name length", limits::NAME_BYTES_MAX)?;
        let tag_len = bounded(reader, "tag length", limits::TAG_BYTES_MAX)?;
        let parents_n = bounded(reader, "parents", limits::PARENTS_MAX)?;
        constant(reader, "reserved byte", 0)?;
        let name = reader.take(name_len)?.to_vec();
        let tag = reader.take(tag_len)?.to_vec();
        let parents = (0..parents_n)
            .map(|_| BulletinId::decode(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            kind,
            flags,
            ttl_s,
            created,
            topic,
            content_id,
            author,
            seq,
            size_bytes,
            name,
            tag,
            parents,
        })
    }
}

fn constant(reader: &mut Reader<'_>, what: &'static str, value: u8) -> Result<(), DecodeError> {
    match reader.u8()? {
        got if got == value => Ok(()),
        got => Err(DecodeError::Invalid {
            what,
            got: got.into(),
        }),
    }
}

fn bounded(reader: &mut Reader<'_>, what: &'static str, max: usize) -> Result<usize, DecodeError> {
    match usize::from(reader.u8()?) {
        got if got <= max => Ok(got),
        got => Err(DecodeError::TooLarge { what, got, max }),
    }
}

/// A bulletin in one network: `[header][signature: 64][stamp: 10][content]`.
///
/// Its shape is right; whether work and signature hold is for intake to find out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulletin {
    /// What the author says.
    pub header: Header,
    /// The author's word for it.
    pub signature: Signature,
    /// Who paid how much. Anyone may replace it by a better one.
    pub stamp: Stamp,
    /// What it is about.
    pub content: Bytes,
    id: BulletinId,
}

impl Bulletin {
    /// Signs `header` over `content` for `network`. The stamp is still to be bought.
    ///
    /// # Panics
    /// When `header` does not name `content`, its size or the key's author: our own mistake.
    pub fn sign(header: Header, content: Bytes, network: &NetworkId, key: &SecretKey) -> Self {
        assert_eq!(
            header.content_id,
            ContentId::of(&content),
            "the header names its content"
        );
        assert_eq!(
            header.author,
            key.author_id(),
            "the header names its author"
        );
        let signature = key.sign(&header.signed_text(network));
        let id = Self::id_of(&encode_to_bytes(&header), &signature, network);
        Self {
            header,
            signature,
            stamp: Stamp::default(),
            content,
            id,
        }
    }

    /// `BLAKE3("bid1" ‖ network_id ‖ header ‖ signature)`
    fn id_of(header: &[u8], signature: &Signature, network: &NetworkId) -> BulletinId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"bid1").update(network.as_bytes());
        hasher.update(header).update(signature.as_bytes());
        BulletinId::from_bytes(*hasher.finalize().as_bytes())
    }

    /// The id.
    pub const fn id(&self) -> &BulletinId {
        &self.id
    }

    /// Decodes the whole of `bytes` as a bulletin of `network`. The content is not copied.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    pub fn decode(bytes: &Bytes, network: &NetworkId) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header = Header::decode(&mut reader)?;
        let header_bytes = bytes.get(..reader.position()).unwrap_or_default();
        let signature = Signature::from_bytes(reader.array()?);
        let id = Self::id_of(header_bytes, &signature, network);
        let stamp = Stamp::decode(&mut reader)?;
        let content = bytes.slice(reader.position()..);
        header.check_content(&content)?;
        Ok(Self {
            header,
            signature,
            stamp,
            content,
            id,
        })
    }

    /// Whether content and signature hold: for what was checked when it came, and read back since.
    pub fn is_whole(&self, network: &NetworkId) -> bool {
        let claim = Claim {
            key: self.header.author.as_bytes(),
            message: &self.header.signed_text(network),
            signature: &self.signature,
        };
        self.header.content_id == ContentId::of(&self.content) && claim.verify()
    }

    /// Bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        let signed = self.header.encoded_len().saturating_add(self.content.len());
        signed.saturating_add(Self::BYTES_MIN - Header::BYTES_MIN)
    }

    /// Bytes of a bulletin without name, tag, parents and content.
    pub const BYTES_MIN: usize = Header::BYTES_MIN + 64 + Stamp::BYTES;

    /// What the work is worth for the room the bulletin takes.
    pub fn density(&self) -> Density {
        Density::of(self.stamp.bits, self.header.size_bytes, self.header.ttl())
    }

    /// Milliseconds from its creation to `now`, 0 when it was made ahead of our clock.
    pub fn age_ms(&self, now: Wall) -> u64 {
        millis(now.since(self.header.created))
    }
}

impl Encode for Bulletin {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        self.signature.as_bytes().encode(out);
        self.stamp.encode(out);
        out.extend_from_slice(&self.content);
    }
}

impl fmt::Debug for Bulletin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulletin")
            .field("id", &self.id)
            .field("kind", &self.header.kind)
            .field("topic", &self.header.topic)
            .field("author", &self.header.author)
            .field("bits", &self.stamp.bits)
            .field("size_bytes", &self.header.size_bytes)
            .finish_non_exhaustive()
    }
}
