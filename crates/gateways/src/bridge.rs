//! What the bruit side of every gateway does alike: hear topics, say that it is there, publish in order.
//!
//! Invariant: the gateway's loop never waits for bruit. What is to be published waits in a bounded queue,
//! and what does not fit is refused at once, by name.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bruit::{AuthorId, BulletinId, TopicId, Topics};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::counters::Counters;
use crate::crossing;
use crate::inside::{Heard, Inside, InsideError, Item, Post, Since};
use crate::publisher::patiently;
use crate::running::{Teller, Told};
use crate::wall;

/// Bulletins that wait to be published; more are refused.
pub(crate) const PUBLISHING_MAX: usize = 4_096;
/// Bulletins that are being paid for at once.
const AT_ONCE: usize = 4;
/// How often is told what was dropped.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// How long is waited, at most, until what the node holds has been read.
const READING_MAX: Duration = Duration::from_secs(5);
/// Topics of one subscription.
const TOPICS_MAX: usize = 128;

/// A bulletin to be made.
#[derive(Debug)]
pub(crate) enum Making {
    /// A post.
    Post(Post),
    /// A value without a name.
    Value(Post),
}

/// What comes from the bruit side.
#[derive(Debug)]
pub(crate) enum FromInside<K> {
    /// A bulletin on one of the topics.
    Item(Box<Item>),
    /// Another gateway is there.
    Present {
        /// Whose.
        author: AuthorId,
        /// What it says of itself.
        body: Bytes,
    },
    /// What was to be published under `key` is, or is not.
    Done {
        /// The caller's own word for it.
        key: K,
        /// The bulletin's id, or why there is none.
        result: Result<BulletinId, InsideError>,
    },
}

/// The bruit side of a gateway. Dropped, it ends.
pub(crate) struct Bridge<K> {
    heard: BoxStream<'static, Heard>,
    presence: TopicId,
    making: mpsc::Sender<(K, Making)>,
    made: mpsc::Receiver<(K, Result<BulletinId, InsideError>)>,
    counters: Counters,
    tasks: Vec<JoinHandle<()>>,
    reading: Option<Reading>,
}

/// What the node holds is being read. It has been when our own word that we are there comes, which was said after
/// the subscription began and so comes after all of it.
#[derive(Debug)]
struct Reading {
    me: AuthorId,
    begun_ms: u64,
    until: Instant,
}

impl<K: Send + 'static> Bridge<K> {
    /// Hears `topics`, each from its moment on, as the gateway `name`.
    ///
    /// # Errors
    /// When the bruit side has gone.
    pub(crate) async fn open(
        inside: Arc<dyn Inside>,
        name: &str,
        topics: &[(&str, Since)],
        counters: Counters,
    ) -> Result<Self, InsideError> {
        Self::open_as(inside, name, Bytes::new(), topics, counters).await
    }

    /// The same, and says `body` of itself to the other gateways.
    ///
    /// # Errors
    /// When the bruit side has gone.
    pub(crate) async fn open_as(
        inside: Arc<dyn Inside>,
        name: &str,
        body: Bytes,
        topics: &[(&str, Since)],
        counters: Counters,
    ) -> Result<Self, InsideError> {
        let presence = crossing::topic(name);
        let reading = Reading {
            me: inside.author().await?,
            begun_ms: wall::now_ms(),
            until: Instant::now() + READING_MAX,
        };
        let streams = subscribe(inside.as_ref(), &presence, topics).await?;
        let (making, to_make) = mpsc::channel(PUBLISHING_MAX);
        // Each made one was in the queue before, so that its answer finds room or waits.
        let (done, made) = mpsc::channel(PUBLISHING_MAX);
        let tasks = vec![
            tokio::spawn(make(Arc::clone(&inside), to_make, done)),
            tokio::spawn(say_present(inside, presence.clone(), body)),
        ];
        Ok(Self {
            heard: ending_with_the_first(streams),
            presence: TopicId::of(&presence),
            making,
            made,
            counters,
            tasks,
            reading: Some(reading),
        })
    }

    /// Whether what the node held at the start has still to be read. Before that, what comes from the foreign
    /// network may have crossed already, and the gateway does not know.
    pub(crate) fn is_reading(&self) -> bool {
        let reading = self.reading.as_ref();
        reading.is_some_and(|reading| Instant::now() < reading.until)
    }

    /// Has a bulletin made; answers its key again when too many wait.
    pub(crate) fn make(&self, key: K, making: Making) -> Result<(), K> {
        self.making.try_send((key, making)).map_err(|error| {
            self.counters.count("dropped_publishing_full");
            let (mpsc::error::TrySendError::Full((key, _))
            | mpsc::error::TrySendError::Closed((key, _))) = error;
            key
        })
    }

    /// What comes next; none when the bruit side has ended. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<FromInside<K>> {
        loop {
            tokio::select! {
                heard = self.heard.next() => match heard? {
                    Heard::Item(item) if item.topic == self.presence => {
                        let is_ours = |reading: &Reading| {
                            item.author == reading.me && item.created_ms >= reading.begun_ms
                        };
                        if self.reading.as_ref().is_some_and(is_ours) {
                            self.reading = None;
                        }
                        let (author, body) = (item.author, item.body);
                        return Some(FromInside::Present { author, body });
                    }
                    Heard::Item(item) => return Some(FromInside::Item(item)),
                    Heard::Gap(missed) => self.counters.add("missed_inside", missed.max(1)),
                },
                Some((key, result)) = self.made.recv() => {
                    self.counters.count(match result {
                        Ok(_) => "published",
                        Err(_) => "refused_inside",
                    });
                    return Some(FromInside::Done { key, result });
                }
            }
        }
    }
}

