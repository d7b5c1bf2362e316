//! The wire of the exercise: ASCII text over TCP, one message for each connection, fields between colons.
//!
//! ```text
//! 1133:ORIGIN:SECONDS:COUNT            gossip; 1155 in the documents, 1133 in the code
//! 1122:SECONDS:OWN:                    are you there?
//! 1144:SECONDS:REQUESTER:OWN           yes
//! REGISTER:PORT                        to a seed, which answers `PORT Registered successfully to SEED`
//! PEERLIST_REQUEST                     to a seed, which answers a pickle
//! DEAD:IP:PORT:SECONDS:OWN             to a seed
//! ```

use std::fmt;

/// Bytes that a peer reads of a message.
pub const PEER_BYTES_MAX: usize = 500;
/// Bytes that a seed reads, and that a peer reads of its answer.
pub const SEED_BYTES_MAX: usize = 1_024;

/// The gossip: who made it, when, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gossip {
    /// The port of the peer that made it.
    pub origin: u16,
    /// When, in seconds since 1970 by its clock.
    pub seconds: u64,
    /// The how many-th of its maker it is.
    pub count: u64,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Something to be passed on.
    Gossip(Gossip),
    /// A question whether one is there.
    Request {
        /// When it was asked.
        seconds: u64,
        /// Who asks.
        port: u16,
    },
    /// The answer.
    Reply {
        /// When it was asked.
        seconds: u64,
        /// Who asked.
        requester: u16,
        /// Who answers.
        port: u16,
    },
    /// To a seed: list me.
    Register {
        /// Who.
        port: u16,
    },
    /// To a seed: who is there?
    ListRequest,
    /// To a seed: somebody does not answer.
    Dead {
        /// Where it was.
        ip: String,
        /// Who.
        port: u16,
        /// When.
        seconds: u64,
        /// Who says so.
        reporter: u16,
    },
}

/// Text is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Longer than is read.
    #[error("message of {got} bytes exceeds {max}")]
    TooLong {
        /// Its bytes.
        got: usize,
        /// The most.
        max: usize,
    },
    /// Not ASCII.
    #[error("a message that is not ASCII")]
    NotAscii,
    /// No message that is known, or several in one.
    #[error("no message of this system")]
    Unknown,
}

/// Addresses in DEAD have at most so many characters.
const IP_CHARS_MAX: usize = 45;

impl Message {
    /// Reads a message that came to a peer or a seed, which reads `max` bytes.
    ///
    /// # Errors
    /// When it is none: the sender's fault.
    pub fn decode(bytes: &[u8], max: usize) -> Result<Self, CodecError> {
        if bytes.len() > max {
            let got = bytes.len();
            return Err(CodecError::TooLong { got, max });
        }
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| text.is_ascii());
        let text = text.ok_or(CodecError::NotAscii)?;
        Self::parse(text.trim()).ok_or(CodecError::Unknown)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "PEERLIST_REQUEST" {
            return Some(Self::ListRequest);
        }
        let fields: Vec<_> = text.split(':').collect();
        match fields[..] {
            ["1133" | "1155", origin, seconds, count] => Some(Self::Gossip(Gossip {
                origin: port(origin)?,
                seconds: number(seconds)?,
                count: number(count)?,
            })),
            ["1122", seconds, asks] | ["1122", seconds, asks, ""] => Some(Self::Request {
                seconds: number(seconds)?,
                port: port(asks)?,
            }),
            ["1144", seconds, requester, answers] => Some(Self::Reply {
                seconds: number(seconds)?,
                requester: port(requester)?,
                port: port(answers)?,
            }),
            ["REGISTER", registers] => Some(Self::Register {
                port: port(registers)?,
            }),
            // An address of the later internet protocol has colons of its own.
            ["DEAD", .., dead, seconds, reporter] if fields.len() >= 5 => {
                let ip = fields.get(1..fields.len() - 3)?.join(":");
                let is_plain = ip
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b));
                (is_plain && ip.len() <= IP_CHARS_MAX).then_some(())?;
                Some(Self::Dead {
                    ip,
                    port: port(dead)?,
                    seconds: number(seconds)?,
                    reporter: port(reporter)?,
                })
            }
            _ => None,
        }
    }

    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gossip(gossip) => write!(f, "1133:{gossip}"),
            Self::Request { seconds, port } => write!(f, "1122:{seconds}:{port}:"),
            Self::Reply {
                seconds,
                requester,
                port,
            } => write!(f, "1144:{seconds}:{requester}:{port}"),
            Self::Register { port } => write!(f, "REGISTER:{port}"),
            Self::ListRequest => f.write_str("PEERLIST_REQUEST"),
            Self::Dead {
                ip,
                port,
                seconds,
                reporter,
            } => write!(f, "DEAD:{ip}:{port}:{seconds}:{reporter}"),
        }
    }
}

/// As in the body of a bulletin: `PORT:SECONDS:COUNT`.
impl fmt::Display for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.origin, self.seconds, self.count)
    }
}

/// A seed's answer to a registration.
pub fn registered(port: u16, seed: u16) -> String {
    format!("{port} Registered successfully to {seed}")
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn port(text: &str) -> Option<u16> {
    let port = u16::try_from(number(text)?).ok()?;
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Message, CodecError> {
        Message::decode(text.as_bytes(), PEER_BYTES_MAX)
    }

    /// What the originals sent.
    #[test]
    fn messages_have_the_bytes_of_the_originals() {
        for text in [
            "1133:8109:1795168660:1",
            "1133:8102:1795168661:2",
            "1122:1795168667:8101:",
            "1144:1795169416:8299:8201",
            "DEAD:127.0.0.1:8109:1795168738:8101",
            "REGISTER:8109",
            "PEERLIST_REQUEST",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(
            registered(8109, 6101),
            "8109 Registered successfully to 6101"
        );
        assert_eq!(
            read("1155:8109:1795168660:1"),
            read("1133:8109:1795168660:1")
        );
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for text in [
            "",
            "REGISTER:",
            "REGISTER:x",
            "REGISTER:0",
            "REGISTER:70000",
            "1133:8109:1795168660",
            "1133:8109:-1:1",
            // Two that came on one connection: an original takes them for one odd gossip and passes it on.
            "1133:8109:1795168660:11133:8102:1795168661:2",
            "1122:1795168667:8101:1122:1795168667:8101:",
            "DEAD:1:2:3",
            "DEAD:<b>:8109:1795168738:8101",
        ] {
            assert_eq!(read(text), Err(CodecError::Unknown), "{text}");
        }
        assert_eq!(read("é"), Err(CodecError::NotAscii));
        let (got, max) = (501, 500);
        assert_eq!(
            read(&"1".repeat(501)),
            Err(CodecError::TooLong { got, max })
        );
    }

    proptest! {
        #[test]
        fn any_message_survives_its_text(port in 1_u16.., other in 1_u16.., seconds: u64, count: u64) {
            for message in [
                Message::Gossip(Gossip { origin: port, seconds, count }),
                Message::Request { seconds, port },
                Message::Reply { seconds, requester: other, port },
                Message::Register { port },
                Message::Dead { ip: "::1".into(), port, seconds, reporter: other },
            ] {
                prop_assert_eq!(read(&message.to_string()), Ok(message));
            }
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(message) = Message::decode(&bytes, PEER_BYTES_MAX) {
                prop_assert_eq!(read(&message.to_string()), Ok(message));
            }
        }
    }
}
