//! Reading the store in the order of arrival, a page at a time.
//!
//! A page is bounded by rows, bytes and rows looked at, so that no scan holds a transaction, the
//! reader or memory for long. What still waits for the disk is part of the answer: whoever reads on
//! from live delivery finds no gap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bruit_core::id::TopicId;
use bruit_core::time::Wall;
use redb::ReadTransaction;

use super::disk::{BODIES, TOPICS};
use super::{StoredBulletin, rows};

/// Most bytes of bodies on one page; a page always has room for one bulletin.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Most rows looked at for one page.
const PAGE_VISITS_MAX: usize = 16_384;

/// Which bulletins to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Only these topics; `None` for all.
    pub topics: Option<Vec<TopicId>>,
    /// Only those that arrived after this cursor; 0 for all.
    pub after_seq: u64,
    /// Only those created at this moment or later.
    pub since: Wall,
    /// Most bulletins on the page, at least 1.
    pub limit: usize,
}

/// A part of a scan's answer, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The bulletins.
    pub rows: Vec<StoredBulletin>,
    /// The `after_seq` that reads on; `None` at the end. A page may be empty and not the last.
    pub next: Option<u64>,
}

/// What a scan found on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Read {
    pub(super) page: Page,
    /// Numbers of bodies that are not as they were written.
    pub(super) damaged: Vec<u64>,
}

impl Scan {
    /// Whether `bulletin` belongs to the answer.
    pub(super) fn matches(&self, bulletin: &StoredBulletin) -> bool {
        bulletin.seq > self.after_seq
            && bulletin.created >= self.since
            && self
                .topics
                .as_ref()
                .is_none_or(|topics| topics.contains(&bulletin.topic))
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.max(1)
    }
}

/// Gathers rows until the page is full.
pub(super) struct PageBuilder {
    page: Page,
    damaged: Vec<u64>,
    limit: usize,
    bytes: usize,
    visits: usize,
}

impl PageBuilder {
    pub(super) fn new(scan: &Scan) -> Self {
        Self {
            page: Page::default(),
            damaged: Vec::new(),
            limit: scan.limit(),
            bytes: 0,
            visits: 0,
        }
    }

    /// Counts a row that was looked at. False when the page ends before it; `last` is the row
    /// before.
    pub(super) fn visit(&mut self, last: u64) -> bool {
        self.visits += 1;
        let full = self.page.rows.len() >= self.limit
            || self.bytes >= PAGE_BYTES_MAX
            || self.visits > PAGE_VISITS_MAX;
        if full {
            self.page.next = Some(last);
        }
        !full
    }

    pub(super) fn push(&mut self, bulletin: StoredBulletin) {
        self.bytes += bulletin.bytes.len();
        self.page.rows.push(bulletin);
    }

    /// Adds the body that was read under `seq`, if it fits the scan.
    fn take(&mut self, scan: &Scan, seq: u64, body: Option<StoredBulletin>) {
        match body {
            Some(body) if scan.matches(&body) => self.push(body),
            Some(_) => {}
            None => self.damaged.push(seq),
        }
    }

    pub(super) fn finish(self) -> Page {
        self.page
    }

    fn read(self) -> Read {
        Read {
            page: self.page,
            damaged: self.damaged,
        }
    }
}

/// One page of `scan` from disk.
pub(super) fn page(transaction: &ReadTransaction, scan: &Scan) -> Result<Read, redb::Error> {
    let Some(first) = scan.after_seq.checked_add(1) else {
        return Ok(Read::default());
    };
    match &scan.topics {
        None => page_of_all(transaction, scan, first),
        Some(topics) => page_of_topics(transaction, scan, topics, first),
    }
}

fn page_of_all(
    transaction: &ReadTransaction,
    scan: &Scan,
    first: u64,
) -> Result<Read, redb::Error> {
    let mut page = PageBuilder::new(scan);
    let mut last = scan.after_seq;
    for row in transaction.open_table(BODIES)?.range(first..)? {
        if !page.visit(last) {
            break;
        }
        let (seq, row) = row?;
        last = seq.value();
        page.take(scan, last, rows::sealed_body(last, row.value()));
    }
    Ok(page.read())
}

/// Merges the lists of `topics`, which are sorted by arrival each.
fn page_of_topics(
    transaction: &ReadTransaction,
    scan: &Scan,
    topics: &[TopicId],
    first: u64,
) -> Result<Read, redb::Error> {
    let arrivals = transaction.open_table(TOPICS)?;
    let bodies = transaction.open_table(BODIES)?;
    let mut lists = Vec::with_capacity(topics.len());
    let mut heads = BinaryHeap::with_capacity(topics.len());
    let mut topics = topics.to_vec();
    topics.sort_unstable();
    topics.dedup();
    for (number, topic) in topics.iter().enumerate() {
        let ends = rows::topic_key(topic, first)..=rows::topic_key(topic, u64::MAX);
        let range = ends.start()..=ends.end();
        let mut entries = arrivals.range::<&[u8; rows::LONG_KEY_BYTES]>(range)?;
        if let Some(entry) = entries.next() {
            let (key, created) = entry?;
            heads.push(Reverse((
                rows::seq_of_topic_key(key.value()),
                number,
                created.value(),
            )));
        }
        lists.push(entries);
    }
    let mut page = PageBuilder::new(scan);
    let mut last = scan.after_seq;
    while let Some(Reverse((seq, number, created))) = heads.pop() {
        if !page.visit(last) {
            break;
        }
        last = seq;
        if Wall::from_millis(created) >= scan.since {
            let row = bodies.get(seq)?;
            let body = row.and_then(|row| rows::sealed_body(seq, row.value()));
            page.take(scan, seq, body);
        }
        if let Some(entry) = lists[number].next() {
            let (key, created) = entry?;
            heads.push(Reverse((
                rows::seq_of_topic_key(key.value()),
                number,
                created.value(),
            )));
        }
    }
    Ok(page.read())
}

/// How many bulletins of `topic` are on disk, and of `waiting` that are not yet: by their keys alone.
pub(super) fn count(
    transaction: &ReadTransaction,
    topic: &TopicId,
    waiting: &[u64],
) -> Result<u64, redb::Error> {
    let arrivals = transaction.open_table(TOPICS)?;
    let ends = rows::topic_key(topic, 0)..=rows::topic_key(topic, u64::MAX);
    let range = ends.start()..=ends.end();
    let mut count = 0;
    for entry in arrivals.range::<&[u8; rows::LONG_KEY_BYTES]>(range)? {
        entry?;
        count += 1;
    }
    for seq in waiting {
        count += u64::from(arrivals.get(&rows::topic_key(topic, *seq))?.is_none());
    }
    Ok(count)
}

/// `page` with those of `waiting` that it lacks. Both match the scan and are sorted by arrival.
pub(super) fn merge(mut page: Page, waiting: Vec<StoredBulletin>, scan: &Scan) -> Page {
    if waiting.is_empty() {
        return page;
    }
    let end = page.next.unwrap_or(u64::MAX);
    page.rows
        .extend(waiting.into_iter().filter(|bulletin| bulletin.seq <= end));
    page.rows.sort_by_key(|bulletin| bulletin.seq);
    page.rows.dedup_by_key(|bulletin| bulletin.seq);
    if page.rows.len() > scan.limit() {
        page.rows.truncate(scan.limit());
        page.next = page.rows.last().map(|bulletin| bulletin.seq);
    }
    page
}
