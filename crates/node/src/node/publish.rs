//! Publishing: signs, pays, hands over, and waits for the word asked for.

use std::time::{Duration, Instant};

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::id::{BulletinId, TopicId};
use bruit_core::identity::SecretKey;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::Node;
use crate::draft::{Draft, Outcome, PublishError, Receipt, Terms, Wait, Work};
use crate::driver::Order;
use crate::files::Contents;
use crate::miner;
use crate::publishing::{Progress, Request};
use crate::wall::wall_now;

/// A bulletin made here, and how far it has come.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) id: BulletinId,
    /// Bits of work in its stamp.
    pub(crate) bits: u8,
    /// Milliseconds the work took.
    pub(crate) work_ms: u64,
    pub(crate) progress: Progress,
}

impl Node {
    /// Signs, pays for and broadcasts `draft`. Answers when the word it waits for is true.
    ///
    /// # Errors
    /// Says what is wrong with the draft, or what kept the word from coming true in time.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Draft, Node, Outcome};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let node = Node::spawn(Config { listen, ..Config::default() }).await?;
    /// let receipt = node.publish(Draft::new("news", "hello")).await?;
    /// assert_eq!(receipt.result, Outcome::Queued, "it goes out with the first link");
    /// assert!(receipt.bits > 0, "the default network asks for work");
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish(&self, draft: Draft) -> Result<Receipt, PublishError> {
        draft.check()?;
        let key = self.author(draft.author.as_deref())?;
        let topic = TopicId::of(&draft.topic);
        let mut header = Header::post(topic, key.author_id(), &draft.body, wall_now());
        header.ttl_s = u32::try_from(draft.ttl.as_secs()).unwrap_or(u32::MAX);
        header.tag.clone_from(&draft.tag);
        self.inner.hub.learn(&draft.topic);
        let made = self
            .publish_made(header, draft.body, None, &key, &draft.terms)
            .await?;
        Ok(Receipt {
            id: made.id,
            topic: draft.topic,
            result: made.progress.result,
            bits: made.bits,
            work_ms: made.work_ms,
            neighbours: made.progress.neighbours,
            spread: made.progress.spread,
        })
    }

    /// Signs `header` over `content`, which is the manifest of `contents` where there are such, with
    /// `key`, pays for it and broadcasts it. Answers when the word that `terms` wait for is true. The moment in the header may be moved on by milliseconds.
    ///
    /// # Errors
    /// What kept the word from coming true in time.
    pub(crate) async fn publish_made(
        &self,
        header: Header,
        content: Bytes,
        contents: Option<&Contents>,
        key: &SecretKey,
        terms: &Terms,
    ) -> Result<Made, PublishError> {
        if terms.wait == Wait::Stored && self.inner.data.is_none() {
            return Err(PublishError::Ephemeral);
        }
        let (bulletin, work) = self.make(header, content, key, terms.work).await?;
        let (id, bits) = (*bulletin.id(), bulletin.stamp.bits);
        if let Some(contents) = contents {
            self.keep_contents(id, contents).await?;
        }
        let progress = self.hand_over(bulletin, terms).await;
        if contents.is_some()
            && matches!(
                progress,
                Err(PublishError::Refused(_) | PublishError::QueueFull)
            )
        {
            self.forgo_contents(id);
        }
        Ok(Made {
            id,
            bits,
            work_ms: u64::try_from(work.as_millis()).unwrap_or(u64::MAX),
            progress: progress?,
        })
    }

    /// Signs `header` over `content` and does the work for it, within `work`.
    ///
    /// # Errors
    /// [`PublishError::PriceTooLow`].
    pub(super) async fn make(
        &self,
        mut header: Header,
        content: Bytes,
        key: &SecretKey,
        work: Work,
    ) -> Result<(Bulletin, Duration), PublishError> {
        self.inner.moments.settle(&mut header);
        let need = self.bits(&header).max(work.least);
        let max = work.most.unwrap_or(self.inner.max_work_bits);
        if need > max {
            return Err(PublishError::PriceTooLow { need, max });
        }
        let mut bulletin = Bulletin::sign(header, content, self.inner.network.id(), key);
        let started = Instant::now();
        if need > 0 {
            bulletin.stamp = miner::mine(*bulletin.id(), need).await;
        }
        Ok((bulletin, started.elapsed()))
    }

    /// Gives a bulletin to the engine and waits for the word that `terms` ask for.
    pub(super) async fn hand_over(
        &self,
        bulletin: Bulletin,
        terms: &Terms,
    ) -> Result<Progress, PublishError> {
        let id = *bulletin.id();
        let (answer, answered) = oneshot::channel();
        let start = Progress {
            result: Outcome::Queued,
            neighbours: 0,
            spread: 0,
        };
        let (progress, watched) = watch::channel(start);
        let request = Request {
            bulletin: Box::new(bulletin),
            wait: terms.wait,
            answer,
            progress,
        };
        self.try_order(Order::Publish(Box::new(request)))?;
        match tokio::time::timeout(terms.wait_timeout, answered).await {
            Ok(Ok(progress)) => progress,
            Ok(Err(_)) => Err(PublishError::Closed),
            Err(_) => Err(PublishError::Timeout {
                id,
                reached: watched.borrow().result,
                waited: terms.wait_timeout,
            }),
        }
    }

    /// Bits of work to pay: the network's minimum, raised by what the neighbours ask for.
    pub(super) fn bits(&self, header: &Header) -> u8 {
        match self
            .inner
            .network
            .price()
            .bits_min(header.size_bytes, header.ttl())
        {
            0 => 0,
            min => min.saturating_add(self.inner.prices.get().of(header.ttl())),
        }
    }
}
