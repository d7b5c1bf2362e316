//! Bulletins carried by hand: what a node holds, a page at a time, and what somebody brings.

use std::collections::BTreeMap;
use std::time::Duration;

use bruit_core::bulletin::Bulletin;
use bruit_core::bundle::Head;
use bruit_core::event::{Published, Refusal};
use bruit_core::id::TopicId;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::Node;
use crate::driver::Order;
use crate::store::{Scan, StoreError};
use crate::wall::wall_now;

/// Which bulletins to take along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Only those made within this last time; `None` for all.
    pub since: Option<Duration>,
    /// Only those of this topic, by its exact descriptor.
    pub topic: Option<String>,
    /// Only those that arrived after this one: [`Held::next`] of the page before.
    pub after: u64,
    /// Most bulletins on the page, at least 1.
    pub limit: usize,
}

/// A page of what a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Canonical encodings of bulletins, in the order of their arrival.
    pub bulletins: Vec<Bytes>,
    /// Where to go on; `None` at the end. A page may be empty and not the last.
    pub next: Option<u64>,
}

/// What became of bulletins that were brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Those that were new, delivered and announced.
    pub imported: u64,
    /// Those that were known already.
    pub known: u64,
    /// Those that were not taken, by reason.
    pub refused: BTreeMap<String, u64>,
}

impl Imported {
    fn refuse(&mut self, reason: &str) {
        *self.refused.entry(reason.to_owned()).or_default() += 1;
    }
}

/// Orders of one call that wait for their answers at once.
const AT_ONCE: usize = 256;

impl Node {
    /// This node's network, as a bundle of its bulletins begins.
    pub fn bundle_head(&self) -> Head {
        Head {
            network: *self.inner.network.id(),
            name: self.inner.network.name().to_owned(),
        }
    }

    /// A page of the bulletins this node holds, for [`bruit_core::bundle`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn export(&self, wanted: &Wanted) -> Result<Held, StoreError> {
        let now = wall_now();
        let scan = Scan {
            topics: wanted
                .topic
                .as_deref()
                .map(|topic| vec![TopicId::of(topic)]),
            after_seq: wanted.after,
            since: wanted
                .since
                .map_or_else(Default::default, |since| now.minus(since)),
            limit: wanted.limit,
        };
        let page = self.inner.store.scan(scan).await?;
        let valid = page.rows.into_iter().filter(|row| row.expires > now);
        Ok(Held {
            bulletins: valid.map(|row| row.bytes).collect(),
            next: page.next,
        })
    }

    /// Takes bulletins that somebody brings, each in its canonical encoding: checked as if a neighbour
    /// had sent it, delivered, kept, and announced to the neighbours. None is taken twice.
    pub async fn import(&self, bulletins: &[Bytes]) -> Imported {
        let mut done = Imported::default();
        for bulletins in bulletins.chunks(AT_ONCE) {
            let answers = bulletins.iter().map(|bytes| self.import_one(bytes));
            for answer in join_all(answers).await {
                match answer {
                    Ok(Published::Known) => done.known += 1,
                    Ok(Published::Refused(refusal)) => done.refuse(word(refusal)),
                    Ok(Published::Accepted { .. } | Published::Queued) => done.imported += 1,
                    Err(reason) => done.refuse(reason),
                }
            }
        }
        done
    }

    async fn import_one(&self, bytes: &Bytes) -> Result<Published, &'static str> {
        let bulletin = Bulletin::decode(bytes, self.inner.network.id()).map_err(|_| "malformed")?;
        let (answer, answered) = oneshot::channel();
        let order = Order::Import(Box::new(bulletin), answer);
        if !self.order(order).await {
            return Err("closed");
        }
        answered.await.map_err(|_| "closed")
    }
}

/// The word a refusal is counted under.
fn word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Shape => "malformed",
        Refusal::Expired => "expired",
        Refusal::Future(_) => "future",
        Refusal::Price { .. } => "price_too_low",
        Refusal::Work => "work",
        Refusal::Signature => "signature",
        Refusal::Muted => "muted",
        Refusal::Busy => "queue_full",
        _ => "refused",
    }
}
