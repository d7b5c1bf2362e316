//! Letters by way of a node: send, read, list, contacts, rotate.

use std::time::{Duration, Instant};

use bruit_core::bulletin::Header;
use bruit_core::id::AuthorId;
use bruit_core::letters::{LetterId, SEALED_SIZES, outside, sealed_size, ttl_for};
use bruit_core::time::Wall;
use tokio::sync::watch;

use super::Node;
use crate::draft::PublishError;
use crate::letters::{
    Contact, ContactsError, LETTER_OVERHEAD, LetterDraft, LetterState, ReceivedLetter, SendError,
    SentLetter, Work, check,
};

/// New letters as they come.
#[derive(Debug)]
pub struct Mail {
    node: Node,
    news: watch::Receiver<u64>,
    after: u64,
    waiting: std::collections::VecDeque<ReceivedLetter>,
}

impl Mail {
    /// The next letter, in the order of arrival; none when the node has stopped. Dropped while it
    /// waits, it loses nothing.
    pub async fn next(&mut self) -> Option<ReceivedLetter> {
        loop {
            if let Some(letter) = self.waiting.pop_front() {
                self.after = letter.number;
                return Some(letter);
            }
            self.news.borrow_and_update();
            self.waiting = self.node.inbox_after(self.after).await.ok()?.into();
            if self.waiting.is_empty() {
                self.news.changed().await.ok()?;
            }
        }
    }
}

