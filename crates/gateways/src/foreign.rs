//! The name of a foreign item inside bruit: what keeps it from crossing twice.
//!
//! A bulletin made from a foreign item carries this name as its tag, and every gateway can compute it
//! again from the item. Invariant: the name is bound to the contents. Whoever puts the name of one item
//! onto another is not believed, so nobody can keep an item out by claiming that it has crossed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// A foreign system, by the three letters that begin its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct System(&'static str);

impl System {
    /// Dave's values.
    pub const DAVE: Self = Self("dav");
    /// k98kurz/gossip.
    pub const K98KURZ: Self = Self("k98");
    /// The exercise of messages with seeds.
    pub const P2P_MESSAGING: Self = Self("p2p");
    /// The simple gossip of one datagram.
    pub const SIMPLE: Self = Self("smp");
    /// `VoidPhone` gossip.
    pub const VOIDPHONE: Self = Self("vph");
}

/// The name of a foreign item, 21 bytes whose meaning is the system's: a hash, or some bits to be
/// carried and a shorter hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignId {
    system: System,
    bytes: [u8; ForeignId::BYTES],
}

impl ForeignId {
    /// Bytes of a name.
    pub const BYTES: usize = 21;

    /// The name of these bytes.
    pub const fn new(system: System, bytes: [u8; Self::BYTES]) -> Self {
        Self { system, bytes }
    }

    /// The name that begins with `head`, for what every gateway must know, and goes on with a hash of
    /// `parts`. Each part is hashed with its length, so that no two lists of parts are alike.
    ///
    /// # Panics
    /// When `head` leaves less than 16 bytes to the hash: a mistake of ours.
    pub fn of(system: System, head: &[u8], parts: &[&[u8]]) -> Self {
        assert!(head.len() + 16 <= Self::BYTES, "16 bytes are the hash's");
        let mut hasher = blake3::Hasher::new_derive_key("bruit 2026 name of a foreign item");
        for part in [system.0.as_bytes(), head].iter().chain(parts) {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        let mut bytes = [0; Self::BYTES];
        let (first, rest) = bytes.split_at_mut(head.len());
        first.copy_from_slice(head);
        hasher.finalize_xof().fill(rest);
        Self { system, bytes }
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.bytes
    }

    /// The tag of the bulletin made from the item: 32 characters, `vph:` and base64.
    pub fn tag(&self) -> String {
        format!("{}:{}", self.system.0, BASE64.encode(self.bytes))
    }

    /// The name in the tag of a bulletin; none when it has none of `system`. Whether the name is the
    /// contents' is for the caller to see.
    pub fn of_tag(system: System, tag: &[u8]) -> Option<Self> {
        let text = str::from_utf8(tag).ok()?;
        let (name, text) = text.split_once(':')?;
        let bytes = BASE64.decode(text).ok()?.try_into().ok()?;
        (name == system.0).then_some(Self { system, bytes })
    }
}

impl fmt::Display for ForeignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag())
    }
}

impl fmt::Debug for ForeignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignId({})", self.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_32_bytes_of_text_and_comes_back() {
        let id = ForeignId::of(System::VOIDPHONE, &[3, 0x42, 0x42], &[b"data"]);
        let tag = id.tag();
        assert_eq!(tag.len(), 32);
        assert!(tag.starts_with("vph:A0JC"), "{tag}");
        assert_eq!(
            ForeignId::of_tag(System::VOIDPHONE, tag.as_bytes()),
            Some(id)
        );
        assert_eq!(ForeignId::of_tag(System::DAVE, tag.as_bytes()), None);
        for wrong in ["", "vph", "vph:", "vph:####", "vph:A0JC", &tag[1..]] {
            assert_eq!(ForeignId::of_tag(System::VOIDPHONE, wrong.as_bytes()), None);
        }
    }

    #[test]
    fn other_contents_have_another_name() {
        let of = |head: &[u8], parts: &[&[u8]]| ForeignId::of(System::SIMPLE, head, parts);
        let all = [
            of(&[], &[b"ab", b"c"]),
            of(&[], &[b"a", b"bc"]),
            of(&[], &[b"abc"]),
            of(&[1], &[b"abc"]),
            ForeignId::of(System::DAVE, &[], &[b"abc"]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{one}");
        }
    }
}
