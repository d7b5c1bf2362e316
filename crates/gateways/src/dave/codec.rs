//! Dave's wire: one protobuf message per UDP datagram, and nothing around it.
//!
//! ```text
//! op: 1 varint | peers: 2 repeated text | prev: 3 | work: 4 | nonce: 5 | val: 6 | tag: 7, all bytes
//! ```
//! What has its default is left out, so that GETPEER is a datagram of no bytes. Any bytes decode to a
//! message or to an error: addresses that are none are left out and counted, fields we do not know are
//! passed over.

use std::net::SocketAddr;

/// Bytes of the longest datagram that dave reads.
pub const DATAGRAM_BYTES_MAX: usize = 1_500;
/// Bytes of the longest value that its commands put.
pub const VALUE_BYTES_MAX: usize = 1_280;
/// Bytes of a work, a nonce and what a value follows.
pub const HASH_BYTES: usize = 32;

/// The hash that names a value and pays for it.
pub type Work = [u8; HASH_BYTES];

/// What a message asks or says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Op {
    /// Asks for addresses; also: are you there?
    #[default]
    GetPeer,
    /// Some addresses.
    Peer,
    /// A value to keep and to pass on.
    SetDat,
    /// Who has the value of this work?
    GetDat,
    /// The value that was asked for.
    Dat,
}

impl Op {
    const ALL: [Self; 5] = [
        Self::GetPeer,
        Self::Peer,
        Self::SetDat,
        Self::GetDat,
        Self::Dat,
    ];

    fn number(self) -> u8 {
        match self {
            Self::GetPeer => 0,
            Self::Peer => 1,
            Self::SetDat => 2,
            Self::GetDat => 3,
            Self::Dat => 4,
        }
    }
}

/// A value with what was paid for it. Whether the payment is good says [`super::work::check`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Dat {
    /// The work of the value it follows; empty when it follows none.
    pub prev: Vec<u8>,
    /// What it is named by.
    pub work: Vec<u8>,
    /// What was found to make the work good.
    pub nonce: Vec<u8>,
    /// The value.
    pub val: Vec<u8>,
    /// The application's label.
    pub tag: Vec<u8>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// What it asks or says.
    pub op: Op,
    /// Addresses: those told of in PEER, those it came by otherwise.
    pub peers: Vec<SocketAddr>,
    /// The value or its work; empty in GETPEER and PEER.
    pub dat: Dat,
}

/// A message, and what of it was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// The message.
    pub message: Message,
    /// Addresses that were none.
    pub bad_addresses: usize,
}

/// Bytes are no message of dave's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// More than one reads.
    #[error("datagram of {got} bytes exceeds {DATAGRAM_BYTES_MAX}")]
    TooLong {
        /// Its bytes.
        got: usize,
    },
    /// It ends within a field.
    #[error("datagram ends within a field at byte {at}")]
    Cut {
        /// Where.
        at: usize,
    },
    /// A number of more than 64 bits.
    #[error("number at byte {at} has more than 64 bits")]
    Number {
        /// Where it ends.
        at: usize,
    },
    /// A field of a type that a known one cannot have, or none at all.
    #[error("field {field} has wire type {wire}")]
    Field {
        /// Its number.
        field: u64,
        /// Its type.
        wire: u64,
    },
    /// An operation that is none.
    #[error("there is no operation {0}")]
    Op(u64),
    /// An address that is not text.
    #[error("an address is not UTF-8")]
    Text,
}

impl Message {
    /// A message of `op` without anything in it.
    pub fn of(op: Op) -> Self {
        Self {
            op,
            ..Self::default()
        }
    }

    /// A question for the value of `work`.
    pub fn get(work: &Work) -> Self {
        let dat = Dat {
            work: work.to_vec(),
            ..Dat::default()
        };
        Self {
            dat,
            ..Self::of(Op::GetDat)
        }
    }

