//! Letters of other systems by way of a node: delivered by gateways, and taken by them.

use bruit_core::letters::{Letter, LetterId};
use bytes::Bytes;

use super::Node;
use crate::letters::{Courier, Desk, ForeignName, SendError, SentForeign, Work};
use crate::wall::wall_now;

impl Node {
    /// Puts a letter that a gateway brought into the inbox: `from` is who wrote it in the other system, as the
    /// gateway says. Answers when it is on this node's disk.
    ///
    /// # Errors
    /// Says why it is not kept.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::spawn(Config { price: 0, ..Config::default() }).await?;
    /// node.deliver("k98kurz:8a88e3dd".parse()?, "hello").await?;
    /// let letter = &node.inbox().await?[0];
    /// assert_eq!(letter.foreign.as_ref().unwrap().system(), "k98kurz");
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn deliver(
        &self,
        from: ForeignName,
        body: impl Into<Bytes>,
    ) -> Result<LetterId, SendError> {
        let body = body.into();
        check(&body)?;
        let job = move |work: &mut Work<'_>| {
            let Work { desk, rng, now, .. } = work;
            desk.deliver_foreign(from, body, *now, *rng)
        };
        let (id, written) = self.inner.letters.ask(job).await?;
        written.map_err(|error| SendError::Store(error.to_string()))?;
        Ok(id)
    }

    /// Takes the letters that are sent from here to somebody in `system`, such as `k98kurz`, for as long as the
    /// courier is held. Where there are several, each letter goes to the first that takes it.
    ///
    /// # Errors
    /// When there are too many, or the node has stopped.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::spawn(Config { price: 0, ..Config::default() }).await?;
    /// let mut courier = node.carry("k98kurz")?;
    /// let sending = node.send_foreign("k98kurz:8a88e3dd".parse()?, "hello");
    /// let taking = async { courier.next().await.expect("the node runs").answer(Ok(())) };
    /// let (sent, ()) = tokio::join!(sending, taking);
    /// assert_eq!(sent?.to.system(), "k98kurz");
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn carry(&self, system: &str) -> Result<Courier, SendError> {
        self.inner.couriers.add(system)
    }

    /// Sends a letter to somebody in another system, by a gateway at this node. Answers when the gateway has put it
    /// on its way; nobody knows more of it than that, and it is not in the outbox.
    ///
    /// # Errors
    /// When there is no such gateway here, or it does not take the letter; says why.
    pub async fn send_foreign(
        &self,
        to: ForeignName,
        body: impl Into<Bytes>,
    ) -> Result<SentForeign, SendError> {
        let body = body.into();
        check(&body)?;
        self.inner.couriers.send(&to, &body).await?;
        let (id, _) = self
            .inner
            .letters
            .ask(|work| Desk::draw_id(work.rng))
            .await?;
        Ok(SentForeign {
            id,
            from: self.id().as_author(),
            to,
            created_ms: wall_now().as_millis(),
        })
    }
}

fn check(body: &Bytes) -> Result<(), SendError> {
    let (got, max) = (body.len(), Letter::BODY_BYTES_MAX);
    if got > max {
        return Err(SendError::TooBig { got, max });
    }
    Ok(())
}
