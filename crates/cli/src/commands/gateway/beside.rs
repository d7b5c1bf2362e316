//! The bruit side of a gateway that runs beside its daemon: the local API.

use std::time::Duration;

use bruit::{AuthorId, BulletinId, TopicId, Topics, ValueAddress, Verdict};
use bruit_api::types::{
    Answer as Voted, Bulletin, DeliverLetter, DeliveredLetter, Gap, Identity, Kept, Posted,
    Posting as Told, Publish, Published, PutValue, Question, WholeValue, Word,
};
use bruit_gateways::{
    Answer, Asked, ForeignLetter, Heard, Inside, InsideError, Item, Post, Posting, Since,
};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};

use crate::client::{self, Client};
use crate::failure::{Exit, Failure};

/// The author key that signs unless another is named.
const DEFAULT_AUTHOR: &str = "default";

/// The daemon of a data folder.
#[derive(Debug)]
pub(super) struct Beside(Client);

impl Beside {
    pub(super) const fn new(client: Client) -> Self {
        Self(client)
    }
}

impl Inside for Beside {
    fn author(&self) -> Answer<'_, AuthorId> {
        async {
            let identity: Identity = self.0.get("/v1/identity").await.map_err(refused)?;
            let authors = &identity.authors;
            let default = authors.iter().find(|author| author.name == DEFAULT_AUTHOR);
            let author = default
                .or_else(|| authors.first())
                .and_then(|author| author.id.parse().ok());
            author.ok_or_else(|| {
                InsideError::new(
                    "unknown_author",
                    "the daemon has no author key",
                    "make one: bruit id keys new default",
                )
            })
        }
        .boxed()
    }

    fn publish(&self, post: Post) -> Answer<'_, BulletinId> {
        async move {
            let request = Publish {
                ttl: post.ttl.map(millis),
                tag: (!post.tag.is_empty()).then_some(post.tag),
                ..Publish::new(&post.topic, &post.body)
            };
            let published: Published = self
                .0
                .post("/v1/bulletins", &request)
                .await
                .map_err(refused)?;
            id(&published.id)
        }
        .boxed()
    }

    fn subscribe(&self, topics: Topics, since: Since) -> Answer<'_, BoxStream<'static, Heard>> {
        async move {
            let mut parameters: Vec<_> = match topics {
                Topics::All => vec!["all=true".to_owned()],
                Topics::Named(names) => names
                    .iter()
                    .map(|name| format!("topic={}", client::encode(name)))
                    .collect(),
            };
            if let Since::Last(time) = since {
                parameters.push(format!("since={}", millis(time)));
            }
            let path = format!("/v1/subscribe?{}", parameters.join("&"));
            let events = self.0.events(&path).await.map_err(refused)?;
            let heard = stream::unfold(events, async |mut events| {
                loop {
                    let event = events.next().await?;
                    if let Some(heard) = heard(&event) {
                        return Some((heard, events));
                    }
                }
            });
            Ok(heard.boxed())
        }
        .boxed()
    }

    fn validate(&self, topic: String, timeout: Duration) -> Answer<'_, BoxStream<'static, Asked>> {
        async move {
            let path = format!(
                "/v1/validate?topic={}&timeout={}",
                client::encode(&topic),
                millis(timeout)
            );
            let events = self.0.events(&path).await.map_err(refused)?;
            let client = self.0.clone();
            let asked = stream::unfold((events, client), async |(mut events, client)| {
                loop {
                    let event = events.next().await?;
                    if let Some(asked) = asked(&event, &client) {
                        return Some((asked, (events, client)));
                    }
                }
            });
            Ok(asked.boxed())
        }
        .boxed()
    }

    fn put(&self, post: Post) -> Answer<'_, BulletinId> {
        async move {
            let request = PutValue {
                topic: Some(post.topic),
                ttl: post.ttl.map(millis),
                tag: (!post.tag.is_empty()).then_some(post.tag),
                ..PutValue::new(&post.body)
            };
            let kept: Kept = self.0.post("/v1/values", &request).await.map_err(refused)?;
            id(&kept.id)
        }
        .boxed()
    }

    fn get(&self, address: ValueAddress, timeout: Duration) -> Answer<'_, Option<Bytes>> {
        async move {
            let path =
                crate::commands::value_path("/v1/values", &address.to_string()).map_err(refused)?;
            let path = format!("{path}?timeout={}", millis(timeout));
            let value: WholeValue = match self.0.get(&path).await {
                Err(failure) if failure.exit == Exit::Negative => return Ok(None),
                value => value.map_err(refused)?,
            };
            let contents = value
                .body
                .contents()
                .map_err(|error| odd(&error.to_string()))?;
            Ok(Some(contents))
        }
        .boxed()
    }

    fn deliver(&self, letter: ForeignLetter) -> Answer<'_, ()> {
        async move {
            let request = DeliverLetter::new(&letter.from, &letter.body);
            let delivered = self.0.post("/v1/letters/foreign", &request).await;
            let _: DeliveredLetter = delivered.map_err(refused)?;
            Ok(())
        }
        .boxed()
    }

    fn carry(&self, system: &'static str) -> Answer<'_, BoxStream<'static, Posting>> {
        async move {
            let path = format!("/v1/letters/foreign?system={system}");
            let events = self.0.events(&path).await.map_err(refused)?;
            let client = self.0.clone();
            let postings = stream::unfold((events, client), async |(mut events, client)| {
                loop {
                    let event = events.next().await?;
                    if let Some(posting) = posting(&event, &client) {
                        return Some((posting, (events, client)));
                    }
                }
            });
            Ok(postings.boxed())
        }
        .boxed()
    }
}

