//! Where bulletins meet applications: subscriptions and validators.
//!
//! Every subscriber has a queue of its own, bounded by count and bytes. One that does not read loses
//! the newest and is told how many; nobody else notices.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bruit_core::bulletin::{Bulletin, Kind};
use bruit_core::event::Verdict;
use bruit_core::id::{BulletinId, NodeId, TopicId};
use bruit_core::large::Manifest;
use bruit_core::letters::Letterbox;
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bruit_core::values::Version;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::descriptors::Descriptors;
use crate::letters::Tapped;
use crate::mailbox::Mailbox;
use crate::meter::Meter;
use crate::received::{ParseCursorError, Received};
use crate::replay::{Past, Replay};
use crate::store::{Store, StoreError, StoredBulletin, Write};
use crate::subscription::Subscription;
use crate::validator::{Question, Validator};
use crate::view;

/// Most bulletins waiting for one subscriber.
const QUEUE_MAX: usize = 1_024;
/// Most bytes waiting for one subscriber.
const QUEUE_BYTES_MAX: usize = 4 << 20;
/// Topics with subscribers.
const TOPICS_MAX: usize = 1_024;
/// Questions waiting for one validator.
const QUESTIONS_MAX: usize = 1_024;

/// What to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// Everything, topics whose descriptor is unknown included.
    All,
    /// These, by their exact descriptors.
    Named(Vec<String>),
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// With what comes from now on.
    Now,
    /// With what this node holds that was made in this last time.
    Since(Duration),
    /// After the bulletin this cursor came with.
    Cursor(String),
}

/// What a subscription brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A bulletin.
    Bulletin(Box<Received>),
    /// Something may be missing here: bulletins that were not read in time, or, where a subscription
    /// begins at a cursor this node no longer knows, whatever it took for the place.
    Gap {
        /// How many; 0 when nobody knows.
        missed: u64,
    },
}

/// A topic that somebody subscribes to.
#[derive(Debug)]
struct TopicState {
    descriptor: Arc<str>,
    subscribers: Vec<(u64, Arc<Mailbox<Box<Received>>>)>,
    meter: Meter,
}

/// Why there is no subscription.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// There is no such place to begin.
    #[error(transparent)]
    Cursor(#[from] ParseCursorError),
    /// Too many topics have subscribers.
    #[error("{TOPICS_MAX} topics have subscribers here, and there is no room for more")]
    Topics,
}

#[derive(Debug)]
struct ValidatorState {
    number: u64,
    timeout: Duration,
    questions: mpsc::Sender<Question>,
}

#[derive(Debug)]
struct Inner {
    /// Those with subscribers.
    topics: BTreeMap<TopicId, TopicState>,
    descriptors: Descriptors,
    all: Vec<(u64, Arc<Mailbox<Box<Received>>>)>,
    validators: BTreeMap<TopicId, Vec<ValidatorState>>,
    /// Gets letters and letterboxes, whatever their topics, and word of new links.
    tap: Arc<Mailbox<Tapped>>,
    next_number: u64,
    next_seq: u64,
    /// Bulletins that subscribers did not read in time.
    missed: u64,
    is_closed: bool,
}

/// How a bulletin came.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Its canonical bytes.
    pub(crate) encoded: Bytes,
    pub(crate) from: Option<NodeId>,
    pub(crate) hops: u8,
    pub(crate) received: Wall,
}

/// What a validator wants the engine to know: ask about a topic, or no more.
#[derive(Debug)]
pub(crate) enum Asking {
    Topic(TopicId, Option<Duration>),
    Verdict(BulletinId, Verdict),
}

/// The meeting place; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    inner: Arc<Mutex<Inner>>,
    asking: mpsc::UnboundedSender<Asking>,
    network: Arc<Network>,
}

