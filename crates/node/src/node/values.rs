//! Values: put, get, list, delete, boost, follow.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bruit_core::bulletin::{Bulletin, Header, Kind};
use bruit_core::event::{Command, Refusal};
use bruit_core::id::{AuthorId, BulletinId, TopicId, ValueKey};
use bruit_core::limits;
use bruit_core::lookups::Target;
use bruit_core::values::Head;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::Node;
use crate::draft::PublishError;
use crate::driver::Order;
use crate::files::Contents;
use crate::hub::{From, Incoming, Topics};
use crate::miner;
use crate::store::{Scan, StoreError};
use crate::subscription::Subscription;
use crate::values::{Filter, Put, PutReceipt, Value, ValueAddress, check_name};
use crate::wall::wall_now;

/// Pause between two looks for a value that nobody had.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often a put without a condition gives way to others before it gives up.
const TRIES: u32 = 8;
/// Bulletins read at once for a list.
const PAGE: usize = 1_024;

/// A better stamp that was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boosted {
    /// For which bulletin.
    pub id: BulletinId,
    /// Bits of work in it.
    pub bits: u8,
    /// Milliseconds the work took.
    pub work_ms: u64,
}

/// What a followed name brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A later version.
    Value(Box<Value>),
    /// The value was deleted.
    Deleted {
        /// The tombstone.
        id: BulletinId,
        /// Its count.
        seq: u64,
    },
}

/// The versions of a name as they come, each later than the one before.
#[derive(Debug)]
pub struct Following {
    node: Node,
    address: ValueAddress,
    subscription: Subscription,
    seq: u64,
    is_behind: bool,
}

impl Following {
    /// The next version: at first the present one, where there is one. None when the node has
    /// stopped.
    pub async fn next(&mut self) -> Option<Followed> {
        loop {
            if std::mem::take(&mut self.is_behind)
                && let Some(present) = self.present().await
            {
                return Some(present);
            }
            match self.subscription.next().await? {
                Incoming::Gap { .. } => self.is_behind = true,
                Incoming::Bulletin(received) => {
                    let is_it = matches!(
                        &self.address,
                        ValueAddress::Name { author, name }
                            if *author == received.author && name.as_bytes() == received.name
                    );
                    self.is_behind = is_it && received.seq > self.seq;
                }
            }
        }
    }

    async fn present(&mut self) -> Option<Followed> {
        // What the store cannot read now comes with the next version.
        let bulletin = self
            .node
            .latest(&self.address, Duration::ZERO)
            .await
            .ok()??;
        let header = &bulletin.header;
        if header.seq <= self.seq {
            return None;
        }
        self.seq = header.seq;
        Some(if header.kind == Kind::TOMBSTONE {
            Followed::Deleted {
                id: *bulletin.id(),
                seq: header.seq,
            }
        } else {
            Followed::Value(Box::new(self.node.value(&bulletin)))
        })
    }
}

impl Node {
    /// Puts a value: signs it, pays for it, gives it to the network.
    ///
    /// # Errors
    /// What is wrong with it, [`PublishError::Conflict`] when the name is at another count than the
    /// condition says, or what kept the word from coming true in time.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Node, Put, ValueAddress};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let node = Node::spawn(Config { listen, price: 0, ..Config::default() }).await?;
    /// let put = node.put(Put::new("21 degrees").name("weather")).await?;
    /// let address = ValueAddress::Name { author: put.author, name: put.name };
    /// let value = node.get(&address, Duration::from_secs(1)).await?;
    /// assert_eq!(&value.unwrap().body[..], b"21 degrees");
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put(&self, put: Put) -> Result<PutReceipt, PublishError> {
        put.check()?;
        let key = self.author(put.author.as_deref())?;
        let author = key.author_id();
        let mut header = Header::post(TopicId::of(&put.topic), author, &put.body, wall_now());
        header.kind = Kind::VALUE;
        header.name = put.name.clone().into_bytes();
        header.tag.clone_from(&put.tag);
        header.parents = put.prev.into_iter().collect();
        header.ttl_s = u32::try_from(put.ttl.as_secs()).unwrap_or(u32::MAX);
        self.inner.hub.learn(&put.topic);
        self.put_version(header, &put, None).await
    }

