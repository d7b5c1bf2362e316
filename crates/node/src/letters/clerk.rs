//! The clerk: runs the desk on a node. It takes what comes, lets the desk decide, puts what changed on
//! disk, and only then does what is to be done. What takes long (searching, working for stamps) is an
//! errand beside it that answers by message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bruit_core::bulletin::Bulletin;
use bruit_core::id::{AuthorId, BulletinId};
use bruit_core::letters::{DeliveryCode, LetterId, LetterKey, Letterbox};
use bruit_core::time::Wall;
use rand_chacha::ChaCha20Rng;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tracing::{debug, error, warn};

use super::SendError;
use super::cabinet::Cabinet;
use super::contacts::Contacts;
use super::desk::{Desk, Step};
use super::records::{Change, Key};
use crate::mailbox::{Mailbox, Taken};
use crate::node::WeakNode;
use crate::store::StoreError;
use crate::wall::wall_now;

/// Messages that wait for the clerk; who has more waits.
const MESSAGES_MAX: usize = 256;
/// Letters sealed at once: their work is done one after the other anyway.
const SEALINGS_MAX: usize = 4;
/// How often the network's size and our keys are looked at when nothing else happens.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// Pause before a write that failed is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(10);

/// What the hub hands to the clerk.
#[derive(Debug)]
pub(crate) enum Tapped {
    /// A letter or a letterbox.
    Bulletin(Box<Bulletin>),
    /// There is a new link.
    Linked,
}

/// What a job works with.
pub(crate) struct Work<'a> {
    pub(crate) desk: &'a mut Desk,
    pub(crate) contacts: &'a mut Contacts,
    pub(crate) rng: &'a mut ChaCha20Rng,
    pub(crate) now: Wall,
}

impl Work<'_> {
    /// Reads the contacts as they are now. A file that cannot be read leaves them as they were.
    pub(crate) fn take_contacts(&mut self) {
        if let Ok(list) = self.contacts.read() {
            let ids = list.iter().map(|contact| contact.id).collect();
            self.desk.set_contacts(ids);
        }
    }
}

/// Tells whoever asked, once it is known whether what changed is on disk.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&mut Work<'_>) -> Answer + Send>;

/// What is said to the clerk.
pub(crate) enum Message {
    Do(Job),
    Tapped(Tapped),
    /// The tap ran over, or the node has just started: what is held is to be read.
    Missed,
    Network {
        is_linked: bool,
        nodes: u64,
        identities: Vec<AuthorId>,
    },
    LookedUp(AuthorId, Option<(Letterbox, Wall)>),
    Sealed {
        id: LetterId,
        acknowledgement: BulletinId,
        place: (LetterKey, DeliveryCode),
        bulletin: Box<Bulletin>,
    },
    NotSealed(LetterId),
    Published(LetterId),
    Acknowledged(BulletinId),
    BoxPublished(AuthorId, Letterbox),
    BoxFailed(AuthorId),
    Stop(oneshot::Sender<()>),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")
    }
}

/// The handle on a clerk.
#[derive(Debug, Clone)]
pub(crate) struct Letters {
    sender: mpsc::Sender<Message>,
    /// Changes whenever a letter came, or one of ours came further.
    pub(crate) news: watch::Receiver<u64>,
}

impl Letters {
    /// Has the clerk do `job`; answers with what it gave, and whether what it changed is on disk.
    ///
    /// # Errors
    /// When the node has stopped.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Work<'_>) -> T + Send + 'static,
    ) -> Result<(T, Result<(), StoreError>), SendError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |work| {
            let given = job(work);
            Box::new(move |written| {
                // Whoever asked may have gone.
                answer.send((given, written)).ok();
            })
        });
        let sent = self.sender.send(Message::Do(job)).await;
        sent.map_err(|_| SendError::Closed)?;
        answered.await.map_err(|_| SendError::Closed)
    }

    /// Has the clerk end, its cabinet closed.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.sender.send(Message::Stop(done)).await.is_ok() {
            // Answered or dropped, it has ended.
            stopped.await.ok();
        }
    }
}

