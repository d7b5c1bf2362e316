//! Why a letter is not taken, or not as far as was asked for.

use std::borrow::Cow;
use std::time::Duration;

use bruit_core::letters::LetterId;

use super::LetterState;

/// Why a letter is not taken.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The body is too long.
    #[error("a letter of {got} bytes exceeds {max}")]
    TooBig {
        /// Its bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
    /// The life is out of range.
    #[error("a life of {} s is not within 1 s to 14 days", .got.as_secs_f64())]
    Ttl {
        /// What was asked for.
        got: Duration,
    },
    /// Too many letters wait to be acknowledged.
    #[error("{max} letters wait to be acknowledged already")]
    Full {
        /// Most letters.
        max: usize,
    },
    /// The work exceeds what the user allows.
    #[error("this letter needs {need} bits of work, and {max} are allowed")]
    PriceTooLow {
        /// Bits the network asks for now.
        need: u8,
        /// Bits allowed.
        max: u8,
    },
    /// The author key cannot be used.
    #[error(transparent)]
    Author(Box<crate::PublishError>),
    /// What is kept cannot be written.
    #[error("the letter cannot be kept: {0}")]
    Store(String),
    /// The letter was given up before the word came true.
    #[error("the letter {id} was not acknowledged within its life")]
    Expired {
        /// The letter.
        id: LetterId,
    },
    /// The wait was over before the word was true. The letter is on its way.
    #[error("the letter {id} is {}, but not more within {waited:?}", .reached.as_str())]
    Timeout {
        /// The letter.
        id: LetterId,
        /// What is true of it so far.
        reached: LetterState,
        /// How long was waited.
        waited: Duration,
    },
    /// No gateway at this node goes there.
    #[error("no gateway at this node goes to {system}")]
    NoGateway {
        /// The system.
        system: String,
    },
    /// No gateway took the letter.
    #[error("the letter to {to} was not taken: {why}")]
    NotTaken {
        /// Whom it is for.
        to: String,
        /// Why, in the gateway's words.
        why: String,
    },
    /// Too many gateways take letters.
    #[error("too many gateways take letters here already")]
    TooManyGateways,
    /// The node has stopped.
    #[error("the node has stopped")]
    Closed,
}

impl SendError {
    /// The code in outputs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooBig { .. } => "too_big",
            Self::Ttl { .. } => "ttl",
            Self::Full { .. } => "queue_full",
            Self::PriceTooLow { .. } => "price_too_low",
            Self::Author(error) => error.code(),
            Self::Store(_) => "store_failed",
            Self::Expired { .. } => "expired",
            Self::Timeout { .. } => "timeout",
            Self::NoGateway { .. } => "no_gateway",
            Self::NotTaken { .. } => "not_taken",
            Self::TooManyGateways => "too_many_gateways",
            Self::Closed => "closed",
        }
    }

    /// What mends it.
    pub fn fix(&self) -> Cow<'static, str> {
        let fix = match self {
            Self::TooBig { .. } => "write at most 64,512 bytes in one letter",
            Self::Ttl { .. } => "choose a life from 1 s to 14 days",
            Self::Full { .. } => "wait until some are acknowledged or expired: `bruit outbox`",
            Self::PriceTooLow { .. } => {
                "start the daemon with a higher `bruit run --max-work`, or write a shorter letter"
            }
            Self::Author(error) => return error.fix(),
            Self::Store(_) => "see the daemon's log, and make room on the disk of the data folder",
            Self::Expired { .. } => "send it again with a longer --ttl",
            Self::Timeout { .. } => {
                "wait longer, or look later: `bruit outbox`; it goes on without you"
            }
            Self::NoGateway { system } => {
                return format!("start one beside the daemon: `bruit gateway {system}`").into();
            }
            Self::NotTaken { .. } => "see what the gateway prints, and send it again",
            Self::TooManyGateways => "stop some of them",
            Self::Closed => "start the node again",
        };
        fix.into()
    }
}