    /// Deletes what an author key of this node calls `name`: leaves a tombstone that lives as long as
    /// the value would have.
    ///
    /// # Errors
    /// [`PublishError::UnknownValue`] when there is none; those of [`Node::put`].
    pub async fn delete(&self, name: &str, like: Put) -> Result<PutReceipt, PublishError> {
        let put = Put {
            body: Bytes::new(),
            prev: None,
            ..like.name(name)
        };
        put.check()?;
        let key = self.author(put.author.as_deref())?;
        let author = key.author_id();
        let address = ValueAddress::Name {
            author,
            name: name.to_owned(),
        };
        let unknown = || PublishError::UnknownValue(address.to_string());
        let head = self.head(&author, name).await.ok_or_else(unknown)?;
        let stored = self.read(head.id).await.ok().flatten();
        if stored.is_some_and(|bulletin| bulletin.header.kind == Kind::TOMBSTONE) {
            return Err(unknown());
        }
        let mut header = Header::post(TopicId::of(&put.topic), author, b"", wall_now());
        header.kind = Kind::TOMBSTONE;
        header.name = name.as_bytes().to_vec();
        header.tag.clone_from(&put.tag);
        // As long as what it stands for, and no longer.
        header.ttl_s = 1;
        self.put_version(header, &put, None).await
    }

    /// Publishes `header` as the next version of its name, or as it is when it has none.
    pub(super) async fn put_version(
        &self,
        header: Header,
        put: &Put,
        contents: Option<&Contents>,
    ) -> Result<PutReceipt, PublishError> {
        let key = self.author(put.author.as_deref())?;
        for _ in 0..TRIES {
            let mut header = header.clone();
            header.created = wall_now();
            if !put.name.is_empty() {
                let head = self.head(&header.author, &put.name).await;
                let present = head.map_or(0, |head| head.seq);
                if put.if_seq.is_some_and(|wanted| wanted != present) {
                    return Err(PublishError::Conflict { present });
                }
                header.seq = present
                    .checked_add(1)
                    .ok_or(PublishError::Conflict { present })?;
                header.ttl_s = header.ttl_s.max(left_s(&header, head));
            }
            let (author, seq) = (header.author, header.seq);
            let body = put.body.clone();
            let made = self.publish_made(header, body, contents, &key, &put.terms);
            let made = match (made.await, put.if_seq) {
                (Err(PublishError::Refused(Refusal::Superseded { .. })), None) => continue,
                (Err(PublishError::Refused(Refusal::Superseded { seq })), Some(_)) => {
                    return Err(PublishError::Conflict { present: seq });
                }
                (made, _) => made?,
            };
            return Ok(PutReceipt {
                id: made.id,
                author,
                name: put.name.clone(),
                seq,
                bits: made.bits,
                work_ms: made.work_ms,
                result: made.progress.result,
                spread: made.progress.spread,
            });
        }
        Err(PublishError::QueueFull)
    }