/// The clerk.
pub(crate) struct Clerk {
    desk: Desk,
    contacts: Contacts,
    cabinet: Arc<Cabinet>,
    rng: ChaCha20Rng,
    messages: mpsc::Receiver<Message>,
    /// For errands; weak, so that the clerk ends with its node.
    sender: mpsc::WeakSender<Message>,
    news: watch::Sender<u64>,
    sealings: Arc<Semaphore>,
    /// What could not be written yet, by what it is about.
    unwritten: BTreeMap<Key, Change>,
}

impl Clerk {
    /// A clerk, and the handle on it.
    pub(crate) fn new(
        desk: Desk,
        contacts: Contacts,
        cabinet: Cabinet,
        rng: ChaCha20Rng,
    ) -> (Self, Letters) {
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let (news, told) = watch::channel(0);
        let clerk = Self {
            desk,
            contacts,
            cabinet: Arc::new(cabinet),
            rng,
            messages,
            sender: sender.downgrade(),
            news,
            sealings: Arc::new(Semaphore::new(SEALINGS_MAX)),
            unwritten: BTreeMap::new(),
        };
        (clerk, Letters { sender, news: told })
    }

    /// Runs until told to stop, or until its node is gone. `tap` brings what comes.
    pub(crate) async fn run(mut self, node: WeakNode, tap: Arc<Mailbox<Tapped>>) {
        tokio::spawn(pour(tap, self.sender.clone()));
        self.read_contacts();
        self.desk.resume(wall_now());
        self.read_held(&node);
        self.look(&node);
        let mut looked = wall_now();
        loop {
            if self.settle(&node).await.is_err() {
                debug!("letters wait for the disk");
            }
            let mut message = match tokio::time::timeout(self.pause(), self.messages.recv()).await {
                Ok(None) => return,
                Ok(Some(Message::Stop(done))) => {
                    drop(self);
                    // Whoever asked may have gone.
                    done.send(()).ok();
                    return;
                }
                Ok(message) => message,
                Err(_) => None,
            };
            let now = wall_now();
            if let Some(message) = message.take() {
                self.on_message(message, &node, now).await;
            }
            if self.desk.next_due().is_some_and(|due| due <= now) {
                self.desk.tick(now);
            }
            if now.since(looked) >= LOOK_EVERY || now < looked {
                looked = now;
                self.desk.tick(now);
                self.look(&node);
            }
        }
    }

    /// How long to wait for a message.
    fn pause(&self) -> Duration {
        if !self.unwritten.is_empty() {
            return WRITE_AGAIN;
        }
        let due = self.desk.next_due();
        let pause = due.map_or(LOOK_EVERY, |due| due.since(wall_now()));
        // The clock may be a little behind the timer.
        pause.clamp(Duration::from_millis(1), LOOK_EVERY)
    }

    async fn on_message(&mut self, message: Message, node: &WeakNode, now: Wall) {
        match message {
            Message::Do(job) => {
                let mut work = Work {
                    desk: &mut self.desk,
                    contacts: &mut self.contacts,
                    rng: &mut self.rng,
                    now,
                };
                let answer = job(&mut work);
                answer(self.settle(node).await);
            }
            Message::Tapped(Tapped::Bulletin(bulletin)) => {
                self.desk.arrived(&bulletin, now, &mut self.rng);
            }
            Message::Tapped(Tapped::Linked) => self.look(node),
            Message::Missed => self.read_held(node),
            Message::Network {
                is_linked,
                nodes,
                identities,
            } => {
                for identity in identities {
                    self.desk.add_identity(identity, now, &mut self.rng);
                }
                self.desk.note_network(is_linked, nodes);
                self.desk.tick(now);
            }
            Message::LookedUp(to, found) => self.desk.looked_up(to, found, now),
            Message::Sealed {
                id,
                acknowledgement,
                place,
                bulletin,
            } => {
                if self.desk.sealed(id, acknowledgement, place, now) {
                    // What it is known by must be on disk before it is out.
                    if self.settle(node).await.is_ok() {
                        self.spawn(node, move |node, sender| {
                            node.send_out(id, *bulletin, sender)
                        });
                    } else {
                        self.desk.not_sealed(id, now);
                    }
                }
            }
            Message::NotSealed(id) => self.desk.not_sealed(id, now),
            Message::Published(id) => self.desk.published(id),
            Message::Acknowledged(id) => self.desk.acknowledged(&id),
            Message::BoxPublished(identity, letterbox) => {
                self.desk.box_published(&identity, &letterbox, now);
            }
            Message::BoxFailed(identity) => self.desk.box_not_published(&identity, now),
            Message::Stop(_) => {}
        }
    }

