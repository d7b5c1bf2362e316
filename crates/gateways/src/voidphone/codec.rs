//! The frames of `VoidPhone` gossip: the module API (500 to 503), and the peers of Gossip-5 (504 to 511).
//!
//! `[size: u16, all of it][type: u16][body]`, big endian, over TCP. Reserved bits are written as zero and
//! not looked at when read. [`Decoder`] takes the stream in any pieces.
//!
//! Invariant: a decoder holds one frame at most, and what cannot be one is refused as soon as its first
//! four bytes are there: after that nobody knows where the next frame begins.

use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Bytes before a body.
const HEAD_BYTES: usize = 4;
/// Most bytes of a frame.
pub(crate) const FRAME_BYTES_MAX: usize = u16::MAX as usize;
/// Most bytes of data that modules can be told of: a NOTIFICATION is a head, an id and a type longer.
pub(crate) const NOTIFICATION_DATA_MAX: usize = FRAME_BYTES_MAX - HEAD_BYTES - 4;
/// Most bytes of data that peers can be told of.
pub(crate) const PEER_DATA_MAX: usize = FRAME_BYTES_MAX - HEAD_BYTES - 6;
/// Bytes of a peer in a PEER RESPONSE.
const PEER_BYTES: usize = 6;

/// A frame of either port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// 500, from a module: spread this.
    Announce {
        /// Hops it may take, 0 for any number.
        ttl: u8,
        /// What kind of data it is.
        data_type: u16,
        /// The data.
        data: Bytes,
    },
    /// 501, from a module: tell me of this kind of data.
    Notify {
        /// The kind.
        data_type: u16,
    },
    /// 502, to a module: this came.
    Notification {
        /// What to vote on.
        id: u16,
        /// The kind.
        data_type: u16,
        /// The data.
        data: Bytes,
    },
    /// 503, from a module: a vote.
    Validation {
        /// On what.
        id: u16,
        /// Whether it is well formed.
        valid: bool,
    },
    /// 504: whom do you know?
    PeerRequest,
    /// 505: these.
    PeerResponse(Vec<SocketAddrV4>),
    /// 506: solve this puzzle.
    VerificationRequest {
        /// The puzzle.
        nonce: u64,
    },
    /// 507: it is solved. (The document of Gossip-5 draws the challenge first; its code sends it second.)
    VerificationResponse {
        /// The puzzle.
        nonce: u64,
        /// Its solution.
        challenge: u64,
        /// Where whoever solved it listens.
        address: SocketAddrV4,
    },
    /// 508: I am here.
    Hello {
        /// Where whoever says so listens.
        address: SocketAddrV4,
    },
    /// 509: there is somebody new.
    Push {
        /// How many more times this may be passed on.
        ttl: u16,
        /// Where the new one listens.
        address: SocketAddrV4,
    },
    /// 510: nothing; whoever writes it sees whether the connection stands.
    Ping,
    /// 511: this came.
    PeerNotification {
        /// How many more hops it may take.
        ttl: u8,
        /// The id its originator gave it.
        id: u16,
        /// The kind.
        data_type: u16,
        /// The data.
        data: Bytes,
    },
}

/// Bytes that are no frame: the peer's mistake. There is no way to go on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The size is less than that of the head it stands in.
    #[error("a frame of {got} bytes is shorter than its head")]
    Short {
        /// The size.
        got: u16,
    },
    /// There is no such type.
    #[error("there is no frame of type {0}")]
    Type(u16),
    /// A frame of this type has another size.
    #[error("a frame of type {kind} has no body of {got} bytes")]
    Size {
        /// The type.
        kind: u16,
        /// Bytes of the body.
        got: usize,
    },
    /// Our own data does not fit into a frame.
    #[error("{got} bytes of body exceed a frame's {}", FRAME_BYTES_MAX - HEAD_BYTES)]
    TooLong {
        /// Bytes of the body.
        got: usize,
    },
}

