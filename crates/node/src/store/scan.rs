//! Reading the store in the order of arrival, a page at a time.
//!
//! A page is bounded by rows, bytes and rows looked at, so that no scan holds a transaction, the
//! reader or memory for long. What still waits for the disk is part of the answer: whoever reads on
//! from live delivery finds no gap.

use bruit_core::id::{BulletinId, TopicId};
use bruit_core::time::Wall;
use redb::ReadTransaction;

use super::StoredBulletin;
use super::bodies::Reading;
use super::lists::{Listed, Lists};

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

/// One page of `scan`, which names no topics, from disk; `is_held` tells whether a number is where the
/// body of an id lies.
///
/// # Errors
/// Damage of pages, or input or output.
pub(super) fn page_of_all(
    transaction: &ReadTransaction,
    scan: &Scan,
    is_held: impl Fn(&BulletinId, u64) -> bool,
) -> Result<Read, redb::Error> {
    let mut page = PageBuilder::new(scan);
    let Some(first) = scan.after_seq.checked_add(1) else {
        return Ok(page.read());
    };
    let mut last = scan.after_seq;
    Reading::open(transaction)?.each(first, |lying| {
        let goes_on = page.visit(last);
        if goes_on {
            last = lying.seq();
            let body = lying.body();
            if body.as_ref().is_none_or(|body| is_held(&body.id, last)) {
                page.take(scan, last, body);
            }
        }
        goes_on
    })?;
    Ok(page.read())
}

/// One page of `scan` from disk: the bodies that `listed` names.
///
/// # Errors
/// Damage of pages, or input or output.
pub(super) fn page_of_listed(
    transaction: &ReadTransaction,
    scan: &Scan,
    listed: &Listed,
) -> Result<Read, redb::Error> {
    let bodies = Reading::open(transaction)?;
    let mut page = PageBuilder::new(scan);
    let mut last = scan.after_seq;
    for seq in &listed.seqs {
        if !page.visit(last) {
            return Ok(page.read());
        }
        last = *seq;
        page.take(scan, last, bodies.body(last)?);
    }
    page.page.next = listed.next;
    Ok(page.read())
}

/// The part of `lists` that a page of `scan` is made of.
pub(super) fn listed(lists: &Lists, scan: &Scan, topics: &[TopicId]) -> Listed {
    let Some(first) = scan.after_seq.checked_add(1) else {
        return Listed::default();
    };
    let bounds = (scan.limit(), PAGE_VISITS_MAX);
    lists.merged(topics, first, scan.since, bounds)
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
