//! The thread that reads: loads for the driver, pages for whoever scans.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use bruit_core::id::{BulletinId, TopicId};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::disk::Body;
use super::scan::{self, Page, Scan};
use super::writer::Shared;
use super::{StoreError, StoreEvent, Write};

/// Most reads that wait for the reader.
const READS_MAX: usize = 4_096;

/// What the reader is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Answered by [`StoreEvent::Loaded`], one for each id.
    Load(Vec<BulletinId>),
    Get(
        BulletinId,
        oneshot::Sender<Result<Option<Bytes>, StoreError>>,
    ),
    /// Answered by [`StoreEvent::ChunkLoaded`].
    LoadChunk(BulletinId, u32),
    Chunk(
        BulletinId,
        u32,
        oneshot::Sender<Result<Option<Bytes>, StoreError>>,
    ),
    Scan(Scan, oneshot::Sender<Result<Page, StoreError>>),
    Count(TopicId, oneshot::Sender<Result<u64, StoreError>>),
    Stop,
}

/// The way to the reader.
#[derive(Debug, Clone)]
pub(super) struct Requests(SyncSender<Request>);

impl Requests {
    pub(super) fn channel() -> (Self, Receiver<Request>) {
        let (sender, receiver) = sync_channel(READS_MAX);
        (Self(sender), receiver)
    }

    pub(super) fn send(&self, request: Request) -> Result<(), StoreError> {
        self.0.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::ReadBacklog { max: READS_MAX },
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }
}

/// The reader's life: ends when stopped or when nobody can ask any more.
pub(super) fn run(shared: &Arc<Shared>, requests: &Receiver<Request>) {
    while let Ok(request) = requests.recv() {
        match request {
            Request::Load(ids) => {
                for id in ids {
                    let bytes = bytes(shared, &id).unwrap_or_else(|error| {
                        let lost = Vec::new();
                        (shared.events)(StoreEvent::Failed { error, lost });
                        None
                    });
                    (shared.events)(StoreEvent::Loaded { id, bytes });
                }
            }
            Request::LoadChunk(id, index) => {
                let piece = chunk(shared, &id, index).unwrap_or_else(|error| {
                    let lost = Vec::new();
                    (shared.events)(StoreEvent::Failed { error, lost });
                    None
                });
                (shared.events)(StoreEvent::ChunkLoaded { id, index, piece });
            }
            Request::Chunk(id, index, answer) => drop(answer.send(chunk(shared, &id, index))),
            // Whoever asked may have gone: then nobody misses the answer.
            Request::Get(id, answer) => drop(answer.send(bytes(shared, &id))),
            Request::Scan(scan, answer) => drop(answer.send(page(shared, &scan))),
            Request::Count(topic, answer) => drop(answer.send(Ok(count(shared, &topic)))),
            Request::Stop => break,
        }
    }
}

fn bytes(shared: &Shared, id: &BulletinId) -> Result<Option<Bytes>, StoreError> {
    // In this order: what leaves the queue in between is on disk by then.
    if let Some(bytes) = shared.queue.bytes_of(id) {
        return Ok(Some(bytes));
    }
    Ok(match noticed(shared, shared.disk.body(id))? {
        Body::Whole(bytes) => Some(bytes),
        Body::None => None,
        Body::Damaged(seq) => {
            lost(shared, vec![(*id, seq)]);
            None
        }
    })
}

fn chunk(shared: &Shared, id: &BulletinId, index: u32) -> Result<Option<Bytes>, StoreError> {
    // In this order: what leaves the queue in between is on disk by then.
    match shared.queue.chunk_of(id, index) {
        Some(piece) => Ok(Some(piece)),
        None => noticed(shared, shared.disk.chunk(id, index)),
    }
}

/// Has bodies that are damaged given up, then tells of them: who hears it and waits for the writer finds
/// them gone.
fn lost(shared: &Shared, bodies: Vec<(BulletinId, u64)>) {
    if bodies.is_empty() {
        return;
    }
    let ids = bodies.iter().map(|(id, _)| *id).collect();
    // Refused, they are found again when they are read again.
    shared.queue.submit(Write::Lost { bodies }).ok();
    (shared.events)(StoreEvent::Damaged { ids });
}

/// After a failed read the database may refuse everything. A write that changes nothing makes the
/// writer notice, which keeps reads going, and mends a database that is damaged.
fn noticed<T>(shared: &Shared, result: Result<T, StoreError>) -> Result<T, StoreError> {
    if let Err(StoreError::Io { .. } | StoreError::Corrupt { .. }) = &result {
        if matches!(result, Err(StoreError::Corrupt { .. })) {
            shared.suspect();
        }
        // Refused when the writer has ended already.
        shared.queue.submit(Write::Purge { ids: Vec::new() }).ok();
    }
    result
}

fn count(shared: &Shared, topic: &TopicId) -> u64 {
    // In this order: what leaves the queue in between is on disk by then, and not counted twice.
    let waiting = shared.queue.rows(0, usize::MAX, |row| row.topic == *topic);
    let waiting: Vec<u64> = waiting.iter().map(|row| row.seq).collect();
    shared.disk.count(topic, &waiting)
}

fn page(shared: &Shared, scan: &Scan) -> Result<Page, StoreError> {
    // One more than a page takes, so that a page that leaves some out knows it.
    let waiting = match scan.after_seq.checked_add(1) {
        Some(first) => {
            let max = scan.limit() + 1;
            shared.queue.rows(first, max, |row| scan.matches(row))
        }
        None => Vec::new(),
    };
    let read = noticed(shared, shared.disk.page(scan))?;
    lost(shared, shared.disk.ids_of(&read.damaged));
    Ok(scan::merge(read.page, waiting, scan))
}