impl Frame {
    /// Its type.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::Announce { .. } => 500,
            Self::Notify { .. } => 501,
            Self::Notification { .. } => 502,
            Self::Validation { .. } => 503,
            Self::PeerRequest => 504,
            Self::PeerResponse(_) => 505,
            Self::VerificationRequest { .. } => 506,
            Self::VerificationResponse { .. } => 507,
            Self::Hello { .. } => 508,
            Self::Push { .. } => 509,
            Self::Ping => 510,
            Self::PeerNotification { .. } => 511,
        }
    }

    /// Bytes of its data, for those that have any.
    pub const fn data_len(&self) -> usize {
        match self {
            Self::Announce { data, .. }
            | Self::Notification { data, .. }
            | Self::PeerNotification { data, .. } => data.len(),
            _ => 0,
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        let mut bytes = BytesMut::new();
        bytes.put_u16(0);
        bytes.put_u16(self.kind());
        self.put_body(&mut bytes);
        let size = u16::try_from(bytes.len()).map_err(|_| FrameError::TooLong {
            got: bytes.len() - HEAD_BYTES,
        })?;
        bytes[..2].copy_from_slice(&size.to_be_bytes());
        Ok(bytes.freeze())
    }

    fn put_body(&self, bytes: &mut BytesMut) {
        match self {
            Self::Announce {
                ttl,
                data_type,
                data,
            } => {
                bytes.put_slice(&[*ttl, 0]);
                bytes.put_u16(*data_type);
                bytes.put_slice(data);
            }
            Self::Notify { data_type } => {
                bytes.put_u16(0);
                bytes.put_u16(*data_type);
            }
            Self::Notification {
                id,
                data_type,
                data,
            } => {
                bytes.put_u16(*id);
                bytes.put_u16(*data_type);
                bytes.put_slice(data);
            }
            Self::Validation { id, valid } => {
                bytes.put_u16(*id);
                bytes.put_u16((*valid).into());
            }
            Self::PeerRequest | Self::Ping => {}
            Self::PeerResponse(peers) => peers.iter().for_each(|peer| put_address(bytes, *peer)),
            Self::VerificationRequest { nonce } => bytes.put_u64(*nonce),
            Self::VerificationResponse {
                nonce,
                challenge,
                address,
            } => {
                bytes.put_u64(*nonce);
                bytes.put_u64(*challenge);
                put_address(bytes, *address);
            }
            Self::Hello { address } => put_address(bytes, *address),
            Self::Push { ttl, address } => {
                bytes.put_u16(*ttl);
                put_address(bytes, *address);
            }
            Self::PeerNotification {
                ttl,
                id,
                data_type,
                data,
            } => {
                bytes.put_slice(&[*ttl, 0]);
                bytes.put_u16(*id);
                bytes.put_u16(*data_type);
                bytes.put_slice(data);
            }
        }
    }

    /// Reads the body of a frame of type `kind`, whose length [`check`] has passed.
    fn read_body(kind: u16, mut body: Bytes) -> Result<Self, FrameError> {
        let body = &mut body;
        Ok(match kind {
            500 => {
                let (ttl, _) = (body.get_u8(), body.get_u8());
                let data_type = body.get_u16();
                Self::Announce {
                    ttl,
                    data_type,
                    data: body.split_off(0),
                }
            }
            501 => {
                body.advance(2);
                Self::Notify {
                    data_type: body.get_u16(),
                }
            }
            502 => {
                let (id, data_type) = (body.get_u16(), body.get_u16());
                Self::Notification {
                    id,
                    data_type,
                    data: body.split_off(0),
                }
            }
            503 => {
                let (id, bits) = (body.get_u16(), body.get_u16());
                Self::Validation {
                    id,
                    valid: bits & 1 == 1,
                }
            }
            504 => Self::PeerRequest,
            505 => {
                let count = body.len() / PEER_BYTES;
                Self::PeerResponse((0..count).map(|_| get_address(body)).collect())
            }
            506 => Self::VerificationRequest {
                nonce: body.get_u64(),
            },
            507 => {
                let (nonce, challenge) = (body.get_u64(), body.get_u64());
                Self::VerificationResponse {
                    nonce,
                    challenge,
                    address: get_address(body),
                }
            }
            508 => Self::Hello {
                address: get_address(body),
            },
            509 => {
                let ttl = body.get_u16();
                Self::Push {
                    ttl,
                    address: get_address(body),
                }
            }
            510 => Self::Ping,
            511 => {
                let (ttl, _) = (body.get_u8(), body.get_u8());
                let (id, data_type) = (body.get_u16(), body.get_u16());
                Self::PeerNotification {
                    ttl,
                    id,
                    data_type,
                    data: body.split_off(0),
                }
            }
            _ => return Err(FrameError::Type(kind)),
        })
    }
}

/// Whether a frame of type `kind` may have a body of `got` bytes.
fn check(kind: u16, got: usize) -> Result<(), FrameError> {
    let fits = match kind {
        500 | 502 => got >= 4,
        501 | 503 => got == 4,
        504 | 510 => got == 0,
        505 => got.is_multiple_of(PEER_BYTES),
        506 | 509 => got == 8,
        507 => got == 22,
        508 => got == 6,
        511 => got >= 6,
        _ => return Err(FrameError::Type(kind)),
    };
    fits.then_some(()).ok_or(FrameError::Size { kind, got })
}

fn put_address(bytes: &mut BytesMut, address: SocketAddrV4) {
    bytes.put_slice(&address.ip().octets());
    bytes.put_u16(address.port());
}

fn get_address(body: &mut Bytes) -> SocketAddrV4 {
    let ip = Ipv4Addr::from_bits(body.get_u32());
    SocketAddrV4::new(ip, body.get_u16())
}

