//! Reading and writing bytes: every length is checked, nothing may be left over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

/// Why bytes are not what they claim to be. Always the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The text ends inside a field.
    #[error("{missing} bytes short")]
    Short {
        /// Bytes missing for the field at hand.
        missing: usize,
    },
    /// Bytes follow the last field.
    #[error("{left} bytes too many")]
    Trailing {
        /// Bytes left over.
        left: usize,
    },
    /// A length or count exceeds its bound.
    #[error("{what} of {got} exceeds {max}")]
    TooLarge {
        /// The field.
        what: &'static str,
        /// Its value.
        got: usize,
        /// Its bound.
        max: usize,
    },
    /// A field has a value its type does not have.
    #[error("{what} has no value {got}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// Its value.
        got: u64,
    },
    /// A frame kind nobody here knows. Ignored rather than punished.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
}

/// Takes fields from the front of a byte string.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their first.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes taken so far.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes not yet taken.
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    /// Takes the next `count` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Short`] when fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.position.saturating_add(count);
        let field = self
            .bytes
            .get(self.position..end)
            .ok_or(DecodeError::Short {
                missing: count.saturating_sub(self.left()),
            })?;
        self.position = end;
        Ok(field)
    }

    /// Takes `N` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Short`] when fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Takes all that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let field = self.bytes.get(self.position..).unwrap_or_default();
        self.position = self.bytes.len();
        field
    }

    /// Takes a `u8`.
    ///
    /// # Errors
    /// [`DecodeError::Short`] at the end.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Takes a `u16`.
    ///
    /// # Errors
    /// [`DecodeError::Short`] at the end.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes a `u32`.
    ///
    /// # Errors
    /// [`DecodeError::Short`] at the end.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a `u64`.
    ///
    /// # Errors
    /// [`DecodeError::Short`] at the end.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes a byte that is 0 or 1.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] for any other byte.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            got => Err(DecodeError::Invalid {
                what,
                got: got.into(),
            }),
        }
    }

    /// Takes a list: `[count: u16][entries]`, of at most `max` entries. The count is checked before
    /// anything is allocated for it, and no more is allocated ahead than bytes have arrived.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] over `max`, and whatever an entry answers.
    pub fn list<T: Decode>(
        &mut self,
        what: &'static str,
        max: usize,
    ) -> Result<Vec<T>, DecodeError> {
        let got = usize::from(self.u16()?);
        if got > max {
            return Err(DecodeError::TooLarge { what, got, max });
        }
        let room = self.left().checked_div(size_of::<T>()).unwrap_or(0);
        let mut entries = Vec::with_capacity(got.min(room));
        for _ in 0..got {
            entries.push(T::decode(self)?);
        }
        Ok(entries)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { left }),
        }
    }
}

/// What can be written in its one canonical form.
pub trait Encode {
    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

/// What can be read from its one canonical form.
pub trait Decode: Sized {
    /// Takes the value from the front of `reader`.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Decodes `bytes` as one value that leaves nothing over.
///
/// # Errors
/// Says what is wrong with the bytes.
pub fn decode_all<T: Decode>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// The canonical bytes of `value`.
pub fn encode_to_bytes<T: Encode>(value: &T) -> Bytes {
    let mut out = Vec::with_capacity(128);
    value.encode(&mut out);
    out.into()
}

/// Appends `[count: u16][entries]`.
///
/// # Panics
/// On more than 65,535 entries: every caller cuts its lists at a bound of `limits`.
pub fn encode_list<T: Encode>(entries: &[T], out: &mut Vec<u8>) {
    let count = u16::try_from(entries.len()).expect("lists are cut at their bound before this");
    count.encode(out);
    for entry in entries {
        entry.encode(out);
    }
}

/// Appends one after the other.
pub(super) fn encode_each(parts: &[&dyn Encode], out: &mut Vec<u8>) {
    for part in parts {
        part.encode(out);
    }
}

macro_rules! wire_integer {
    ($($type:ident)*) => {$(
        impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }

        impl Decode for $type {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.$type()
            }
        }
    )*};
}
wire_integer!(u8 u16 u32 u64);

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array()
    }
}

macro_rules! wire_id {
    ($($type:ty)*) => {$(
        impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_bytes());
            }
        }

        impl Decode for $type {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.array().map(<$type>::from_bytes)
            }
        }
    )*};
}
wire_id!(
    crate::id::NodeId crate::id::AuthorId crate::id::BulletinId crate::id::TopicId
    crate::id::ContentId crate::id::NetworkId crate::id::ShortId crate::id::ValueKey
);

/// `[4][ip: 4][port: u16]` or `[6][ip: 16][port: u16]`.
impl Encode for SocketAddr {
    fn encode(&self, out: &mut Vec<u8>) {
        match self.ip() {
            IpAddr::V4(ip) => {
                out.push(4);
                out.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                out.push(6);
                out.extend_from_slice(&ip.octets());
            }
        }
        self.port().encode(out);
    }
}

impl Decode for SocketAddr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let ip = match reader.u8()? {
            4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?)),
            got => {
                return Err(DecodeError::Invalid {
                    what: "address family",
                    got: got.into(),
                });
            }
        };
        Ok(Self::new(ip, reader.u16()?))
    }
}
