//! What a node holds already, read for a subscription before it goes live.

use std::collections::VecDeque;
use std::time::Duration;

use bruit_core::id::TopicId;
use bruit_core::time::Wall;

use crate::received::Cursor;
use crate::store::{Scan, Store, StoreError, StoredBulletin};
use crate::wall::wall_now;

/// Bulletins read from the store at a time.
const PAGE: usize = 256;
/// Pause before the store is asked again that had too many reads waiting.
const READ_AGAIN: Duration = Duration::from_millis(20);

/// Where a replay begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past {
    pub(crate) since: Wall,
    pub(crate) after_seq: u64,
    /// The cursor is not known, so that this is no more than near it.
    pub(crate) is_guess: bool,
}

impl Past {
    pub(crate) const fn since(since: Wall) -> Self {
        Self {
            since,
            after_seq: 0,
            is_guess: false,
        }
    }

    /// After the bulletin of `cursor`; where it is not known any more, with what was made at the same
    /// time or later.
    pub(crate) fn after(cursor: &Cursor, store: &Store) -> Self {
        match store.seq_of(&cursor.id) {
            Some(after_seq) => Self {
                after_seq,
                ..Self::since(Wall::default())
            },
            None => Self {
                is_guess: true,
                ..Self::since(cursor.created)
            },
        }
    }
}

/// What a subscription reads from the store before it goes live.
#[derive(Debug)]
pub(crate) struct Replay {
    since: Wall,
    after_seq: u64,
    topics: Option<Vec<TopicId>>,
    store: Store,
    /// Whatever arrived from here on waits in the queue.
    until_seq: u64,
    page: VecDeque<StoredBulletin>,
    is_done: bool,
}

impl Replay {
    /// Reads what `store` holds of `topics` from `past` on, up to the arrival `until_seq`.
    pub(crate) const fn new(
        past: Past,
        topics: Option<Vec<TopicId>>,
        store: Store,
        until_seq: u64,
    ) -> Self {
        Self {
            since: past.since,
            after_seq: past.after_seq,
            topics,
            store,
            until_seq,
            page: VecDeque::new(),
            is_done: false,
        }
    }

    /// The next bulletin held before the subscription began; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<StoredBulletin>, StoreError> {
        loop {
            if let Some(row) = self.page.pop_front() {
                return Ok(Some(row));
            }
            if self.is_done {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), StoreError> {
        let page = loop {
            match self.store.scan(self.scan()).await {
                Err(StoreError::ReadBacklog { .. }) => tokio::time::sleep(READ_AGAIN).await,
                page => break page?,
            }
        };
        // What has expired is held until the inventory gets round to it, and concerns nobody.
        let now = wall_now();
        self.page = page
            .rows
            .into_iter()
            .filter(|row| row.seq < self.until_seq && row.expires > now)
            .collect();
        match page.next.filter(|next| *next < self.until_seq) {
            Some(next) => self.after_seq = next,
            None => self.is_done = true,
        }
        Ok(())
    }

    fn scan(&self) -> Scan {
        Scan {
            topics: self.topics.clone(),
            after_seq: self.after_seq,
            since: self.since,
            limit: PAGE,
        }
    }
}