/// Reads frames from a stream that comes in any pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Takes what came next. The frames in it are to be taken before more is fed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; none until more is fed.
    ///
    /// # Errors
    /// When what came is no frame, or cannot become one: again and again, for there is no way to go on.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((head, _)) = self.buffer.split_first_chunk::<HEAD_BYTES>() else {
            // A size that is none is told before the type is there.
            return match self
                .buffer
                .first_chunk::<2>()
                .map(|size| u16::from_be_bytes(*size))
            {
                Some(got) if usize::from(got) < HEAD_BYTES => Err(FrameError::Short { got }),
                _ => Ok(None),
            };
        };
        let size = u16::from_be_bytes([head[0], head[1]]);
        let kind = u16::from_be_bytes([head[2], head[3]]);
        let Some(got) = usize::from(size).checked_sub(HEAD_BYTES) else {
            return Err(FrameError::Short { got: size });
        };
        check(kind, got)?;
        if self.buffer.len() < usize::from(size) {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(size.into()).freeze();
        frame.advance(HEAD_BYTES);
        Frame::read_body(kind, frame).map(Some)
    }

    /// Whether it holds the beginning of a frame.
    pub fn is_within(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Bytes it holds.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits = (0..text.len()).step_by(2);
        digits
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    fn data() -> Bytes {
        Bytes::from_static(b"deadbeef")
    }

    /// What a joiner and the bootstrapper that took it said, the word that went back to it at last.
    fn trace() -> Vec<(Frame, &'static str)> {
        vec![
            (
                Frame::Hello {
                    address: v4("127.0.0.1:6999"),
                },
                "000a01fc7f0000011b57",
            ),
            (
                Frame::VerificationRequest {
                    nonce: 0xd302_dc5c_87cc_30f6,
                },
                "000c01fad302dc5c87cc30f6",
            ),
            (
                Frame::VerificationResponse {
                    nonce: 0xd302_dc5c_87cc_30f6,
                    challenge: 11_934_259,
                    address: v4("127.0.0.1:6999"),
                },
                "001a01fbd302dc5c87cc30f60000000000b61a337f0000011b57",
            ),
            (
                Frame::PeerResponse(vec![
                    v4("127.0.0.1:6031"),
                    v4("127.0.0.1:6011"),
                    v4("127.0.0.1:6021"),
                ]),
                "001601f97f000001178f7f000001177b7f0000011785",
            ),
            (
                Frame::PeerNotification {
                    ttl: 3,
                    id: 0x4242,
                    data_type: 1337,
                    data: Bytes::from_static(b"from-foreig"),
                },
                "001501ff03004242053966726f6d2d666f72656967",
            ),
            (
                Frame::PeerNotification {
                    ttl: 2,
                    id: 0x4242,
                    data_type: 1337,
                    data: Bytes::from_static(b"from-foreig"),
                },
                "001501ff02004242053966726f6d2d666f72656967",
            ),
        ]
    }

    fn fixtures() -> Vec<(Frame, &'static str)> {
        made().into_iter().chain(trace()).collect()
    }

    /// Each type but one with the bytes its own packer makes of it.
    fn made() -> Vec<(Frame, &'static str)> {
        vec![
            (
                Frame::Announce {
                    ttl: 4,
                    data_type: 1337,
                    data: data(),
                },
                "001001f4040005396465616462656566",
            ),
            (Frame::Notify { data_type: 1337 }, "000801f500000539"),
            (
                Frame::Notification {
                    id: 32552,
                    data_type: 1337,
                    data: data(),
                },
                "001001f67f2805396465616462656566",
            ),
            (
                Frame::Validation {
                    id: 32552,
                    valid: true,
                },
                "000801f77f280001",
            ),
            (
                Frame::Validation {
                    id: 32552,
                    valid: false,
                },
                "000801f77f280000",
            ),
            (Frame::PeerRequest, "000401f8"),
            (
                Frame::PeerResponse(vec![v4("127.0.0.1:6011"), v4("10.1.2.3:65535")]),
                "001001f97f000001177b0a010203ffff",
            ),
            (Frame::PeerResponse(Vec::new()), "000401f9"),
            (
                Frame::VerificationRequest {
                    nonce: 0x0102_0304_0506_0708,
                },
                "000c01fa0102030405060708",
            ),
            (
                Frame::Hello {
                    address: v4("127.0.0.1:6011"),
                },
                "000a01fc7f000001177b",
            ),
            (
                Frame::Push {
                    ttl: 5,
                    address: v4("127.0.0.1:6011"),
                },
                "000c01fd00057f000001177b",
            ),
            (Frame::Ping, "000401fe"),
            (
                Frame::PeerNotification {
                    ttl: 3,
                    id: 0x4242,
                    data_type: 1337,
                    data: data(),
                },
                "001201ff0300424205396465616462656566",
            ),
        ]
    }

    fn decode(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        let mut decoder = Decoder::default();
        decoder.feed(bytes);
        decoder.next_frame()
    }

    #[test]
    fn every_type_has_the_bytes_of_the_original() {
        for (frame, bytes) in fixtures() {
            assert_eq!(frame.encode().unwrap(), hex(bytes), "{frame:?}");
            assert_eq!(decode(&hex(bytes)), Ok(Some(frame)), "{bytes}");
        }
    }

    #[test]
    fn frames_are_read_alike_however_the_stream_is_cut() {
        let all: Vec<_> = fixtures().into_iter().map(|(frame, _)| frame).collect();
        let bytes: Vec<_> = fixtures()
            .into_iter()
            .flat_map(|(_, bytes)| hex(bytes))
            .collect();
        for step in 1..=bytes.len() {
            let (mut decoder, mut read) = (Decoder::default(), Vec::new());
            for piece in bytes.chunks(step) {
                decoder.feed(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    read.push(frame);
                }
            }
            assert_eq!(read, all, "{step} bytes at a time");
            assert!(!decoder.is_within());
        }
    }

    #[test]
    fn reserved_bits_are_not_looked_at() {
        for (plain, odd) in [
            ("000801f500000539", "000801f5ffff0539"),
            ("000801f77f280001", "000801f77f28ffff"),
            ("000801f77f280000", "000801f77f28fffe"),
            ("000901f40400053961", "000901f404ff053961"),
            ("000b01ff03004242053961", "000b01ff03ff4242053961"),
        ] {
            assert_eq!(decode(&hex(plain)), decode(&hex(odd)));
            assert!(decode(&hex(plain)).unwrap().is_some());
        }
    }

    #[test]
    fn what_cannot_be_a_frame_is_refused_with_its_head() {
        let cases = [
            ("0003", FrameError::Short { got: 3 }),
            ("000001f5", FrameError::Short { got: 0 }),
            ("000801f3", FrameError::Type(499)),
            ("00080200", FrameError::Type(512)),
            (
                "ffff01f5",
                FrameError::Size {
                    kind: 501,
                    got: 65531,
                },
            ),
            ("000701f4", FrameError::Size { kind: 500, got: 3 }),
            ("000501f8", FrameError::Size { kind: 504, got: 1 }),
            ("000901f9", FrameError::Size { kind: 505, got: 5 }),
            ("000901ff", FrameError::Size { kind: 511, got: 5 }),
        ];
        for (bytes, error) in cases {
            let mut decoder = Decoder::default();
            decoder.feed(&hex(bytes));
            assert_eq!(decoder.next_frame(), Err(error), "{bytes}");
            decoder.feed(&hex("000401fe"));
            assert_eq!(decoder.next_frame(), Err(error), "it goes on after {bytes}");
        }
    }

    /// Other groups of the same course gave the same numbers to frames of their own.
    #[test]
    fn frames_of_another_numbering_are_refused_or_say_nothing() {
        let size = |kind, got| Err(FrameError::Size { kind, got });
        let push = Frame::Push {
            ttl: 0,
            address: v4("0.0.0.0:2"),
        };
        for (bytes, read) in [
            (
                "001801f80000000000000001030005396465616462656566",
                size(504, 20),
            ),
            ("000401f9", Ok(Some(Frame::PeerResponse(Vec::new())))),
            (
                "002101fa3132372e302e302e313a363030312c3132372e302e302e313a36303032",
                size(506, 29),
            ),
            ("000801fb00001771", size(507, 4)),
            ("000c01fc0000000000000001", size(508, 8)),
            ("000c01fd0000000000000002", Ok(Some(push))),
            ("000801fe00000001", size(510, 4)),
        ] {
            assert_eq!(decode(&hex(bytes)), read, "{bytes}");
        }
    }

    #[test]
    fn the_longest_announcement_fits_and_a_longer_one_does_not() {
        let announce = |len: usize| Frame::Announce {
            ttl: 0,
            data_type: 1,
            data: vec![7; len].into(),
        };
        let longest = announce(NOTIFICATION_DATA_MAX);
        let bytes = longest.encode().unwrap();
        assert_eq!(bytes.len(), 65535);
        assert_eq!(decode(&bytes), Ok(Some(longest)));
        let too_long = announce(NOTIFICATION_DATA_MAX + 1).encode();
        assert_eq!(too_long, Err(FrameError::TooLong { got: 65532 }));
        let peer = |len: usize| Frame::PeerNotification {
            ttl: 1,
            id: 1,
            data_type: 1,
            data: vec![7; len].into(),
        };
        assert!(peer(PEER_DATA_MAX).encode().is_ok() && peer(PEER_DATA_MAX + 1).encode().is_err());
    }
}
