//! What the clerk of letters has done by the node: publishing, searching, working. Each errand answers
//! by message, and holds the node no longer than it needs it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bruit_core::bulletin::{Bulletin, Header, Kind};
use bruit_core::id::{AuthorId, BulletinId, TopicId};
use bruit_core::identity::SecretKey;
use bruit_core::letters::{LetterId, Letterbox};
use bruit_core::limits;
use bruit_core::time::Wall;
use bruit_core::wire::{decode_all, encode_to_bytes};
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, warn};

use super::{Inner, Node};
use crate::draft::{Outcome, PublishError, Terms, Work};
use crate::driver::Order;
use crate::letters::{Message, Sealing, Tapped, Unsigned, enclosed, sealed};
use crate::publishing::{Progress, Request, WATCHED};
use crate::store::{Scan, StoreError};
use crate::values::{VALUES_TOPIC, ValueAddress};
use crate::wall::wall_now;

/// How long a search for a letterbox may take.
const SEARCH_MAX: Duration = Duration::from_secs(5);
/// Bulletins read from the store at a time.
const PAGE: usize = 256;
/// Neighbours that must have a letter on their disks.
const KEPT: u32 = 2;
/// How often is looked whether there are as many neighbours as that.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Pause before the store is asked again that had too many reads waiting.
const READ_AGAIN: Duration = Duration::from_millis(50);

type Sender = mpsc::Sender<Message>;

/// A node that may be gone.
#[derive(Debug, Clone)]
pub(crate) struct WeakNode(Weak<Inner>);

/// A generator of secrets, seeded by the operating system.
pub(crate) fn secret_rng() -> Result<ChaCha20Rng, getrandom::Error> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut())?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

async fn tell(sender: Sender, message: Message) {
    // A clerk that has ended needs no answer.
    sender.send(message).await.ok();
}

impl Node {
    pub(super) fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.inner))
    }

    /// The key of an identity of ours.
    fn identity_key(&self, identity: &AuthorId) -> Result<SecretKey, PublishError> {
        if *identity == self.inner.id.as_author() {
            return Ok(self.inner.key.clone());
        }
        let authors = self.authors().into_iter();
        let mut named = authors.filter(|key| key.id == *identity);
        let key = named
            .next()
            .ok_or_else(|| PublishError::UnknownAuthor(identity.to_string()))?;
        self.author(Some(&key.name))
    }
}

impl WeakNode {
    pub(crate) fn get(&self) -> Option<Node> {
        self.0.upgrade().map(|inner| Node { inner })
    }

    /// Tells whether there are links, how many nodes there may be, and which identities are ours.
    pub(crate) async fn look_around(self, sender: Sender) {
        let Some(node) = self.get() else { return };
        let Some(status) = node.status().await else {
            return;
        };
        // The authors of an ephemeral node are nobody's to write to, and one that is locked can sign no
        // letterbox now.
        let authors = node.inner.data.iter().flat_map(|_| node.authors());
        let open = authors.filter(|key| !key.protected || key.unlocked);
        let message = Message::Network {
            is_linked: status.links.inbound + status.links.outbound > 0,
            nodes: status.network_size,
            identities: open.map(|key| key.id).collect(),
        };
        tell(sender, message).await;
    }

    /// Publishes a letterbox as the value of its name, in place of the one before it.
    pub(crate) async fn publish_letterbox(
        self,
        identity: AuthorId,
        letterbox: Letterbox,
        life: Duration,
        sender: Sender,
    ) {
        let Some(node) = self.get() else { return };
        let message = match node.put_letterbox(identity, letterbox, life).await {
            Ok(()) => Message::BoxPublished(identity, letterbox),
            Err(error) => {
                warn!(%error, "the letterbox is not published: it is tried again");
                Message::BoxFailed(identity)
            }
        };
        tell(sender, message).await;
    }

    /// Looks for somebody's letterbox, here and elsewhere.
    pub(crate) async fn find_letterbox(self, to: AuthorId, sender: Sender) {
        let Some(node) = self.get() else { return };
        let address = ValueAddress::Name {
            author: to,
            name: Letterbox::NAME.to_owned(),
        };
        let value = node.get(&address, SEARCH_MAX).await.ok().flatten();
        let found = value.and_then(|value| {
            let letterbox = decode_all(&value.body).ok()?;
            Some((letterbox, Wall::from_millis(value.created_ms)))
        });
        tell(sender, Message::LookedUp(to, found)).await;
    }

    /// Makes the bulletins of a letter and does the work for both.
    pub(crate) async fn seal(self, sealing: Sealing, sender: Sender) {
        let Some(node) = self.get() else { return };
        let message = match node.make_letter(&sealing).await {
            Ok((bulletin, acknowledgement)) => Message::Sealed {
                id: sealing.id,
                acknowledgement,
                place: (sealing.letterbox.key, sealing.letterbox.code),
                bulletin: Box::new(bulletin),
            },
            Err(error) => {
                warn!(%error, letter = ?sealing.id, "a letter cannot be made now: it is tried again");
                Message::NotSealed(sealing.id)
            }
        };
        tell(sender, message).await;
    }