    /// The value at `address`: from this node's store, or from whoever else is asked and has it. None
    /// when nobody had it within `timeout`, or it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn get(
        &self,
        address: &ValueAddress,
        timeout: Duration,
    ) -> Result<Option<Value>, StoreError> {
        let found = self.latest(address, timeout).await?;
        let alive = found.filter(|bulletin| bulletin.header.kind != Kind::TOMBSTONE);
        Ok(alive.map(|bulletin| self.value(&bulletin)))
    }

    /// The bulletin at `address`, a tombstone too.
    async fn latest(
        &self,
        address: &ValueAddress,
        timeout: Duration,
    ) -> Result<Option<Bulletin>, StoreError> {
        let deadline = Instant::now() + timeout;
        loop {
            let target = self.target(address).await;
            if let Target::Id(id) = target
                && let Some(bulletin) = self.read(id).await?
            {
                let is_valid = bulletin.header.expires() > wall_now();
                return Ok(is_valid.then_some(bulletin));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let found = tokio::time::timeout(left, self.look_up(target)).await;
            if let Ok(Some(bulletin)) = found {
                return Ok(Some(bulletin));
            }
            tokio::time::sleep(LOOK_AGAIN.min(left)).await;
        }
    }

    /// What to look for: the version that counts where it is known.
    async fn target(&self, address: &ValueAddress) -> Target {
        match address {
            ValueAddress::Id(id) => Target::Id(*id),
            ValueAddress::Name { author, name } => match self.head(author, name).await {
                Some(head) => Target::Id(head.id),
                None => Target::Value(ValueKey::of(author, name.as_bytes())),
            },
        }
    }

    /// The version that counts of what `author` calls `name`, as far as this node knows.
    pub(super) async fn head(&self, author: &AuthorId, name: &str) -> Option<Head> {
        let key = ValueKey::of(author, name.as_bytes());
        self.look(move |looks| looks.engine.values().head(&key))
            .await?
    }

    /// The bulletin `id` from this node's store, checked: what a disk gives back may be damaged.
    async fn read(&self, id: BulletinId) -> Result<Option<Bulletin>, StoreError> {
        let Some(bytes) = self.inner.store.get(id).await? else {
            return Ok(None);
        };
        let network = self.inner.network.id();
        let bulletin = Bulletin::decode(&bytes, network).ok();
        Ok(bulletin.filter(|bulletin| *bulletin.id() == id && bulletin.is_whole(network)))
    }

    /// Asks other nodes for what is not held here.
    async fn look_up(&self, target: Target) -> Option<Bulletin> {
        let (answer, answered) = oneshot::channel();
        if !self.order(Order::LookUp(target, answer)).await {
            return None;
        }
        answered.await.ok().flatten().map(|bulletin| *bulletin)
    }

    fn value(&self, bulletin: &Bulletin) -> Value {
        let topic = self.inner.hub.descriptor(&bulletin.header.topic);
        Value::of(bulletin, topic)
    }

    /// What this node holds, oldest arrival first: at most `limit` bulletins, the latest.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Value>, StoreError> {
        let now = wall_now();
        let topics = filter
            .topic
            .as_deref()
            .map(|topic| vec![TopicId::of(topic)]);
        let mut listed = VecDeque::new();
        let mut after_seq = Some(0);
        while let Some(after) = after_seq {
            let page = self.inner.store.scan(Scan {
                topics: topics.clone(),
                after_seq: after,
                since: filter
                    .since
                    .map_or(bruit_core::time::Wall::default(), |age| now.minus(age)),
                limit: PAGE,
            });
            let page = page.await?;
            let network = self.inner.network.id();
            for row in &page.rows {
                let Ok(bulletin) = Bulletin::decode(&row.bytes, network) else {
                    continue;
                };
                let value = self.value(&bulletin);
                if filter.admits(&value, now) {
                    listed.push_back(value);
                }
                if listed.len() > limit {
                    listed.pop_front();
                }
            }
            after_seq = page.next;
        }
        Ok(listed.into())
    }

    /// The ids of the bulletins held here that begin with `prefix` in hexadecimal.
    pub fn with_prefix(&self, prefix: &str) -> Vec<BulletinId> {
        self.inner.store.with_prefix(prefix)
    }

    /// Does `bits` of work for a bulletin of anybody's that this node holds, so that the network
    /// keeps it longer.
    ///
    /// # Errors
    /// [`PublishError::UnknownValue`] when it is not held, [`PublishError::PaidAlready`] when it has
    /// as much work, [`PublishError::PriceTooLow`] when that is more than is allowed.
    pub async fn boost(&self, id: BulletinId, bits: u8) -> Result<Boosted, PublishError> {
        let present = self.held_bits(id).await;
        let present = present.ok_or_else(|| PublishError::UnknownValue(id.to_string()))?;
        let max = self.inner.max_work_bits;
        if bits <= present {
            return Err(PublishError::PaidAlready { present });
        }
        if bits > max {
            return Err(PublishError::PriceTooLow { need: bits, max });
        }
        let started = Instant::now();
        let stamp = miner::mine(id, bits).await;
        self.try_order(Order::Engine(Command::Boost { id, stamp }))?;
        let bits = self.held_bits(id).await;
        Ok(Boosted {
            id,
            bits: bits.ok_or_else(|| PublishError::UnknownValue(id.to_string()))?,
            work_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    async fn held_bits(&self, id: BulletinId) -> Option<u8> {
        self.look(move |looks| {
            let seen = looks.engine.inventory().knows(&id.short())?;
            (seen.id == id && seen.is_held()).then_some(seen.bits)
        })
        .await?
    }

    /// Follows a name: the present version first, then each later one.
    ///
    /// # Errors
    /// When the name is too long.
    ///
    /// # Panics
    /// Never: a subscription that begins now has no cursor to be wrong.
    pub fn follow(&self, author: AuthorId, name: &str) -> Result<Following, PublishError> {
        check_name(name)?;
        let subscription = self.subscribe(Topics::All, From::Now);
        Ok(Following {
            node: self.clone(),
            address: ValueAddress::Name {
                author,
                name: name.to_owned(),
            },
            subscription: subscription.expect("there is no cursor to be wrong"),
            seq: 0,
            is_behind: true,
        })
    }
}

/// Seconds from the making of `header` until nothing it stands for is valid, at most 28 days.
fn left_s(header: &Header, head: Option<Head>) -> u32 {
    let left = head.map_or(Duration::ZERO, |head| head.until.since(header.created));
    let left = left.min(limits::TTL_MAX).as_millis().div_ceil(1_000);
    u32::try_from(left).unwrap_or(u32::MAX)
}
