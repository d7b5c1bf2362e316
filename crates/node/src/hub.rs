//! Where bulletins meet applications: subscriptions and validators.
//!
//! Every subscriber has a queue of its own, bounded by count and bytes. One that does not read loses
//! the newest and is told how many; nobody else notices.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bruit_core::bulletin::Bulletin;
use bruit_core::event::Verdict;
use bruit_core::id::{BulletinId, NodeId, TopicId};
use bruit_core::network::Network;
use bruit_core::time::Wall;
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use crate::meter::Meter;
use crate::received::{Cursor, Received};
use crate::store::{Scan, Store, StoredBulletin};
use crate::view;

/// Most bulletins waiting for one subscriber.
const QUEUE_MAX: usize = 1_024;
/// Most bytes waiting for one subscriber.
const QUEUE_BYTES_MAX: usize = 4 << 20;
/// Questions waiting for one validator.
const QUESTIONS_MAX: usize = 1_024;
/// Bulletins read from the store at a time.
const PAGE: usize = 256;

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
    /// So many bulletins were missed because they were not read in time.
    Gap {
        /// How many.
        missed: u64,
    },
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Incoming>,
    bytes: usize,
    missed: u64,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Mailbox {
    queue: Mutex<Queue>,
    filled: Notify,
}

impl Mailbox {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, received: &Received) {
        let mut queue = self.queue();
        let bytes = queue.bytes + received.body.len();
        if queue.items.len() >= QUEUE_MAX || bytes > QUEUE_BYTES_MAX {
            queue.missed += 1;
            return;
        }
        if queue.missed > 0 {
            let missed = std::mem::take(&mut queue.missed);
            queue.items.push_back(Incoming::Gap { missed });
        }
        queue.bytes = bytes;
        queue
            .items
            .push_back(Incoming::Bulletin(Box::new(received.clone())));
        drop(queue);
        self.filled.notify_one();
    }

    fn take(&self) -> Result<Option<Incoming>, ()> {
        let mut queue = self.queue();
        let item = queue.items.pop_front().or_else(|| {
            let missed = std::mem::take(&mut queue.missed);
            (missed > 0).then_some(Incoming::Gap { missed })
        });
        if let Some(Incoming::Bulletin(received)) = &item {
            queue.bytes -= received.body.len();
        }
        if item.is_none() && queue.is_closed {
            Err(())
        } else {
            Ok(item)
        }
    }

    fn close(&self) {
        self.queue().is_closed = true;
        self.filled.notify_one();
    }
}

#[derive(Debug)]
struct TopicState {
    descriptor: String,
    subscribers: Vec<(u64, Arc<Mailbox>)>,
    meter: Meter,
}

#[derive(Debug)]
struct ValidatorState {
    number: u64,
    timeout: Duration,
    questions: mpsc::Sender<Question>,
}

#[derive(Debug)]
struct Inner {
    topics: BTreeMap<TopicId, TopicState>,
    all: Vec<(u64, Arc<Mailbox>)>,
    validators: BTreeMap<TopicId, Vec<ValidatorState>>,
    next_number: u64,
    next_seq: u64,
    is_closed: bool,
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
    /// Descriptors remembered without a subscriber: those published to.
    const DESCRIPTORS_MAX: usize = 1_024;

