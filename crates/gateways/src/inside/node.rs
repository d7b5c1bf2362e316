//! A node in the same process.

use std::time::Duration;

use bruit::store::StoreError;
use bruit::{
    AuthorId, Draft, ForeignName, From as Start, Incoming, Node, Put, Received, Topics, Validator,
    ValueAddress,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::{Answer, Asked, ForeignLetter, Heard, Inside, InsideError, Item, Post, Posting, Since};

/// The name of the author key that signs unless another is named.
const DEFAULT_AUTHOR: &str = "default";

impl Inside for Node {
    fn author(&self) -> Answer<'_, AuthorId> {
        async {
            let authors = self.authors();
            let default = authors.iter().find(|author| author.name == DEFAULT_AUTHOR);
            let author = default.or_else(|| authors.first()).map(|author| author.id);
            author.ok_or_else(|| {
                InsideError::new(
                    "unknown_author",
                    "the node has no author key",
                    "make one: bruit id keys new default",
                )
            })
        }
        .boxed()
    }

    fn publish(&self, post: Post) -> Answer<'_, bruit::BulletinId> {
        async move {
            let mut draft = Draft::new(post.topic, post.body).tag(post.tag);
            if let Some(ttl) = post.ttl {
                draft = draft.ttl(ttl);
            }
            let receipt = Self::publish(self, draft).await?;
            Ok(receipt.id)
        }
        .boxed()
    }

    fn subscribe(&self, topics: Topics, since: Since) -> Answer<'_, BoxStream<'static, Heard>> {
        async move {
            let from = match since {
                Since::Now => Start::Now,
                Since::Last(time) => Start::Since(time),
            };
            let subscription = Self::subscribe(self, topics, from);
            let subscription =
                subscription.map_err(|error| InsideError::new("cursor", error.to_string(), ""))?;
            let heard = stream::unfold(subscription, async |mut subscription| {
                let heard = match subscription.next().await? {
                    Incoming::Bulletin(received) => Heard::Item(Box::new(Item::from(*received))),
                    Incoming::Gap { missed } => Heard::Gap(missed),
                };
                Some((heard, subscription))
            });
            Ok(heard.boxed())
        }
        .boxed()
    }

    fn validate(&self, topic: String, timeout: Duration) -> Answer<'_, BoxStream<'static, Asked>> {
        async move {
            let validator = Self::validate(self, &topic, timeout);
            let asked = stream::unfold(validator, async |mut validator: Validator| {
                let question = validator.next().await?;
                let item = Item::from(question.received.clone());
                let asked = Asked::new(item, move |verdict| question.answer(verdict));
                Some((asked, validator))
            });
            Ok(asked.boxed())
        }
        .boxed()
    }

    fn put(&self, post: Post) -> Answer<'_, bruit::BulletinId> {
        async move {
            let mut put = Put::new(post.body).topic(post.topic).tag(post.tag);
            if let Some(ttl) = post.ttl {
                put = put.ttl(ttl);
            }
            Ok(Self::put(self, put).await?.id)
        }
        .boxed()
    }

    fn get(&self, address: ValueAddress, timeout: Duration) -> Answer<'_, Option<Bytes>> {
        async move {
            let value = Self::get(self, &address, timeout).await;
            let value = value.map_err(|error: StoreError| {
                InsideError::new(error.code(), error.to_string(), error.fix())
            })?;
            Ok(value.map(|value| value.body))
        }
        .boxed()
    }

    fn deliver(&self, letter: ForeignLetter) -> Answer<'_, ()> {
        async move {
            let from = letter.from.parse::<ForeignName>();
            let from = from.map_err(|error| InsideError::new("bad_name", error.to_string(), ""))?;
            Self::deliver(self, from, letter.body).await?;
            Ok(())
        }
        .boxed()
    }

    fn carry(&self, system: &'static str) -> Answer<'_, BoxStream<'static, Posting>> {
        async move {
            let courier = Self::carry(self, system)?;
            let postings = stream::unfold(courier, async |mut courier| {
                let posting = courier.next().await?;
                let (to, body) = (posting.to.to_string(), posting.body.clone());
                let posting = Posting::new(to, body, move |taken| posting.answer(taken));
                Some((posting, courier))
            });
            Ok(postings.boxed())
        }
        .boxed()
    }
}

impl From<Received> for Item {
    fn from(received: Received) -> Self {
        Self {
            id: received.id,
            topic: received.topic_id,
            author: received.author,
            is_own: received.from.is_none(),
            created_ms: received.created_ms,
            tag: received.tag,
            body: received.body,
        }
    }
}