impl Node {
    /// Sends a letter. Answers when the word it waits for is true; without one, when the letter is kept
    /// on this node's disk. It goes on from there by itself, over restarts, until it is acknowledged or
    /// expires.
    ///
    /// # Errors
    /// Says what is wrong with the letter, or what kept the word from coming true in time.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, LetterDraft, LetterState, Node, Profile};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let local = Config { listen, price: 0, profile: Profile::Local, ..Config::default() };
    /// let alice = Node::spawn(local.clone()).await?;
    /// let bob = Node::spawn(Config { join: vec![alice.address().unwrap()], ..local }).await?;
    ///
    /// let letter = LetterDraft::new(bob.id(), "hello").wait(LetterState::Acknowledged);
    /// let sent = alice.send(letter).await?;
    /// assert_eq!(sent.state, LetterState::Acknowledged);
    /// assert_eq!(&bob.inbox().await?[0].body[..], b"hello");
    /// # alice.shutdown().await;
    /// # bob.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, draft: LetterDraft) -> Result<SentLetter, SendError> {
        check(&draft.body, draft.ttl)?;
        let from = match &draft.author {
            None => self.id().as_author(),
            Some(name) => self.author(Some(name))?.author_id(),
        };
        self.check_price(&draft, from)?;
        let LetterDraft { to, body, ttl, .. } = draft;
        let job = move |work: &mut Work<'_>| {
            work.desk.add_identity(from, work.now, work.rng);
            work.desk.send(from, to, body, ttl, work.now, work.rng)
        };
        let (sent, written) = self.inner.letters.ask(job).await?;
        let id = sent?;
        if let Err(error) = written {
            let withdraw = move |work: &mut Work<'_>| work.desk.withdraw(&id);
            let (_gone, _unwritten) = self.inner.letters.ask(withdraw).await?;
            return Err(SendError::Store(error.to_string()));
        }
        self.wait_for(id, draft.wait, draft.wait_timeout).await
    }

    /// Whether the work for a letter and its acknowledgement is within what is allowed.
    fn check_price(&self, draft: &LetterDraft, author: AuthorId) -> Result<(), SendError> {
        let size = sealed_size(draft.body.len().saturating_add(LETTER_OVERHEAD));
        let size = size.unwrap_or(SEALED_SIZES[SEALED_SIZES.len() - 1]);
        let header = |size: usize, ttl| -> Header {
            let topic = bruit_core::id::TopicId::from_bytes([0; 32]);
            outside(topic, author, &vec![0; size], Wall::default(), ttl)
        };
        let ttl = ttl_for(draft.ttl);
        let headers = [header(size, ttl), header(SEALED_SIZES[0], ttl_for(ttl * 2))];
        let need = headers.iter().map(|header| self.bits(header)).max();
        let (need, max) = (need.unwrap_or(0), self.inner.max_work_bits);
        if need > max {
            return Err(SendError::PriceTooLow { need, max });
        }
        Ok(())
    }

    async fn wait_for(
        &self,
        id: LetterId,
        wanted: LetterState,
        patience: Duration,
    ) -> Result<SentLetter, SendError> {
        let mut news = self.inner.letters.news.clone();
        let deadline = Instant::now() + patience;
        loop {
            news.borrow_and_update();
            let letter = self.letter(id).await?.ok_or(SendError::Closed)?;
            if letter.state == LetterState::Expired {
                return Err(SendError::Expired { id });
            }
            if letter.state >= wanted {
                return Ok(letter);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, news.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(SendError::Closed),
                Err(_) => {
                    return Err(SendError::Timeout {
                        id,
                        reached: letter.state,
                        waited: patience,
                    });
                }
            }
        }
    }

    /// A letter of ours, by its id.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn letter(&self, id: LetterId) -> Result<Option<SentLetter>, SendError> {
        let job = move |work: &mut Work<'_>| work.desk.letter(&id).map(SentLetter::of);
        Ok(self.inner.letters.ask(job).await?.0)
    }

    /// The letters to this node and its authors, in the order of arrival.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn inbox(&self) -> Result<Vec<ReceivedLetter>, SendError> {
        self.inbox_after(0).await
    }

    async fn inbox_after(&self, after: u64) -> Result<Vec<ReceivedLetter>, SendError> {
        let job = move |work: &mut Work<'_>| {
            let name = |number| work.desk.foreign(number);
            let letters = work.desk.inbox(after);
            let letters = letters.map(|letter| ReceivedLetter::of(letter, name(letter.number)));
            letters.collect()
        };
        Ok(self.inner.letters.ask(job).await?.0)
    }

    /// Letters as they come from now on; with `all`, those that are there first.
    ///
    /// # Errors
    /// When the node has stopped.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, LetterDraft, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let node = Node::spawn(Config { listen, price: 0, ..Config::default() }).await?;
    /// let mut mail = node.mail(false).await?;
    /// node.send(LetterDraft::new(node.id(), "a note to myself")).await?;
    /// let letter = mail.next().await.expect("the node runs");
    /// assert_eq!(letter.from, node.id().as_author());
    /// assert_eq!(node.outbox().await?[0].id, letter.id);
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn mail(&self, all: bool) -> Result<Mail, SendError> {
        let last = self.inbox().await?.last().map_or(0, |letter| letter.number);
        Ok(Mail {
            node: self.clone(),
            news: self.inner.letters.news.clone(),
            after: if all { 0 } else { last },
            waiting: std::collections::VecDeque::new(),
        })
    }

    /// Removes a letter from the inbox; answers whether it was there.
    ///
    /// # Errors
    /// When the node has stopped, or the disk does not take it: after a crash the letter may be there again.
    pub async fn remove_letter(&self, id: LetterId) -> Result<bool, SendError> {
        let job = move |work: &mut Work<'_>| work.desk.remove(&id);
        let (was_there, written) = self.inner.letters.ask(job).await?;
        written.map_err(|error| SendError::Store(error.to_string()))?;
        Ok(was_there)
    }

    /// The letters of this node and its authors, the latest last.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn outbox(&self) -> Result<Vec<SentLetter>, SendError> {
        let job = |work: &mut Work<'_>| {
            let letters = work.desk.outbox().into_iter().map(SentLetter::of);
            letters.collect()
        };
        Ok(self.inner.letters.ask(job).await?.0)
    }

    /// Makes new delivery codes: who has the old ones can write for 48 hours more. Contacts are told by
    /// letter. Answers how many.
    ///
    /// # Errors
    /// When too many letters wait, or the node has stopped.
    ///
    /// # Examples
    /// ```
    /// # use bruit::{Config, Contact, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = Some("127.0.0.1:0".parse()?);
    /// let node = Node::spawn(Config { listen, price: 0, ..Config::default() }).await?;
    /// let friend = "07".repeat(32).parse()?;
    /// node.add_contact(Contact { id: friend, name: Some("friend".into()) }).await?;
    /// assert_eq!(node.rotate().await?, 1);
    /// assert!(node.remove_contact(friend).await?);
    /// # node.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn rotate(&self) -> Result<usize, SendError> {
        let job = |work: &mut Work<'_>| {
            work.take_contacts();
            work.desk.rotate(work.now, work.rng)
        };
        let (rotated, written) = self.inner.letters.ask(job).await?;
        written.map_err(|error| SendError::Store(error.to_string()))?;
        rotated
    }

    /// The contacts: whose letters are acknowledged, and who is told of new delivery codes.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub async fn contacts(&self) -> Result<Vec<Contact>, ContactsError> {
        self.with_contacts(|work| work.contacts.read().map(<[_]>::to_vec))
            .await
    }

    /// Adds a contact, or names one anew.
    ///
    /// # Errors
    /// When the name cannot be one, or the file cannot be written.
    pub async fn add_contact(&self, contact: Contact) -> Result<(), ContactsError> {
        self.with_contacts(move |work| work.contacts.add(contact))
            .await
    }

    /// Removes a contact; answers whether there was one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn remove_contact(&self, id: AuthorId) -> Result<bool, ContactsError> {
        self.with_contacts(move |work| work.contacts.remove(&id))
            .await
    }

    async fn with_contacts<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Work<'_>) -> Result<T, ContactsError> + Send + 'static,
    ) -> Result<T, ContactsError> {
        let job = move |work: &mut Work<'_>| {
            let done = job(work);
            work.take_contacts();
            done
        };
        let asked = self.inner.letters.ask(job).await;
        asked.map_err(|_| ContactsError::Closed)?.0
    }
}

impl From<PublishError> for SendError {
    fn from(error: PublishError) -> Self {
        Self::Author(Box::new(error))
    }
}