/// A letter to be taken, whose fate is told by a task of its own.
fn posting(event: &client::Event, client: &Client) -> Option<Posting> {
    let told: Told = serde_json::from_str(&event.data).ok()?;
    let (client, number) = (client.clone(), told.posting);
    let answer = move |taken: Result<(), String>| {
        let posted = Posted {
            refused: taken.err(),
        };
        tokio::spawn(async move {
            let path = format!("/v1/letters/foreign/{number}");
            let answered: Result<Posted, _> = client.post(&path, &posted).await;
            if let Err(failure) = answered {
                tracing::debug!(code = failure.code, "word of a letter came too late");
            }
        });
    };
    Some(Posting::new(told.to, told.body.contents().ok()?, answer))
}

fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

fn refused(failure: Failure) -> InsideError {
    InsideError::new(&failure.code, failure.message, failure.fix)
}

fn odd(what: &str) -> InsideError {
    let message = format!("the daemon's answer is not the one expected: {what}");
    InsideError::new("odd_answer", message, "use the bruit the daemon runs with")
}

fn id(text: &str) -> Result<BulletinId, InsideError> {
    text.parse().map_err(|_| odd(text))
}

/// What an event of a subscription says; none where it says nothing a gateway understands.
fn heard(event: &client::Event) -> Option<Heard> {
    if event.name == "gap" {
        let gap: Gap = serde_json::from_str(&event.data).ok()?;
        return Some(Heard::Gap(gap.missed));
    }
    let bulletin: Bulletin = serde_json::from_str(&event.data).ok()?;
    item(bulletin).map(|item| Heard::Item(Box::new(item)))
}

/// A question, whose answer is sent by a task of its own: one that is late has no effect anyway.
fn asked(event: &client::Event, client: &Client) -> Option<Asked> {
    let question: Question = serde_json::from_str(&event.data).ok()?;
    let (client, number) = (client.clone(), question.question);
    let answer = move |verdict| {
        let verdict = match verdict {
            Verdict::Accept => Word::Accept,
            Verdict::Reject => Word::Reject,
            Verdict::Ignore => Word::Ignore,
        };
        tokio::spawn(async move {
            let path = format!("/v1/validate/{number}");
            let answered: Result<Voted, _> = client.post(&path, &Voted { verdict }).await;
            if let Err(failure) = answered {
                tracing::debug!(code = failure.code, "a verdict did not count");
            }
        });
    };
    Some(Asked::new(item(question.bulletin)?, answer))
}

fn item(bulletin: Bulletin) -> Option<Item> {
    // A topic whose descriptor the daemon does not know is its hash.
    let hash = bulletin
        .topic
        .parse()
        .ok()
        .filter(|_| bulletin.topic.len() == 64);
    Some(Item {
        id: bulletin.id.parse().ok()?,
        topic: hash.unwrap_or_else(|| TopicId::of(&bulletin.topic)),
        author: bulletin.author.parse().ok()?,
        is_own: bulletin.from.is_none(),
        created_ms: bulletin.created_ms,
        tag: bulletin.tag.unwrap_or_default().into_bytes(),
        body: bulletin.body.contents().ok()?,
    })
}