    pub(crate) fn new(
        network: Arc<Network>,
        next_seq: u64,
        asking: mpsc::UnboundedSender<Asking>,
    ) -> Self {
        let inner = Inner {
            topics: BTreeMap::new(),
            all: Vec::new(),
            validators: BTreeMap::new(),
            next_number: 0,
            next_seq,
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
        let mut inner = self.inner();
        if inner.topics.len() < Self::DESCRIPTORS_MAX {
            inner.topic(descriptor);
        }
    }

    /// Numbers a bulletin in the order of arrival and delivers it to its subscribers. Returns what
    /// the store is to keep.
    pub(crate) fn deliver(
        &self,
        bulletin: &Bulletin,
        from: Option<NodeId>,
        hops: u8,
        received: Wall,
    ) -> StoredBulletin {
        let bytes = bruit_core::wire::encode_to_bytes(bulletin);
        let body = bytes.slice(bytes.len() - bulletin.content.len()..);
        let mut inner = self.inner();
        let seq = inner.next_seq;
        inner.next_seq += 1;
        let header = &bulletin.header;
        let state = inner.topics.get_mut(&header.topic);
        let topic = state.map(|state| {
            state.meter.count(1, Instant::now());
            state.descriptor.clone()
        });
        let mailboxes = inner
            .topics
            .get(&header.topic)
            .into_iter()
            .flat_map(|state| &state.subscribers)
            .chain(&inner.all);
        let mut whole = None;
        for (_, mailbox) in mailboxes {
            mailbox.deliver(whole.get_or_insert_with(|| {
                Received::new(bulletin, body.clone(), topic.clone(), from, hops, received)
            }));
        }
        StoredBulletin {
            seq,
            id: *bulletin.id(),
            topic: header.topic,
            created: header.created,
            expires: header.expires(),
            received,
            from,
            hops,
            stamp_bits: bulletin.stamp.bits,
            bytes,
        }
    }

    /// Begins a subscription: what arrives from now on waits in its queue, what is held already is
    /// read from `store` first.
    pub(crate) fn subscribe(
        &self,
        topics: &Topics,
        from: &From,
        store: Store,
        now: Wall,
    ) -> Result<Subscription, crate::received::ParseCursorError> {
        let past = match from {
            From::Now => None,
            From::Since(age) => Some(Past::Since(now.minus(*age))),
            From::Cursor(text) => Some(Past::After(text.parse()?)),
        };
        let mailbox = Arc::new(Mailbox::default());
        let mut inner = self.inner();
        let number = inner.next_number;
        inner.next_number += 1;
        let ids = match topics {
            Topics::All => {
                inner.all.push((number, Arc::clone(&mailbox)));
                None
            }
            Topics::Named(names) => {
                let mut ids = Vec::new();
                for name in names {
                    let id = TopicId::of(name);
                    if !ids.contains(&id) {
                        ids.push(id);
                        inner
                            .topic(name)
                            .subscribers
                            .push((number, Arc::clone(&mailbox)));
                    }
                }
                Some(ids)
            }
        };
        if inner.is_closed {
            mailbox.close();
        }
        let replay = past.map(|past| Replay {
            past,
            topics: ids,
            store,
            until_seq: inner.next_seq,
            after_seq: None,
            page: VecDeque::new(),
            is_done: false,
        });
        drop(inner);
        Ok(Subscription {
            hub: self.clone(),
            number,
            mailbox,
            replay,
        })
    }

    fn unsubscribe(&self, number: u64) {
        let mut inner = self.inner();
        inner.all.retain(|(other, _)| *other != number);
        for state in inner.topics.values_mut() {
            state.subscribers.retain(|(other, _)| *other != number);
        }
    }

    /// Registers a validator of `topic`.
    pub(crate) fn validate(&self, topic: &str, timeout: Duration) -> Validator {
        let (sender, questions) = mpsc::channel(QUESTIONS_MAX);
        let mut inner = self.inner();
        let number = inner.next_number;
        inner.next_number += 1;
        let id = TopicId::of(topic);
        inner.topic(topic);
        let state = ValidatorState {
            number,
            timeout,
            questions: sender,
        };
        inner.validators.entry(id).or_default().push(state);
        self.ask_engine(&inner, id);
        drop(inner);
        Validator {
            hub: self.clone(),
            topic: id,
            number,
            questions,
        }
    }

    fn unvalidate(&self, topic: TopicId, number: u64) {
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
        let descriptor = inner
            .topics
            .get(topic)
            .map(|state| state.descriptor.clone());
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
        let subscribed = inner
            .topics
            .iter_mut()
            .filter(|(_, state)| !state.subscribers.is_empty());
        subscribed
            .map(|(id, state)| view::Topic {
                topic: state.descriptor.clone(),
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

    fn descriptor(&self, topic: &TopicId) -> Option<String> {
        self.inner()
            .topics
            .get(topic)
            .map(|state| state.descriptor.clone())
    }
}

impl Inner {
    fn topic(&mut self, descriptor: &str) -> &mut TopicState {
        self.topics
            .entry(TopicId::of(descriptor))
            .or_insert_with(|| TopicState {
                descriptor: descriptor.to_owned(),
                subscribers: Vec::new(),
                meter: Meter::default(),
            })
    }
}

#[derive(Debug, Clone, Copy)]
enum Past {
    Since(Wall),
    After(Cursor),
}

/// What a subscription reads from the store before it goes live.
#[derive(Debug)]
struct Replay {
    past: Past,
    topics: Option<Vec<TopicId>>,
    store: Store,
    /// Whatever arrived from here on waits in the queue.
    until_seq: u64,
    after_seq: Option<u64>,
    page: VecDeque<StoredBulletin>,
    is_done: bool,
}

impl Replay {
    /// The next bulletin held before the subscription began; none at the end.
    async fn next(&mut self) -> Option<StoredBulletin> {
        loop {
            if let Some(row) = self.page.pop_front() {
                return Some(row);
            }
            if self.is_done {
                return None;
            }
            self.fill().await;
        }
    }

    async fn fill(&mut self) {
        let (since, after_seq) = self.start();
        let topics = self.topics.clone();
        let scan = Scan {
            topics,
            after_seq,
            since,
            limit: PAGE,
        };
        let Ok(page) = self.store.scan(scan).await else {
            self.is_done = true;
            return;
        };
        self.page = page
            .rows
            .into_iter()
            .filter(|row| row.seq < self.until_seq)
            .collect();
        match page.next.filter(|next| *next < self.until_seq) {
            Some(next) => self.after_seq = Some(next),
            None => self.is_done = true,
        }
    }

    /// Where the next page begins.
    fn start(&mut self) -> (Wall, u64) {
        let since = match &self.past {
            Past::Since(since) => *since,
            Past::After(_) => Wall::default(),
        };
        if let Some(after_seq) = self.after_seq {
            return (since, after_seq);
        }
        let Past::After(cursor) = self.past else {
            return (since, 0);
        };
        if let Some(seq) = self.store.seq_of(&cursor.id) {
            return (since, seq);
        }
        // No longer held: begin with what was made at the same time.
        self.past = Past::Since(cursor.created);
        (cursor.created, 0)
    }
}

/// A stream of bulletins. Ends when the node stops; dropped, it frees its queue.
#[derive(Debug)]
pub struct Subscription {
    hub: Hub,
    number: u64,
    mailbox: Arc<Mailbox>,
    replay: Option<Replay>,
}

impl Subscription {
    /// Waits for the next bulletin or gap; none once the node has stopped.
    ///
    /// Cancel safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Option<Incoming> {
        while let Some(replay) = &mut self.replay {
            match replay.next().await {
                Some(row) => {
                    if let Some(received) = self.hub.restore(&row) {
                        return Some(Incoming::Bulletin(Box::new(received)));
                    }
                }
                None => self.replay = None,
            }
        }
        loop {
            match self.mailbox.take() {
                Ok(Some(item)) => return Some(item),
                Ok(None) => self.mailbox.filled.notified().await,
                Err(()) => return None,
            }
        }
    }
}

impl Hub {
    /// A bulletin of the store as it was delivered.
    fn restore(&self, row: &StoredBulletin) -> Option<Received> {
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

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(self.number);
    }
}

/// The right to judge the bulletins of a topic before they are delivered or relayed. Dropped, it
/// gives that right back.
#[derive(Debug)]
pub struct Validator {
    hub: Hub,
    topic: TopicId,
    number: u64,
    questions: mpsc::Receiver<Question>,
}

impl Validator {
    /// Waits for the next bulletin to judge; none once the node has stopped.
    pub async fn next(&mut self) -> Option<Question> {
        self.questions.recv().await
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        self.hub.unvalidate(self.topic, self.number);
    }
}

/// A bulletin to be judged. Without an answer in time it is ignored.
#[derive(Debug)]
pub struct Question {
    /// The bulletin.
    pub received: Received,
    decided: Arc<AtomicBool>,
    asking: mpsc::UnboundedSender<Asking>,
}

impl Question {
    /// Says what is to become of the bulletin. The first of several validators decides.
    pub fn answer(self, verdict: Verdict) {
        if !self.decided.swap(true, Ordering::Relaxed) {
            // The driver is gone when the node has stopped.
            self.asking
                .send(Asking::Verdict(self.received.id, verdict))
                .ok();
        }
    }
}