    /// Publishes a letter, and waits until enough neighbours have it on their disks: two, or all where
    /// there are fewer.
    pub(crate) async fn send_out(self, id: LetterId, bulletin: Bulletin, sender: Sender) {
        let expires = bulletin.header.expires();
        let (answer, mut answered) = oneshot::channel();
        let start = Progress {
            result: Outcome::Queued,
            neighbours: 0,
            spread: 0,
        };
        let (progress, mut watched) = watch::channel(start);
        let request = Request {
            bulletin: Box::new(bulletin),
            // What is waited for changes with the number of links.
            wait: WATCHED,
            answer,
            progress,
        };
        let handed = match self.get() {
            Some(node) => node.try_order(Order::Publish(Box::new(request))),
            None => return,
        };
        if handed.is_err() {
            tell(sender, Message::NotSealed(id)).await;
            return;
        }
        while wall_now() < expires {
            let spread = watched.borrow_and_update().spread;
            let links = match self.get() {
                Some(node) if spread > 0 => node.peers(false).await.len(),
                Some(_) => usize::MAX,
                None => return,
            };
            let links = u32::try_from(links).unwrap_or(u32::MAX);
            if spread >= KEPT.min(links).max(1) {
                tell(sender, Message::Published(id)).await;
                return;
            }
            match tokio::time::timeout(LOOK_EVERY, watched.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(_)) => break,
            }
        }
        if let Ok(Err(error)) = answered.try_recv() {
            warn!(%error, letter = ?id, "a letter is not published");
            tell(sender, Message::NotSealed(id)).await;
        }
    }

    /// Publishes an acknowledgement that was made by somebody else.
    pub(crate) async fn acknowledge(self, id: BulletinId, bytes: Bytes, sender: Sender) {
        let Some(node) = self.get() else { return };
        let Ok(bulletin) = Bulletin::decode(&bytes, node.inner.network.id()) else {
            return;
        };
        match node.hand_over(bulletin, &Terms::default()).await {
            Err(PublishError::QueueFull | PublishError::Closed) => {}
            result => {
                if let Err(error) = result {
                    debug!(%error, "an acknowledgement is not published");
                }
                tell(sender, Message::Acknowledged(id)).await;
            }
        }
    }

    /// Reads the letters on `topics` that are held already.
    pub(crate) async fn read_letters(self, topics: Vec<TopicId>, sender: Sender) {
        let mut after = Some(0);
        while let Some(after_seq) = after {
            let Some(node) = self.get() else { return };
            let scan = Scan {
                topics: Some(topics.clone()),
                after_seq,
                since: wall_now().minus(limits::TTL_MAX),
                limit: PAGE,
            };
            let (network, store) = (*node.inner.network.id(), node.inner.store.clone());
            drop(node);
            let page = match store.scan(scan).await {
                Ok(page) => page,
                Err(StoreError::ReadBacklog { .. }) => {
                    tokio::time::sleep(READ_AGAIN).await;
                    continue;
                }
                Err(error) => {
                    warn!(%error, "the letters held here cannot be read");
                    return;
                }
            };
            for row in page.rows.iter().filter(|row| row.expires > wall_now()) {
                let Ok(bulletin) = Bulletin::decode(&row.bytes, &network) else {
                    continue;
                };
                let tapped = Tapped::Bulletin(Box::new(bulletin));
                if sender.send(Message::Tapped(tapped)).await.is_err() {
                    return;
                }
            }
            after = page.next;
        }
    }
}

impl Node {
    async fn put_letterbox(
        &self,
        identity: AuthorId,
        letterbox: Letterbox,
        life: Duration,
    ) -> Result<(), PublishError> {
        let key = self.identity_key(&identity)?;
        let content = encode_to_bytes(&letterbox);
        let topic = TopicId::of(VALUES_TOPIC);
        let mut header = Header::post(topic, identity, &content, wall_now());
        header.kind = Kind::VALUE;
        header.name = Letterbox::NAME.as_bytes().to_vec();
        header.ttl_s = u32::try_from(life.as_secs()).unwrap_or(u32::MAX);
        let head = self.head(&identity, Letterbox::NAME).await;
        header.seq = head.map_or(0, |head| head.seq).saturating_add(1);
        self.publish_made(header, content, None, &key, &Terms::default())
            .await?;
        Ok(())
    }

    /// The letter's bulletin, and the id of the acknowledgement in it.
    async fn make_letter(&self, sealing: &Sealing) -> Result<(Bulletin, BulletinId), MakeError> {
        let network = &self.inner.network;
        let sender = self.identity_key(&sealing.from)?;
        // Drawn anew for each letter, and forgotten with it.
        let mut rng = secret_rng().map_err(MakeError::Random)?;
        let own = enclosed(sealing, network, wall_now(), &mut rng)?;
        let own = self.make_unsigned(own).await?;
        let inside = encode_to_bytes(&own);
        let letter = sealed(sealing, inside, &sender, network.id(), wall_now(), &mut rng)?;
        Ok((self.make_unsigned(letter).await?, *own.id()))
    }

    async fn make_unsigned(&self, unsigned: Unsigned) -> Result<Bulletin, PublishError> {
        let Unsigned {
            header,
            content,
            key,
        } = unsigned;
        let (bulletin, _) = self.make(header, content, &key, Work::default()).await?;
        Ok(bulletin)
    }
}

/// Why a letter is not made now.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Seal(#[from] bruit_core::letters::SealError),
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}
