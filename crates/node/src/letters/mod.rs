//! Letters: sealed messages to one node or author, which wait for recipients that are away.
//!
//! The desk decides, the cabinet keeps, the clerk runs both on a node. What a letter is made of is in
//! [`bruit_core::letters`]; `docs/letters.md` says what it protects and what not.

mod cabinet;
mod clerk;
mod contacts;
mod desk;
mod error;
mod foreign;
mod note;
mod records;
mod sealing;

use serde::{Deserialize, Serialize};

pub(crate) use cabinet::Cabinet;
pub(crate) use clerk::{Clerk, Letters, Message, Tapped, Work};
pub(crate) use contacts::Contacts;
pub use contacts::{Contact, ContactsError};
pub(crate) use desk::{Desk, Rules, Sealing, check};
pub use error::SendError;
pub(crate) use foreign::Couriers;
pub use foreign::{Courier, ForeignName, ParseForeignNameError, Posting, SentForeign};

/// How long letters are taken that are made for a delivery code which was rotated away.
pub const LETTER_CODE_HONOURED: std::time::Duration = desk::HONOURED;

pub(crate) use note::LETTER_OVERHEAD;
pub use note::{LETTER_TTL, LetterDraft, ReceivedLetter, Recipient, SentLetter};
pub use records::LetterState;
pub(crate) use sealing::{Unsigned, enclosed, sealed};

/// Whose letters are acknowledged: whose sender learns that the recipient's node has opened them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// Everybody's.
    Everyone,
    /// Those of contacts.
    Contacts,
    /// Nobody's.
    Nobody,
}

impl Acknowledge {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Everyone, Self::Contacts, Self::Nobody];

    /// The word in configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Contacts => "contacts",
            Self::Nobody => "nobody",
        }
    }
}
