//! What is spread, whether a module announced it, a peer sent it or a bulletin holds it.
//!
//! A bulletin on topic `voidphone/T` is data of type T. The tag of one made by a gateway holds what the
//! other wire has besides: the hops that are left, the 16-bit id, and a hash that binds both to type and
//! data. Invariant: two words are one when id, type and data are the same; hops do not tell them apart,
//! and the id alone never does.

use bruit::TopicId;
use bytes::Bytes;

use crate::foreign::{ForeignId, System};
use crate::inside::{Item, Post};

/// Hops for what may go anywhere: the most the wire can say.
pub(crate) const ANYWHERE: u8 = u8::MAX;

/// Something that is spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// The id its originator gave it.
    pub(crate) id: u16,
    /// The ttl with which peers get it; at 0 they do not.
    pub(crate) reach: u8,
    /// The kind of data.
    pub(crate) data_type: u16,
    /// The data.
    pub(crate) data: Bytes,
}

impl Word {
    /// What makes it one and the same, wherever it comes from.
    pub(crate) fn name(&self) -> ForeignId {
        let [high, low] = self.id.to_be_bytes();
        let data_type = self.data_type.to_be_bytes();
        ForeignId::of(
            System::VOIDPHONE,
            &[0, high, low],
            &[&data_type, &self.data],
        )
    }

    /// The post that carries it through bruit.
    pub(crate) fn post(&self) -> Post {
        let mut bytes = *self.name().as_bytes();
        bytes[0] = self.reach;
        Post {
            topic: topic(self.data_type),
            body: self.data.clone(),
            tag: ForeignId::new(System::VOIDPHONE, bytes).tag(),
            ttl: None,
        }
    }

    /// The word in a bulletin of `data_type`, and whether a gateway made the bulletin. Others go
    /// anywhere, and have an id that every gateway computes alike.
    pub(crate) fn of(item: &Item, data_type: u16) -> (Self, bool) {
        let [first, second, ..] = *item.id.as_bytes();
        let mut word = Self {
            id: u16::from_be_bytes([first, second]),
            reach: ANYWHERE,
            data_type,
            data: item.body.clone(),
        };
        let Some(tag) = ForeignId::of_tag(System::VOIDPHONE, &item.tag) else {
            return (word, false);
        };
        let [reach, high, low, ..] = *tag.as_bytes();
        let named = Self {
            id: u16::from_be_bytes([high, low]),
            reach,
            ..word.clone()
        };
        // A tag taken from elsewhere says nothing about this.
        let is_its_own = named.name().as_bytes()[1..] == tag.as_bytes()[1..];
        if is_its_own {
            word = named;
        }
        (word, is_its_own)
    }
}

/// The topic of `data_type`.
pub(crate) fn topic(data_type: u16) -> String {
    format!("voidphone/{data_type}")
}

/// The types of topics. Only hashes travel: those of all 65,536 are computed once.
#[derive(Debug)]
pub(crate) struct Types(Vec<(TopicId, u16)>);

impl Types {
    pub(crate) fn all() -> Self {
        let each = (0..=u16::MAX).map(|data_type| (TopicId::of(&topic(data_type)), data_type));
        let mut types: Vec<_> = each.collect();
        types.sort_unstable();
        Self(types)
    }

    /// The type whose topic has this hash.
    pub(crate) fn of(&self, topic: &TopicId) -> Option<u16> {
        let at = self.0.binary_search_by_key(topic, |(id, _)| *id).ok()?;
        self.0.get(at).map(|(_, data_type)| *data_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bruit::{AuthorId, BulletinId};

    fn word() -> Word {
        Word {
            id: 0x4242,
            reach: 3,
            data_type: 1337,
            data: Bytes::from_static(b"deadbeef"),
        }
    }

    fn item(post: Post) -> Item {
        Item {
            id: BulletinId::from_bytes([9; 32]),
            topic: TopicId::of(&post.topic),
            author: AuthorId::from_bytes([1; 32]),
            is_own: false,
            created_ms: 0,
            tag: post.tag.into_bytes(),
            body: post.body,
        }
    }

    #[test]
    fn a_word_goes_through_bruit_unchanged() {
        let post = word().post();
        assert_eq!(post.topic, "voidphone/1337");
        assert_eq!(post.body, "deadbeef");
        assert!(post.tag.starts_with("vph:A0JC"), "{}", post.tag);
        assert_eq!(Word::of(&item(post), 1337), (word(), true));
    }

    #[test]
    fn hops_do_not_tell_words_apart_but_id_type_and_data_do() {
        let same = Word { reach: 9, ..word() };
        assert_eq!(same.name(), word().name());
        let others = [
            Word {
                id: 0x4243,
                ..word()
            },
            Word {
                data_type: 1338,
                ..word()
            },
            Word {
                data: Bytes::from_static(b"deadbeee"),
                ..word()
            },
        ];
        assert!(others.iter().all(|other| other.name() != word().name()));
    }

    #[test]
    fn a_tag_taken_from_another_item_is_not_believed() {
        let stolen = Post {
            body: Bytes::from_static(b"another"),
            ..word().post()
        };
        let (read, is_gateways) = Word::of(&item(stolen), 1337);
        assert!(!is_gateways);
        assert_eq!((read.id, read.reach), (0x0909, ANYWHERE));
        assert_ne!(read.name(), word().name());
    }

    #[test]
    fn every_type_is_found_by_the_hash_of_its_topic() {
        let types = Types::all();
        for data_type in [0, 1, 1337, u16::MAX] {
            assert_eq!(types.of(&TopicId::of(&topic(data_type))), Some(data_type));
        }
        assert_eq!(types.of(&TopicId::of("news")), None);
        assert_eq!(types.of(&TopicId::of("voidphone/01337")), None);
    }
}