impl Hub {
    pub(crate) fn new(
        network: Arc<Network>,
        next_seq: u64,
        asking: mpsc::UnboundedSender<Asking>,
    ) -> Self {
        let inner = Inner {
            topics: BTreeMap::new(),
            descriptors: Descriptors::default(),
            all: Vec::new(),
            validators: BTreeMap::new(),
            tap: Arc::new(Mailbox::new(QUEUE_MAX, QUEUE_BYTES_MAX)),
            next_number: 0,
            next_seq,
            missed: 0,
            is_closed: false,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            asking,
            network,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a topic's descriptor, so that it can be shown.
    pub(crate) fn learn(&self, descriptor: &str) {
        self.inner().descriptors.learn(descriptor);
    }

    /// Remembers it for ever.
    pub(crate) fn keep_descriptor(&self, descriptor: &str) {
        self.inner().descriptors.keep(descriptor);
    }

    /// Numbers a bulletin in the order of arrival, gives it to `store` and delivers it to its
    /// subscribers. All of it under one lock: who subscribes meanwhile finds it in the store, or gets
    /// it in the queue.
    ///
    /// # Errors
    /// Those of [`Store::submit`]; it is delivered all the same.
    pub(crate) fn deliver(
        &self,
        bulletin: &Bulletin,
        arrival: Arrival,
        store: &Store,
    ) -> Result<u64, StoreError> {
        let Arrival {
            encoded: bytes,
            from,
            hops,
            received,
        } = arrival;
        // A slice of it: the bytes it came in may belong to a larger packet.
        let body = bytes.slice(bytes.len() - bulletin.content.len()..);
        let mut inner = self.inner();
        let seq = inner.next_seq;
        inner.next_seq += 1;
        let header = &bulletin.header;
        if header.kind == Kind::LETTER || header.name == Letterbox::NAME.as_bytes() {
            inner
                .tap
                .put(body.len(), || Tapped::Bulletin(Box::new(bulletin.clone())));
        }
        if let Some(state) = inner.topics.get_mut(&header.topic) {
            state.meter.count(1, Instant::now());
        }
        let topic = inner.descriptor(&header.topic);
        let mailboxes = inner
            .topics
            .get(&header.topic)
            .into_iter()
            .flat_map(|state| &state.subscribers)
            .chain(&inner.all);
        let mut whole = None;
        let mut missed = 0;
        for (_, mailbox) in mailboxes {
            let whole = whole.get_or_insert_with(|| {
                Received::new(bulletin, body.clone(), topic.clone(), from, hops, received)
            });
            let has_room = mailbox.put(whole.body.len(), || Box::new(whole.clone()));
            missed += u64::from(!has_room);
        }
        inner.missed += missed;
        let arrival = Arrival {
            encoded: bytes,
            from,
            hops,
            received,
        };
        put(seq, bulletin, arrival, store)
    }

    /// Gives a bulletin that was known before to `store`, under the number it had, and to nobody
    /// else.
    ///
    /// # Errors
    /// Those of [`Store::submit`].
    pub(crate) fn keep(
        &self,
        bulletin: &Bulletin,
        encoded: Bytes,
        now: Wall,
        store: &Store,
    ) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        let seq = store.seq_of(bulletin.id()).unwrap_or_else(|| {
            inner.next_seq += 1;
            inner.next_seq - 1
        });
        let arrival = Arrival {
            encoded,
            from: None,
            hops: 1,
            received: now,
        };
        put(seq, bulletin, arrival, store)
    }

    /// Bulletins that subscribers did not read in time.
    pub(crate) fn missed(&self) -> u64 {
        self.inner().missed
    }

    /// Where letters, letterboxes and word of new links go.
    pub(crate) fn tap(&self) -> Arc<Mailbox<Tapped>> {
        Arc::clone(&self.inner().tap)
    }

    /// Tells whom it concerns that there is a new link.
    pub(crate) fn linked(&self) {
        self.inner().tap.put(0, || Tapped::Linked);
    }

    /// Begins a subscription: what arrives from now on waits in its queue, what is held already is
    /// read from `store` first.
    ///
    /// # Errors
    /// When the cursor is none, or too many topics have subscribers.
    pub(crate) fn subscribe(
        &self,
        topics: &Topics,
        from: &From,
        store: Store,
        now: Wall,
    ) -> Result<Subscription, SubscribeError> {
        let past = match from {
            From::Now => None,
            From::Since(age) => Some(Past::since(now.minus(*age))),
            From::Cursor(text) => Some(Past::after(&text.parse()?, &store)),
        };
        let has_gap = past.as_ref().is_some_and(|past| past.is_guess);
        let mailbox = Arc::new(Mailbox::new(QUEUE_MAX, QUEUE_BYTES_MAX));
        let mut inner = self.inner();
        let number = inner.next_number;
        inner.next_number += 1;
        let ids = match topics {
            Topics::All => {
                inner.all.push((number, Arc::clone(&mailbox)));
                None
            }
            Topics::Named(names) => {
                let topics: BTreeMap<TopicId, &String> =
                    names.iter().map(|name| (TopicId::of(name), name)).collect();
                let is_new = |id: &&TopicId| !inner.topics.contains_key(*id);
                if inner.topics.len() + topics.keys().filter(is_new).count() > TOPICS_MAX {
                    return Err(SubscribeError::Topics);
                }
                for (id, name) in &topics {
                    let subscriber = (number, Arc::clone(&mailbox));
                    inner.topic(*id, name).subscribers.push(subscriber);
                }
                Some(topics.into_keys().collect())
            }
        };
        if inner.is_closed {
            mailbox.close();
        }
        let replay = past.map(|past| Replay::new(past, ids, store, inner.next_seq));
        drop(inner);
        Ok(Subscription {
            hub: self.clone(),
            number,
            mailbox,
            has_gap,
            is_broken: false,
            replay,
        })
    }

    pub(crate) fn unsubscribe(&self, number: u64) {
        let mut inner = self.inner();
        inner.all.retain(|(other, _)| *other != number);
        inner.topics.retain(|_, state| {
            state.subscribers.retain(|(other, _)| *other != number);
            !state.subscribers.is_empty()
        });
    }

    /// Registers a validator of `topic`.
    pub(crate) fn validate(&self, topic: &str, timeout: Duration) -> Validator {
        let (sender, questions) = mpsc::channel(QUESTIONS_MAX);
        let mut inner = self.inner();
        let number = inner.next_number;
        inner.next_number += 1;
        let id = TopicId::of(topic);
        inner.descriptors.learn(topic);
        // At a node that has stopped the validator ends at once: its sender goes here.
        if !inner.is_closed {
            let state = ValidatorState {
                number,
                timeout,
                questions: sender,
            };
            inner.validators.entry(id).or_default().push(state);
            self.ask_engine(&inner, id);
        }
        drop(inner);
        Validator {
            hub: self.clone(),
            topic: id,
            number,
            questions,
        }
    }

    pub(crate) fn unvalidate(&self, topic: TopicId, number: u64) {
        let mut inner = self.inner();
        if let Some(validators) = inner.validators.get_mut(&topic) {
            validators.retain(|validator| validator.number != number);
            if validators.is_empty() {
                inner.validators.remove(&topic);
            }
        }
        self.ask_engine(&inner, topic);
    }

    /// Tells the engine for how long to wait for a verdict on `topic`: as long as the most patient
    /// of its validators.
    fn ask_engine(&self, inner: &Inner, topic: TopicId) {
        let validators = inner.validators.get(&topic).into_iter().flatten();
        let timeout = validators.map(|validator| validator.timeout).max();
        // The driver is gone when the node has stopped.
        self.asking.send(Asking::Topic(topic, timeout)).ok();
    }

    /// Sets a bulletin before the validators of its topic; the first vote decides.
    pub(crate) fn ask(&self, bulletin: &Bulletin, from: Option<NodeId>, hops: u8, now: Wall) {
        let inner = self.inner();
        let topic = &bulletin.header.topic;
        let descriptor = inner.descriptor(topic);
        let body = Bytes::copy_from_slice(&bulletin.content);
        let received = Received::new(bulletin, body, descriptor, from, hops, now);
        let decided = Arc::new(AtomicBool::new(false));
        for validator in inner.validators.get(topic).into_iter().flatten() {
            let question = Question {
                received: received.clone(),
                decided: Arc::clone(&decided),
                asking: self.asking.clone(),
            };
            // A validator with a full queue loses its vote; no vote at all counts as `ignore`.
            validator.questions.try_send(question).ok();
        }
    }

    /// The topics that somebody subscribes to, without the count of what is retained.
    pub(crate) fn topics(&self) -> Vec<view::Topic> {
        let mut inner = self.inner();
        let now = Instant::now();
        let subscribed = inner.topics.iter_mut();
        subscribed
            .map(|(id, state)| view::Topic {
                topic: state.descriptor.to_string(),
                id: *id,
                subscribers: u64::try_from(state.subscribers.len()).unwrap_or(u64::MAX),
                in_per_s: state.meter.per_s(now),
                retained: 0,
            })
            .collect()
    }

    /// Ends every subscription and validator.
    pub(crate) fn close(&self) {
        let mut inner = self.inner();
        inner.is_closed = true;
        inner.tap.close();
        for (_, mailbox) in &inner.all {
            mailbox.close();
        }
        for state in inner.topics.values() {
            for (_, mailbox) in &state.subscribers {
                mailbox.close();
            }
        }
        inner.validators.clear();
    }

    pub(crate) fn descriptor(&self, topic: &TopicId) -> Option<Arc<str>> {
        self.inner().descriptor(topic)
    }
}

impl Inner {
    /// The state of a topic that is subscribed to. Its descriptor outlives the subscription, as those of other
    /// topics that were used do.
    fn topic(&mut self, id: TopicId, descriptor: &str) -> &mut TopicState {
        self.descriptors.learn(descriptor);
        self.topics.entry(id).or_insert_with(|| TopicState {
            descriptor: descriptor.into(),
            subscribers: Vec::new(),
            meter: Meter::default(),
        })
    }