impl<K> Drop for Bridge<K> {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Subscribes to `topics` and to the word of other gateways. What is read from the past comes in one subscription, in
/// the order it came to the node: from the longest of the times on.
async fn subscribe(
    inside: &dyn Inside,
    presence: &str,
    topics: &[(&str, Since)],
) -> Result<Vec<BoxStream<'static, Heard>>, InsideError> {
    let mut longest = crossing::PRESENCE_KEEP;
    let mut past = vec![presence.to_owned()];
    let mut live = Vec::new();
    for (topic, since) in topics {
        match since {
            Since::Now => live.push((*topic).to_owned()),
            Since::Last(time) => {
                longest = longest.max(*time);
                past.push((*topic).to_owned());
            }
        }
    }
    let mut streams = Vec::new();
    for (topics, since) in [(past, Since::Last(longest)), (live, Since::Now)] {
        for topics in topics.chunks(TOPICS_MAX) {
            let topics = Topics::Named(topics.to_vec());
            streams.push(inside.subscribe(topics, since).await?);
        }
    }
    Ok(streams)
}

/// All of `streams` as one, which ends when the first of them does: with the node.
fn ending_with_the_first(streams: Vec<BoxStream<'static, Heard>>) -> BoxStream<'static, Heard> {
    let marked = streams
        .into_iter()
        .map(|stream| stream.map(Some).chain(stream::iter([None])).boxed());
    stream::select_all(marked)
        .take_while(|heard| std::future::ready(heard.is_some()))
        .filter_map(std::future::ready)
        .boxed()
}

/// Makes what is to be made, a few at a time.
async fn make<K: Send + 'static>(
    inside: Arc<dyn Inside>,
    to_make: mpsc::Receiver<(K, Making)>,
    done: mpsc::Sender<(K, Result<BulletinId, InsideError>)>,
) {
    let to_make = stream::unfold(to_make, async |mut to_make| {
        Some((to_make.recv().await?, to_make))
    });
    let made = to_make.map(|(key, making)| {
        let inside = Arc::clone(&inside);
        async move {
            let result = match making {
                Making::Post(post) => patiently(|| inside.publish(post.clone())).await,
                Making::Value(post) => patiently(|| inside.put(post.clone())).await,
            };
            (key, result)
        }
    });
    let mut made: Pin<Box<_>> = Box::pin(made.buffer_unordered(AT_ONCE));
    while let Some(made) = made.next().await {
        if done.send(made).await.is_err() {
            return;
        }
    }
}

/// Says every now and then that this gateway is there.
async fn say_present(inside: Arc<dyn Inside>, topic: String, body: Bytes) {
    loop {
        let post = Post {
            topic: topic.clone(),
            body: body.clone(),
            tag: String::new(),
            ttl: Some(crossing::PRESENCE_KEEP),
        };
        // One that cannot be published now is at the next time; without it items may cross twice.
        if let Err(error) = inside.publish(post).await {
            tracing::warn!(%error, "the gateway cannot say that it is there");
        }
        tokio::time::sleep(crossing::PRESENCE_EVERY).await;
    }
}

/// Tells, once a second, what a gateway dropped meanwhile.
#[derive(Debug)]
pub(crate) struct Drops {
    told: BTreeMap<&'static str, u64>,
    next: Instant,
}

impl Drops {
    /// Nothing was dropped yet.
    pub(crate) fn new() -> Self {
        Self {
            told: BTreeMap::new(),
            next: Instant::now() + REPORT_EVERY,
        }
    }

    /// Tells what is new, when a second has passed.
    pub(crate) fn report(&mut self, counters: &Counters, teller: &Teller) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + REPORT_EVERY;
        for (what, count) in counters.all() {
            let Some(reason) = what.strip_prefix("dropped_") else {
                continue;
            };
            let told = self.told.insert(what, count).unwrap_or(0);
            if count > told {
                let event = Told::new("dropped").text("reason", reason);
                teller.tell(event.number("count", count - told));
            }
        }
    }
}
