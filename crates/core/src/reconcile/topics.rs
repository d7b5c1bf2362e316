//! The topics a comparison is limited to.
//!
//! Invariant: ascending, none twice, at most [`limits::SYNC_TOPICS_MAX`]; so equal sets are equal
//! values, and have one encoding.

use serde::{Deserialize, Serialize};

use crate::id::TopicId;
use crate::limits;
use crate::wire::{Decode, DecodeError, Encode, Reader, encode_list};

/// Topics a comparison is limited to. None at all: it is over everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<TopicId>", into = "Vec<TopicId>")]
pub struct Topics(Vec<TopicId>);

/// More topics than a comparison can be limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{got} topics are more than {max}", max = limits::SYNC_TOPICS_MAX)]
pub struct TooManyTopics {
    /// How many there are.
    pub got: usize,
}

impl Topics {
    /// Everything.
    pub const ALL: Self = Self(Vec::new());

    /// These, in whatever order they come; none at all means everything.
    ///
    /// # Errors
    /// When there are more than [`limits::SYNC_TOPICS_MAX`] different ones.
    pub fn new(mut topics: Vec<TopicId>) -> Result<Self, TooManyTopics> {
        topics.sort_unstable();
        topics.dedup();
        match topics.len() {
            got if got > limits::SYNC_TOPICS_MAX => Err(TooManyTopics { got }),
            _ => Ok(Self(topics)),
        }
    }

    /// Whether it is everything.
    pub const fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Which, ascending; none at all means everything.
    pub fn as_slice(&self) -> &[TopicId] {
        &self.0
    }
}

impl TryFrom<Vec<TopicId>> for Topics {
    type Error = TooManyTopics;

    fn try_from(topics: Vec<TopicId>) -> Result<Self, TooManyTopics> {
        Self::new(topics)
    }
}

impl From<Topics> for Vec<TopicId> {
    fn from(topics: Topics) -> Self {
        topics.0
    }
}

/// `[u16 ≤ 16][topic: 32]`, ascending.
impl Encode for Topics {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(&self.0, out);
    }
}

impl Decode for Topics {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let topics: Vec<TopicId> = reader.list("sync topics", limits::SYNC_TOPICS_MAX)?;
        let fall = topics.windows(2).position(|pair| match pair {
            [before, after] => before >= after,
            _ => false,
        });
        match fall {
            None => Ok(Self(topics)),
            Some(at) => Err(DecodeError::Invalid {
                what: "order of sync topics at",
                got: u64::try_from(at).unwrap_or(u64::MAX),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode_all, encode_to_bytes};

    fn topic(number: u8) -> TopicId {
        TopicId::from_bytes([number; 32])
    }

    fn encoded(numbers: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let topics: Vec<TopicId> = numbers.iter().map(|n| topic(*n)).collect();
        encode_list(&topics, &mut bytes);
        bytes
    }

    #[test]
    fn topics_have_one_form_whatever_order_they_came_in() {
        let topics = Topics::new([3, 1, 2, 3, 1].map(topic).to_vec()).expect("few");
        assert_eq!(topics.as_slice(), [1, 2, 3].map(topic));
        let bytes = encode_to_bytes(&topics);
        assert_eq!(bytes, encoded(&[1, 2, 3]));
        assert_eq!(decode_all::<Topics>(&bytes), Ok(topics));
        assert_eq!(decode_all::<Topics>(&[0, 0]), Ok(Topics::ALL));
    }

    #[test]
    fn unsorted_repeated_and_too_many_topics_are_malformed() {
        for (numbers, at) in [(&[2_u8, 1][..], 0), (&[1, 2, 2], 1), (&[1, 1], 0)] {
            let what = "order of sync topics at";
            let error = DecodeError::Invalid { what, got: at };
            assert_eq!(decode_all::<Topics>(&encoded(numbers)), Err(error));
        }
        let many: Vec<u8> = (0..17).collect();
        let error = DecodeError::TooLarge {
            what: "sync topics",
            got: 17,
            max: 16,
        };
        assert_eq!(decode_all::<Topics>(&encoded(&many)), Err(error));
        let many = many.iter().map(|n| topic(*n)).collect();
        assert_eq!(Topics::new(many), Err(TooManyTopics { got: 17 }));
    }
}