    /// Puts what changed on disk, then does what is to be done. What cannot be written waits, and with
    /// it what is to be done.
    async fn settle(&mut self, node: &WeakNode) -> Result<(), StoreError> {
        for change in self.desk.changes() {
            let key = match &change {
                Change::Put(record) => record.key(),
                Change::Drop(key) => key.clone(),
            };
            self.unwritten.insert(key, change);
        }
        if !self.unwritten.is_empty() {
            let changes: Vec<_> = self.unwritten.values().cloned().collect();
            let cabinet = Arc::clone(&self.cabinet);
            let written = tokio::task::spawn_blocking(move || cabinet.write(&changes)).await;
            match written.unwrap_or(Err(StoreError::Closed)) {
                Ok(()) => self.unwritten.clear(),
                Err(failure) => {
                    error!(error = %failure, "letters cannot be kept; they wait for the disk");
                    return Err(failure);
                }
            }
        }
        for step in self.desk.steps() {
            self.take(step, node);
        }
        Ok(())
    }

    fn take(&mut self, step: Step, node: &WeakNode) {
        match step {
            Step::PublishBox {
                identity,
                letterbox,
                life,
            } => self.spawn(node, move |node, sender| {
                node.publish_letterbox(identity, letterbox, life, sender)
            }),
            Step::LookUp(to) => {
                self.spawn(node, move |node, sender| node.find_letterbox(to, sender));
            }
            Step::Seal(sealing) => {
                let seats = Arc::clone(&self.sealings);
                self.spawn(node, move |node, sender| async move {
                    let seat = seats.acquire_owned().await;
                    node.seal(*sealing, sender).await;
                    drop(seat);
                });
            }
            Step::Acknowledge { id, bytes } => {
                self.spawn(node, move |node, sender| {
                    node.acknowledge(id, bytes, sender)
                });
            }
            Step::Arrived(letter) => {
                debug!(letter = ?letter.id, "a letter came");
                self.tell();
            }
            Step::Became(letter, state) => {
                debug!(?letter, state = state.as_str(), "a letter came further");
                self.tell();
            }
        }
    }

    fn tell(&self) {
        self.news.send_modify(|news| *news += 1);
    }

    /// Starts an errand.
    fn spawn<F>(&self, node: &WeakNode, errand: impl FnOnce(WeakNode, mpsc::Sender<Message>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Some(sender) = self.sender.upgrade() {
            tokio::spawn(errand(node.clone(), sender));
        }
    }

    /// Has the network's size and our keys looked at.
    fn look(&self, node: &WeakNode) {
        self.spawn(node, WeakNode::look_around);
    }

    /// Has the letters that are held already read.
    fn read_held(&self, node: &WeakNode) {
        let topics = self.desk.topics(wall_now());
        self.spawn(node, move |node, sender| node.read_letters(topics, sender));
    }

    fn read_contacts(&mut self) {
        match self.contacts.read() {
            Ok(list) => {
                let ids: BTreeSet<_> = list.iter().map(|contact| contact.id).collect();
                self.desk.set_contacts(ids);
            }
            Err(error) => warn!(%error, "the contacts cannot be read: there are none"),
        }
    }
}

/// Hands on what the hub taps off, until the node stops.
async fn pour(tap: Arc<Mailbox<Tapped>>, sender: mpsc::WeakSender<Message>) {
    while let Some(taken) = poll_fn(|cx| tap.poll_take(cx)).await {
        let Some(sender) = sender.upgrade() else {
            return;
        };
        let message = match taken {
            Taken::Item(tapped) => Message::Tapped(tapped),
            Taken::Missed(_) => Message::Missed,
        };
        if sender.send(message).await.is_err() {
            return;
        }
    }
}