    fn descriptor(&self, topic: &TopicId) -> Option<Arc<str>> {
        let subscribed = self.topics.get(topic).map(|state| &state.descriptor);
        subscribed.or_else(|| self.descriptors.get(topic)).cloned()
    }
}

impl Hub {
    /// A bulletin of the store as it was delivered.
    pub(crate) fn restore(&self, row: &StoredBulletin) -> Option<Received> {
        let bulletin = Bulletin::decode(&row.bytes, self.network.id()).ok()?;
        let topic = self.descriptor(&row.topic);
        let body = bulletin.content.clone();
        Some(Received::new(
            &bulletin,
            body,
            topic,
            row.from,
            row.hops,
            row.received,
        ))
    }
}

/// Gives a bulletin to `store`, under a number of arrival.
fn put(seq: u64, bulletin: &Bulletin, arrival: Arrival, store: &Store) -> Result<u64, StoreError> {
    let header = &bulletin.header;
    let (id, expires) = (*bulletin.id(), header.expires());
    if let Some(manifest) = Manifest::of(bulletin) {
        store.submit(Write::File { id, manifest })?;
    }
    if let Some(version) = Version::of(header) {
        store.submit(Write::Version {
            id,
            expires,
            version,
        })?;
    }
    store.submit(Write::Put(StoredBulletin {
        seq,
        id,
        topic: header.topic,
        created: header.created,
        expires,
        received: arrival.received,
        from: arrival.from,
        hops: arrival.hops,
        stamp_bits: bulletin.stamp.bits,
        bytes: arrival.encoded,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> (Hub, Store) {
        let network = Network::new("main", bruit_core::work::Price::DEFAULT, None);
        let hub = Hub::new(Arc::new(network), 1, mpsc::unbounded_channel().0);
        let place = crate::store::Place::Ephemeral;
        let (store, _) = Store::open(&place, crate::store::StoreOptions::default(), drop)
            .expect("memory is there");
        (hub, store)
    }

    /// The rest of what is held was left out, and nobody was told.
    #[tokio::test]
    async fn a_subscription_ends_when_what_is_held_cannot_be_read() {
        let (hub, store) = hub();
        store.clone().shutdown().expect("nothing waits");
        let since = From::Since(Duration::from_mins(1));
        let begun = hub.subscribe(&Topics::All, &since, store, Wall::from_millis(100_000));
        let mut subscription = begun.expect("no cursor");
        assert_eq!(subscription.next().await, None);
        assert_eq!(
            subscription.next().await,
            None,
            "it does not go live after that"
        );
    }

    /// Every name that was ever subscribed to took room for ever, and after 1,024 of them none was learned.
    #[test]
    fn topics_without_subscribers_take_no_room_and_there_is_a_bound_to_those_with() {
        let (hub, store) = hub();
        let subscribe = |names: std::ops::Range<usize>| {
            let names = Topics::Named(names.map(|name| name.to_string()).collect());
            hub.subscribe(&names, &From::Now, store.clone(), Wall::from_millis(1))
        };
        for first in (0..10).map(|round| round * TOPICS_MAX) {
            let whole = subscribe(first..first + TOPICS_MAX).expect("there is room");
            let error = subscribe(first + TOPICS_MAX..first + TOPICS_MAX + 1).map(drop);
            assert_eq!(error, Err(SubscribeError::Topics));
            assert!(subscribe(first..first + 1).is_ok(), "a topic that is there");
            drop(whole);
        }
        assert!(hub.inner().topics.is_empty());
        hub.learn("news");
        assert_eq!(
            hub.descriptor(&TopicId::of("news")).as_deref(),
            Some("news")
        );
    }
}