    /// The bytes of the datagram.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.op != Op::GetPeer {
            out.extend([0x08, self.op.number()]);
        }
        for peer in &self.peers {
            put(&mut out, 2, peer.to_string().as_bytes());
        }
        let dat = &self.dat;
        for (field, bytes) in [
            (3, &dat.prev),
            (4, &dat.work),
            (5, &dat.nonce),
            (6, &dat.val),
            (7, &dat.tag),
        ] {
            if !bytes.is_empty() {
                put(&mut out, field, bytes);
            }
        }
        out
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is none: the sender's fault.
    pub fn decode(bytes: &[u8]) -> Result<Decoded, CodecError> {
        if bytes.len() > DATAGRAM_BYTES_MAX {
            return Err(CodecError::TooLong { got: bytes.len() });
        }
        let mut reader = Reader { bytes, at: 0 };
        let mut decoded = Decoded::default();
        while !reader.is_at_end() {
            reader.field(&mut decoded)?;
        }
        Ok(decoded)
    }
}

/// Appends `bytes` as field `field`.
fn put(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | LENGTH_DELIMITED_TAG);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("less than 0x80"));
    out.extend_from_slice(bytes);
}

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const LENGTH_DELIMITED_TAG: u8 = 2;
const FIXED_32: u64 = 5;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Reads one field into `decoded`. Of a field that comes twice the last one counts, as in all protobuf.
    fn field(&mut self, decoded: &mut Decoded) -> Result<(), CodecError> {
        let key = self.varint()?;
        let (field, wire) = (key >> 3, key & 7);
        match (field, wire) {
            (1, VARINT) => decoded.message.op = self.op()?,
            (2, LENGTH_DELIMITED) => {
                let text = std::str::from_utf8(self.delimited()?).map_err(|_| CodecError::Text)?;
                match text.parse() {
                    Ok(peer) => decoded.message.peers.push(peer),
                    Err(_) => decoded.bad_addresses += 1,
                }
            }
            (3..=7, LENGTH_DELIMITED) => {
                let bytes = self.delimited()?.to_vec();
                let dat = &mut decoded.message.dat;
                match field {
                    3 => dat.prev = bytes,
                    4 => dat.work = bytes,
                    5 => dat.nonce = bytes,
                    6 => dat.val = bytes,
                    _ => dat.tag = bytes,
                }
            }
            (0..=7, _) => return Err(CodecError::Field { field, wire }),
            (_, VARINT) => drop(self.varint()?),
            (_, FIXED_64) => drop(self.take(8)?),
            (_, FIXED_32) => drop(self.take(4)?),
            (_, LENGTH_DELIMITED) => drop(self.delimited()?),
            (_, _) => return Err(CodecError::Field { field, wire }),
        }
        Ok(())
    }

    fn op(&mut self) -> Result<Op, CodecError> {
        let number = self.varint()?;
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        Op::ALL.get(place).copied().ok_or(CodecError::Op(number))
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(CodecError::Number { at: self.at });
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CodecError::Number { at: self.at })
    }

    fn delimited(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.varint()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(CodecError::Cut { at: self.at })?;
        self.at += length;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hex;

    fn decode(text: &str) -> Decoded {
        Message::decode(&hex::decode(text).unwrap()).unwrap()
    }

    /// Bytes that the original made of what stands beside them.
    #[test]
    fn messages_have_the_bytes_of_the_original() {
        let a = [0xaa; 32];
        let aa = "aa".repeat(32);
        let peers = vec![
            "[::1]:4801".parse().unwrap(),
            "127.0.0.1:1618".parse().unwrap(),
        ];
        let full = Dat {
            prev: a.to_vec(),
            work: a.to_vec(),
            nonce: (0..32).collect(),
            val: b"v".to_vec(),
            tag: b"t".to_vec(),
        };
        let peer = Message {
            peers,
            ..Message::of(Op::Peer)
        };
        let asked = Message {
            peers: vec!["[::1]:4801".parse().unwrap()],
            ..Message::get(&a)
        };
        let dat = Message {
            dat: full,
            ..Message::of(Op::Dat)
        };
        let nonce = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        for (message, text) in [
            (Message::of(Op::GetPeer), String::new()),
            (Message::of(Op::Peer), "0801".into()),
            (
                peer,
                "0801120a5b3a3a315d3a34383031120e3132372e302e302e313a31363138".into(),
            ),
            (Message::get(&a), format!("08032220{aa}")),
            (asked, format!("0803120a5b3a3a315d3a343830312220{aa}")),
            (dat, format!("08041a20{aa}2220{aa}2a20{nonce}3201763a0174")),
        ] {
            assert_eq!(hex::encode(&message.encode()), text);
            assert_eq!(decode(&text).message, message);
        }
    }

    /// Each of these ended the original: a panic in its decoder, or in the parser of addresses.
    #[test]
    fn malformed_datagrams_are_errors() {
        let read = |bytes: &[u8]| Message::decode(bytes).map(|decoded| decoded.message);
        assert_eq!(read(&[0xff; 3]), Err(CodecError::Cut { at: 3 }));
        assert_eq!(read(&[0; 2_000]), Err(CodecError::TooLong { got: 2_000 }));
        assert_eq!(read(&[0x08]), Err(CodecError::Cut { at: 1 }));
        assert_eq!(read(&[0x08, 5]), Err(CodecError::Op(5)));
        assert_eq!(read(&[0x12, 2, 0xff, 0xfe]), Err(CodecError::Text));
        assert_eq!(
            read(&[0x32, 0xff, 0xff, 0xff, 0xff, 0x0f]),
            Err(CodecError::Cut { at: 6 })
        );
        assert_eq!(
            read(&[[0x08].as_slice(), &[0xff; 9], &[0x02]].concat()),
            Err(CodecError::Number { at: 11 })
        );
        let (field, wire) = (2, 0);
        assert_eq!(read(&[0x10, 0]), Err(CodecError::Field { field, wire }));
        let (field, wire) = (8, 3);
        assert_eq!(read(&[0x43]), Err(CodecError::Field { field, wire }));
    }

    #[test]
    fn addresses_that_are_none_are_left_out_and_counted() {
        let mut bytes = vec![0x08, 1];
        for text in ["not an address", "127.0.0.1:99999", "[::1]:7", ""] {
            put(&mut bytes, 2, text.as_bytes());
        }
        let decoded = Message::decode(&bytes).unwrap();
        assert_eq!(decoded.bad_addresses, 3);
        assert_eq!(decoded.message.peers, ["[::1]:7".parse().unwrap()]);
    }

    #[test]
    fn fields_of_later_versions_are_passed_over() {
        let known = Message::of(Op::Peer).encode();
        let later = [
            &known[..],
            &[0x40, 0x80, 0x01],
            &[0x49; 9],
            &[0x52, 2, 1, 2],
            &[0x5d, 1, 2, 3, 4],
        ]
        .concat();
        assert_eq!(decode(&hex::encode(&later)).message, Message::of(Op::Peer));
    }

    proptest! {
        #[test]
        fn any_message_survives_its_bytes(
            op in 0_usize..5,
            ports in proptest::collection::vec(any::<(u128, u16, bool)>(), 0..8),
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 5),
        ) {
            let peers = ports.into_iter().map(|(ip, port, is_v4)| {
                let v4 = std::net::Ipv4Addr::from(u32::try_from(ip >> 96).unwrap());
                let ip = if is_v4 { v4.into() } else { std::net::Ipv6Addr::from(ip).into() };
                SocketAddr::new(ip, port)
            });
            let [prev, work, nonce, val, tag] = parts.try_into().unwrap();
            let dat = Dat { prev, work, nonce, val, tag };
            let message = Message { op: Op::ALL[op], peers: peers.collect(), dat };
            let bytes = message.encode();
            prop_assert!(bytes.len() > DATAGRAM_BYTES_MAX || Message::decode(&bytes).unwrap().message == message);
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..1_600)) {
            if let Ok(decoded) = Message::decode(&bytes) {
                let again = decoded.message.encode();
                prop_assert_eq!(Message::decode(&again).unwrap().message, decoded.message);
            }
        }
    }
}
